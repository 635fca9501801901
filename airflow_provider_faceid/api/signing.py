"""TC3-HMAC-SHA256 (signature version 3) as pure steps.

Source: the API's "Signature v3" page (document 1061/37007 and its siblings), checked against the
published vectors and against the official SDK, which signs ``content-type`` and ``host`` only.

::

    canonical_request -> string_to_sign -> signature -> authorization
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

ALGORITHM = "TC3-HMAC-SHA256"
JSON_TYPE = "application/json"
"""Exactly this: with a charset behind it the official SDK overlooks errors in answers."""

EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def payload_hash(*pieces: bytes | memoryview) -> str:
    """Return the lower-case hex SHA-256 of a request body, given whole or in pieces."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.hexdigest()


def canonical_request(
    method: str, query: str, headers: Mapping[str, str], hashed_payload: str
) -> str:
    """
    Return the canonical request.

    :param method: ``GET`` or ``POST``.
    :param query: text after ``?`` as sent; empty for POST.
    :param headers: the headers to sign, any case; values are trimmed and lower-cased.
    :param hashed_payload: :func:`payload_hash` of the body.
    """
    lines = sorted((key.lower(), value.strip().lower()) for key, value in headers.items())
    canonical = "".join(f"{key}:{value}\n" for key, value in lines)
    return "\n".join((method, "/", query, canonical, signed_headers(headers), hashed_payload))


def signed_headers(headers: Mapping[str, str]) -> str:
    """Return the names of the signed headers, as they stand in the Authorization header."""
    return ";".join(sorted(key.lower() for key in headers))


@lru_cache(maxsize=8)
def utc_date(timestamp: int) -> str:
    """Return the UTC day of a Unix timestamp; three steps of the same second ask for it."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")


def scope(date: str, service: str) -> str:
    """Return the credential scope."""
    return f"{date}/{service}/tc3_request"


def string_to_sign(timestamp: int, service: str, canonical: str) -> str:
    """Return the string to sign for a canonical request."""
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return "\n".join((ALGORITHM, str(timestamp), scope(utc_date(timestamp), service), hashed))


@lru_cache(maxsize=8)
def signing_key(secret_key: str, date: str, service: str) -> bytes:
    """Return the key of one UTC day; derived once a day and kept."""
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(secret_key: str, timestamp: int, service: str, to_sign: str) -> str:
    """Return the lower-case hex signature of a string to sign."""
    key = signing_key(secret_key, utc_date(timestamp), service)
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def authorization(
    *,
    secret_id: str,
    secret_key: str,
    timestamp: int,
    service: str,
    headers: Mapping[str, str],
    hashed_payload: str,
    method: str = "POST",
    query: str = "",
) -> str:
    """
    Return the value of the ``Authorization`` header.

    :param secret_id: names the key; it does not enter the signature.
    :param secret_key: the secret; never leaves this function.
    :param timestamp: Unix seconds, as sent in ``X-TC-Timestamp``.
    :param service: first label of the host, ``faceid``.
    :param headers: the headers to sign, ``content-type`` and ``host`` at least.
    :param hashed_payload: :func:`payload_hash` of the body.
    """
    canonical = canonical_request(method, query, headers, hashed_payload)
    signed = signature(
        secret_key, timestamp, service, string_to_sign(timestamp, service, canonical)
    )
    return (
        f"{ALGORITHM} Credential={secret_id}/{scope(utc_date(timestamp), service)}, "
        f"SignedHeaders={signed_headers(headers)}, Signature={signed}"
    )
