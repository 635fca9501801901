"""
A large body on its way over the network, and whether the service can have all of it.

A photo takes seconds on an ordinary uplink, and a request is complete only with its last byte. So a
large body goes out in small parts, little of it lies in the kernel at a time, and the last byte is
held back until everything before it has left this machine. However an upload ends before that byte,
the service cannot have processed the request: it was *not sent*, costs nothing and may be repeated.

Patience counts progress, not size: the network must take something every so many seconds, and the
time for the answer begins with the last byte.
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
"""A longer body is an upload; a shorter one leaves in one piece."""
PART_BYTES = 2**16
"""Bytes handed to the kernel at a time."""
UNSENT_BYTES = 2**17
"""Bytes the kernel may hold of a connection that have not left yet (``TCP_NOTSENT_LOWAT``): enough
to keep a gigabit busy between two turns of an event loop, 1 s of a link of 1 Mbit/s."""
LONGEST_SECONDS = 240.0
"""An upload takes no longer: the service accepts a signature for 300 s after it was made."""
SHORTEST_POLL, LONGEST_POLL = 0.001, 0.05
"""Seconds between two looks at what has not left yet; doubled from one to the next."""

_SIOCOUTQNSD = 0x894B
"""Linux: bytes of a socket that were not sent for the first time yet (linux/sockios.h)."""
_ABORT_ON_CLOSE = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
"""``SO_LINGER`` on, for 0 s: closing resets the connection and discards what has not left."""


class AbandonedError(Exception):
    """The upload was given up: its last byte is not handed out any more."""


class Traffic(Protocol):
    """Is told of uploads, to find out what the uplink carries."""

    def began(self, size: int) -> None:
        """Take note that an upload of so many bytes has begun."""

    def moved(self, count: int) -> None:
        """Take note of bytes the network has taken."""

    def ended(self) -> None:
        """Take note that an upload is over, or was none: the uplink is free for another."""


class Upload:
    """
    One request's body on its way. Safe for the thread that sends and the one that gives it up.

    :param body: of the request. A short one counts as sent from the beginning.
    :param timeout: seconds without progress, and after the last byte for the answer.
    :param now: the monotonic clock.
    :param traffic: is told of it.
    :ivar is_large: whether its last byte is held back.
    :ivar is_complete: whether the service may have all of it.
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
        """Return when patience ends, as things stand, on the monotonic clock."""
        end = self._moved + self.timeout
        return end if self.is_complete else min(end, self._began + LONGEST_SECONDS)

    @property
    def is_stalled(self) -> bool:
        """Say whether the network takes nothing any more, in place of being merely slow."""
        return not self.is_complete and self._now() >= self._moved + self.timeout

    @property
    def taken(self) -> int:
        """Return the bytes the network has taken so far."""
        return max(0, self._handed - self._unsent)

    @property
    def seconds(self) -> float:
        """Return for how long the body has been on its way, or was."""
        return (self._moved if self.is_complete else self._now()) - self._began

    def whole(self) -> bytes:
        """Return a short body, which leaves in one piece."""
        return bytes(self._body)

    def parts(self) -> Iterator[bytes]:
        """
        Yield all of a large body but its last byte.

        Asking for the next part says that the kernel has taken the one before.
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

    def waits_for(self, unsent: int) -> bool:
        """
        Say whether the last byte has still to wait.

        :param unsent: bytes of the connection that have not left this machine.
        """
        before = self._unsent or self.length
        self._unsent = unsent
        if unsent < before:
            self._moved = self._now()
        return unsent > 0

    def last_byte(self) -> bytes:
        """
        Return the last byte; from now on the service may have the request.

        :raises AbandonedError: the upload was given up.
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
        """Give the upload up; return whether the service can never have all of it."""
        with self._ending:
            self._is_over = True
        self._end()
        return not self.is_complete

    def _end(self) -> None:
        """Say, once, that the uplink is free for another."""
        traffic, self._traffic = self._traffic, None
        if traffic is not None:
            traffic.ended()

    def _progress(self, count: int) -> None:
        self._moved = self._now()
        if self._traffic is not None:
            self._traffic.moved(count)


def of_upload(error: FaceIdError, upload: Upload, action: str) -> FaceIdError:
    """
    Return what an error means once the upload is given up: without its last byte nothing was sent.

    :param error: what the transport made of it, not knowing of the upload.
    """
    is_slow = not upload.is_stalled  # asked before it is given up, which takes a moment
    if not upload.abandon() or not isinstance(error, UncertainError):
        return error
    progress = f"{upload.taken / 1e6:.1f} of {upload.length / 1e6:.1f} MB in {upload.seconds:.0f} s"
    if not is_slow:
        return NotSentError(
            f"{action}: the upload stalled after {progress}: the network took nothing for "
            f"{upload.timeout:g} s. The service did not get the request, and nothing was charged. "
            "Check the network between this worker and the connection's Endpoint, and its proxy"
        )
    if upload.seconds >= LONGEST_SECONDS:
        return SlowUploadError(
            f"{action}: the upload came to {progress}, longer than a signature is good for. The "
            "service did not get the request, and nothing was charged. Other uploads may take the "
            "uplink's bandwidth; docs/operators.md says what photos need"
        )
    return NotSentError(
        f"{action}: the connection ended after {progress} of the upload. The service did not get "
        "the request, and nothing was charged"
    )


def polls() -> Iterator[float]:
    """Yield the seconds between looks at what has not left yet."""
    seconds = SHORTEST_POLL
    while True:
        yield seconds
        seconds = min(LONGEST_POLL, 2 * seconds)


def socket_options() -> list[tuple[int, int, int | bytes]]:
    """
    Return the options of a connection that uploads, for ``setsockopt``.

    Little lies in the kernel unsent, and closing takes back what does. Systems without
    ``TCP_NOTSENT_LOWAT`` keep more of it; the last byte is held back all the same.
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
    Return a socket for one address, with our options.

    :param address: as ``getaddrinfo`` returns it.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    for option in socket_options():
        made.setsockopt(*option)
    return made


def unsent_bytes(connection: socket.socket | Any) -> int:
    """Return how many bytes have not left this machine; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - not on every system

    answer = bytearray(4)
    try:
        fcntl.ioctl(connection.fileno(), _SIOCOUTQNSD, answer)
    except (OSError, ValueError):  # closed meanwhile, or no TCP connection
        return 0
    return int.from_bytes(answer, sys.byteorder)
