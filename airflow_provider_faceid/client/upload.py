"""
Upload of a large body: chunked sending, progress timeout, and proof that a request was not sent.

A photo takes seconds on an ordinary uplink, and a request is complete only with its last byte. A
large body is therefore sent in small chunks, the kernel's send buffer is kept short, and the last byte
is held back until all bytes before it have left this machine. If an upload ends before that byte, the
service cannot have processed the request: it was *not sent*, is not charged and may be retried.

The timeout counts from the last progress, not from the start: the network must take some bytes within
it, and the timeout of the answer begins with the last byte.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..api.messages import Pieces
from ..exceptions import FaceIdError, NotSentError, SlowUploadError, UncertainError

LARGE_BYTES = 2**16
"""A longer body is an upload; a shorter one is sent at once."""
PART_BYTES = 2**16
"""Bytes handed to the kernel at a time."""
UNSENT_BYTES = 2**17
"""Unsent bytes the kernel may buffer for a connection (``TCP_NOTSENT_LOWAT``): enough to keep a gigabit
link busy between two turns of an event loop, and 1 s of a link of 1 Mbit/s."""
MAX_UPLOAD_SECONDS = 240.0
"""Longest upload in seconds: the service accepts a signature for 300 s after it was made."""
SHORTEST_POLL, LONGEST_POLL = 0.001, 0.05
"""Shortest and longest poll interval of the kernel's send buffer, in seconds; doubled each time."""

_SIOCOUTQNSD = 0x894B
"""Linux ioctl: bytes of a socket that were not yet sent for the first time (linux/sockios.h)."""
_ABORT_ON_CLOSE = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
"""``SO_LINGER`` on, for 0 s: closing resets the connection and discards unsent bytes."""


class AbandonedError(Exception):
    """The upload was abandoned, so its last byte must not be sent."""


class Traffic(Protocol):
    """Receives the progress of uploads, to measure the throughput of the uplink."""

    def began(self, size: int) -> None:
        """Record that an upload of so many bytes has begun."""

    def moved(self, count: int) -> None:
        """Record bytes that the network has taken."""

    def ended(self) -> None:
        """Record that the upload has ended, or that the body is no upload: the uplink is free."""


class Upload:
    """
    The upload of one request's body. Safe for the sending thread and the one that abandons it.

    :param body: of the request. A short one counts as sent from the beginning.
    :param timeout: seconds without progress, and seconds from the last byte to the end of the answer.
    :param now: returns seconds of the monotonic clock.
    :param traffic: receives its progress.
    :ivar is_large: whether the last byte is held back.
    :ivar is_complete: whether the service may have received the whole body.
    """

    def __init__(
        self,
        body: Pieces,
        timeout: float,
        now: Callable[[], float],
        traffic: Traffic | None = None,
    ) -> None:
        self.length = body.length
        self.is_large = self.length > LARGE_BYTES
        self.is_complete = not self.is_large
        self.timeout = timeout
        self._body, self._now = body, now
        self._traffic = traffic
        self._began = self._moved = now()
        self._handed = self._unsent = 0
        self._is_over = False
        self._ending = threading.Lock()
        if traffic is not None and self.is_large:
            traffic.began(self.length)
        elif traffic is not None:
            self._end()

    @property
    def end(self) -> float:
        """Return the present deadline, on the monotonic clock."""
        end = self._moved + self.timeout
        return end if self.is_complete else min(end, self._began + MAX_UPLOAD_SECONDS)

    @property
    def is_stalled(self) -> bool:
        """Return whether the upload has stalled: no progress within the timeout."""
        return not self.is_complete and self._now() >= self._moved + self.timeout

    @property
    def taken(self) -> int:
        """Return the bytes the network has taken so far."""
        return max(0, self._handed - self._unsent)

    @property
    def seconds(self) -> float:
        """Return the duration of the upload so far, in seconds."""
        return (self._moved if self.is_complete else self._now()) - self._began

    def whole(self) -> bytes:
        """Return a short body, to be sent at once."""
        return bytes(self._body)

    def parts(self) -> Iterator[bytes]:
        """
        Yield all of a large body but its last byte, in chunks.

        Requesting the next chunk means that the kernel has taken the one before.

        :raises AbandonedError: the upload was abandoned.
        """
        left = self.length - 1
        for piece in self._body:
            size = min(left, len(piece))
            left -= size
            for at in range(0, size, PART_BYTES):
                if self._is_over:
                    raise AbandonedError
                part = piece[at : min(size, at + PART_BYTES)]
                yield part
                self._handed += len(part)
                self._progress(len(part))

    def must_wait(self, unsent: int) -> bool:
        """
        Return whether the last byte must still be held back.

        :param unsent: unsent bytes in the kernel's buffer of the connection.
        """
        before = self._unsent or self.length
        self._unsent = unsent
        if unsent < before:
            self._moved = self._now()
        return unsent > 0

    def last_byte(self) -> bytes:
        """
        Return the last byte; from now on the service may have the request.

        :raises AbandonedError: the upload was abandoned.
        """
        with self._ending:
            if self._is_over:
                raise AbandonedError
            self.is_complete = True
        self._unsent = 0
        self._progress(1)
        self._end()
        return self._body[-1][-1:]

    def abandon(self) -> bool:
        """Abandon the upload; return whether the request was certainly not sent."""
        with self._ending:
            self._is_over = True
        self._end()
        return not self.is_complete

    def _end(self) -> None:
        """Report, once, that the uplink is free."""
        traffic, self._traffic = self._traffic, None
        if traffic is not None:
            traffic.ended()

    def _progress(self, count: int) -> None:
        self._moved = self._now()
        if self._traffic is not None:
            self._traffic.moved(count)


