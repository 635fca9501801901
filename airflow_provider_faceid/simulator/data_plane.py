"""The data plane: ``/`` as the service has it, from an HTTP request to an HTTP answer."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from uuid import UUID, uuid4

from aiohttp import web

from ..service.actions import ACTIONS
from ..service.signing import JSON_TYPE
from . import gateway, parameters
from .account import Account
from .answers import Answer, Refusal, envelope
from .business import HANDLERS
from .call import Call
from .ledger import Entry
from .parameters import Parameters

LARGE_BODY = 256 * 1024
"""Body size from which signature and JSON are read in a thread, so that other calls go on."""

Latency = tuple[int, int]
"""Shortest and longest time a call takes, in milliseconds."""


class DataPlane:
    """
    Answers calls and writes each of them down.

    :param account: what the service remembers.
    :param latency: how long calls that reach an Action take; refusals come at once.
    """

    def __init__(self, account: Account, latency: Latency = (0, 0)) -> None:
        self.account = account
        self.latency = latency

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one HTTP request; always with status 200."""
        arrived, request_id = self.account.clock.now(), uuid4()
        try:
            body, length = await _body(request)
        except ConnectionError:
            # The caller hung up before the request was whole: it was never received.
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        query = request.raw_path.partition("?")[2]
        call = Call(request.method, query, request.headers, body, length, arrived)
        if len(call.body) > LARGE_BODY:
            admitted, given = await asyncio.to_thread(_read, call)
        else:
            admitted, given = _read(call)
        said, reached = await self._answer(call, given, admitted=admitted)
        self._write_down(call, given, said, request_id)
        if reached and self.latency[1]:
            # The work is done and billed; the answer travels. Who hangs up now has paid.
            await self.account.clock.asleep(self.account.clock.jitter(*self.latency) / 1000)
        return web.Response(
            body=envelope(said, str(request_id), call.language),
            content_type=JSON_TYPE,
            headers={"Server": "nginx", "Date": _http_date(int(self.account.clock.now()))},
        )

    async def _answer(
        self, call: Call, given: Parameters | Refusal, *, admitted: bool
    ) -> tuple[Answer | Refusal, bool]:
        """Return what is said, and whether an Action said it."""
        if isinstance(given, Refusal) and not admitted:
            return given, False
        if over := self.account.windows.arrive(call.action, call.arrived):
            quota = self.account.windows.quotas[call.action]
            return Refusal("RequestLimitExceeded", (over, quota)), False
        if isinstance(given, Refusal):
            return given, False
        if refusal := parameters.refuse(ACTIONS[call.action], given):
            return refusal, False
        clear = parameters.decrypt(given)
        if isinstance(clear, Refusal):
            return clear, True
        return await HANDLERS[call.action](self.account, clear, call.arrived), True

    def _write_down(
        self, call: Call, given: Parameters | Refusal, said: Answer | Refusal, request_id: UUID
    ) -> None:
        id_card = "" if isinstance(given, Refusal) else given.get("IdCard")
        self.account.ledger.add(
            Entry(
                at=call.arrived,
                action=call.action,
                id_card=self._known(id_card) if isinstance(id_card, str) else "",
                result=said.result if isinstance(said, Answer) else "",
                error=said.code if isinstance(said, Refusal) else "",
                charged=isinstance(said, Answer) and said.charged,
                request_id=request_id,
            )
        )

    def _known(self, id_card: str) -> str:
        """Return a number; of people the authority knows, the one text it already holds."""
        person = self.account.people.find(id_card)
        return person.id_card if person else id_card


def _read(call: Call) -> tuple[bool, Parameters | Refusal]:
    """Return whether the gateway lets a call in, and its parameters or what is wrong with it."""
    refusal = gateway.refuse(call)
    return refusal is None, refusal or parameters.read(call)


async def _body(request: web.Request) -> tuple[bytes, int]:
    """Return the body and its length; one that is too large is not read to its end."""
    length = request.content_length or 0
    if length > gateway.MAX_POST:
        return b"", length
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return b"", gateway.MAX_POST + 1
    return body, len(body)


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
