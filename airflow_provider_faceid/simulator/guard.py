"""Who may use the control plane: programs on this machine, and the page it serves itself.

It asks for no key, and any web page the user visits can make their browser send requests to a local
port. So a browser has to name this host by a name of its own (a page elsewhere may have its own name
lead here), and what another page sends is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX = "/_sim/"
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer of the control plane."""


def refusal(request: web.Request) -> str:
    """Return why a request is refused, empty if it is not."""
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if not _OWN_HOST.fullmatch(host):
        return "the control plane is called 127.0.0.1 or localhost"
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "the control plane does not take requests of other pages"
    return ""


def guarded(route: web.RouteDef) -> web.RouteDef:
    """Return a route that is closed to other web pages."""
    handler = cast("Handler", route.handler)  # ours are functions, no views

    async def handle(request: web.Request) -> web.StreamResponse:
        if reason := refusal(request):
            raise web.HTTPForbidden(text=f"{reason}\n")
        return await handler(request)

    return web.route(route.method, route.path, handle, **route.kwargs)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put :data:`HEADERS` on an answer of the control plane that is about to be sent."""
    if request.path.startswith(PREFIX):
        response.headers.update(HEADERS)
