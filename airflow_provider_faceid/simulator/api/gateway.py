"""The API gateway: the checks before an Action runs, and the verification of signatures.

Each check looks at one thing and returns a refusal or None; they run in the order of
:data:`CHECKS`. The documentation says that the token comes before business parameters; the rest of
the order is the likeliest (face-id-service section 4).

The service computes the signature that a key gives for a call, and compares. Version 3 uses the
client's own steps. Version 1 (HmacSHA1, HmacSHA256) is here, because our client signs with version 3
only; its sources are the API's "Signature v1" page and the official SDK, which agree on the published
vectors.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ...api import signing
from ...api.action import SERVICE, VERSION
from ...api.actions import ACTIONS
from ...api.signing import JSON_TYPE
from ..account import ACCOUNT_CODES, KEY_CODES
from . import LANGUAGES, Refusal
from .call import MAX_FORM, MAX_GET, MAX_POST, Call

SHA256_METHOD = "HmacSHA256"
"""The one ``SignatureMethod`` that means SHA-256; everything else means SHA-1."""


def string_to_sign_v1(method: str, host: str, parameters: Iterable[tuple[str, str]]) -> str:
    """
    Return the string to sign.

    :param method: ``GET`` or ``POST``.
    :param host: value of the ``Host`` header.
    :param parameters: all but ``Signature``, in any order, values as they are before encoding.
    """
    named = ((name.replace("_", "."), value) for name, value in parameters)
    # The order is that of the names' bytes: `InstanceIds.12` before `InstanceIds.2`.
    joined = "&".join(f"{name}={value}" for name, value in sorted(named, key=_name))
    return f"{method}{host}/?{joined}"


def signature_v1(secret_key: str, signature_method: str, to_sign: str) -> str:
    """Return the Base64 text of a string's HMAC."""
    hashing = "sha256" if signature_method == SHA256_METHOD else "sha1"
    digest = hmac.digest(secret_key.encode(), to_sign.encode(), hashing)
    return binascii.b2a_base64(digest, newline=False).decode()


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


