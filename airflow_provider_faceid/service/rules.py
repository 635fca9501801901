"""Input rules: what one is, and which one a value breaks.

Each rule stands once, in the table of its field: hook, operators, batch, Great Expectations, the
simulator and the docs ask that table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from ..exceptions import InvalidInputError

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
