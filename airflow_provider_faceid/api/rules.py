"""Input rules: validation of one value before it is sent; the rules of text and date fields.

Each rule stands once, in the table of its field: hook, operators, batch, Great Expectations, the
simulator and the docs ask that table. Here are the tables that need no more than a few rules: of text
fields (a needed value is there, and none is longer than its page allows) and of date fields (a day of
the calendar, sent as ``YYYYMMDD``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any, NamedTuple

from ..exceptions import InvalidInputError

_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
"""Unicode's property ``Default_Ignorable_Code_Point``: what shows nothing, such as the soft hyphen,
zero-width characters, marks of direction, the byte order mark, variation selectors."""

INVISIBLE = re.compile(f"[{_IGNORABLE}\u2800\ufff9-\ufffb]")
"""Those, the blank of Braille and the marks of annotations."""

JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: letters of many scripts are other ones without them."""

_MISSING = frozenset({"nan", "none", "null", "nat", "<na>", "n/a", "#n/a", "undefined"})
LONGEST_MISSING = 9
"""Characters; longer texts need not be looked at."""
_MISSING_IN_CAPITALS = "NA"
"""What R writes; in small letters it is a name."""


def is_missing(text: str) -> bool:
    """
    Say whether a text is what data frames and exports make of a missing value.

    :param text: without outer blanks. Its case does not matter: exports change it.
    """
    if len(text) > LONGEST_MISSING:
        return False
    return text.casefold() in _MISSING or text == _MISSING_IN_CAPITALS


def without_invisible(text: str) -> str:
    """Return a text without marks that show nothing, and without outer blanks."""
    return (text if text.isascii() else INVISIBLE.sub("", text)).strip()


def visible_length(text: str) -> int:
    """Return how many characters of a text are seen, blanks between them included."""
    return sum(character.isprintable() or character.isspace() for character in text)


NO_RULES: frozenset[str] = frozenset()


class Rule(NamedTuple):
    """
    One input rule.

    :param name: under which bad rows are quarantined.
    :param asks: what it asks for, in errors and docs.
    :param breaks: says whether a value breaks it, given the value as it is sent and the service's day.
    :param is_optional: whether a user may switch it off; the others refuse what cannot be sent.
    :param is_warning: whether a value that breaks it is counted, and sent all the same.
    :param is_implied: whether every text that keeps the later rules keeps it, too: of a million rows it
        is asked only where one of those is broken.
    """

    name: str
    asks: str
    breaks: Callable[[Any, date], bool]
    is_optional: bool = False
    is_warning: bool = False
    is_implied: bool = False

    def error(self, detail: str = "") -> InvalidInputError:
        """Return what a value that breaks the rule is refused with; the value is not in it."""
        return InvalidInputError(self.name, self.asks + (f" ({detail})" if detail else ""))


@dataclass(frozen=True)
class RowRule:
    """
    One input rule about several values of a row, each of which keeps the rules of its own.

    :param name: under which bad rows are quarantined.
    :param asks: what it asks for, in errors and docs.
    :param fields: API fields it is about.
    :param breaks: says whether their values, as they are sent and in this order, break it.
    """

    name: str
    asks: str
    fields: tuple[str, ...]
    breaks: Callable[..., bool]

    def is_broken(self, values: Mapping[str, Any]) -> bool:
        """Say whether a request breaks it; one that lacks a value does not."""
        asked = [values.get(field) for field in self.fields]
        return None not in asked and self.breaks(*asked)


