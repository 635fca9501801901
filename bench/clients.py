"""The clients that are compared: how each makes a signed call, as its own documents show it.

A client is a context manager: given an address and the work, it gives a function that makes one
call per row and returns the codes of the answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

from airflow_provider_faceid.simulator import KEY

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
MATCH = {ID_CARD: "0", FACE: "Success"}

Row = Mapping[str, Any]
"""Request fields of one call; a photo is the picture itself."""


@dataclass(frozen=True)
class Work:
    """
    What every client has to do.

    :param action: the API Action.
    :param people: whom to ask about.
    :param calls: calls per round.
    :param at_once: calls at a time, in as many threads if the client blocks.
    """

    action: str
    people: Sequence[Row]
    calls: int
    at_once: int

    def rows(self, count: int) -> list[Row]:
        """Return so many rows, from the first person on."""
        return list(islice(cycle(self.people), count))


Calls = Callable[[Sequence[Row]], list[str]]
Client = Callable[[str, Work], AbstractContextManager[Calls]]


class NoPace:
    """Lets every call leave at once."""

    def wait(self) -> None:
        """Do not wait."""

    async def wait_async(self) -> None:
        """Do not wait."""

    def check(self) -> None:
        """It is never paused."""

    def slow_down(self) -> None:
        """Never asked for: the simulator has no quota here."""


@contextmanager
def ours(url: str, work: Work) -> Iterator[Calls]:
    """Call as the batch engine does, from a picture to a verdict."""
    from airflow_provider_faceid.client.settings import Credentials, Settings
    from airflow_provider_faceid.client.transport_async import AsyncClient

    async def call(row: Row) -> str:
        return (await client.call(work.action, prepared(row))).code

    with asyncio.Runner() as runner:
        settings = Settings(Credentials(*KEY.values()), url=url)
        client = runner.run(AsyncClient(settings, NoPace()).__aenter__())
        yield lambda rows: runner.run(together(call, rows, work.at_once))
        runner.run(client.__aexit__(None, None, None))


@contextmanager
def bare_aiohttp(url: str, work: Work) -> Iterator[Calls]:
    """Sign, post and parse, without looking at the answer."""
    import aiohttp

    from airflow_provider_faceid.api.messages import Pieces
    from airflow_provider_faceid.client.request import signed_headers
    from airflow_provider_faceid.client.settings import Credentials

    key, host = Credentials(*KEY.values()), url.removeprefix("http://")

    async def call(row: Row) -> str:
        body, now = json.dumps(row).encode(), int(time.time())
        headers = signed_headers(
            key, host=host, action=work.action, body=Pieces([body]), timestamp=now
        )
        async with session.post(url, data=body, headers=headers) as response:
            return str(json.loads(await response.read())["Response"]["Result"])

    async def connect() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    with asyncio.Runner() as runner:
        session = runner.run(connect())
        yield lambda rows: runner.run(together(call, rows, work.at_once))
        runner.run(session.close())


@contextmanager
def official_sdk(url: str, work: Work) -> Iterator[Calls]:
    """Call through tencentcloud-sdk-python-intl-en, with connections kept open."""
    with in_threads(sdk_call(url, work.action), work.at_once) as calls:
        yield calls


def sdk_call(url: str, action: str) -> Callable[[Row], str]:
    """Return what makes one call through the official SDK."""
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.faceid.v20180301 import models
    from tencentcloud.faceid.v20180301.faceid_client import FaceidClient

    http = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"), keepAlive=True)
    client = FaceidClient(Credential(*KEY.values()), "", ClientProfile(httpProfile=http))
    request_class = getattr(models, f"{action}Request")

    def call(row: Row) -> str:
        request = request_class()
        for name, value in row.items():
            text = b64encode(value).decode() if isinstance(value, bytes) else value
            setattr(request, name, text)
        return str(getattr(client, action)(request).Result)

    return call


@contextmanager
def http_hook(url: str, work: Work) -> Iterator[Calls]:
    """Call through Airflow's plain HttpHook, signed by our auth object."""
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "http", "host": url, **KEY})
    from airflow.providers.http.hooks.http import HttpHook

    from airflow_provider_faceid.client.request import TC3Auth

    hook = HttpHook("POST", "bench", auth_type=TC3Auth)
    headers = {"Content-Type": "application/json", "X-TC-Action": work.action}

    def call(row: Row) -> str:
        answer = hook.run("/", data=json.dumps(row), headers=headers)
        return str(answer.json()["Response"]["Result"])

    with in_threads(call, work.at_once) as calls:
        yield calls


@contextmanager
def floor(_: str, work: Work) -> Iterator[Calls]:
    """Encode and hash a picture and do nothing else: what no client can do without."""
    yield alone(work, lambda row: hashlib.sha256(b64encode(row["ImageBase64"])).hexdigest())


@contextmanager
def our_base64(_: str, work: Work) -> Iterator[Calls]:
    """Check and encode a picture: the first part of our call."""
    yield alone(work, prepared)


@contextmanager
def our_json(_: str, work: Work) -> Iterator[Calls]:
    """Build the body: the second part of our call."""
    from airflow_provider_faceid.api.messages import build_body

    row = prepared(work.people[0])
    yield alone(work, lambda _: build_body(row))


@contextmanager
def our_hash(_: str, work: Work) -> Iterator[Calls]:
    """Hash the body: the third part of our call."""
    from airflow_provider_faceid.api.messages import build_body
    from airflow_provider_faceid.api.signing import payload_hash

    body = build_body(prepared(work.people[0]))
    yield alone(work, lambda _: payload_hash(*body))


def prepared(row: Row) -> Row:
    """Return a row as our client takes it."""
    from airflow_provider_faceid.api import photo

    return {
        name: photo.prepare(value) if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def alone(work: Work, step: Callable[[Row], object]) -> Calls:
    """Take one step per row and ask nobody; the code is the one an answer would have."""
    return lambda rows: [MATCH[work.action] for row in rows if step(row)]


async def together(
    call: Callable[[Row], Awaitable[str]], rows: Sequence[Row], at_once: int
) -> list[str]:
    """Make one call per row, so many at a time."""
    left = iter(rows)

    async def worker() -> list[str]:
        return [await call(row) for row in left]

    return list(chain(*await asyncio.gather(*(worker() for _ in range(at_once)))))


@contextmanager
def in_threads(call: Callable[[Row], str], at_once: int) -> Iterator[Calls]:
    """Make one call per row, in so many threads; in a plain loop if it is one."""
    if at_once == 1:
        yield lambda rows: [call(row) for row in rows]
        return
    with ThreadPoolExecutor(at_once) as threads:
        yield lambda rows: list(threads.map(call, rows))
