"""Airflow plugin: mounts the Face ID pages in the api-server, and names them in the menu Browse.

Airflow imports this module in every process, tasks included. So it imports nothing but the plugin class:
the pages, FastAPI and Jinja are imported by the api-server, at the first request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

log = logging.getLogger(__name__)

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BROKEN = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Face ID</title></head><body>
<h1>The Face ID pages cannot be loaded</h1>
<p>Airflow itself and its tasks are not affected. The log of the api-server has the cause, behind the line
&ldquo;The Face ID pages cannot be loaded&rdquo;.</p></body></html>"""


class LazyApp:
    """
    ASGI application that is imported at its first request.

    If that fails, the api-server goes on: the error is logged, and a page says where it is. The next
    request tries again.

    :param load: imports and returns the application.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load, self._app = load, None
        self._lock = threading.Lock()

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":  # a lifespan is not passed on to mounted applications
            return
        app = self._loaded()
        if app is not None:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        headers.append((b"content-security-policy", b"default-src 'none'; frame-ancestors 'self'"))
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": BROKEN})

    def _loaded(self) -> Any:
        with self._lock:
            if self._app is None:
                try:
                    self._app = self._load()
                except Exception:
                    log.exception("The Face ID pages cannot be loaded")
            return self._app


def load_pages() -> Any:
    """Return the FastAPI application of the pages."""
    from .pages.app import make_app  # noqa: PLC0415 - only the api-server needs it

    return make_app()


class FaceIdPlugin(AirflowPlugin):
    """The pages, and their entry in the menu Browse."""

    name = "faceid"
    fastapi_apps = [  # noqa: RUF012 - as Airflow's own class has it
        {"app": LazyApp(load_pages), "url_prefix": "/faceid", "name": "Face ID"}
    ]
    external_views = [  # noqa: RUF012 - the same
        {
            "name": "Face ID",
            "href": "faceid/",  # relative, for an Airflow below a path
            "destination": "nav",
            "category": "browse",
            "url_route": "faceid",
        }
    ]
