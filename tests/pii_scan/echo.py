"""A service that says everything back, as a gateway or a debug page would."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODE = "InternalError.NobodyKnowsThisOne"


@dataclass
class Echo:
    """
    A running one.

    :ivar heard: bodies of the requests.
    """

    url: str = ""
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def echo(status: int) -> Iterator[Echo]:
    """
    Serve on a free port of this machine.

    :param status: 200 for an answer whose error text is the request, else the request as a page.
    """
    seen = Echo()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.heard.append(body)
            said = body
            if status == 200:
                error = {"Code": CODE, "Message": f"cannot read {body.decode()}"}
                said = json.dumps(
                    {"Response": {"Error": error, "RequestId": "echo-1"}}, ensure_ascii=False
                ).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join(5)
