"""A mail server that keeps what it is sent: as much of SMTP as a client without TLS and login needs."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MailServer(socketserver.ThreadingTCPServer):
    """
    The server.

    :ivar received: mails as they came, headers first.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.received: list[bytes] = []

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self.server_address[1]


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say(b"220 ready")
        for line in iter(self.rfile.readline, b""):
            command = line.strip().upper()
            if command == b"DATA":
                self._say(b"354 go on")
                body = iter(self.rfile.readline, b".\r\n")
                self.server.received.append(b"".join(part.removeprefix(b".") for part in body))
            self._say(b"221 bye" if command == b"QUIT" else b"250 ok")
            if command == b"QUIT":
                return

    def _say(self, answer: bytes) -> None:
        self.wfile.write(answer + b"\r\n")


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a server until the end of the block."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
