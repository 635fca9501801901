"""One request as it goes over the wire and what comes back: what both transports do alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from requests.auth import AuthBase

from ..api.actions import SERVICE, VERSION
from ..api.messages import UNPACKED, Pieces, Reply, read_reply
from ..api.signing import JSON_TYPE, authorization, payload_hash
from ..clock import SYSTEM_CLOCK, Clock, OffsetClock
from ..exceptions import ConfigurationError
from .call import Send
from .credentials import Credentials
from .credentials.refresh import SigningCredentials
from .settings import Settings

# Signed headers for one request, and the same as an auth object for requests.


if TYPE_CHECKING:
    from requests import PreparedRequest


def signed_headers(
    credentials: Credentials,
    *,
    host: str,
    action: str,
    body: Pieces,
    timestamp: int,
    region: str = "",
    language: str = "en-US",
) -> dict[str, str]:
    """
    Return all headers of a signed POST.

    :param host: host as it goes on the wire, with the port if it is not the scheme's own.
    :param action: the API Action.
    :param body: the request body, in pieces.
    :param timestamp: Unix seconds.
    :param region: sent only if not empty; an empty header is refused by the service.
    :param language: language of descriptions, ``en-US`` or ``zh-CN``.
    """
    headers = {
        "Content-Type": JSON_TYPE,
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Timestamp": str(timestamp),
        "X-TC-Version": VERSION,
        "X-TC-Language": language,
        "Authorization": authorization(
            secret_id=credentials.secret_id,
            secret_key=credentials.secret_key,
            timestamp=timestamp,
            service=SERVICE,
            headers={"content-type": JSON_TYPE, "host": host},
            hashed_payload=payload_hash(*body),
        ),
    }
    if region:
        headers["X-TC-Region"] = region
    if credentials.token:
        headers["X-TC-Token"] = credentials.token
    return headers


class TC3Auth(AuthBase):
    """
    Sign a prepared request of the ``requests`` library with TC3-HMAC-SHA256.

    The request must be a POST with a JSON body and the header ``X-TC-Action``. It is signed each
    time it is prepared, so a retry carries a fresh timestamp.

    :param secret_id: SecretId of the API key.
    :param secret_key: SecretKey of the API key.
    :param token: token of a temporary key.
    :param region: value of ``X-TC-Region``, if any.
    :param language: language of descriptions.
    :param clock: the time of signatures.
    """

    def __init__(
        self,
        secret_id: str,
        secret_key: str,
        *,
        token: str = "",
        region: str = "",
        language: str = "en-US",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        key = Credentials(secret_id, secret_key, token)
        self._key: Callable[[], Credentials] = lambda: key
        self._common: dict[str, Any] = {"region": region, "language": language}
        self._clock = clock

    @classmethod
    def of(cls, keys: SigningCredentials, settings: Settings, clock: Clock) -> Self:
        """
        Return what signs as a connection says, with the key that is good at the time.

        :param keys: the connection's; signing blocks while they have none.
        """
        auth = cls("", "", region=settings.region, language=settings.language, clock=clock)
        auth._key = lambda: keys.ready() or keys.wait(settings.conn_id)
        return auth

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """
        Add the signed headers.

        :raises ConfigurationError: the request is no POST, streams its body or names no Action.
        :raises CredentialsError: the connection's keys have none.
        """
        action = r.headers.get("X-TC-Action")
        body = r.body.encode() if isinstance(r.body, str) else r.body
        if r.method != "POST" or not action or not isinstance(body, bytes):
            raise ConfigurationError(
                "TC3Auth signs POST requests with a JSON body and the header X-TC-Action"
            )
        headers = signed_headers(
            self._key(),
            host=urlsplit(str(r.url)).netloc,
            action=action,
            body=Pieces([body]),
            timestamp=int(self._clock.now()),
            **self._common,
        )
        r.headers.update(headers)
        return r


IDLE_SECONDS = 15
"""Idle connections are dropped after this, in both transports: well before a server, a load balancer
or a NAT would forget them, after which a request on them is in doubt though it went nowhere."""


def headers_of(send: Send, settings: Settings, clock: OffsetClock) -> dict[str, str]:
    """Return all headers of a request, signed for this moment."""
    signed = signed_headers(
        send.key,
        host=settings.host,
        action=send.action,
        body=send.body,
        timestamp=int(clock.now()),
        region=settings.region,
        language=settings.language,
    )
    return {**signed, **UNPACKED}


def reply_of(
    send: Send,
    status: int,
    body: bytes | bytearray,
    headers: Mapping[str, str],
    settings: Settings,
) -> Reply:
    """
    Return what an answer says.

    :param headers: of the answer, whatever the case of their names.
    :param settings: say what the gateway's statuses mean.
    :raises FaceIdError: it is no answer of the service.
    """
    return read_reply(
        send.action,
        status,
        body,
        send.personal,
        date_header=headers.get("Date", ""),
        encoding=headers.get("Content-Encoding", ""),
        retry_after_header=headers.get("Retry-After", ""),
        never_forwards=settings.repeat_gateway_errors,
    )
