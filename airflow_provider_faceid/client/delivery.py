"""Delivery: whether a request was not sent, sent without an answer, or answered.

Both transports report to a :class:`SendGuard` when their connection is established, and read
:data:`ENDINGS`. A request that failed before that (DNS, TCP, a proxy's tunnel, the TLS handshake) was
not sent, whatever the library calls its error.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from ..api.codes import Outcome
from ..exceptions import (
    ConfigurationError,
    FaceIdError,
    NotSentError,
    SlowUploadError,
    UncertainError,
)


class Ending(StrEnum):
    """How a request without an answer has ended."""

    NO_ADDRESS = "no_address"
    """Endpoint or proxy is not a valid address."""
    UNTRUSTED = "untrusted"
    """The verification of the TLS certificate failed."""
    NO_TLS = "no_tls"
    """The endpoint does not speak TLS, or no supported version of it."""
    NO_CONNECTION = "no_connection"
    """No connection was established: DNS, TCP, a proxy's tunnel or the TLS handshake failed."""
    CANCELLED = "cancelled"
    """The request was cancelled before it was sent: its process had been stopped meanwhile."""
    NO_ANSWER = "no_answer"
    """The connection was established, so the request may have reached the service."""


class EndingMeaning(NamedTuple):
    """The error of an ending, and its text with a placeholder for the detail."""

    error: type[FaceIdError]
    text: str


_NOT_TRUSTED = (
    "the Endpoint's TLS certificate or handshake is refused ({detail}). Check the connection's "
    "Endpoint, or the certificates this machine trusts; nothing was sent"
)
ENDINGS: dict[Ending, EndingMeaning] = {
    Ending.NO_ADDRESS: EndingMeaning(
        ConfigurationError, "the connection's Endpoint, or its proxy, is no address ({detail})"
    ),
    Ending.UNTRUSTED: EndingMeaning(ConfigurationError, _NOT_TRUSTED),
    Ending.NO_TLS: EndingMeaning(ConfigurationError, _NOT_TRUSTED),
    Ending.NO_CONNECTION: EndingMeaning(
        NotSentError,
        "the Endpoint cannot be reached ({detail}). Check the connection's Endpoint, DNS, firewall "
        "and proxy; nothing was sent",
    ),
    Ending.CANCELLED: EndingMeaning(
        NotSentError,
        "this process was stopped before the request left ({detail}); nothing was sent",
    ),
    Ending.NO_ANSWER: EndingMeaning(
        UncertainError, "no complete answer ({detail}). The call may have been processed"
    ),
}
"""Error by ending. :func:`delivery_of_error` and the retry table decide which are retried."""

NO_CERTIFICATES = "no certificates to check it against"
"""Detail of :attr:`Ending.UNTRUSTED` where the configured CA bundle does not exist."""

_NO_ADDRESS = frozenset({"InvalidURL", "InvalidSchema", "MissingSchema", "LocationValueError"})
"""Classes that requests, urllib3 and aiohttp raise for an invalid address."""
_UNTRUSTED = frozenset({"SSLCertVerificationError", "CertificateError"})
"""Classes that they raise for a failed verification; urllib3 has a class of its own."""
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"}
)
"""OpenSSL's permanent reasons: the address must be changed. Behind a proxy they are the tunnel's."""
_TUNNEL = re.compile(r"Tunnel connection failed: ([1-5][0-9]{2})\b")
"""Start of ``http.client``'s message for a refused ``CONNECT``; the rest is the proxy's own text."""


STALL_SECONDS = 1.0
"""A request that waited longer than this for its connection is checked again before it is sent."""


class SendCancelledError(ConnectionError):
    """The request was cancelled before its connection was established, so it must not be sent."""


class SendGuard:
    """
    Tracks whether a request was sent over an established connection. Safe for two threads.

    A request counts as sent unless the transport called :meth:`connecting` and not yet
    :meth:`begin_send`.

    :param may_leave: returns, without blocking, whether the request may still be sent. It is called
        if connecting took longer than :data:`STALL_SECONDS`: the process may have been stopped, and
        its attempt superseded.
    """

    def __init__(self, may_leave: Callable[[], bool] = lambda: True) -> None:
        self._lock = threading.Lock()
        self._may_leave, self._made = may_leave, time.monotonic()
        self._is_connecting = self._cancelled = False

    def connecting(self) -> None:
        """Record that the request waits for a connection: nothing was sent so far."""
        with self._lock:
            self._is_connecting = True

    def begin_send(self) -> None:
        """
        Record that the connection is established: from now on the request may reach the service.

        :raises SendCancelledError: the request was cancelled, or ``may_leave`` forbids it.
        """
        with self._lock:
            stalled = time.monotonic() - self._made > STALL_SECONDS
            if self._cancelled or (stalled and not self._may_leave()):
                raise SendCancelledError
            self._is_connecting = False

    def cancel(self) -> None:
        """Cancel the request, unless sending has begun."""
        with self._lock:
            self._cancelled = self._is_connecting

    @property
    def is_unsent(self) -> bool:
        """Return whether certainly nothing was sent."""
        return self._is_connecting