MAX_CLOCK_DIFFERENCE = 300
"""Seconds between a request's timestamp and the service's clock, with version 3."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_PORT = re.compile(r"(?<=\nhost:)([^\n]*):[0-9]+(?=\n)")


def fits(call: Call, secret_key: str, service: str = SERVICE) -> bool:
    """
    Return whether a call's signature was made with a key, for the content of the call.

    :param service: the called service; published vectors are of others, too.
    """
    try:
        if call.signature_version == 1:
            return _same(_version_1(call, secret_key), call.common["Signature"])
        given = call.authorization.signature if call.authorization else ""
        return any(_same(made, given) for made in _version_3(call, secret_key, service))
    except UnicodeEncodeError:  # bytes came in that are no UTF-8, so no client signed them
        return False


def _same(made: str, given: str) -> bool:
    return hmac.compare_digest(made.encode(), given.encode())


def _version_1(call: Call, secret_key: str) -> str:
    signed = (pair for pair in call.pairs or () if pair[0] != "Signature")
    to_sign = string_to_sign_v1(call.method, call.headers.get("Host", ""), signed)
    return signature_v1(secret_key, call.common.get("SignatureMethod", ""), to_sign)


def _version_3(call: Call, secret_key: str, service: str) -> Iterator[str]:
    """
    Yield the signatures that are accepted, none if the header does not go with the call.

    ``SignedHeaders`` lists the signed headers; header values may be signed lower-cased (the
    documents do) or as sent (the official SDK does). The official Node SDK leaves the port out of
    the host, and calls the service what its address begins with: ``127``.
    """
    timestamp, parts = int(call.common["Timestamp"]), call.authorization
    if parts is None:
        return
    date, label = signing.utc_date(timestamp), call.headers.get("Host", "").partition(".")[0]
    if parts.scope == signing.scope(date, label):
        service = label
    elif parts.scope != signing.scope(date, service):
        return
    headers = {name: call.headers[name] for name in parts.names if name in call.headers}
    if len(headers) != len(parts.names):
        return
    query = call.query if call.method == "GET" else ""  # of a POST it is not signed
    hashed = signing.payload_hash(_signed_payload(call))
    canonical = signing.canonical_request(call.method, query, headers, hashed)
    yield _sign(secret_key, timestamp, service, canonical)
    yield _sign(secret_key, timestamp, service, _with_values_as_sent(canonical, headers))
    yield _sign(secret_key, timestamp, service, _PORT.sub(r"\1", canonical, count=1))


def _sign(secret_key: str, timestamp: int, service: str, canonical: str) -> str:
    to_sign = signing.string_to_sign(timestamp, service, canonical)
    return signing.signature(secret_key, timestamp, service, to_sign)


def _signed_payload(call: Call) -> bytes:
    """Return the hashed payload: the body, nothing for GET, or the word that waives it."""
    waived = call.headers.get("X-TC-Content-SHA256") == UNSIGNED_PAYLOAD
    if waived and call.assumptions.unsigned_payload:
        return UNSIGNED_PAYLOAD.encode()
    return b"" if call.method == "GET" else call.body


def _with_values_as_sent(canonical: str, headers: Mapping[str, str]) -> str:
    """Return a canonical request with its header values put back as they were sent."""
    for name, value in headers.items():
        line = f"\n{name.lower()}:{value.strip()}\n"
        canonical = canonical.replace(line.lower(), line, 1)
    return canonical


REQUIRED: dict[int, tuple[str, ...]] = {
    1: ("Action", "Timestamp", "Nonce", "SecretId", "Signature", "Version"),
    3: ("Action", "Timestamp", "Version"),
}
"""Required common parameters, by signature version."""

ALLOWED: dict[str, re.Pattern[str]] = {
    "Timestamp": re.compile(r"[0-9]{1,12}"),
    "Region": re.compile(r"[a-z]{2}(-[a-z0-9]+)+"),
    "Language": re.compile("|".join(LANGUAGES)),
}
"""Form of common parameters; an empty Region is refused like an unknown one."""

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
    if call.secret_id not in call.account_state.keys:
        return Refusal("AuthFailure.SecretIdNotFound")
    code = KEY_CODES.get(call.account_state.state)
    return Refusal(code) if code else None


def clock(call: Call) -> Refusal | None:
    """A clock that differs by at most five minutes."""
    version_1 = call.signature_version == 1
    most = call.assumptions.version_1_clock_s if version_1 else MAX_CLOCK_DIFFERENCE
    differs = abs(call.arrived - int(call.common["Timestamp"])) > most
    return Refusal("AuthFailure.SignatureExpire", (int(call.arrived),)) if differs else None


def signed(call: Call) -> Refusal | None:
    """A signature that was made with the key, for the content of the call."""
    is_ours = fits(call, call.account_state.keys[call.secret_id])
    return None if is_ours else Refusal("AuthFailure.SignatureFailure")


def token(call: Call) -> Refusal | None:
    """No temporary token, or the valid one."""
    good = call.account_state.token
    return None if call.common.get("Token", good) == good else Refusal("AuthFailure.TokenFailure")


def known_action(call: Call) -> Refusal | None:
    """A version and an Action this service has."""
    version = call.common["Version"]
    if version != VERSION:
        return Refusal("NoSuchVersion", (version, SERVICE))
    if call.action not in ACTIONS:
        return Refusal("InvalidAction", (call.action, SERVICE, version))
    return None


def account_state(call: Call) -> Refusal | None:
    """An account in good standing that may call."""
    code = ACCOUNT_CODES.get(call.account_state.state)
    return Refusal(code) if code else None


def _too_large(limit: int) -> Refusal:
    return Refusal("RequestSizeLimitExceeded", (limit,))


FORM: tuple[Check, ...] = (method, size, content_type, common_parameters)
"""Checks that come first in any case: the later ones rely on them."""
CREDENTIALS: tuple[Check, ...] = (key, clock, signed, token)

CHECKS: tuple[Check, ...] = (*FORM, *CREDENTIALS, known_action, account_state)
ACTION_FIRST: tuple[Check, ...] = (*FORM, known_action, *CREDENTIALS, account_state)


def refuse(call: Call) -> Refusal | None:
    """Return the first refusal, or None for a call an Action may answer."""
    checks = ACTION_FIRST if call.assumptions.action_first else CHECKS
    return next(filter(None, (check(call) for check in checks)), None)
