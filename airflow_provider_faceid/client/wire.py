"""One request as it goes over the wire and what comes back: what both transports do alike."""

from __future__ import annotations

from collections.abc import Mapping

from ..service.envelope import UNPACKED, Reply, read_reply
from .auth import signed_headers
from .flow import Send
from .service_clock import ServiceClock
from .settings import Settings

IDLE_SECONDS = 15
"""Idle connections are dropped after this, in both transports: well before a server, a load balancer
or a NAT would forget them, after which a request on them is in doubt though it went nowhere."""


def headers_of(send: Send, settings: Settings, clock: ServiceClock) -> dict[str, str]:
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
