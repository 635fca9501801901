"""FastAPI application of the pages: routes, style and script, and errors as pages."""

from __future__ import annotations

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException

from ...exceptions import FaceIdError
from ...process import safe_message
from . import review_routes
from .reading import Reader
from .routes import NOT_FOUND, UNAVAILABLE, router
from .view import HERE, SECURITY, message, to

log = logging.getLogger(__name__)

STATIC = {"style.css": "text/css", "live.js": "text/javascript"}
UNAUTHENTICATED, FORBIDDEN, UNPROCESSABLE, BROKEN = 401, 403, 422, 500


def make_app(reader: Reader | None = None) -> FastAPI:
    """
    Return the application.

    :param reader: of the warehouses; one for those of the configuration if not given.
    """
    app = FastAPI(
        title="Face ID",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        exception_handlers={
            AnyHTTPException: refused,
            RequestValidationError: misread,
            FaceIdError: failed,
            Exception: broken,
        },
    )
    app.state.reader = reader or Reader()
    app.include_router(router)
    app.include_router(review_routes.router)
    app.get("/{name}")(static)
    return app


def static(name: str) -> Response:
    """Return style or script of the pages, which say nothing and need no login."""
    if name not in STATIC:
        raise HTTPException(NOT_FOUND)
    headers = SECURITY | {"Cache-Control": "no-cache"}
    return FileResponse(HERE / "static" / name, media_type=STATIC[name], headers=headers)


async def refused(request: Request, error: Exception) -> Response:
    """Return a page to a reader who is logged out, may not see this, or asks for what is not there."""
    status = getattr(error, "status_code", FORBIDDEN)
    if status == UNAUTHENTICATED:
        login = to("../api/v2/auth/login", next=request.url)
        return message("Log in", "Airflow has to know who reads this", status, login=login)
    if status == NOT_FOUND:
        return message("Nothing to see here", "There is no such page", status)
    return message("Not for you", "Airflow does not let you see the pages of its plugins", status)


async def misread(request: Request, error: Exception) -> Response:
    """Return a page for an address that lacks something."""
    del request, error
    text = "The address of this page is not complete"
    return message("Nothing to see here", text, UNPROCESSABLE)


async def failed(request: Request, error: Exception) -> Response:
    """Return a page for an error that says what to do."""
    del request
    return message("This page cannot be shown", str(error), UNAVAILABLE)


async def broken(request: Request, error: Exception) -> Response:
    """Return a page for a fault of ours, which the api-server logs."""
    del request
    text = f"{safe_message(error)}. The log of the api-server has more"
    return message("This page is broken", text, BROKEN)
