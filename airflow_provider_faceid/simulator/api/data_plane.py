"""The data plane: the path ``/`` of the service, from an HTTP request to an HTTP response.

:class:`Wire` sends one response, whole or with a transfer fault.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from http.client import responses
from typing import TypeVar
from uuid import uuid4

from aiohttp import web

from ...api.actions import ACTIONS
from ...api.fields import BANK_CARD, ID_CARD, PHONE
from ...api.signing import JSON_TYPE
from ...clock import SYSTEM_CLOCK, Clock
from ..account import Entry
from ..account.account import Account
from ..faults.effects import Code, Effect, Setting, Transfer
from ..people import authority
from . import Answer, Refusal, envelope, gateway
from . import call as calls
from .call import MAX_POST, Call, Parameters, RequestParameters, receive

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``SO_LINGER`` of no time at all: closing throws away what is left and sends RST."""

_PAGE = (
    "<html>\n<head><title>{0}</title></head>\n"
    "<body><center><h1>{0}</h1></center><hr><center>nginx</center></body>\n</html>\n"
)


class Wire:
    """
    One answer on its way to the caller.

    Every method either sends something or ends the connection; without a call of one the caller gets
    no answer. A caller that hung up gets nothing, and the ledger shows it.

    :param request: the HTTP request.
    :param clock: the service's clock.
    :param answer: the body of the answer, empty if the call was not processed.
    :param entry: the request's entry in the ledger.
    """

    def __init__(self, request: web.Request, clock: Clock, answer: bytes, entry: Entry) -> None:
        self.clock = clock
        self.response: web.StreamResponse = web.Response()
        """The response for the HTTP server; it is lost if the connection is closed."""
        self._request, self._answer, self._entry = request, answer, entry

    @property
    def open(self) -> bool:
        """Return whether the connection is open, as far as is known."""
        transport = self._request.transport
        return transport is not None and not transport.is_closing()

    async def whole(self) -> None:
        """Send the whole answer at once."""
        self.response = web.Response(body=self._answer, headers=self._headers(JSON_TYPE))
        await self.response.prepare(self._request)
        self._complete()
        await self.response.write_eof()

    async def dribble(self, seconds: float) -> None:
        """Send the answer byte by byte, evenly over so many seconds."""
        await self._begin(len(self._answer))
        last = len(self._answer) - 1
        for position in range(len(self._answer)):
            await self.clock.asleep(seconds / len(self._answer))
            if position == last:
                self._complete()
            await self.response.write(self._answer[position : position + 1])

    async def part(self, share: float, *, close: bool) -> None:
        """
        Send the beginning of the answer.

        :param share: how much of it, from 0 to 1.
        :param close: promise the whole, then close the connection.
        """
        beginning = self._answer[: int(len(self._answer) * share)]
        await self._begin(len(self._answer) if close else len(beginning))
        await self.response.write(beginning)
        if close:
            self.close()

    async def page(self, status: int, retry_after: int | None = None) -> None:
        """Send a page of HTML in place of the answer, with the seconds of a ``Retry-After`` if given."""
        body = _PAGE.format(f"{status} {responses.get(status, '')}".strip())
        headers = self._headers("text/html")
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self.response = web.Response(status=status, body=body.encode(), headers=headers)
        await self.response.prepare(self._request)
        await self.response.write_eof()

    def close(self) -> None:
        """Close the connection (FIN), after what was sent."""
        if self._request.transport is not None:
            self._request.transport.close()

    def reset(self) -> None:
        """Break the connection (RST)."""
        transport = self._request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()

    async def _begin(self, length: int) -> None:
        """Send the head of an answer that comes in pieces."""
        headers = {**self._headers(JSON_TYPE), "Content-Length": str(length)}
        self.response = web.StreamResponse(headers=headers)
        await self.response.prepare(self._request)

    def _complete(self) -> None:
        """
        Record that the whole answer was sent, if the connection is open.

        Called just before the last byte, so that a caller with its answer finds it in the ledger.
        """
        if self.open:
            self._entry.answered = True

    def _headers(self, content_type: str) -> dict[str, str]:
        date = _http_date(int(self.clock.now()))
        return {"Server": "nginx", "Date": date, "Content-Type": content_type}


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


LARGE_BODY = 4 * 1024 * 1024
"""
Body size from which signature and JSON are read in a thread, so that other calls go on.

A photo is smaller: 4 ms in place are less than the fresh memory its text needs in a thread.
"""

Latency = tuple[int, int]
"""Shortest and longest time a call takes, in milliseconds."""

