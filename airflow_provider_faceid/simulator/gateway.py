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
from .answers import Refusal
from .call import MAX_FORM, MAX_GET, MAX_POST, Call
from .signature import MAX_CLOCK_DIFFERENCE, fits
from .standing import ACCOUNT_CODES, KEY_CODES
from .texts import LANGUAGES

REQUIRED: dict[int, tuple[str, ...]] = {
    1: ("Action", "Timestamp", "Nonce", "SecretId", "Signature", "Version"),
    3: ("Action", "Timestamp", "Version"),
}
"""Common parameters no call goes without, by signature version."""

ALLOWED: dict[str, re.Pattern[str]] = {
    "Timestamp": re.compile(r"[0-9]{1,12}"),
    "Region": re.compile(r"[a-z]{2}(-[a-z0-9]+)+"),
    "Language": re.compile("|".join(LANGUAGES)),
}
"""What common parameters look like; an empty Region is refused like an unknown one."""

NONCE = re.compile(r"[0-9]{1,20}")

Check = Callable[[Call], Refusal | None]


def method(call: Call) -> Refusal | None:
    """Only GET and POST."""
    return (
        None if call.method in {"GET", "POST"} else Refusal("UnsupportedProtocol", (call.method,))
    )


def size(call: Call) -> Refusal | None:
    """At most 32 KB for GET; for POST 10 MB, or 1 MB with signature version 1."""
    if call.method == "GET":
        return _too_large(MAX_GET) if len(call.query) > MAX_GET else None
    if call.signature_version == 1:
        too_large = call.length > MAX_FORM
        return Refusal("AuthFailure.SignatureFailure:version_1") if too_large else None
    return _too_large(MAX_POST) if call.length > MAX_POST else None


def content_type(call: Call) -> Refusal | None:
    """JSON for POST; only signature version 1 posts forms."""
    if call.method == "GET" or call.signature_version == 1 or call.media_type == JSON_TYPE:
        return None
    return Refusal("UnsupportedOperation:content_type", (call.media_type,))


def common_parameters(call: Call) -> Refusal | None:
    """Present, and allowed."""
    version_1 = call.signature_version == 1
    if version_1 and call.pairs is None:
        return Refusal("InvalidParameter:query")
    for name in REQUIRED[call.signature_version]:
        if not call.common.get(name):
            return Refusal("MissingParameter", (name,))
    if not version_1 and "Authorization" not in call.headers:
        # Without the header the request is read as version 1, whose first parameter is missing.
        return Refusal("MissingParameter", ("SecretId",))
    for name, allowed in ALLOWED.items():
        if name in call.common and not allowed.fullmatch(call.common[name]):
            return Refusal("InvalidParameterValue:common", (name,))
    if version_1 and not NONCE.fullmatch(call.common["Nonce"]):
        return Refusal("InvalidParameterValue", ("Nonce",))
    return None


def key(call: Call) -> Refusal | None:
    """A key that exists."""
    if call.signature_version != 1 and call.authorization is None:
        return Refusal("AuthFailure.InvalidAuthorization")
    if call.secret_id not in call.standing.keys:
        return Refusal("AuthFailure.SecretIdNotFound")
    code = KEY_CODES.get(call.standing.state)
    return Refusal(code) if code else None


def clock(call: Call) -> Refusal | None:
    """A clock that differs by at most five minutes."""
    version_1 = call.signature_version == 1
    most = call.unknowns.version_1_clock_s if version_1 else MAX_CLOCK_DIFFERENCE
    differs = abs(call.arrived - int(call.common["Timestamp"])) > most
    return Refusal("AuthFailure.SignatureExpire", (int(call.arrived),)) if differs else None


def signed(call: Call) -> Refusal | None:
    """A signature that was made with the key, for what the call holds."""
    is_ours = fits(call, call.standing.keys[call.secret_id])
    return None if is_ours else Refusal("AuthFailure.SignatureFailure")


def token(call: Call) -> Refusal | None:
    """No temporary token, or the one that is good."""
    good = call.standing.token
    return None if call.common.get("Token", good) == good else Refusal("AuthFailure.TokenFailure")


def known_action(call: Call) -> Refusal | None:
    """A version and an Action this service has."""
    version = call.common["Version"]
    if version != VERSION:
        return Refusal("NoSuchVersion", (version, SERVICE))
    if call.action not in ACTIONS:
        return Refusal("InvalidAction", (call.action, SERVICE, version))
    return None


def standing(call: Call) -> Refusal | None:
    """An account that may call, in good standing."""
    code = ACCOUNT_CODES.get(call.standing.state)
    return Refusal(code) if code else None


def _too_large(limit: int) -> Refusal:
    return Refusal("RequestSizeLimitExceeded", (limit,))


FORM: tuple[Check, ...] = (method, size, content_type, common_parameters)
"""Checks that come first in any case: the later ones rely on them."""
CREDENTIALS: tuple[Check, ...] = (key, clock, signed, token)

CHECKS: tuple[Check, ...] = (*FORM, *CREDENTIALS, known_action, standing)
ACTION_FIRST: tuple[Check, ...] = (*FORM, known_action, *CREDENTIALS, standing)


def refuse(call: Call) -> Refusal | None:
    """Return the first refusal, or None for a call an Action may answer."""
    checks = ACTION_FIRST if call.unknowns.action_first else CHECKS
    return next(filter(None, (check(call) for check in checks)), None)
