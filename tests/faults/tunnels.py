"""A proxy whose tunnels fail in their own ways before they lead to a service behind TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

Failure = Callable[[socket.socket], None]


def reset(line: socket.socket) -> None:
    """Have a connection reset when it is closed."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def closes(line: socket.socket) -> None:
    """Hang up."""


def speaks_something_else(line: socket.socket) -> None:
    """Be no proxy at all."""
    line.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def refuses(line: socket.socket) -> None:
    """Answer like a proxy without a way to the service."""
    line.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


def ends_the_handshake(line: socket.socket) -> None:
    """Make the tunnel, behind which a load balancer restarts."""
    line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    line.recv(65536)


FAILURES: tuple[Failure, ...] = (
    closes,
    reset,
    speaks_something_else,
    refuses,
    ends_the_handshake,
)


class Tunnels:
    """
    A proxy; a context manager.

    :param service: port of the service on this machine.
    :param tls: ends TLS in front of it.
    :param failures: what happens to the first connections, one each.
    :ivar connections: how many there were.
    """

    def __init__(self, service: int, tls: ssl.SSLContext, failures: Sequence[Failure]) -> None:
        self._service, self._tls, self._failures = service, tls, list(failures)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in (self._listener, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        for thread in list(self._threads):
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                failure = self._failures.pop(0) if self._failures else None
                self._start(self._treat, line, failure)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _treat(self, line: socket.socket, failure: Failure | None) -> None:
        line.settimeout(30)
        self._lines.append(line)
        with suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += line.recv(1) or b"\r\n\r\n"
            if failure is None:
                self._lead_on(line)
            else:
                failure(line)
        line.close()

    def _lead_on(self, line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with (
            self._tls.wrap_socket(line, server_side=True) as front,
            socket.create_connection(("127.0.0.1", self._service)) as back,
        ):
            self._lines += [front, back]
            self._start(_pass_on, back, front)
            _pass_on(front, back)


def _pass_on(from_: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := from_.recv(65536):
            to.sendall(data)
    with suppress(OSError):
        to.shutdown(socket.SHUT_RDWR)
