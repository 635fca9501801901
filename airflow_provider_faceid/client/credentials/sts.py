"""STS: temporary credentials by AssumeRole, or from the OIDC token of a TKE pod.

Requests go over HTTP bounded in time and size, without redirects. Source: "AssumeRole" and
"AssumeRoleWithWebIdentity" of the Security Token Service, version 2018-08-13 (documents 1150/49456 and
1150/49454), which name the international host; the second one is not signed.
"""

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
from ..delivery import Ending, SendGuard, ending_of, kind_of
from ..timeouts import within
from . import MAX_BYTES, CredentialProvider, Credentials, IssuedCredentials, temporary_key

CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class HttpOptions:
    """
    How to send a request to a server.

    :param direct: use no proxy, not even the environment's.
    :param proxies: proxy address by scheme; takes precedence over the environment's.
    :param verify: whether to check the TLS certificate.
    :param seconds: total timeout of request and answer.
    """

    direct: bool = False
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True
    seconds: float = 10.0


@dataclass(frozen=True)
class Page:
    """An HTTP answer. It may hold a key, so its body is left out of ``repr``."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def date(self) -> float | None:
        """Return the ``Date`` header in Unix seconds, None if there is none."""
        return Reply("", "", date_header=self.headers.get("Date", "")).date


def ask(
    url: str,
    way: HttpOptions,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> Page:
    """
    Send a request: POST if there is data, else GET.

    :raises UnavailableError: the server does not answer in time; a later attempt may succeed.
    :raises CredentialsError: its certificate is not trusted, or its answer is too long.
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
    """Return the error to raise: transient for a broken connection, final for a bad certificate."""
    unsent = SendGuard()
    unsent.connecting()  # an STS request is not charged, so it is never in doubt
    proxied = isinstance(error, requests.exceptions.ProxyError)
    match ending_of(error, unsent, proxied=proxied):
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
"""Name of our sessions in the account's audit log."""
DEFAULT_SECONDS = 7200

_SIGNED_LATE = "AuthFailure.SignatureExpire"
_MAY_PASS = frozenset({Outcome.THROTTLED, Outcome.UNAVAILABLE})
_ADVICE = {
    "AuthFailure": "Check the key it is asked with, and this machine's clock",
    "UnauthorizedOperation": "Check that the role may be assumed with this key",
    "ResourceNotFound": "Check the name of the role",
    "InvalidParameter": "Check the role, its duration and its external id, or the pod's token",
}
"""Next step for a person, by the first part of the error code."""


@dataclass(frozen=True)
class StsRequest:
    """
    One request to STS.

    :param provider: name of the credential provider, for error messages.
    :param action: the STS Action.
    :param params: the request fields.
    :param region: value of ``X-TC-Region``.
    :param key: signs the request; None for an Action that is not signed.
    """

    provider: str
    action: str
    params: Mapping[str, object] = field(repr=False)
    region: str
    key: Credentials | None


