"""A fault rule: which calls it is about, and what happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...api.actions import ACTIONS
from .. import validation
from . import effects
from .effects import Effect, Setting


@dataclass(frozen=True, slots=True)
class Nth:
    """
    Which of the calls a rule is about, counted from 1.

    :param first: the first of them.
    :param last: the last; None for no end.
    :param every: every so many, from the first on.
    """

    first: int = 1
    last: int | None = None
    every: int = 1

    def __post_init__(self) -> None:
        validation.whole("nth.from", self.first, 1)
        validation.whole("nth.every", self.every, 1)
        if self.last is not None:
            validation.whole("nth.to", self.last, self.first)

    def holds(self, number: int) -> bool:
        """Say whether a call is one of them."""
        ended = self.last is not None and number > self.last
        return not ended and number >= self.first and (number - self.first) % self.every == 0


def read_nth(value: object) -> Nth:
    """
    Read ``3``, ``{"first": 5}``, ``{"from": 10, "to": 20}`` or ``{"every": 10}``.

    :raises FieldError: it is none of them.
    """
    if not isinstance(value, Mapping):
        number = validation.whole("nth", value, 1)
        return Nth(number, number)
    validation.known("`nth`", value, ("first", "from", "to", "every"))
    last = value.get("to")
    if "first" in value:
        last = validation.whole("nth.first", value["first"], 1)
    every = value.get("every", 1)
    return Nth(value.get("from", every), last, every)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """
    One fault rule.

    :param effect: what happens.
    :param action: to calls of this Action only.
    :param person: to calls about this ID number only.
    :param nth: to which of these calls.
    :param probability: to which share of those. Chance hangs on the seed, the rule's place and the
        person, not on the order of calls: the same people are hit however many calls are in flight.
    :param seed: another one hits other people.
    :param times: how often it happens at most; None for always, or once if it changes a setting.
    :param lasts_s: for how many seconds after it first happened; None for ever.
    """

    effect: Effect
    action: str | None = None
    person: str | None = None
    nth: Nth = Nth()
    probability: float = 1.0
    seed: int = 0
    times: int | None = None
    lasts_s: float | None = None

    def __post_init__(self) -> None:
        if self.action is not None:
            validation.one_of("action", self.action, ACTIONS)
        if self.person is not None:
            validation.text("person", self.person)
        validation.number("probability", self.probability, 0, 1)
        validation.whole("seed", self.seed, 0)
        if self.times is not None:
            validation.whole("times", self.times, 1)
        if self.lasts_s is not None:
            validation.number("lasts_s", self.lasts_s, 0, validation.TEN_YEARS_S)

    @property
    def most(self) -> float:
        """Return how often it may happen."""
        return self.times or (1 if isinstance(self.effect, Setting) else float("inf"))

    def is_about(self, action: str, id_card: str) -> bool:
        """Say whether a call is one of those it counts."""
        return self.action in {None, action} and (
            self.person is None or self.person.upper() == id_card.upper()
        )


OWN_FIELDS = tuple(field.name for field in fields(FaultRule) if field.name != "effect")


def read_rule(document: object) -> FaultRule:
    """
    Read a rule: the fields of :class:`FaultRule`, ``effect`` by name, and beside it its parameters.

    :raises FieldError: one of the fields is unknown, missing or wrong.
    """
    given = validation.mapping("rule", document)
    own: dict[str, Any] = {name: value for name, value in given.items() if name in OWN_FIELDS}
    if "nth" in own:
        own["nth"] = read_nth(own["nth"])
    effect = effects.read({name: value for name, value in given.items() if name not in OWN_FIELDS})
    return FaultRule(effect, **own)


def read_rules(document: object) -> list[FaultRule]:
    """
    Read one rule, or a list of them.

    :raises FieldError: names the rule in the list, from 1, and the field.
    """
    if not isinstance(document, list):
        return [read_rule(document)]
    rules = []
    for number, one in enumerate(document, 1):
        try:
            rules.append(read_rule(one))
        except validation.FieldError as error:
            raise validation.FieldError(f"rule {number}: {error}") from None
    return rules


def describe(rule: FaultRule) -> dict[str, object]:
    """Return a rule as it could be posted, without what is usual."""
    usual = FaultRule(rule.effect)
    own = {name: getattr(rule, name) for name in OWN_FIELDS}
    own = {name: value for name, value in own.items() if value != getattr(usual, name)}
    if "nth" in own:
        end = {} if rule.nth.last is None else {"to": rule.nth.last}
        own["nth"] = {"from": rule.nth.first, **end, "every": rule.nth.every}
    told = {name: value for name, value in asdict(rule.effect).items() if value is not None}
    return {"effect": rule.effect.name, **told, **own}
