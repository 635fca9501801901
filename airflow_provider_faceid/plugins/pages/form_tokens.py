"""Protection of forms against cross-site request forgery (CSRF): a token bound to session and form.

Airflow's cookie is ``SameSite=Lax``, so that a browser sends it with no form of another site. Besides, each
form has a token: an HMAC of what it changes, keyed with the session's own credential, which no other site
knows or can read. A request that a browser marks as another site's is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

if TYPE_CHECKING:
    from fastapi import Request

FIELD = "form_token"
_PURPOSE = b"faceid review form\0"


def form_token(request: Request, *about: object) -> str:
    """
    Return the token of a form.

    :param about: what the form changes, as it was shown: a case and its version.
    """
    message = _PURPOSE + "\0".join(map(str, about)).encode("utf-8", "surrogatepass")
    return hmac.new(_session(request).encode(), message, hashlib.sha256).hexdigest()


def is_own_form(request: Request, token: str, *about: object) -> bool:
    """Say whether a request comes from a form that this session was shown."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    is_known = bool(_session(request)) and site == "same-origin"
    return is_known and hmac.compare_digest(form_token(request, *about).encode(), token.encode())


def _session(request: Request) -> str:
    """Return the credential by which Airflow knows the reader."""
    return request.headers.get("authorization") or request.cookies.get(COOKIE_NAME_JWT_TOKEN) or ""