@dataclass(frozen=True)
class Sts:
    """
    An STS endpoint and its HTTP options.

    :param url: scheme, host and port.
    :param way: the options.
    """

    url: str = f"https://{HOST}"
    way: HttpOptions = field(default_factory=HttpOptions)

    @property
    def host(self) -> str:
        """Return host and port: the value that is signed."""
        return urlsplit(self.url).netloc

    def temporary(self, request: StsRequest, clock: Clock) -> tuple[Credentials, float]:
        """
        Request a temporary key; return it and its lifetime in seconds.

        A request that is refused for its time is signed again with STS's time (clock skew).

        :raises UnavailableError: STS cannot answer now.
        :raises CredentialsError: STS refuses, or its answer holds no valid key.
        """
        action = request.action
        reply = self._send(request, clock.now())
        if reply.code == _SIGNED_LATE and reply.date is not None:
            reply = self._send(request, reply.date)
        where = f"{request.provider}: {self.host}"
        if reply.code:
            code, request_id = reply.code, reply.request_id
            if look_up({}, code).outcome in _MAY_PASS:
                text = f"{where} cannot answer {action} now"
                raise UnavailableError(text, code=code, request_id=request_id)
            advice = _ADVICE.get(code.partition(".")[0], "Check the STS endpoint")
            text = f"{where} refuses {action}. {advice}"
            raise CredentialsError(text, code=code, request_id=request_id)
        parts = reply.fields.get("Credentials")
        date = clock.now() if reply.date is None else reply.date
        return temporary_key(
            where,
            parts if isinstance(parts, dict) else {},
            reply.fields.get("ExpiredTime"),
            date,
        )

    def _send(self, request: StsRequest, now: float) -> Reply:
        provider, action, key = request.provider, request.action, request.key
        body = json.dumps(request.params).encode()
        headers = {"Content-Type": JSON_TYPE, "Host": self.host}
        signature = "SKIP" if key is None else self._signature(key, headers, body, int(now))
        headers |= {
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Region": request.region,
            "X-TC-Timestamp": str(int(now)),
            "Authorization": signature,
        }
        if key is not None and key.token:
            headers["X-TC-Token"] = key.token
        try:
            page = ask(self.url + "/", self.way, headers=headers, data=body)
        except (UnavailableError, CredentialsError) as error:
            raise type(error)(f"{provider}: {error}") from None
        try:
            return read_reply(
                action, page.status, page.body, date_header=page.headers.get("Date", "")
            )
        except UncertainError:
            raise UnavailableError(
                f"{provider}: {self.host} answers HTTP {page.status} without a readable body"
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
"""STS requires a region in each request. Roles have none, so any region of STS will do."""
VARIABLES = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")


@dataclass(frozen=True)
class AssumedRole:
    """
    Credential provider: a CAM role assumed with another key (STS ``AssumeRole``).

    :param base: the key that signs the STS request, or the provider that issues it.
    :param role_arn: the role, such as ``qcs::cam::uin/100000000001:roleName/faceid``.
    :param external_id: external id, if the role's trust policy demands one.
    :param seconds: requested lifetime of each key.
    :param sts: the STS endpoint.
    """

    base: Credentials | CredentialProvider
    role_arn: str
    external_id: str = field(default="", repr=False)
    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    @property
    def name(self) -> str:
        """Return the provider's name for messages."""
        base = "the connection's key" if isinstance(self.base, Credentials) else self.base.name
        return f"role '{self.role_arn}' assumed with {base}"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Assume the role.

        :raises FaceIdError: the base provider has no key, or STS issues none.
        """
        provider: CredentialProvider = self
        if isinstance(self.base, Credentials):
            key = self.base
        else:
            found = self.base.fetch(clock)
            key, provider = found.key, self.over(found.provider)
        params: dict[str, object] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": SESSION_NAME,
            "DurationSeconds": self.seconds,
        }
        if self.external_id:
            params["ExternalId"] = self.external_id
        request = StsRequest(self.name, "AssumeRole", params, REGION, key)
        key, seconds = self.sts.temporary(request, clock)
        return IssuedCredentials(key, provider, account=self.role_arn, seconds=seconds)

    def over(self, base: CredentialProvider) -> AssumedRole:
        """Return the same role assumed with another base provider."""
        return replace(self, base=base)


@dataclass(frozen=True)
class TkeOidc:
    """
    Credential provider: the role of the TKE pod of this process, by its OIDC token.

    Kubernetes provides the token file and the environment :data:`VARIABLES`.

    :param seconds: requested lifetime of each key.
    :param sts: the STS endpoint.
    """

    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    name = "tke_oidc"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Exchange the pod's token, which Kubernetes rotates, for a key.

        :raises FaceIdError: a variable or the token is missing, or STS issues no key.
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
        request = StsRequest(self.name, "AssumeRoleWithWebIdentity", params, region, key=None)
        key, seconds = self.sts.temporary(request, clock)
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
