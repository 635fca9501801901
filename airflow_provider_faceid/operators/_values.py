"""Values of parameters as templates render them: text, lists, and Python or JSON in a text."""

from __future__ import annotations

import json
from ast import literal_eval
from typing import Any

NOTHING = frozenset({"", "none", "null"})
"""Texts that count as not given, in lower case."""


def text(value: Any) -> str:
    """Read text that has to be there; a native template makes a number of a name of digits."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"it is text, not {type(value).__name__}")  # noqa: TRY004 - one kind to catch
    if str(value).strip().lower() in NOTHING:
        raise ValueError("it is text, and must not be empty")
    return str(value)


def names(value: Any) -> list[Any]:
    """Read a list of names or keys, also from the text a template makes of one."""
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset):
        raise ValueError("it is a list")  # noqa: TRY004 - one kind to catch
    return list(found)


def parsed(written: str) -> Any:
    """Return what a text says in JSON or Python; None if it says nothing in either."""
    for parse in (json.loads, literal_eval):
        try:
            return parse(written)
        except (ValueError, SyntaxError):
            continue
    return None
