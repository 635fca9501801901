"""Text of messages: "did you mean" hints for unknown names, and numbers with their nouns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def counted(number: int, noun: str, plural: str = "") -> str:
    """
    Return a number with its noun: ``1 call``, ``2 calls``, ``1,000 rows``.

    :param number: the number.
    :param noun: in the singular.
    :param plural: if it is not the noun with an s; may include a verb: ``rows are``.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


SHOWN = 60
"""Most characters of an unknown name that a message quotes."""


def unknown(given: Iterable[object], known: Collection[str]) -> str:
    """
    Describe unknown names for a message; return an empty text if all names are known.

    Each unknown name is quoted, on one line, with the most similar known name as a hint. All known
    names are listed if one has no similar name.
    """
    names = [str(name) for name in given if name not in known]
    hints = [nearest(name, known) for name in names]
    words = ", ".join(
        repr(name[:SHOWN]) + (f" (did you mean '{hint}'?)" if hint else "")
        for name, hint in zip(names, hints, strict=True)
    )
    return words if all(hints) else f"{words}; known are {', '.join(sorted(known))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name most similar to a misspelt one, empty if none is similar."""
    by_form = {_form(one): one for one in known}
    found = get_close_matches(_form(name), by_form, n=1)
    return by_form[found[0]] if found else ""


def _form(name: str) -> str:
    """Return a name normalised for comparison: case, blanks and dashes are unified."""
    return name.strip().casefold().replace("-", "_").replace(" ", "_")