@dataclass(frozen=True)
class InputField:
    """
    One kind of value and its rules.

    :param rules: in the order they are asked; a value breaks at most the first that fails.
    :param read: turns what the source holds into what the rules are asked about.
    """

    rules: tuple[Rule, ...]
    read: Callable[[Any], Any]

    def first_broken(
        self, value: object, today: date, skipped: Collection[str] = NO_RULES
    ) -> Rule | None:
        """
        Return the first rule a value breaks, or None.

        :param value: what the source holds.
        :param today: the service's day; a later birth date is invalid.
        :param skipped: names of rules that are not asked.
        """
        return self.first_broken_of(self.read(value), today, skipped)

    def first_broken_of(
        self, read: object, today: date, skipped: Collection[str] = NO_RULES
    ) -> Rule | None:
        """Return the same for a value that was read already."""
        for breaks, rule in self._questions:
            if breaks(read, today) and rule.name not in skipped:
                return rule
        return None

    def first_broken_each(
        self,
        values: Iterable[object],
        today: date,
        skipped: Collection[str] = NO_RULES,
        *,
        warn: bool = False,
        is_normalised: bool = False,
    ) -> Iterator[Rule | None]:
        """
        Yield the same for many values; a loop of its own, for there may be a million.

        :param warn: whether to yield the first warning about a value that breaks no other rule.
        :param is_normalised: whether each text was read already.
        """
        questions = [*self._questions]
        if warn:
            questions += [(rule.breaks, rule) for rule in self._warnings]
        decisive = [rule.breaks for _, rule in questions if not rule.is_implied]
        for value in values:
            read = value if is_normalised and type(value) is str else self.read(value)
            if type(read) is str:  # nearly every value keeps all rules
                for breaks in decisive:
                    if breaks(read, today):
                        break
                else:
                    yield None
                    continue
            for breaks, rule in questions:
                if breaks(read, today) and rule.name not in skipped:
                    yield rule
                    break
            else:
                yield None

    @cached_property
    def _questions(self) -> list[tuple[Callable[[Any, date], bool], Rule]]:
        """Return what is asked in a loop over a million rows, each looked up once."""
        return [(rule.breaks, rule) for rule in self.rules if not rule.is_warning]

    def warnings(
        self, read: object, today: date, skipped: Collection[str] = NO_RULES
    ) -> Iterator[Rule]:
        """Yield the warnings about a value that was read and keeps all other rules."""
        for rule in self._warnings:
            if rule.name not in skipped and rule.breaks(read, today):
                yield rule

    @cached_property
    def _warnings(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.is_warning]

    def prepare(self, value: object, today: date, skipped: Collection[str] = NO_RULES) -> Any:
        """
        Return a value as the rules were asked about it, which is how it is sent.

        :raises InvalidInputError: it breaks a rule; the error names the rule, not the value.
        """
        read = self.read(value)
        broken = self.first_broken_of(read, today, skipped)
        if broken is not None:
            raise broken.error()
        return read


def texts_of(rules: Iterable[Rule]) -> dict[str, str]:
    """Return what each rule asks for, by its name."""
    return {rule.name: rule.asks for rule in rules}


TEXT_MISSING, NOT_TEXT, TEXT_LENGTH = "text_missing", "text_not_text", "text_length"
_SAMPLE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SAMPLE_LENGTH = 8


def normalise_text(text: str) -> str:
    """Return a text without marks that show nothing, and without outer blanks."""
    return without_invisible(text)


@cache
def text_field(required: bool, max_length: int) -> InputField:  # noqa: FBT001 - as field types ask it
    """
    Return the input rules of a text field.

    :param required: whether a value is needed.
    :param max_length: longest value in characters; 0 for any.
    """
    return InputField(
        rules=(
            Rule(
                TEXT_MISSING, "a value is needed", lambda value, _: required and is_no_value(value)
            ),
            Rule(
                NOT_TEXT,
                "the value must be text",
                lambda value, _: not isinstance(value, str | None),
            ),
            Rule(
                TEXT_LENGTH,
                f"the value has at most {max_length} characters"
                if max_length
                else "the value is no longer than the API allows",
                lambda value, _: bool(max_length) and len(value or "") > max_length,
            ),
        ),
        read=_read_text,
    )


def sample_text(chance: random.Random) -> str:
    """Return an invented text."""
    return "".join(chance.choices(_SAMPLE_LETTERS, k=_SAMPLE_LENGTH))


