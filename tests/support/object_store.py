"""An object store: moto's S3 server behind a relay that adds latency, refuses, fails or closes."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import ClientSession, web
from moto.server import ThreadedMotoServer

BUCKET = "bucket"
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>of {}</Message></Error>'

Fault = Callable[[str], tuple[int, str] | None]
"""Says for an object's key with which status and code it is refused; None to let it pass."""


@dataclass
class Store:
    """
    The store.

    :param port: of the relay.
    :ivar fault: decides about each request.
    :ivar latency: seconds each request takes longer.
    :ivar requests: method and key of all.
    :ivar most_at_once: the most requests that were under way at any moment.
    """

    port: int
    fault: Fault = lambda key: None
    latency: float = 0.0
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    under_way: int = 0
    most_at_once: int = 0

    def connection(self, **extra: object) -> str:
        """Return an Airflow connection to it."""
        options = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{self.port}"}
        fields = {"conn_type": "aws", "login": "store-id", "password": "store-key"}
        return json.dumps({**fields, "extra": {**options, **extra}})

    async def relay(self, request: web.Request, session: ClientSession, moto: str) -> web.Response:
        """Pass a request on, or not."""
        key = unquote(request.path)
        self.requests.append((request.method, key))
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await asyncio.sleep(self.latency)
        self.under_way -= 1
        if (refused := self.fault(key)) is not None:
            status, code = refused
            text = "" if request.method == "HEAD" else ERROR.format(code, key)
            return web.Response(status=status, text=text, content_type="application/xml")
        passed = {"Authorization", "Host", "Range", "X-Amz-Date", "X-Amz-Content-SHA256"}
        headers = {name: value for name, value in request.headers.items() if name in passed}
        async with session.request(
            request.method,
            moto + request.raw_path,
            headers=headers,
            data=io.BytesIO(await request.read()),
        ) as response:
            body = await response.read()
            self.sent += len(body)
            kept = {k: v for k, v in response.headers.items() if k in {"ETag", "Content-Range"}}
            kept["Content-Type"] = response.headers.get("Content-Type", "binary/octet-stream")
            return web.Response(status=response.status, body=body, headers=kept)


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def object_store(objects: dict[str, bytes]) -> Iterator[Store]:
    """Start a store with some objects in its bucket, stop it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    store, loop = Store(0), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="object-store")
    thread.start()

    async def start() -> tuple[web.AppRunner, ClientSession]:
        session = ClientSession(auto_decompress=False)
        url = f"http://{host}:{port}"
        async with session.put(f"{url}/{BUCKET}") as response:
            response.raise_for_status()
        for key, content in objects.items():
            async with session.put(f"{url}/{BUCKET}/{key}", data=io.BytesIO(content)) as response:
                response.raise_for_status()
        app = web.Application(client_max_size=2**26)

        async def relay(request: web.Request) -> web.Response:
            return await store.relay(request, session, url)

        app.router.add_route("*", "/{key:.*}", relay)
        runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        store.port = runner.addresses[0][1]
        return runner, session

    def in_loop(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    runner, session = in_loop(start())
    try:
        yield store
    finally:
        in_loop(runner.cleanup())
        in_loop(session.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        moto.stop()
