"""Pairs: ``a=1&b.c=2`` as in the query of a GET, or in the form signature version 1 posts."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_plus

Pairs = tuple[tuple[str, str], ...]
"""Names and values in the order they came, decoded."""


def read_pairs(text: str) -> Pairs | None:
    """Return the pairs of a query, or None if one of them has no ``=``."""
    parts = [part.partition("=") for part in text.split("&") if part]
    if not all(equals for _, equals, _ in parts):
        return None
    return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in parts)


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """
    Return pairs as an object: ``Encryption.EncryptList.0=Name`` is an item of a list inside it.

    Three levels are all the Actions have; a longer name keeps its rest in the third.
    """
    tree: dict[str, object] = {}
    for name, value in pairs:
        *parents, last = name.split(".", 2)
        place = tree
        for parent in parents:
            below = place.get(parent)
            if not isinstance(below, dict):
                below = place[parent] = {}
            place = below
        place[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: object) -> object:
    """Return a value with objects whose names are 0, 1, 2... as lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    places = [str(place) for place in range(len(inner))]
    return [inner[place] for place in places] if inner.keys() == set(places) else inner
