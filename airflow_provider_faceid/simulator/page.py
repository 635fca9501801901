"""The page for people: one HTML file that asks the control plane and shows what it says."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

from aiohttp import web

from .guard import PREFIX

FILE = Path(__file__).with_name("page.html")


def wanted(request: web.Request) -> bool:
    """
    Say whether a request to ``/`` is a browser that was given the address, and no API client.

    Clients say what they accept, too, so whatever belongs to a call makes it one.
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
    """Lead a browser to the page."""
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
