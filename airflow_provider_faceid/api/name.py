"""Name rules.

The API says only "length, format" (``-3``, ``FailedOperation.NameFormatError``), so these rules are
wide: they refuse what is certainly no name and let the service judge the rest, which is free.

What is sent is the name as the register writes it, whatever keyboard, font or export it came by:
``docs/decisions/0011-names-as-they-come.md``.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from .rules import INVISIBLE, JOINERS, NO_RULES, InputField, Rule, is_missing, texts_of

MAX_LENGTH = 50
"""Systems must hold 50 characters (2016 notice on the name data of minority citizens)."""

MIDDLE_DOT = "\u00b7"
"""The one the same notice prescribes (GB 18030 A1A4)."""

LOOK_ALIKE_DOTS = (
    "\u2022\u2027\u2219\u22c5\u30fb\uff65"  # bullet, hyphenation point, operators, Katakana
    "\u0387\u16eb\u2e31\ua78f\U00010101"  # Greek, Runic, word separators, sinological dot
    "\u2e33"  # raised dot
    "\u318d"  # Hangul araea, the middle dot of KS X 1001
    "\u02d9"  # dot above, the neutral tone of GBK and Big5
)
"""
Dots people type instead of U+00B7.

The first two lines, with U+1427, are those that Unicode calls confusable with it (UTS #39,
``confusables.txt``); the others are drawn at the same place in Chinese and Korean character sets.
"""
SYLLABIC_DOT = "\u1427"
"""Confusable with U+00B7, too, but a letter in a name written in Canadian syllabics."""
LOOK_ALIKE_STOPS = "\uff0e\ufe52\u2024"
"""Full stops that are a dot, unless they end an initial: full-width, small (Big5), one dot leader."""
BLACK_CIRCLE = "\u25cf"
"""A dot between parts of two and more Han characters; elsewhere it hides a character."""

_HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PLAIN = re.compile(
    r"[\u3400-\u9fff]+(?:\u00b7[\u3400-\u9fff]+)*|[A-Za-z]+(?: [A-Za-z]+)*"
).fullmatch
"""Most names: nothing in them is changed."""

_SPACES = re.compile(r"\s+")
_SPACE_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) +(?=[{_HAN}])")
_DOT_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}])\.(?=[{_HAN}])")
_STOP, _STOP_OF_INITIAL = "\uff0e", re.compile(rf"(?<=[^\W\d_])(?<![{_HAN}])\uff0e")
_CIRCLE_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}][{_HAN}]) ?{BLACK_CIRCLE} ?(?=[{_HAN}][{_HAN}])")
_SPACES_BY_DOT = re.compile(rf"(?: ?{MIDDLE_DOT})+ ?")
_SYLLABICS = r"\u1400-\u1426\u1428-\u167f\u18b0-\u18ff"
_SYLLABIC_DOT = re.compile(rf"(?<![{_SYLLABICS}]){SYLLABIC_DOT}(?![{_SYLLABICS}])")

_COMPATIBILITY_HAN = re.compile(r"([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")

_MONGOLIAN = "\u180b-\u180f"
"""Variation selectors and the vowel separator: they show nothing and change the letter before them."""
_STACKING = (
    r"\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u180a\u1810-\u18af\u1a20-\u1cff\ua840-\uabff"
    r"\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
"""Scripts whose letters join or stack, from Arabic and the Indic ones to Mongolian."""
_VIRAMAS = r"\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u103a\u17d2"
_MARKS_WITHIN = f"[{JOINERS}{_MONGOLIAN}]"
_JOINED = re.compile(f"{_MARKS_WITHIN}")
_REPEATED_JOINER = re.compile(f"([{JOINERS}])[{JOINERS}]+")
_JOINER_WITHOUT_USE = re.compile(
    f"(?<![{_STACKING}{JOINERS}{_MONGOLIAN}])[{JOINERS}{_MONGOLIAN}]+"
    f"|(?<![{_VIRAMAS}])[{JOINERS}](?![{_STACKING}])"
)

_FOLDED = frozenset(
    {f"<{tag}>" for tag in ["wide", "narrow", "font", "initial", "medial", "final", "isolated"]}
)
_PRESENTATION_FORMS = range(0xFB00, 0xFB50)


class _Folds(dict[int, str]):
    """
    What becomes of single characters, looked up once each.

    Dots become U+00B7. Full-width, half-width, mathematical and presentation forms of letters become
    the letters (NFKC), which is never done to Han characters. What shows nothing goes.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if re.match(_MARKS_WITHIN, character):
            folded = character
        elif INVISIBLE.match(character):
            folded = ""
        elif (
            unicodedata.decomposition(character).partition(" ")[0] in _FOLDED
            or code in _PRESENTATION_FORMS
        ):
            folded = unicodedata.normalize("NFKC", character)
        else:
            folded = character
        if len(self) < _MOST_FOLDS:
            self[code] = folded
        return folded


