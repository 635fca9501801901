"""The ``Authorization`` header of signature version 3, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..service import signing

REQUIRED_HEADERS = frozenset({"content-type", "host"})

_FORM = re.compile(
    rf"{signing.ALGORITHM} +Credential=(?P<secret_id>[^/,]*)/(?P<scope>[^,]+), *"
    r"SignedHeaders=(?P<names>[^,A-Z]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    The parts of the header.

    :param secret_id: whose key it is said to be.
    :param scope: day and service the key is derived for.
    :param names: the signed headers.
    :param signature: the signature, in hex.
    """

    secret_id: str
    scope: str
    names: tuple[str, ...]
    signature: str


def read_authorization(value: str) -> Authorization | None:
    """Return the parts of a header, or None if it is malformed or signs too little."""
    found = _FORM.fullmatch(value.strip())
    if found is None:
        return None
    names = tuple(found["names"].split(";"))
    if not REQUIRED_HEADERS.issubset(names):
        return None
    return Authorization(found["secret_id"], found["scope"], names, found["signature"])