def _read_text(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    return normalise_text(str(value))


DATE_MISSING, DATE_FORMAT = "date_missing", "date_format"
_DATE_DIGITS = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:[T ]00:00:00(?:\.0+)?)?", re.ASCII)
_EARLIEST_SAMPLE, _SAMPLE_DAYS = date(1990, 1, 1), 365 * 30


def normalise_date(text: str) -> str:
    """Return a date as ``YYYYMMDD``; a text that is none is returned without outer blanks."""
    bare = without_invisible(text)
    found = _DATE_DIGITS.fullmatch(bare)
    return "".join(found.groups()) if found else bare


@cache
def date_field(required: bool, max_length: int) -> InputField:  # noqa: FBT001 - as field types ask it
    """
    Return the input rules of a date field.

    :param required: whether a value is needed.
    :param max_length: not asked: every date has 8 digits.
    """
    del max_length
    return InputField(
        rules=(
            Rule(
                DATE_MISSING, "a date is needed", lambda value, _: required and is_no_value(value)
            ),
            Rule(
                DATE_FORMAT,
                "a date is a day of the calendar such as 2026-11-29 or 20261129",
                lambda value, _: value is not None and not _is_date(value),
            ),
        ),
        read=_read_date,
    )


END_DATE_MISSING, END_DATE_FORMAT = "end_date_missing", "end_date_format"
NO_END = "00000000"
"""What the API takes for a validity without an end."""
_NO_END_WORDS = frozenset({NO_END, "0000-00-00", "长期", "長期"})
"""What cards and tables have for it."""
_SAMPLE_ENDS = (*(f"20{year}1231" for year in range(35, 60)), NO_END)


def normalise_end_date(text: str) -> str:
    """Return the end of a validity as ``YYYYMMDD``, or ``00000000`` for none (``长期`` on a card)."""
    bare = without_invisible(text)
    return NO_END if bare in _NO_END_WORDS else normalise_date(bare)


@cache
def end_date_field(required: bool, max_length: int) -> InputField:  # noqa: FBT001 - as field types ask it
    """
    Return the input rules of the end of a validity.

    :param required: whether a value is needed.
    :param max_length: not asked: every date has 8 digits.
    """
    del max_length
    return InputField(
        rules=(
            Rule(
                END_DATE_MISSING,
                f"an end date is needed; {NO_END} says that there is none",
                lambda value, _: required and is_no_value(value),
            ),
            Rule(
                END_DATE_FORMAT,
                f"an end date is a day of the calendar such as 20461129, or {NO_END} for no end",
                lambda value, _: value is not None and value != NO_END and not _is_date(value),
            ),
        ),
        read=lambda value: (
            normalise_end_date(value) if isinstance(value, str) else _read_date(value)
        ),
    )


def sample_end_date(chance: random.Random) -> str:
    """Return an invented end of a validity."""
    return chance.choice(_SAMPLE_ENDS)


def sample_date(chance: random.Random) -> str:
    """Return an invented date."""
    return date.fromordinal(_EARLIEST_SAMPLE.toordinal() + chance.randrange(_SAMPLE_DAYS)).strftime(
        "%Y%m%d"
    )


def _read_date(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.strftime("%Y%m%d")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return normalise_date(value) if isinstance(value, str) else value


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{8}", value, re.ASCII):
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def number_reader(normalise: Callable[[str], str]) -> Callable[[object], object]:
    """
    Return what reads a number of digits, whether the source holds it as text or as a whole number.

    :param normalise: gives two spellings of one number the same text.
    """

    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | str):
            return value
        return normalise(str(value))

    return read


def is_digits(text: str) -> bool:
    """Say whether a text is the digits 0 to 9 alone, at least one of them."""
    return text.isascii() and text.isdigit()


def is_no_value(value: object) -> bool:
    """Say whether a source holds nothing for a value, or what exports make of nothing."""
    return value is None or value == "" or (isinstance(value, str) and is_missing(value))
