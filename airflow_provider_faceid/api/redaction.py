"""Redaction: nothing of a request stands in what is said of its answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

MALFORMED = "(malformed)"
"""
Stands for a code or RequestId of another form than those have, or that says the person back.

No code of ours is called so.
"""

_BETWEEN = re.compile(r"[^0-9A-Za-z]+")
LONG = 6
"""Characters of a value that no code and no RequestId holds by chance."""
LONGEST = 200
"""Characters of a value that neither has room for."""
PIECE = 8
"""Characters of a number that neither holds by chance, a date of birth among them."""


def strike_out(text: str, personal: Iterable[object]) -> str:
    """Return a text with every one of some values replaced by ``***``."""
    values = {value for value in personal if isinstance(value, str) and value}
    for value in sorted(values, key=len, reverse=True):  # a part of another must not go first
        text = text.replace(value, "***")
    return text


def on_one_line(text: str, length: int) -> str:
    """
    Return a text as it may be printed: not too long, and U+FFFD for whatever cannot be seen.

    That is line breaks, NUL, lone surrogates, marks that turn the direction, and the like.

    :param length: most characters; of a longer text the beginning is left, and "…".
    """
    if len(text) > length:
        text = text[: length - 1] + "…"
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def plain(text: str, form: re.Pattern[str], personal: Iterable[str]) -> str:
    """Return a text that may go to logs, errors and tables as it is."""
    return text if form.fullmatch(text) and not _says_back(text, personal) else MALFORMED


def _says_back(text: str, personal: Iterable[str]) -> bool:
    """Say whether a text holds a value, or a piece of a number: with what is between, or in hex."""
    bare = _BETWEEN.sub("", text).casefold()
    if len(bare) < LONG:  # as nearly every code is
        return False
    for value in personal:
        if len(value) > LONGEST:
            continue
        whole = _BETWEEN.sub("", value).casefold()
        if len(whole) >= LONG and whole in bare:
            return True
        in_hex = value.encode("utf-8", "replace").hex()
        if len(in_hex) >= 2 * LONG and in_hex in bare:
            return True
        if sum(map(str.isdigit, whole)) >= PIECE and any(
            whole[at : at + PIECE] in bare for at in range(len(whole) - PIECE + 1)
        ):
            return True
    return False
