"""The service's side of signatures: compute what a key would have made of a call, and compare."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping

from ..service import signing
from ..service.actions import SERVICE
from .call import Call
from .signature_v1 import signature_v1, string_to_sign_v1

MAX_CLOCK_DIFFERENCE = 300
"""Seconds between a request's timestamp and the service's clock, with version 3."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_PORT = re.compile(r"(?<=\nhost:)([^\n]*):[0-9]+(?=\n)")


def fits(call: Call, secret_key: str, service: str = SERVICE) -> bool:
    """
    Say whether a call's signature was made with a key, for what the call holds.

    :param service: the service that is asked; published vectors are of others, too.
    """
    try:
        if call.signature_version == 1:
            return _same(_version_1(call, secret_key), call.common["Signature"])
        given = call.authorization.signature if call.authorization else ""
        return any(_same(made, given) for made in _version_3(call, secret_key, service))
    except UnicodeEncodeError:  # bytes came in that are no UTF-8, so nobody can have signed them
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

    Whatever ``SignedHeaders`` lists is signed; header values may be signed lower-cased (the
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
    """Return what was hashed: the body, nothing for GET, or the words that waive it."""
    waived = call.headers.get("X-TC-Content-SHA256") == UNSIGNED_PAYLOAD
    if waived and call.unknowns.unsigned_payload:
        return UNSIGNED_PAYLOAD.encode()
    return b"" if call.method == "GET" else call.body


def _with_values_as_sent(canonical: str, headers: Mapping[str, str]) -> str:
    """Return a canonical request with its header values put back as they were sent."""
    for name, value in headers.items():
        line = f"\n{name.lower()}:{value.strip()}\n"
        canonical = canonical.replace(line.lower(), line, 1)
    return canonical