def error_of_upload(error: FaceIdError, upload: Upload, action: str) -> FaceIdError:
    """
    Abandon an upload and return its error: without its last byte the request was not sent.

    :param error: the transport's error, made without regard to the upload.
    :param upload: the upload that failed.
    :param action: the API Action.
    """
    is_slow = not upload.is_stalled  # read first: abandoning takes a moment
    if not upload.abandon() or not isinstance(error, UncertainError):
        return error
    progress = f"{upload.taken / 1e6:.1f} of {upload.length / 1e6:.1f} MB in {upload.seconds:.0f} s"
    if not is_slow:
        return NotSentError(
            f"{action}: the upload stalled after {progress}: the network took nothing for "
            f"{upload.timeout:g} s. The service did not get the request, and nothing was charged. "
            "Check the network between this worker and the connection's Endpoint, and its proxy"
        )
    if upload.seconds >= MAX_UPLOAD_SECONDS:
        return SlowUploadError(
            f"{action}: the upload came to {progress}, longer than a signature is valid. The "
            "service did not get the request, and nothing was charged. Other uploads may take the "
            "uplink's bandwidth; docs/operators.md says what photos need"
        )
    return NotSentError(
        f"{action}: the connection ended after {progress} of the upload. The service did not get "
        "the request, and nothing was charged"
    )


def poll_intervals() -> Iterator[float]:
    """Yield poll intervals of the kernel's send buffer, in seconds."""
    seconds = SHORTEST_POLL
    while True:
        yield seconds
        seconds = min(LONGEST_POLL, 2 * seconds)


def socket_options() -> list[tuple[int, int, int | bytes]]:
    """
    Return the socket options of an upload connection, for ``setsockopt``.

    They keep the send buffer short and discard it on close. Systems without ``TCP_NOTSENT_LOWAT``
    buffer more; the last byte is held back all the same.
    """
    options: list[tuple[int, int, int | bytes]] = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE),
    ]
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES))
    return options


def new_socket(address: tuple[Any, ...]) -> socket.socket:
    """
    Return a socket with :func:`socket_options` for one address.

    :param address: a tuple as ``getaddrinfo`` returns it.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    for option in socket_options():
        made.setsockopt(*option)
    return made


def unsent_bytes(connection: socket.socket | Any) -> int:
    """Return the unsent bytes in the kernel's buffer; 0 where the system does not report them."""
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - not on every system

    answer = bytearray(4)
    try:
        fcntl.ioctl(connection.fileno(), _SIOCOUTQNSD, answer)
    except (OSError, ValueError):  # closed meanwhile, or no TCP connection
        return 0
    return int.from_bytes(answer, sys.byteorder)
