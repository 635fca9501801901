"""SQL identifiers as users write them: schema-qualified and quoted names, parsed and written again.

A name is one part or several with dots between them. A part is taken as it is written, in its case;
in ``"double quotes"``, `` `backticks` `` or ``[brackets]``, alike on every database, it may hold dots,
and a closing mark in it is doubled.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...exceptions import NAME_SHOWN, ConfigurationError

MARKS = {'"': '"', "`": "`", "[": "]"}
"""Closing mark of a quoted part by its opening one."""


def parts_of(name: str) -> tuple[str, ...]:
    """
    Return the parts of a name, without their quotes: of ``kyc."My.People"`` these are two.

    :raises ConfigurationError: a part is empty, or a quoted one does not end with its mark.
    """
    parts, start = [], 0
    while True:
        part, end = _part(name, start)
        parts.append(part)
        if end == len(name):
            return tuple(parts)
        start = end + 1


def name_of(parts: Sequence[str]) -> str:
    """Return a name that :func:`parts_of` takes apart into these parts."""
    return ".".join(map(_written, parts))


def bare(name: str) -> str:
    """Return the last part of a name, without its quotes."""
    return parts_of(name)[-1]


def beside(name: str, other: str) -> str:
    """
    Return the name of something in the schema of a table.

    :param name: of the table.
    :param other: name without a schema, not quoted.
    """
    return name_of((*parts_of(name)[:-1], other))


def column_of(written: str) -> str:
    """
    Return a column's name without the quotes that are around the whole of it.

    A dot in it is a dot.

    :raises ConfigurationError: it begins with a quotation mark that does not end it.
    """
    if written[:1] not in MARKS:
        return written
    part, end = _part(written, 0)
    if end != len(written):
        raise _wrong(written, "is a column's, and has no dot outside its quotes")
    return part


def _part(name: str, start: int) -> tuple[str, int]:
    """Return the part of a name that begins somewhere, and where it ends."""
    closing = MARKS.get(name[start : start + 1])
    if closing is None:
        end = name.find(".", start)
        end = len(name) if end < 0 else end
        if start == end:
            raise _wrong(name, "has an empty part")
        return name[start:end], end
    found, at = [], start + 1
    while (end := name.find(closing, at)) >= 0:
        found.append(name[at:end])
        if name[end + 1 : end + 2] != closing:
            break
        found.append(closing)
        at = end + 2
    part = "".join(found)
    if end < 0 or name[end + 1 : end + 2] not in {"", "."}:
        raise _wrong(name, f"begins a part with {name[start]} that does not end with {closing}")
    if not part:
        raise _wrong(name, "has an empty part")
    return part, end + 1


def _written(part: str) -> str:
    if part and "." not in part and part[0] not in MARKS:
        return part
    return '"' + part.replace('"', '""') + '"'


def _wrong(name: str, why: str) -> ConfigurationError:
    shown = name if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]}..."
    return ConfigurationError(
        f"The name {shown} {why}. Write a name as table, schema.table or, with dots, blanks or a "
        'quotation mark in it, "my schema"."my.table"; a double quote in a quoted name is doubled'
    )
