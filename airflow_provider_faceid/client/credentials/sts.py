"""The Security Token Service: what it is asked, and what it answers.

Source: "AssumeRole" and "AssumeRoleWithWebIdentity" of STS, version 2018-08-13 (documents
1150/49456 and 1150/49454), which name the international host and that the second one is not signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...clock import Clock
from ...exceptions import CredentialsError, UnavailableError, UncertainError
from ...service.envelope import Reply, read_reply
from ...service.outcomes import Outcome, look_up
from ...service.signing import JSON_TYPE, authorization, payload_hash
from .key import Credentials, temporary_key
from .web import Way, ask

HOST = "sts.intl.tencentcloudapi.com"
VERSION, SERVICE = "2018-08-13", "sts"
SESSION_NAME = "airflow-provider-faceid"
"""Names our sessions in the account's audit log."""
DEFAULT_SECONDS = 7200

_SIGNED_LATE = "AuthFailure.SignatureExpire"
_MAY_PASS = frozenset({Outcome.THROTTLED, Outcome.UNAVAILABLE})
_ADVICE = {
    "AuthFailure": "Check the key it is asked with, and this machine's clock",
    "UnauthorizedOperation": "Check that the role may be assumed with this key",
    "ResourceNotFound": "Check the name of the role",
    "InvalidParameter": "Check the role, its duration and its external id, or the pod's token",
}
"""What to do, by family of code."""


@dataclass(frozen=True)
class Question:
    """
    What STS is asked.

    :param who: the origin, for messages.
    :param params: the request fields.
    :param key: signs the request; None for an Action that is not signed.
    """

    who: str
    action: str
    params: Mapping[str, object] = field(repr=False)
    region: str
    key: Credentials | None


@dataclass(frozen=True)
class Sts:
    """
    An endpoint of STS and how to get there.

    :param url: scheme, host and port.
    """

    url: str = f"https://{HOST}"
    way: Way = field(default_factory=Way)

    @property
    def host(self) -> str:
        """Return host and port: the value that is signed."""
        return urlsplit(self.url).netloc

    def temporary(self, question: Question, clock: Clock) -> tuple[Credentials, float]:
        """
        Ask for a temporary key; return it and the seconds it is good for.

        :raises UnavailableError: STS cannot answer now.
        :raises CredentialsError: it refuses, or what it says is no key.
        """
        action = question.action
        reply = self._ask(question, clock.now())
        if reply.code == _SIGNED_LATE and reply.date is not None:  # for a wrong clock of ours
            reply = self._ask(question, reply.date)
        where = f"{question.who}: {self.host}"
        if reply.code:
            code, request_id = reply.code, reply.request_id
            if look_up(action, code).outcome in _MAY_PASS:
                told = f"{where} cannot answer {action} now"
                raise UnavailableError(told, code=code, request_id=request_id)
            advice = _ADVICE.get(code.partition(".")[0], "Check the STS endpoint")
            told = f"{where} refuses {action}. {advice}"
            raise CredentialsError(told, code=code, request_id=request_id)
        said = reply.fields.get("Credentials")
        date = clock.now() if reply.date is None else reply.date
        return temporary_key(
            where,
            said if isinstance(said, dict) else {},
            reply.fields.get("ExpiredTime"),
            date,
        )

    def _ask(self, question: Question, now: float) -> Reply:
        who, action, key = question.who, question.action, question.key
        body = json.dumps(question.params).encode()
        headers = {"Content-Type": JSON_TYPE, "Host": self.host}
        signature = "SKIP" if key is None else self._signature(key, headers, body, int(now))
        headers |= {
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Region": question.region,
            "X-TC-Timestamp": str(int(now)),
            "Authorization": signature,
        }
        if key is not None and key.token:
            headers["X-TC-Token"] = key.token
        try:
            page = ask(self.url + "/", self.way, headers=headers, data=body)
        except (UnavailableError, CredentialsError) as error:
            raise type(error)(f"{who}: {error}") from None
        try:
            return read_reply(
                action, page.status, page.body, date_header=page.headers.get("Date", "")
            )
        except UncertainError:
            raise UnavailableError(
                f"{who}: {self.host} answers HTTP {page.status} without saying anything"
            ) from None

    def _signature(
        self, key: Credentials, headers: Mapping[str, str], body: bytes, timestamp: int
    ) -> str:
        return authorization(
            secret_id=key.secret_id,
            secret_key=key.secret_key,
            timestamp=timestamp,
            service=SERVICE,
            headers=headers,
            hashed_payload=payload_hash(body),
        )