_MOST_FOLDS = 2**16
_FOLDS = _Folds(
    {
        **dict.fromkeys(map(ord, LOOK_ALIKE_DOTS), MIDDLE_DOT),
        **dict.fromkeys(map(ord, LOOK_ALIKE_STOPS), _STOP),
    }
)


def normalise(value: str) -> str:
    """
    Return a name as the service wants it.

    Outer blanks go, inner ones become one space, or none between Han characters and around a middle
    dot; look-alike dots become U+00B7, several in a row one. Marks that show nothing go, but for the joiners and selectors
    that letters of Arabic, Indic and Mongolian scripts need. Letters are composed (NFC), and full-width
    and presentation forms become ordinary letters. No Han character is replaced by another one, not
    even a compatibility ideograph, which NFC would replace.
    """
    if _PLAIN(value):
        return value
    name = _composed(value.translate(_FOLDS))
    # A joiner that goes stood between marks, which may change places; each turn makes it shorter.
    while (tidied := _composed(_joined(name))) != name:
        name = tidied
    name = _SPACES.sub(" ", name).strip()
    name = _SYLLABIC_DOT.sub(MIDDLE_DOT, name)
    name = _STOP_OF_INITIAL.sub(".", name).replace(_STOP, MIDDLE_DOT)
    name = _DOT_BETWEEN_HAN.sub(MIDDLE_DOT, _SPACE_BETWEEN_HAN.sub("", name))
    return _SPACES_BY_DOT.sub(MIDDLE_DOT, _CIRCLE_BETWEEN_HAN.sub(MIDDLE_DOT, name))


def _joined(name: str) -> str:
    """Take joiners away where they join nothing: at an end, beside blanks, between Han or Latin letters."""
    if not _JOINED.search(name):
        return name
    return _JOINER_WITHOUT_USE.sub("", _REPEATED_JOINER.sub(r"\1", name))


def _composed(name: str) -> str:
    """Return a name in NFC, its compatibility ideographs as they are."""
    if unicodedata.is_normalized("NFC", name):
        return name
    return "".join(
        part if _COMPATIBILITY_HAN.match(part) else unicodedata.normalize("NFC", part)
        for part in _COMPATIBILITY_HAN.split(name)
    )


_MARKS = frozenset(MIDDLE_DOT + " -'\u2019.,\u0f0b")  # the last one joins Tibetan syllables
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nl"})
"""Nl holds the Han zero."""
_PRIVATE_USE = frozenset(map(chr, range(0xE000, 0xF900)))
"""Where registries kept rare characters before Unicode had them."""
_FIRST_RARE_HAN = 0x20000
_known = set(_MARKS)
"""Characters that were found to be allowed: to ask for a set is faster than to ask one by one."""


def _allowed(character: str) -> bool:
    """Letters and marks of any script, rare Han characters included, and the usual joiners."""
    return (
        character in _MARKS
        or unicodedata.category(character) in _LETTERS
        or character in _PRIVATE_USE
        or _JOINED.match(character) is not None  # those without use are gone
        or ord(character) >= _FIRST_RARE_HAN  # may be newer than this Python
    )


def _has_other_characters(name: str, _: date) -> bool:
    if not _known.issuperset(name):
        if not all(map(_allowed, name)):
            return True
        _known.update(name)
    return _MARKS.issuperset(name)


def _read(value: object) -> object:
    return normalise(value) if isinstance(value, str) else value


FIELD = InputField(
    rules=(
        Rule(
            "name_missing",
            "a name is needed",
            lambda value, _: value is None or value == "",
            is_implied=True,
        ),
        Rule(
            "name_not_text",
            "the name must be text",
            lambda value, _: not isinstance(value, str),
            is_implied=True,
        ),
        Rule(
            "name_missing_text",
            "the name is the text of a missing value, such as nan, None, NULL or <NA>",
            lambda name, _: is_missing(name),
            is_optional=True,
        ),
        Rule(
            "name_length",
            f"a name has 1 to {MAX_LENGTH} characters",
            lambda name, _: len(name) > MAX_LENGTH,
        ),
        Rule(
            "name_characters",
            "a name holds letters, spaces, middle dots, hyphens and apostrophes only; control "
            "characters count",
            _has_other_characters,
        ),
    ),
    read=_read,
)
RULES = texts_of(FIELD.rules)
"""What each rule asks for, in the order they are asked."""

_ANY_DAY = date.min
"""No rule asks for the day."""


def broken_rule(value: object, skipped: frozenset[str] = NO_RULES) -> str | None:
    """
    Return the name of the first rule a value breaks, or None.

    :param skipped: names of rules that are not asked.
    """
    broken = FIELD.first_broken(value, _ANY_DAY, skipped)
    return broken.name if broken else None


def prepare(value: object, skipped: frozenset[str] = NO_RULES) -> str:
    """
    Return a value as it is sent.

    :param skipped: names of rules that are not asked.
    :raises InvalidInputError: it breaks a rule of :data:`RULES`.
    """
    name: str = FIELD.prepare(value, _ANY_DAY, skipped)
    return name
