"""Names a user has to spell: settings, options, choices. An unknown one is refused, never ignored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

# Numbers and nouns of log lines and messages: ``1 call``, ``2 calls``, ``1,000 rows``.


def counted(number: int, noun: str, plural: str = "") -> str:
    """
    Return a number with its noun.

    :param plural: of the noun, if it is not made by an s; may hold a verb: ``rows are``.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


SHOWN = 60
"""Characters of an unknown name that a message repeats."""


def unknown(given: Iterable[object], known: Collection[str]) -> str:
    """
    Return words about the names that are not known, empty if all are.

    Each is quoted, on one line, with the known name it resembles most; all known names are listed
    where one resembles none.
    """
    names = [str(name) for name in given if name not in known]
    hints = [nearest(name, known) for name in names]
    words = ", ".join(
        repr(name[:SHOWN]) + (f" (did you mean '{hint}'?)" if hint else "")
        for name, hint in zip(names, hints, strict=True)
    )
    return words if all(hints) else f"{words}; known are {', '.join(sorted(known))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that a misspelt one resembles most, empty if it resembles none."""
    by_form = {_form(one): one for one in known}
    found = get_close_matches(_form(name), by_form, n=1)
    return by_form[found[0]] if found else ""


def _form(name: str) -> str:
    """Return a name without what people spell in many ways: case, blanks, dashes."""
    return name.strip().casefold().replace("-", "_").replace(" ", "_")
