"""A call: one HTTP request as the gateway sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .standing import Standing


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request to the data plane.

    :param method: HTTP method.
    :param query: text after ``?`` exactly as sent, because that is what is signed.
    :param headers: header fields; names are looked up in any case.
    :param body: the whole body; empty if it is too large to be read.
    :param length: bytes of the body, read or not.
    :param arrived: arrival in seconds since 1970, before the body was read.
    :param standing: how the account stood when the call arrived.
    """

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    length: int
    arrived: float
    standing: Standing

    @property
    def action(self) -> str:
        """Return ``X-TC-Action``, empty if absent."""
        return self.headers.get("X-TC-Action", "")

    @property
    def language(self) -> str:
        """Return the language texts are answered in."""
        return self.headers.get("X-TC-Language", "")

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters, lower-cased."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
