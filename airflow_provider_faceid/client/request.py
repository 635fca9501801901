"""One HTTP request: TC3 signed headers, also as a requests auth class, and parsing of the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from requests.auth import AuthBase

from ..api.action import SERVICE, VERSION
from ..api.messages import UNPACKED, Pieces, Reply, read_reply
from ..api.signing import JSON_TYPE, authorization, payload_hash
from ..clock import SYSTEM_CLOCK, Clock, OffsetClock
from ..exceptions import ConfigurationError
from .call import Send
from .credentials import Credentials
from .credentials.refresh import SigningCredentials
from .settings import Settings

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
    Return all headers of a POST signed with TC3-HMAC-SHA256.

    :param credentials: the key that signs.
    :param host: the ``Host`` header, with the port if it is not the scheme's default.
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
    :param clock: gives the timestamp of signatures.
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
        Return an auth object with a connection's settings and its key that is valid at the time.

        :param keys: the connection's credentials; signing blocks while they have no valid key.
        :param settings: region and language.
        :param clock: gives the timestamp of signatures.
        """
        auth = cls("", "", region=settings.region, language=settings.language, clock=clock)
        auth._key = lambda: keys.ready() or keys.wait(settings.conn_id)
        return auth

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """
        Add the signed headers.

        :raises ConfigurationError: the request is no POST, streams its body or names no Action.
        :raises CredentialsError: the connection has no valid key.
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
"""Keep-alive: both transports close a pooled connection that was idle this long, well before a server,
a load balancer or a NAT drops it. A request on a dropped connection would be in doubt."""


def headers_of(send: Send, settings: Settings, clock: OffsetClock) -> dict[str, str]:
    """Return all headers of a request, signed with the present time."""
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
    Parse an HTTP answer.

    :param send: the request.
    :param status: HTTP status.
    :param body: the body as received, possibly compressed.
    :param headers: of the answer; their names are compared case-insensitively.
    :param settings: how to read a gateway's statuses.
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