Log = Callable[[Entry, float], None]
"""Logs a request that is over, and how many seconds it took."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The outcome of a call; the caller may see less of it.

    :param said: the answer of the service; None if it never got the call.
    :param id_card: number of the person it is about; empty if the call was refused before.
    :param processed: whether an Action processed it.
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
    Answers calls and records each of them.

    :param account: the state of the service.
    :param latency: how long calls that reach an Action take; refusals come at once.
    :param log: logs every request.
    """

    def __init__(self, account: Account, latency: Latency = (0, 0), log: Log | None = None) -> None:
        self.account = account
        self.latency = latency
        self.log = log

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request; with status 200, unless a fault rule changes it."""
        account, request_id = self.account, str(uuid4())
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
        parameters = await _aside(
            length, partial(calls.request_parameters, call, account.encryption_keys)
        )
        about = self._about(call, parameters)
        effect = account.faults.decide(call.action, about)
        if isinstance(effect, Setting):
            effect.change(account)
            call = replace(call, arrived=account.clock.now(), account_state=account.account_state)
        outcome = await self._process(call, parameters, about, effect)
        entry = self._record(call, outcome, request_id)
        if outcome.processed and self.latency[1]:
            # Processed and billed; a caller that hangs up from now on has paid.
            await account.clock.asleep(account.clock.jitter(*self.latency) / 1000)
        answer = envelope(outcome.said, request_id, call.language) if outcome.said else b""
        wire = Wire(request, account.clock, answer, entry)
        with suppress(ConnectionError):  # the caller hung up; the ledger knows
            await (effect.send(wire) if isinstance(effect, Transfer) else wire.whole())
        if self.log:
            self.log(entry, SYSTEM_CLOCK.monotonic() - began)
        return wire.response

    def _about(self, call: Call, parameters: RequestParameters) -> str:
        """
        Return the ID number a call is about, as far as it can be read; empty if there is none.

        For an Action without ID numbers it is the number of the person whose phone or bank card it is.
        """
        action = ACTIONS.get(call.action)
        if action is None or action.field_of(ID_CARD):
            return parameters.text("IdCard")
        asked = action.field_of(BANK_CARD) or action.field_of(PHONE)
        person = self.account.people.find_by(asked, parameters.text(asked.name)) if asked else None
        return person.id_card if person else ""

    async def _process(
        self, call: Call, parameters: RequestParameters, id_card: str, effect: Effect | None
    ) -> Outcome:
        """Return the outcome of a call."""
        if isinstance(effect, Transfer) and not effect.processed:
            return Outcome(None, id_card, fault=effect)
        # A code that is forced upon the Action has no effect on a call that is refused before.
        fault = None if isinstance(effect, Code) else effect
        if refusal := await _aside(call.length, partial(gateway.refuse, call)):
            return Outcome(refusal, fault=fault)
        if refusal := self._turn_away(call, parameters.sent):
            return Outcome(refusal, id_card, fault=fault)
        if isinstance(effect, Code):
            said, charged = effect.say(call.action)
            processed = charged or isinstance(said, Answer)
            return Outcome(said, id_card, processed, charged, effect)
        said = (
            parameters.decrypted
            if isinstance(parameters.decrypted, Refusal)
            else await authority.answer(
                self.account, ACTIONS[call.action], parameters.decrypted, call.arrived
            )
        )
        return Outcome(said, id_card, processed=True, charged=said.charged, fault=effect)

    def _turn_away(self, call: Call, given: Parameters | Refusal) -> Refusal | None:
        """Return the refusal by quota or parameters, None if the Action runs."""
        account = self.account
        if over := account.windows.arrive(call.action, call.arrived, call.secret_id):
            return Refusal("RequestLimitExceeded", (over, account.windows.quotas[call.action]))
        if account.assumptions.account_quota and account.all_keys.arrive(call.action, call.arrived):
            return Refusal("RequestLimitExceeded.UinLimitExceeded")
        if isinstance(given, Refusal):
            return given
        return calls.refuse(ACTIONS[call.action], given, account.assumptions)

    def _record(self, call: Call, outcome: Outcome, request_id: str) -> Entry:
        said = outcome.said
        entry = Entry(
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
        self.account.ledger.add(entry)
        return entry

    def _known(self, id_card: str) -> str:
        """Return a number; of a known person the text that exists already, to save memory."""
        person = self.account.people.find(id_card)
        return person.id_card if person else id_card


async def _aside(length: int, work: Callable[[], T]) -> T:
    """Return the result of some work on a call; of a large one in a thread."""
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
