"""The service's side of a TC3 signature: read the Authorization header, compute, compare."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..service import signing
from ..service.actions import SERVICE
from .answers import Refusal
from .call import Call

SECRET_ID = "simulator-id"  # noqa: S105 - public, like the key
SECRET_KEY = "simulator-key"  # noqa: S105 - the one key pair this local service knows
MAX_CLOCK_DIFFERENCE = 300
"""Seconds between a request's timestamp and the service's clock."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
REQUIRED_HEADERS = frozenset({"content-type", "host"})

_AUTHORIZATION = re.compile(
    rf"{signing.ALGORITHM} +Credential=(?P<secret_id>[^/,]*)/(?P<scope>[^,]+), *"
    r"SignedHeaders=(?P<names>[^,]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an Authorization header."""

    secret_id: str
    scope: str
    names: tuple[str, ...]
    signature: str


def read_authorization(value: str) -> Authorization | None:
    """Return the parts of a header, or None if it is malformed or signs too little."""
    found = _AUTHORIZATION.fullmatch(value.strip())
    if found is None:
        return None
    names = tuple(found["names"].split(";"))
    if not REQUIRED_HEADERS.issubset(names):
        return None
    return Authorization(found["secret_id"], found["scope"], names, found["signature"])


def verify(call: Call, authorization: Authorization, timestamp: int) -> Refusal | None:
    """
    Say what is wrong with a signature, or None.

    Whatever ``SignedHeaders`` lists is signed; header values may be signed as sent (the official
    SDK does) or lower-cased (the documents do).
    """
    failure = Refusal("AuthFailure.SignatureFailure")
    headers = {name: call.headers[name] for name in authorization.names if name in call.headers}
    if len(headers) != len(authorization.names):
        return failure
    if authorization.scope != signing.scope(signing.utc_date(timestamp), SERVICE):
        return failure
    hashed = signing.payload_hash(_signed_payload(call))
    canonical = signing.canonical_request(call.method, call.query, headers, hashed)
    try:
        candidates = (canonical, _with_values_as_sent(canonical, headers))
        fits = any(_fits(candidate, authorization, timestamp) for candidate in candidates)
    except UnicodeEncodeError:  # bytes came in that are no UTF-8, so nobody can have signed them
        fits = False
    return None if fits else failure


def _fits(canonical: str, authorization: Authorization, timestamp: int) -> bool:
    to_sign = signing.string_to_sign(timestamp, SERVICE, canonical)
    expected = signing.signature(SECRET_KEY, timestamp, SERVICE, to_sign)
    return hmac.compare_digest(expected, authorization.signature)


def _signed_payload(call: Call) -> bytes:
    """Return what was hashed: the body, nothing for GET, or the words that waive it."""
    if call.headers.get("X-TC-Content-SHA256") == UNSIGNED_PAYLOAD:
        return UNSIGNED_PAYLOAD.encode()
    return b"" if call.method == "GET" else call.body


def _with_values_as_sent(canonical: str, headers: Mapping[str, str]) -> str:
    """Return a canonical request with its header values put back as they were sent."""
    for name, value in headers.items():
        line = f"\n{name.lower()}:{value.strip()}\n"
        canonical = canonical.replace(line.lower(), line, 1)
    return canonical
