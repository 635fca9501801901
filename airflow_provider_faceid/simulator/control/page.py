"""The page of the control plane, and its guard against other web pages.

The page is one HTML file that reads the control plane and shows it. The control plane needs no key,
and any web page that the user visits can make the browser send requests to a local port. So the guard
refuses a request whose ``Host`` is not a name of this host (DNS rebinding), and one with a foreign
``Origin`` (cross-site request forgery). Programs on this machine may use the control plane.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
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
    """Return the reason to refuse a request, empty if there is none."""
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


FILE = Path(__file__).with_name("page.html")


def wanted(request: web.Request) -> bool:
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


def lead_there() -> web.Response:
    """Redirect a browser to the page."""
    return web.Response(status=302, headers={"Location": PREFIX})


def policy(html: str) -> str:
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


def routes() -> list[web.RouteDef]:
    """Return the address of the page."""
    html = FILE.read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": policy(html)}

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html", headers=headers)

    return [web.get(PREFIX, show)]
