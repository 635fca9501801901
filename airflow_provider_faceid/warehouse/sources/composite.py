"""Composite keys as one text: a JSON array of the texts of the parts, such as ``["t1","17"]``.

Two different keys never have one text, and the text is taken apart again, whatever is in the parts.
The database and Python make the same text: a backslash and a double quote in a part stand behind a
backslash, nothing else is changed and no blank added. So it is JSON unless a part has control
characters, which JSON would write otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..sql.dialects import Dialect

_PART = re.compile(r'"((?:[^"\\]|\\["\\])*)"(,|\]\Z)', re.DOTALL)


def encode(parts: Iterable[str]) -> str:
    """Return the text of a composite key."""
    escaped = (part.replace("\\", "\\\\").replace('"', '\\"') for part in parts)
    return '["' + '","'.join(escaped) + '"]'


def decode(key: str) -> tuple[str, ...]:
    """
    Return the parts of a composite key.

    :raises ValueError: it is none.
    """
    parts, at = [], 1
    while key[:1] == "[" and (found := _PART.match(key, at)):
        parts.append(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL))
        if found[2] == "]":
            return tuple(parts)
        at = found.end()
    raise ValueError("this is no text of a composite key")


def expression(dialect: Dialect, texts: Sequence[str]) -> str:
    """
    Return the SQL expression for the text of a composite key.

    :param texts: expressions for the texts of its parts.
    """
    backslash = "\\\\" if dialect.has_backslash_escapes else "\\"
    pieces = []
    for number, text in enumerate(texts):
        pieces.append("'[\"'" if number == 0 else "'\",\"'")
        escaped = f"REPLACE({text}, '{backslash}', '{backslash * 2}')"
        pieces.append(f"REPLACE({escaped}, '\"', '{backslash}\"')")
    return dialect.concat([*pieces, "'\"]'"])
