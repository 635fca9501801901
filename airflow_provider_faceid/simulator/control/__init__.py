"""The control plane: addresses under ``/_sim/`` that show and change the account, and its web page.

The real service has none. It needs no signature; the server listens on the loopback address only.
Lists are sent in pieces, so that a long one does not block the data plane. :class:`ControlPlane` shows
and resets the account. :class:`ControlSettings` changes fault rules, clock, quotas and account state; a change
holds from the next call on, and each of its addresses also shows the current value.

The page is one HTML file that reads the control plane and shows it. The control plane needs no key,
and any web page that the user visits can make the browser send requests to a local port. So a guard
refuses a request whose ``Host`` is not a name of this host (DNS rebinding), and one with a foreign
``Origin`` (cross-site request forgery). Programs on this machine may use the control plane.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from ... import __version__
from ...api.actions import ACTIONS
from ...api.signing import JSON_TYPE
from ...clock import utc_text
from .. import validation
from ..account import anonymous_row
from ..account.account import Account
from ..faults import read_rules
from ..faults.effects import AccountState, ClockOffset, Quota
from ..people import How, Person, columns, expects

ROWS_AT_ONCE = 100
RECENT = 20
PHOTOS_AT_ONCE = 5


class ControlPlane:
    """
    Shows and resets an account; :class:`ControlSettings` changes it.

    :param account: the state of the service.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of the control plane."""
        return [
            web.get("/_sim/health", self.health),
            web.get("/_sim/actions", self.actions),
            web.get("/_sim/people", self.people),
            web.get("/_sim/ledger", self.ledger),
            web.get("/_sim/recent", self.recent),
            web.get("/_sim/bill", self.bill),
            web.get("/_sim/pace", self.pace),
            web.get("/_sim/keys", self.keys),
            web.post("/_sim/reset", self.reset),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """Report that it serves, its version, its time and the number of requests."""
        return _json(
            {
                "status": "ok",
                "version": __version__,
                "clock": utc_text(self.account.clock.now()),
                "requests": len(self.account.ledger),
            }
        )

    async def actions(self, _: web.Request) -> web.Response:
        """List the Actions, each with the code of a match and the address of its API page."""
        return _json(
            [
                {"action": name, "match": action.success_code, "docs": action.docs}
                for name, action in ACTIONS.items()
            ]
        )

    async def people(self, request: web.Request) -> web.StreamResponse:
        """
        List people, ordinary ones first; ``?special=0`` those only, ``?special=1`` the personas only.

        ``?photo=1`` adds the photo to send, ``?offset=`` and ``?limit=`` give a part. ``?format=csv``
        gives the values to send only, a column for each that an Action reads by default.
        """
        offset, limit = _part(request)
        end = None if limit is None else offset + limit
        wanted = _special(request)
        listed = islice(
            (
                person
                for person in self.account.people.listed
                if wanted is None or (person.persona is not None) is wanted
            ),
            offset,
            end,
        )
        if _is_csv(request):
            return await _send(request, _csv_pieces(listed), "text/csv; charset=utf-8")
        if request.query.get("photo") == "1":
            return await _stream(request, map(self._with_photo, listed), PHOTOS_AT_ONCE)
        return await _stream(request, map(describe, listed))

    async def ledger(self, request: web.Request) -> web.StreamResponse:
        """List requests received; ``?offset=`` and ``?limit=`` give a part."""
        return await _stream(request, self.account.ledger.rows(*_part(request)))

    async def recent(self, request: web.Request) -> web.StreamResponse:
        """List the last requests, newest first, people masked; ``?limit=``."""
        _, limit = _part(request)
        ledger = self.account.ledger
        first = max(0, len(ledger) - (RECENT if limit is None else limit))
        newest_first = reversed(list(ledger.rows(first)))
        return await _stream(request, map(anonymous_row, newest_first))

    async def bill(self, _: web.Request) -> web.Response:
        """Give charged calls by Action."""
        return _json({action: self.account.ledger.bill[action] for action in ACTIONS})

    async def pace(self, _: web.Request) -> web.Response:
        """Give arrivals by Action, see :meth:`.account.QuotaWindows.pace`."""
        return _json(self.account.windows.pace())

    async def keys(self, _: web.Request) -> web.Response:
        """Give the keys of encrypted fields, see :meth:`.encryption.Keys.published`."""
        return _json(self.account.encryption_keys.published())

    async def reset(self, _: web.Request) -> web.Response:
        """Forget every call and every change; the people stay."""
        self.account.reset()
        return _json({})

    def _with_photo(self, person: Person) -> dict[str, object]:
        photo = b64encode(self.account.gallery.submitted(person)).decode()
        return {**describe(person), "photo_base64": photo}


def describe(person: Person) -> dict[str, object]:
    """
    Return a person as the people list shows them.

    ``expects`` is the final answer by Action. A transient code comes before it: ``at_first`` names
    it and ``calls`` says how often.
    """
    described: dict[str, object] = {
        **person.columns(),
        "expects": dict(expects(person)),
        "special": person.persona is not None,
    }
    if person.persona and person.persona.how is How.AT_FIRST:
        described |= {
            "at_first": {
                a: person.persona.code(a) for a in ACTIONS if person.persona.is_transient(a)
            },
            "calls": person.persona.calls,
        }
    return described


def _special(request: web.Request) -> bool | None:
    """Return whether personas are requested; None for all people."""
    wanted = request.query.get("special")
    if wanted not in {None, "0", "1"}:
        raise web.HTTPBadRequest(text="special is 0 for ordinary people, 1 for personas\n")
    return None if wanted is None else wanted == "1"


def _part(request: web.Request) -> tuple[int, int | None]:
    """Return offset and limit of a list."""
    offset, limit = request.query.get("offset", "0"), request.query.get("limit")
    if not offset.isdecimal() or not (limit is None or limit.isdecimal()):
        raise web.HTTPBadRequest(text="offset and limit are whole numbers from 0\n")
    return int(offset), None if limit is None else int(limit)


def _is_csv(request: web.Request) -> bool:
    wanted = request.query.get("format", "json")
    if wanted not in {"json", "csv"}:
        raise web.HTTPBadRequest(text="format is json or csv\n")
    return wanted == "csv"


def _json_pieces(rows: Iterator[dict[str, object]], at_once: int) -> Iterator[str]:
    start = "["
    while piece := list(islice(rows, at_once)):
        yield start + ",\n".join(json.dumps(row, ensure_ascii=False) for row in piece)
        start = ",\n"
    yield "[]\n" if start == "[" else "]\n"


def _csv_pieces(people: Iterator[Person]) -> Iterator[str]:
    yield f"{','.join(columns())}\n"
    while piece := list(islice(people, ROWS_AT_ONCE)):  # no invented value holds a comma
        yield "".join(f"{','.join(person.columns().values())}\n" for person in piece)


async def _stream(
    request: web.Request, rows: Iterator[dict[str, object]], at_once: int = ROWS_AT_ONCE
) -> web.StreamResponse:
    """Send a JSON list, a few rows at a time."""
    return await _send(request, _json_pieces(rows, at_once), JSON_TYPE)


async def _send(request: web.Request, pieces: Iterator[str], type_: str) -> web.StreamResponse:
    """Send a long text piece by piece, so that calls are answered in between."""
    response = web.StreamResponse(headers={"Content-Type": type_})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece.encode(errors="replace"))
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _json(document: object) -> web.Response:
    return web.json_response(document)


@dataclass(frozen=True)
class ClockChange:
    """
    A change of the clocks.

    :param advance_s: by how many seconds to advance the right time.
    :param offset_s: the error of the service's clock from now on; None for no change.
    """

    advance_s: float = 0
    offset_s: float | None = None

    def __post_init__(self) -> None:
        validation.number("advance_s", self.advance_s, 0, validation.TEN_YEARS_S)
        if self.offset_s is not None:
            ClockOffset(self.offset_s)

    def change(self, account: Account) -> None:
        """Change them."""
        account.time.advance(self.advance_s)
        if self.offset_s is not None:
            ClockOffset(self.offset_s).change(account)


class ControlSettings:
    """
    Changes an account while it is being served.

    :param account: the state of the service.
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
        """List the rules, with the calls each has seen and how often it fired."""
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
        """Give the time the service believes, and its two offsets."""
        account = self.account
        return web.json_response(
            {
                "now": utc_text(account.clock.now()),
                "advanced_s": account.time.ahead_s,
                "offset_s": account.clock.ahead_s,
            }
        )

    async def set_clock(self, request: web.Request) -> web.Response:
        """Advance the time, or set the service's clock wrong."""
        async with _posted(request) as document:
            validation.build(ClockChange, _object(document), "the clock").change(self.account)
        return await self.show_clock(request)

    async def show_quotas(self, _: web.Request) -> web.Response:
        """Give calls per second by Action; 0 means unlimited."""
        return web.json_response(self.account.windows.quotas)

    async def set_quotas(self, request: web.Request) -> web.Response:
        """Change the named quotas."""
        async with _posted(request) as document:
            Quota(_object(document)).change(self.account)
        return await self.show_quotas(request)

    async def show_account(self, _: web.Request) -> web.Response:
        """Give the state of the account, and the valid temporary token."""
        state = self.account.account_state
        return web.json_response({"state": state.state, "token": state.token})

    async def set_account(self, request: web.Request) -> web.Response:
        """Change state or token."""
        async with _posted(request) as document:
            validation.build(AccountState, _object(document), "the account").change(self.account)
        return await self.show_account(request)


