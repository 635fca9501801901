"""Input rules: what one is, and which one a value breaks.

Each rule stands once, in the table of its field: hook, operators, batch, Great Expectations, the
simulator and the docs ask that table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from ..exceptions import InvalidInputError

# What surrounds, or stands in for, a value in the tables people keep: marks that show nothing, and the
# texts of a missing value.
#


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
    """

    name: str
    asks: str
    breaks: Callable[[Any, date], bool]
    is_optional: bool = False

    def error(self, detail: str = "") -> InvalidInputError:
        """Return what a value that breaks the rule is refused with; the value is not in it."""
        return InvalidInputError(self.name, self.asks + (f" ({detail})" if detail else ""))


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
        :param today: the service's day, after which nobody can be born.
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
        self, values: Iterable[object], today: date, skipped: Collection[str] = NO_RULES
    ) -> Iterator[Rule | None]:
        """Yield the same for many values; a loop of its own, for there may be a million."""
        for value in values:
            read = self.read(value)
            for breaks, rule in self._questions:
                if breaks(read, today) and rule.name not in skipped:
                    yield rule
                    break
            else:
                yield None

    @cached_property
    def _questions(self) -> list[tuple[Callable[[Any, date], bool], Rule]]:
        """Return what is asked in a loop over a million rows, each looked up once."""
        return [(rule.breaks, rule) for rule in self.rules]

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
