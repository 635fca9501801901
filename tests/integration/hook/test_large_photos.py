"""Photos of megabytes: what goes over the wire, what memory it takes, and that nobody waits."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from airflow_provider_faceid.api import photo
from airflow_provider_faceid.api.messages import build_body
from airflow_provider_faceid.client.transport_async import AsyncClient
from airflow_provider_faceid.client.upload import PART_BYTES
from tests.support.patience import PATIENCE

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
PERSON = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
JPEG = b"\xff\xd8\xff\xda" + b"\0" * 2_200_000 + b"\xff\xd9"
TEXT = photo.prepare(JPEG)
ANSWERS = {
    ID_CARD: b'{"Response": {"Result": "0"}}',
    FACE: b'{"Response": {"Result": "Success", "Sim": 99.0}}',
}


@pytest.mark.parametrize("value", [TEXT, bytes(TEXT)], ids=["pieces", "bytes"])
def test_a_large_photo_is_sent_and_signed_whole(client, connect, serve, assert_signed, value):
    server = serve(lambda line: line.say(ANSWERS[FACE]))
    assert client.ask(connect(server.url), FACE, PERSON | {"ImageBase64": value}).is_match
    (request,) = server.requests
    assert request.partition(b"\r\n\r\n")[2] == bytes(build_body(PERSON | {"ImageBase64": TEXT}))
    assert_signed(request)


def take(line: socket.socket) -> None:
    """Read one request into a small buffer, over and over, and answer it."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(1)
    left = int(re.search(rb"Content-Length: (\d+)", head)[1])
    buffer = bytearray(2**16)
    while left:
        left -= line.recv_into(buffer, min(left, len(buffer)))
    body = ANSWERS[FACE if FACE.encode() in head else ID_CARD]
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@contextmanager
def serving(work: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let a thread do its work on a listening socket; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        server.settimeout(10)
        done = thread.submit(work, server)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        done.result(PATIENCE)


def accept(server: socket.socket) -> socket.socket:
    line, _ = server.accept()
    line.settimeout(10)
    return line


def test_other_calls_go_on_while_the_network_does_not_take_a_photo(connect):
    """The server reads the photo only when it has answered the other call."""
    answered: list[str] = []
    connected = threading.Event()

    def work(server: socket.socket) -> None:
        with accept(server) as first:
            connected.set()
            with accept(server) as second:
                take(second)
            take(first)

    async def run(url: str) -> None:
        hook = connect(url)
        async with AsyncClient(hook.settings, hook.rate_limiter(FACE)) as client:

            async def call(action: str, params: dict[str, object]) -> None:
                assert (await client.call(action, params)).is_match
                answered.append(action)

            large = asyncio.create_task(call(FACE, PERSON | {"ImageBase64": b"A" * 9_000_000}))
            await asyncio.to_thread(connected.wait, 10)
            await asyncio.gather(large, call(ID_CARD, PERSON))

    with serving(work) as url:
        asyncio.run(run(url))
    assert answered == [ID_CARD, FACE]


def test_a_photo_is_not_copied_to_be_sent(connect):
    """Beside the photo of megabytes there are a few parts, which the network did not take at once."""

    def work(server: socket.socket) -> None:
        with accept(server) as line:
            take(line)
            take(line)

    async def run(url: str) -> int:
        hook = connect(url)
        async with AsyncClient(hook.settings, hook.rate_limiter(FACE)) as client:
            await client.call(ID_CARD, PERSON)  # imports and connects
            tracemalloc.start()
            try:
                await client.call(FACE, PERSON | {"ImageBase64": TEXT})
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    with serving(work) as url:
        assert asyncio.run(run(url)) < 8 * PART_BYTES
