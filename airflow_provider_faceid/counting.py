"""Numbers and nouns of log lines and messages: ``1 call``, ``2 calls``, ``1,000 rows``."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """
    Return a number with its noun.

    :param plural: of the noun, if it is not made by an s; may hold a verb: ``rows are``.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