def _object(document: object) -> Mapping[str, Any]:
    return validation.mapping("body", document)


@asynccontextmanager
async def _posted(request: web.Request) -> AsyncIterator[object]:
    """Give the posted document; a :class:`FieldError` of the block is answered with status 400."""
    try:
        document = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is no JSON\n") from None
    try:
        yield document
    except validation.FieldError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PREFIX = "/_sim/"
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer of the control plane."""


def _refusal(request: web.Request) -> str:
    """Return the reason to refuse a request, empty if there is none."""
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if not _OWN_HOST.fullmatch(host):
        return "the control plane is called 127.0.0.1 or localhost"
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "the control plane does not take requests of other pages"
    return ""


def guarded(route: web.RouteDef) -> web.RouteDef:
    """Return a route that is closed to other web pages."""
    handler = cast("_Handler", route.handler)  # ours are functions, no views

    async def handle(request: web.Request) -> web.StreamResponse:
        if reason := _refusal(request):
            raise web.HTTPForbidden(text=f"{reason}\n")
        return await handler(request)

    return web.route(route.method, route.path, handle, **route.kwargs)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on an answer of the control plane that is about to be sent."""
    if request.path.startswith(_PREFIX):
        response.headers.update(_HEADERS)


PAGE_FILE = Path(__file__).with_name("page.html")


def is_for_page(request: web.Request) -> bool:
    """
    Return whether a request to ``/`` comes from a browser and is no API call.

    API clients may send ``Accept``, too; any header or parameter of a call makes it one.
    """
    return (
        request.method == "GET"
        and request.raw_path == "/"
        and "text/html" in request.headers.get("Accept", "")
        and "Authorization" not in request.headers
        and not request.body_exists
        and not any(name.lower().startswith("x-tc-") for name in request.headers)
    )


def redirect_to_page() -> web.Response:
    """Redirect a browser to the page."""
    return web.Response(status=302, headers={"Location": _PREFIX})


def content_security_policy(html: str) -> str:
    """Return a Content-Security-Policy under which the page runs its own style and script only."""
    style, script = (
        " ".join(
            f"'sha256-{_digest(text)}'" for text in re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", html)
        )
        for tag in ("style", "script")
    )
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {style}",
            f"script-src {script}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _digest(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page_routes() -> list[web.RouteDef]:
    """Return the address of the page."""
    html = PAGE_FILE.read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": content_security_policy(html)}

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html", headers=headers)

    return [web.get(_PREFIX, show)]
