"""Name rules.

The API says only "length, format" (``-3``, ``FailedOperation.NameFormatError``), so these rules are
wide: they refuse what is certainly no name and let the service judge the rest, which is free.
"""

from __future__ import annotations

import re
import unicodedata

from ..exceptions import InvalidInputError

MAX_LENGTH = 50
"""Systems must hold 50 characters (2016 notice on the name data of minority citizens)."""

MIDDLE_DOT = "\u00b7"
LOOK_ALIKE_DOTS = "\u2022\u30fb\uff0e\u2027\u2219\u22c5\uff65"
"""Dots people type instead of U+00B7, the one the notice prescribes."""

RULES: dict[str, str] = {
    "name_missing": "a name is needed",
    "name_not_text": "the name must be text",
    "name_length": f"a name has 1 to {MAX_LENGTH} characters",
    "name_characters": "a name holds letters, spaces, middle dots, hyphens and apostrophes only",
}
"""Rules in the order they are asked."""

_DOTS = str.maketrans(dict.fromkeys(LOOK_ALIKE_DOTS, MIDDLE_DOT))
_HAN = r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_SPACE_BETWEEN_HAN = re.compile(rf"(?<={_HAN}) +(?={_HAN})")
_DOT_BETWEEN_HAN = re.compile(rf"(?<={_HAN})\.(?={_HAN})")
_SPACES_BY_DOT = re.compile(rf" ?{MIDDLE_DOT} ?")
_SPACES = re.compile(r"\s+")
_MARKS = frozenset(MIDDLE_DOT + " -'\u2019.,\u0f0b")  # the last one joins Tibetan syllables


def normalise(value: str) -> str:
    """
    Return a name as the service wants it.

    Outer blanks go, inner ones become one space, or none between Han characters and around a middle
    dot; look-alike dots become U+00B7. Characters are not otherwise changed: Unicode normalisation would replace rare
    Han characters by other ones.
    """
    if value.isalpha():  # most are: no blank, dot or mark in them
        return value
    name = _SPACES.sub(" ", value.translate(_DOTS)).strip()
    name = _DOT_BETWEEN_HAN.sub(MIDDLE_DOT, _SPACE_BETWEEN_HAN.sub("", name))
    return _SPACES_BY_DOT.sub(MIDDLE_DOT, name)


def _allowed(character: str) -> bool:
    """Letters and marks of any script, rare Han characters included, and the usual joiners."""
    return (
        character in _MARKS
        or unicodedata.category(character) in _LETTERS
        or character in _PRIVATE_USE
        or ord(character) >= _FIRST_RARE_HAN  # may be newer than this Python
    )


_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nl"})
"""Nl holds the Han zero."""
_PRIVATE_USE = frozenset(map(chr, range(0xE000, 0xF900)))
"""Where registries kept rare characters before Unicode had them."""
_FIRST_RARE_HAN = 0x20000


def broken_rule(value: object) -> str | None:
    """Return the name of the first rule a value breaks, or None."""
    if value is None:
        return "name_missing"
    if not isinstance(value, str):
        return "name_not_text"
    name = normalise(value)
    if not name:
        return "name_missing"
    if len(name) > MAX_LENGTH:
        return "name_length"
    if not all(map(_allowed, name)) or all(character in _MARKS for character in name):
        return "name_characters"
    return None


def prepare(value: object) -> str:
    """
    Return a value as it is sent.

    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    rule = broken_rule(value)
    if rule is not None:
        raise InvalidInputError(rule, RULES[rule])
    return normalise(str(value))
