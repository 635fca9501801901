"""The data plane: ``/`` as the service has it, from an HTTP request to an HTTP answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID, uuid4

from aiohttp import web

from ...api.actions import ACTIONS
from ...clock import SYSTEM_CLOCK
from ..account.account import Account
from ..account.ledger import Entry, Line
from ..faults.effects import Code, Effect, Setting, Transfer
from ..people.authority import HANDLERS
from . import gateway, parameters
from .answers import Answer, Refusal, envelope
from .call import MAX_POST, Call, receive
from .parameters import Asked, Parameters
from .wire import Wire

LARGE_BODY = 4 * 1024 * 1024
"""
Body size from which signature and JSON are read in a thread, so that other calls go on.

A photo is smaller: 4 ms in place are less than the fresh memory its text needs in a thread.
"""

Latency = tuple[int, int]
"""Shortest and longest time a call takes, in milliseconds."""

Log = Callable[[Line, float], None]
"""Is told of a request that is over, and how many seconds it took."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a call, whatever the caller will see of it.

    :param said: what the service answers; None if it never got the call.
    :param id_card: ``IdCard``, decrypted if it can be; empty if nobody came to read it.
    :param processed: whether an Action worked on it.
    :param charged: whether it is billed.
    :param fault: the effect a fault rule had on it.
    """

    said: Answer | Refusal | None
    id_card: str = ""
    processed: bool = False
    charged: bool = False
    fault: Effect | None = None


class DataPlane:
    """
    Answers calls and writes each of them down.

    :param account: what the service remembers.
    :param latency: how long calls that reach an Action take; refusals come at once.
    :param log: is told of every request.
    """

    def __init__(self, account: Account, latency: Latency = (0, 0), log: Log | None = None) -> None:
        self.account = account
        self.latency = latency
        self.log = log

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request; with status 200, unless a fault rule wants it otherwise."""
        account, request_id = self.account, uuid4()
        arrived, began = account.clock.now(), SYSTEM_CLOCK.monotonic()
        try:
            body, length = await _body(request)
        except ConnectionError:
            # The caller hung up before the request was whole: it was never received.
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        received = partial(
            receive,
            request.method,
            request.raw_path.partition("?")[2],
            request.headers,
            body,
            length,
            arrived=arrived,
            account_state=account.account_state,
            assumptions=account.assumptions,
        )
        call = await _aside(length, received)
        asked = await _aside(length, partial(parameters.ask, call, account.encryption_keys))
        effect = account.faults.decide(call.action, asked.id_card)
        if isinstance(effect, Setting):
            effect.change(account)
            call = replace(call, arrived=account.clock.now(), account_state=account.account_state)
        outcome = await self._process(call, asked, effect)
        line = self._write_down(call, outcome, request_id)
        if outcome.processed and self.latency[1]:
            # The work is done and billed; the answer travels. Who hangs up now has paid.
            await account.clock.asleep(account.clock.jitter(*self.latency) / 1000)
        answer = envelope(outcome.said, str(request_id), call.language) if outcome.said else b""
        wire = Wire(request, account.clock, answer, line)
        with suppress(ConnectionError):  # the caller hung up; the ledger knows
            await (effect.send(wire) if isinstance(effect, Transfer) else wire.whole())
        if self.log:
            self.log(line, SYSTEM_CLOCK.monotonic() - began)
        return wire.response

    async def _process(self, call: Call, asked: Asked, effect: Effect | None) -> Outcome:
        """Return what becomes of a call."""
        id_card = asked.id_card
        if isinstance(effect, Transfer) and not effect.processed:
            return Outcome(None, id_card, fault=effect)
        # A code that is forced upon the Action has no effect on a call that is refused before.
        fault = None if isinstance(effect, Code) else effect
        if refusal := await _aside(call.length, partial(gateway.refuse, call)):
            return Outcome(refusal, fault=fault)
        if refusal := self._turn_away(call, asked.given):
            return Outcome(refusal, id_card, fault=fault)
        if isinstance(effect, Code):
            said, charged = effect.say(call.action)
            processed = charged or isinstance(said, Answer)
            return Outcome(said, id_card, processed, charged, effect)
        said = (
            asked.clear
            if isinstance(asked.clear, Refusal)
            else await HANDLERS[call.action](self.account, asked.clear, call.arrived)
        )
        return Outcome(said, id_card, processed=True, charged=said.charged, fault=effect)

    def _turn_away(self, call: Call, given: Parameters | Refusal) -> Refusal | None:
        """Return why the Action of a call is not asked, None if it is."""
        account = self.account
        if over := account.windows.arrive(call.action, call.arrived, call.secret_id):
            return Refusal("RequestLimitExceeded", (over, account.windows.quotas[call.action]))
        if account.assumptions.account_quota and account.all_keys.arrive(call.action, call.arrived):
            return Refusal("RequestLimitExceeded.UinLimitExceeded")
        if isinstance(given, Refusal):
            return given
        return parameters.refuse(ACTIONS[call.action], given, account.assumptions)

    def _write_down(self, call: Call, outcome: Outcome, request_id: UUID) -> Line:
        said = outcome.said
        return self.account.ledger.add(
            Entry(
                at=call.arrived,
                action=call.action,
                id_card=self._known(outcome.id_card),
                result=said.result if isinstance(said, Answer) else "",
                error=said.code if isinstance(said, Refusal) else "",
                processed=outcome.processed,
                charged=outcome.charged,
                fault=outcome.fault.name if outcome.fault else "",
                request_id=request_id,
            )
        )

    def _known(self, id_card: str) -> str:
        """Return a number; of people the authority knows, the one text it already holds."""
        person = self.account.people.find(id_card)
        return person.id_card if person else id_card


async def _aside(length: int, work: Callable[[], T]) -> T:
    """Return what some work on a call comes to; on a large one, while other calls go on."""
    return await asyncio.to_thread(work) if length > LARGE_BODY else work()


async def _body(request: web.Request) -> tuple[bytes, int]:
    """Return the body and its length; one that is too large is not read to its end."""
    length = request.content_length or 0
    if length > MAX_POST:
        return b"", length
    # Request.read would copy it twice more.
    pieces, read = [], 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        read += len(piece)
        if read > MAX_POST:
            return b"", read
    return b"".join(pieces), read
