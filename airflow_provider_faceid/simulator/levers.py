"""The levers of the control plane: fault rules, clock, quotas, the state of the account.

What is posted here holds from the next call on; each address also shows how things stand.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ..clock import utc_text
from . import checked
from .account import Account
from .effects import AccountState, ClockOffset, Quota
from .rule import read_rules


@dataclass(frozen=True)
class ClockChange:
    """
    A change of the clocks.

    :param advance_s: how many seconds to put the right time forward.
    :param offset_s: how wrong the service's clock is from now on; None leaves it as it is.
    """

    advance_s: float = 0
    offset_s: float | None = None

    def __post_init__(self) -> None:
        checked.number("advance_s", self.advance_s, 0, checked.TEN_YEARS_S)
        if self.offset_s is not None:
            ClockOffset(self.offset_s)

    def change(self, account: Account) -> None:
        """Change them."""
        account.time.advance(self.advance_s)
        if self.offset_s is not None:
            ClockOffset(self.offset_s).change(account)


class Levers:
    """
    Changes an account while it is being served.

    :param account: what the service remembers.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.get("/_sim/faults", self.show_faults),
            web.post("/_sim/faults", self.add_faults),
            web.delete("/_sim/faults", self.clear_faults),
            web.get("/_sim/clock", self.show_clock),
            web.post("/_sim/clock", self.set_clock),
            web.get("/_sim/quotas", self.show_quotas),
            web.post("/_sim/quotas", self.set_quotas),
            web.get("/_sim/account", self.show_account),
            web.post("/_sim/account", self.set_account),
        ]

    async def show_faults(self, _: web.Request) -> web.Response:
        """List the rules, with the calls each has seen and to how many it happened."""
        return web.json_response(list(self.account.faults.rows()))

    async def add_faults(self, request: web.Request) -> web.Response:
        """Add a rule, or a list of them: all, or none if one is wrong."""
        async with _posted(request) as document:
            self.account.faults.add(*read_rules(document))
        return await self.show_faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Forget all rules."""
        self.account.faults.clear()
        return await self.show_faults(request)

    async def show_clock(self, _: web.Request) -> web.Response:
        """Give the time the service believes it is, and what it is made of."""
        account = self.account
        return web.json_response(
            {
                "now": utc_text(account.clock.now()),
                "advanced_s": account.time.ahead_s,
                "offset_s": account.clock.ahead_s,
            }
        )

    async def set_clock(self, request: web.Request) -> web.Response:
        """Put the time forward, or the service's clock wrong."""
        async with _posted(request) as document:
            checked.build(ClockChange, _object(document), "the clock").change(self.account)
        return await self.show_clock(request)

    async def show_quotas(self, _: web.Request) -> web.Response:
        """Give calls per second by Action; 0 means unlimited."""
        return web.json_response(self.account.windows.quotas)

    async def set_quotas(self, request: web.Request) -> web.Response:
        """Change the quotas that are named."""
        async with _posted(request) as document:
            Quota(_object(document)).change(self.account)
        return await self.show_quotas(request)

    async def show_account(self, _: web.Request) -> web.Response:
        """Give the state of the account, and the temporary token that is good."""
        standing = self.account.standing
        return web.json_response({"state": standing.state, "token": standing.token})

    async def set_account(self, request: web.Request) -> web.Response:
        """Change state or token."""
        async with _posted(request) as document:
            checked.build(AccountState, _object(document), "the account").change(self.account)
        return await self.show_account(request)


def _object(document: object) -> Mapping[str, Any]:
    return checked.mapping("body", document)


@asynccontextmanager
async def _posted(request: web.Request) -> AsyncIterator[object]:
    """Give what was posted; whatever the block finds wrong with it is said with status 400."""
    try:
        document = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is no JSON\n") from None
    try:
        yield document
    except checked.FieldError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None
