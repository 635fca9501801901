"""HmacSHA1 and HmacSHA256 (signature version 1) as pure steps.

Source: the API's "Signature v1" page and the official SDK, which agree on the published vectors.
Only the simulator needs it: our client signs with version 3.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Iterable

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