def error_of_transport(
    action: str, error: BaseException, guard: SendGuard, *, proxied: bool = False
) -> FaceIdError:
    """
    Translate a transport's error into one of this package.

    Its text is left out, because it may quote the request.

    :param action: the API Action.
    :param error: raised by requests, urllib3, aiohttp or the operating system.
    :param guard: the request's.
    :param proxied: whether the request goes through a proxy's tunnel.
    """
    return error_of(action, ending_of(error, guard, proxied=proxied), detail_of(error))


def error_of(action: str, ending: Ending, detail: str) -> FaceIdError:
    """Return the error of an ending; ``detail`` must not quote the request."""
    row = ENDINGS[ending]
    return row.error(f"{action}: {row.text.format(detail=detail)}")


def ending_of(error: BaseException, guard: SendGuard, *, proxied: bool = False) -> Ending:
    """Return how a request has ended; parameters as for :func:`error_of_transport`."""
    if not guard.is_unsent:
        return Ending.NO_ANSWER
    for cause in causes(error):
        if isinstance(cause, SendCancelledError):
            return Ending.CANCELLED
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & _UNTRUSTED:
            return Ending.UNTRUSTED
        if _tls_reason(cause) in _NO_TLS and not proxied:
            return Ending.NO_TLS
        if names & _NO_ADDRESS:
            return Ending.NO_ADDRESS
    return Ending.NO_CONNECTION


def detail_of(error: BaseException) -> str:
    """Describe an error by its class and its errno, TLS reason or HTTP status."""
    found = list(causes(error))
    name = type(found[-1]).__name__
    for cause in found:
        reason = _reason(cause)
        if reason:
            return f"{type(cause).__name__}: {reason}"
    return name


def kind_of(error: BaseException) -> str:
    """Return the class name of a requests error, or of the urllib3 error inside it."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return type(error if cause is None else cause).__name__


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all errors it wraps, the outermost first, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, getattr(one, "reason", None), *one.args, one.__context__]


def _reason(error: BaseException) -> str:
    status = getattr(error, "status", None)
    if type(error).__name__ == "ClientHttpProxyError":
        return f"CONNECT answered with HTTP {status}"
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, socket.gaierror):
        return _NAMES_OF_DNS.get(error.errno or 0, "DNS")
    if isinstance(error, OSError):
        tunnel = _TUNNEL.match(str(error.args[0])) if error.args else None
        if tunnel:
            return f"CONNECT answered with HTTP {tunnel[1]}"
        return errno.errorcode.get(error.errno or 0, "")
    return ""


def _tls_reason(error: BaseException) -> str:
    """Return OpenSSL's reason; empty if there is none, as in aiohttp's wrapper of such an error."""
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return reason if isinstance(reason, str) else ""


_NAMES_OF_DNS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}


class Delivery(StrEnum):
    """How far a request got."""

    NOT_SENT = "not_sent"
    """It certainly never reached the service."""
    NO_ANSWER = "no_answer"
    """It was sent, and it is unknown whether it was processed."""
    ANSWERED = "answered"
    """The service, or a gateway in its place, answered."""


_DELIVERIES: dict[type[FaceIdError], tuple[Delivery, Outcome]] = {
    NotSentError: (Delivery.NOT_SENT, Outcome.UNAVAILABLE),
    SlowUploadError: (Delivery.NOT_SENT, Outcome.UNAVAILABLE),
    ConfigurationError: (Delivery.NOT_SENT, Outcome.REFUSED),
    UncertainError: (Delivery.NO_ANSWER, Outcome.UNCERTAIN),
}


def delivery_of_error(error: FaceIdError) -> tuple[Delivery, Outcome]:
    """Return delivery and outcome of a request that ended in an error; an unknown error counts as sent."""
    return _DELIVERIES.get(type(error), (Delivery.NO_ANSWER, Outcome.UNCERTAIN))
