"""What became of a request: never sent, sent without an answer, or answered."""

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

# Delivery: how a request that was not answered has ended, and what that means for the call.
#
# Both transports tell :class:`Handover` when their connection stands, and read :data:`ENDINGS`. What
# ended before its connection stood (DNS, TCP, a proxy's tunnel, the TLS handshake) was not sent,
# whatever the library calls its error.
#


class Ending(StrEnum):
    """How a request without an answer has ended."""

    NO_ADDRESS = "no_address"
    """Endpoint or proxy is no address."""
    UNTRUSTED = "untrusted"
    """The TLS certificate failed its verification."""
    NO_TLS = "no_tls"
    """The endpoint does not speak TLS, or no version of it that we may."""
    NO_CONNECTION = "no_connection"
    """No connection stood: DNS, TCP, a proxy's tunnel, or a TLS handshake that was ended."""
    GIVEN_UP = "given_up"
    """The request was not sent any more: its process had been stopped before."""
    NO_ANSWER = "no_answer"
    """The connection stood and the request may have reached the service."""


class EndingMeaning(NamedTuple):
    """What an ending means: the error of the call, and its text with the detail to be put in."""

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
    Ending.GIVEN_UP: EndingMeaning(
        NotSentError,
        "this process was stopped before the request left ({detail}); nothing was sent",
    ),
    Ending.NO_ANSWER: EndingMeaning(
        UncertainError, "no complete answer ({detail}). The call may have been processed"
    ),
}
"""What each ending means. ``fate.fate_of_error`` says which of the errors are repeated."""

NO_CERTIFICATES = "no certificates to check it against"
"""Detail of :attr:`Ending.UNTRUSTED` where the file that is named is not there."""

_NO_ADDRESS = frozenset({"InvalidURL", "InvalidSchema", "MissingSchema", "LocationValueError"})
"""Names of what requests, urllib3 and aiohttp raise for one."""
_UNTRUSTED = frozenset({"SSLCertVerificationError", "CertificateError"})
"""Likewise: urllib3 has a class of its own."""
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"}
)
"""OpenSSL's reasons that stay until the address is changed. Behind a proxy they are the tunnel's."""
_TUNNEL = re.compile(r"Tunnel connection failed: ([1-5][0-9]{2})\b")
"""What ``http.client`` says of a proxy that refuses ``CONNECT``; the rest of it is the proxy's own."""


STALL_SECONDS = 1.0
"""A request that waits longer for its connection than this is looked at again before it is sent."""


class GivenUpError(ConnectionError):
    """The call was given up before its connection stood: nothing may be sent any more."""


class Handover:
    """
    Whether a request was handed over to a connection that stands. Safe to use from two threads.

    A transport that never says :meth:`connect` leaves it unknown, which counts as handed over.

    :param may_leave: says, without waiting, whether the request may still be sent. It is asked if
        the connection took longer than :data:`STALL_SECONDS`: the process may have been stopped, and
        superseded by another.
    """

    def __init__(self, may_leave: Callable[[], bool] = lambda: True) -> None:
        self._lock = threading.Lock()
        self._may_leave, self._made = may_leave, time.monotonic()
        self._connecting = self._given_up = False

    def connect(self) -> None:
        """Take note that the request waits for a connection: nothing has left so far."""
        with self._lock:
            self._connecting = True

    def begin(self) -> None:
        """
        Take note that the connection stands: from now on the request may reach the service.

        :raises GivenUpError: it was given up meanwhile, or may not leave any more.
        """
        with self._lock:
            stalled = time.monotonic() - self._made > STALL_SECONDS
            if self._given_up or (stalled and not self._may_leave()):
                raise GivenUpError
            self._connecting = False

    def give_up(self) -> None:
        """Let nothing be sent any more, unless it has begun."""
        with self._lock:
            self._given_up = self._connecting

    @property
    def never_left(self) -> bool:
        """Say whether certainly nothing was sent."""
        return self._connecting


def problem_of(
    action: str, error: BaseException, handover: Handover, *, proxied: bool = False
) -> FaceIdError:
    """
    Return what the error of a transport means for a call.

    The text of such an error is never passed on: it may hold the request.

    :param action: the API Action.
    :param error: of requests, urllib3, aiohttp or the system.
    :param proxied: whether a proxy was to make a tunnel.
    """
    return error_of(action, ending_of(error, handover, proxied=proxied), detail_of(error))


def error_of(action: str, ending: Ending, detail: str) -> FaceIdError:
    """Return the error for an ending; its detail holds nothing of the request."""
    row = ENDINGS[ending]
    return row.error(f"{action}: {row.text.format(detail=detail)}")


def ending_of(error: BaseException, handover: Handover, *, proxied: bool = False) -> Ending:
    """Return how a request has ended, as for :func:`problem_of`."""
    if not handover.never_left:
        return Ending.NO_ANSWER
    for cause in causes(error):
        if isinstance(cause, GivenUpError):
            return Ending.GIVEN_UP
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & _UNTRUSTED:
            return Ending.UNTRUSTED
        if _tls_reason(cause) in _NO_TLS and not proxied:
            return Ending.NO_TLS
        if names & _NO_ADDRESS:
            return Ending.NO_ADDRESS
    return Ending.NO_CONNECTION


def detail_of(error: BaseException) -> str:
    """Return an error in standard words: its class, and errno, TLS reason or HTTP status."""
    found = list(causes(error))
    name = type(found[-1]).__name__
    for cause in found:
        reason = _reason(cause)
        if reason:
            return f"{type(cause).__name__}: {reason}"
    return name


def kind_of(error: BaseException) -> str:
    """Return the class of an error of requests, or of the one of urllib3 inside it."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return type(error if cause is None else cause).__name__


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those inside it, the outermost first, each once."""
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
    """Return OpenSSL's reason; empty if there is none, as in what aiohttp makes of such an error."""
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return reason if isinstance(reason, str) else ""


_NAMES_OF_DNS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}


class Delivery(StrEnum):
    """How far a request got."""

    NOT_SENT = "not_sent"
    """It certainly never reached the service."""
    NO_ANSWER = "no_answer"
    """It was sent, and nobody knows whether it was processed."""
    ANSWERED = "answered"


_DELIVERIES: dict[type[FaceIdError], tuple[Delivery, Outcome]] = {
    NotSentError: (Delivery.NOT_SENT, Outcome.UNAVAILABLE),
    SlowUploadError: (Delivery.NOT_SENT, Outcome.UNAVAILABLE),
    ConfigurationError: (Delivery.NOT_SENT, Outcome.REFUSED),
    UncertainError: (Delivery.NO_ANSWER, Outcome.UNCERTAIN),
}


def delivery_of_error(error: FaceIdError) -> tuple[Delivery, Outcome]:
    """Return the fate and outcome of a request that ended in an error; in doubt it was sent."""
    return _DELIVERIES.get(type(error), (Delivery.NO_ANSWER, Outcome.UNCERTAIN))
