"""Roles that STS gives temporary keys of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from ...api.codes import Outcome, look_up
from ...api.messages import UNPACKED, Reply, read_reply
from ...api.signing import JSON_TYPE, authorization, payload_hash
from ...clock import Clock
from ...exceptions import CredentialsError, UnavailableError, UncertainError
from ..connection_schema import VISIBLE
from ..delivery import Ending, Handover, ending_of, kind_of
from ..timeouts import within
from . import MAX_BYTES, CredentialProvider, Credentials, IssuedCredentials, temporary_key

# One small question over HTTP: bounded in time and size, followed nowhere.
# The Security Token Service: what it is asked, and what it answers.
#
# Source: "AssumeRole" and "AssumeRoleWithWebIdentity" of STS, version 2018-08-13 (documents
# 1150/49456 and 1150/49454), which name the international host and that the second one is not signed.
#


CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class HttpOptions:
    """
    How to get to a server.

    :param direct: past every proxy, the environment's included.
    :param proxies: proxy address by scheme, over those of the environment.
    :param verify: whether to check the TLS certificate.
    :param seconds: for all of a question and its answer.
    """

    direct: bool = False
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True
    seconds: float = 10.0


@dataclass(frozen=True)
class Page:
    """An answer; it may hold a key, so its body is not printed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def date(self) -> float | None:
        """Return when it was written, in Unix seconds, None if it does not say."""
        return Reply("", "", date_header=self.headers.get("Date", "")).date


def ask(
    url: str,
    way: HttpOptions,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> Page:
    """
    Ask a server: POST if there is data, else GET.

    :raises UnavailableError: it does not answer in time, which may pass.
    :raises CredentialsError: its certificate is not trusted, or what it sends is too long.
    """
    host = urlsplit(url).netloc

    def exchange() -> Page:
        with requests.Session() as session:
            session.trust_env = not way.direct
            with session.request(
                "GET" if data is None else "POST",
                url,
                data=data,
                headers={**UNPACKED, **(headers or {})},
                auth=lambda request: request,  # a netrc must not touch our Authorization
                timeout=(min(CONNECT_SECONDS, way.seconds), way.seconds),
                allow_redirects=False,
                stream=True,
                verify=way.verify,
                proxies=dict(way.proxies),
            ) as response:
                body = response.raw.read(MAX_BYTES + 1, decode_content=False)
                return Page(response.status_code, response.headers, body)

    try:
        page = within(way.seconds, exchange)
    except TimeoutError:
        raise UnavailableError(f"{host} does not answer within {way.seconds:g} s") from None
    except (requests.RequestException, HTTPError) as error:
        raise _problem_of(host, error) from None
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        raise CredentialsError(f"{host}: no certificates to check its own against") from None
    if len(page.body) > MAX_BYTES:
        raise CredentialsError(f"{host} sends more than {MAX_BYTES} bytes, which is no key")
    return page


def _problem_of(host: str, error: Exception) -> UnavailableError | CredentialsError:
    """Return what an error means: a handshake that is ended may pass, a certificate will not."""
    free = Handover()
    free.connect()  # a question costs nothing, so it is never in doubt
    proxied = isinstance(error, requests.exceptions.ProxyError)
    match ending_of(error, free, proxied=proxied):
        case Ending.UNTRUSTED | Ending.NO_TLS:
            return CredentialsError(
                f"{host}: its TLS certificate or handshake is refused ({type(error).__name__}). Check "
                "the address, or the certificates this machine trusts"
            )
        case Ending.NO_ADDRESS:
            return CredentialsError(f"{host}, or its proxy, is no address ({kind_of(error)})")
        case _:
            return UnavailableError(f"{host} cannot be reached ({kind_of(error)})")


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
class StsRequest:
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
    way: HttpOptions = field(default_factory=HttpOptions)

    @property
    def host(self) -> str:
        """Return host and port: the value that is signed."""
        return urlsplit(self.url).netloc

    def temporary(self, question: StsRequest, clock: Clock) -> tuple[Credentials, float]:
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

    def _ask(self, question: StsRequest, now: float) -> Reply:
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


REGION = "ap-singapore"
"""STS wants a region with every request; roles know none, so any of its own will do."""
VARIABLES = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")


@dataclass(frozen=True)
class AssumedRole:
    """
    A role that is assumed with the key of another origin.

    :param base: whose key STS is asked with: the connection's own, or an origin.
    :param role_arn: the role, such as ``qcs::cam::uin/100000000001:roleName/faceid``.
    :param external_id: what the role may ask for besides.
    :param seconds: how long each key is to be good.
    """

    base: Credentials | CredentialProvider
    role_arn: str
    external_id: str = field(default="", repr=False)
    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    @property
    def name(self) -> str:
        """Name it in messages."""
        base = "the connection's key" if isinstance(self.base, Credentials) else self.base.name
        return f"role '{self.role_arn}' assumed with {base}"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Assume the role.

        :raises FaceIdError: the origin has no key, or STS gives none.
        """
        origin: CredentialProvider = self
        if isinstance(self.base, Credentials):
            key = self.base
        else:
            found = self.base.fetch(clock)
            key, origin = found.key, self.over(found.origin)
        params: dict[str, object] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": SESSION_NAME,
            "DurationSeconds": self.seconds,
        }
        if self.external_id:
            params["ExternalId"] = self.external_id
        question = StsRequest(self.name, "AssumeRole", params, REGION, key)
        key, seconds = self.sts.temporary(question, clock)
        return IssuedCredentials(key, origin, account=self.role_arn, seconds=seconds)

    def over(self, base: CredentialProvider) -> AssumedRole:
        """Return the same role over another base."""
        return replace(self, base=base)


@dataclass(frozen=True)
class TkeOidc:
    """
    The role of the TKE pod this process runs in; Kubernetes gives it a token and four variables.

    :param seconds: how long each key is to be good.
    """

    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    name = "tke_oidc"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Exchange the pod's token, which Kubernetes renews, for a key.

        :raises FaceIdError: a variable or the token is missing, or STS gives no key.
        """
        found = {name: os.environ.get(name, "") for name in VARIABLES}
        if missing := [name for name, value in found.items() if not value]:
            raise CredentialsError(f"{self.name}: {missing[0]} is missing in the environment")
        region, provider, file, role_arn = found.values()
        if not VISIBLE.fullmatch(region):
            raise CredentialsError(f"{self.name}: TKE_REGION is no region")
        params = {
            "ProviderId": provider,
            "WebIdentityToken": self._token(Path(file)),
            "RoleArn": role_arn,
            "RoleSessionName": SESSION_NAME,
            "DurationSeconds": self.seconds,
        }
        question = StsRequest(self.name, "AssumeRoleWithWebIdentity", params, region, key=None)
        key, seconds = self.sts.temporary(question, clock)
        return IssuedCredentials(key, self, account=role_arn, seconds=seconds)

    def _token(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                token = file.read(MAX_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            detail = getattr(error, "strerror", None) or "it is no token"
            raise CredentialsError(
                f"{self.name}: the file {path} of TKE_WEB_IDENTITY_TOKEN_FILE cannot be read "
                f"({detail})"
            ) from None
        if not 0 < len(token) <= MAX_BYTES:
            raise CredentialsError(f"{self.name}: the file {path} holds no token")
        return token
