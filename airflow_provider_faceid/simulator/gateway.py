"""The API gateway: everything that is checked before an Action is asked.

Each check looks at one thing and returns a refusal or None; they run in the order of
:data:`CHECKS`. That the token comes before business parameters is known, the rest of the order is
the likeliest (face-id-service section 4).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..service.actions import ACTIONS, SERVICE, VERSION
from ..service.signing import JSON_TYPE
from . import signature, texts
from .answers import Refusal
from .call import Call
from .standing import ACCOUNT_CODES, KEY_CODES

MAX_POST = 10 * 1024 * 1024
MAX_GET = 32 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"
COMMON_PARAMETERS = ("Action", "Timestamp", "Version")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+")

Check = Callable[[Call], Refusal | None]


def method(call: Call) -> Refusal | None:
    """Only GET and POST."""
    return (
        None if call.method in {"GET", "POST"} else Refusal("UnsupportedProtocol", (call.method,))
    )


def size(call: Call) -> Refusal | None:
    """At most 32 KB for GET, 10 MB for POST (document 1041/33627)."""
    length, limit = (len(call.query), MAX_GET) if call.method == "GET" else (call.length, MAX_POST)
    return Refusal("RequestSizeLimitExceeded", (limit,)) if length > limit else None


def content_type(call: Call) -> Refusal | None:
    """JSON for POST. A form, or a GET without Authorization, is signature version 1: not known here."""
    if call.media_type == FORM_TYPE or call.method == "GET":
        if call.method == "GET" and "Authorization" in call.headers:
            return None
        return Refusal("AuthFailure.SignatureFailure:version_1")
    if call.media_type != JSON_TYPE:
        return Refusal("UnsupportedOperation:content_type", (call.media_type,))
    return None


def common_parameters(call: Call) -> Refusal | None:
    """Present, and allowed; an empty Region is refused like an unknown one."""
    for name in COMMON_PARAMETERS:
        if not call.headers.get(f"X-TC-{name}"):
            return Refusal("MissingParameter", (name,))
    if "Authorization" not in call.headers:
        # Without the header the request is read as version 1, whose first parameter is missing.
        return Refusal("MissingParameter", ("SecretId",))
    if not _TIMESTAMP.fullmatch(call.headers["X-TC-Timestamp"]):
        return Refusal("InvalidParameterValue", ("X-TC-Timestamp",))
    if "X-TC-Region" in call.headers and not _REGION.fullmatch(call.headers["X-TC-Region"]):
        return Refusal("InvalidParameterValue", ("X-TC-Region` (v1: `Region",))
    if call.headers.get("X-TC-Language", texts.DEFAULT_LANGUAGE) not in texts.LANGUAGES:
        return Refusal("InvalidParameterValue", ("X-TC-Language",))
    return None


def credentials(call: Call) -> Refusal | None:
    """Key known, clock right, signature right, token right."""
    authorization = signature.read_authorization(call.headers["Authorization"])
    if authorization is None:
        return Refusal("AuthFailure.InvalidAuthorization")
    if authorization.secret_id != signature.SECRET_ID:
        return Refusal("AuthFailure.SecretIdNotFound")
    if code := KEY_CODES.get(call.standing.state):
        return Refusal(code)
    timestamp = int(call.headers["X-TC-Timestamp"])
    if abs(call.arrived - timestamp) > signature.MAX_CLOCK_DIFFERENCE:
        return Refusal("AuthFailure.SignatureExpire", (int(call.arrived),))
    refusal = signature.verify(call, authorization, timestamp)
    token = call.standing.token
    if refusal is None and call.headers.get("X-TC-Token", token) != token:
        return Refusal("AuthFailure.TokenFailure")
    return refusal


def known_action(call: Call) -> Refusal | None:
    """A version and an Action this service has."""
    version = call.headers["X-TC-Version"]
    if version != VERSION:
        return Refusal("NoSuchVersion", (version, SERVICE))
    if call.action not in ACTIONS:
        return Refusal("InvalidAction", (call.action, SERVICE, version))
    return None


def standing(call: Call) -> Refusal | None:
    """An account that may call, in good standing."""
    code = ACCOUNT_CODES.get(call.standing.state)
    return Refusal(code) if code else None


CHECKS: tuple[Check, ...] = (
    method,
    size,
    content_type,
    common_parameters,
    credentials,
    known_action,
    standing,
)


def refuse(call: Call) -> Refusal | None:
    """Return the first refusal, or None for a call an Action may answer."""
    return next(filter(None, (check(call) for check in CHECKS)), None)
