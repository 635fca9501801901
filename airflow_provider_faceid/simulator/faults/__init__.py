"""Fault injection: the rules, in their order, and the calls each of them has counted.

A rule says which calls it is about and which effect they get (:mod:`effects`).
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ...api.actions import ACTIONS
from ...clock import Clock
from .. import validation
from . import effects
from .effects import Effect, Setting


@dataclass(frozen=True, slots=True)
class Nth:
    """
    The calls of a rule that it fires on, counted from 1.

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
        """Return whether a call is one of them."""
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

    :param effect: its effect.
    :param action: calls of this Action only.
    :param person: calls about this ID number only.
    :param nth: which of these calls.
    :param probability: the share of those. The random number depends on the seed, the rule's place and
        the person, not on the order of calls: concurrency does not change the people it hits.
    :param seed: another one hits other people.
    :param times: how often it fires at most; None for no limit, or once if it changes a setting.
    :param lasts_s: for how many seconds after it first fired; None for no end.
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
        """Return how often it may fire."""
        return self.times or (1 if isinstance(self.effect, Setting) else float("inf"))

    def is_about(self, action: str, id_card: str) -> bool:
        """Return whether it counts a call."""
        return self.action in {None, action} and (
            self.person is None or self.person.upper() == id_card.upper()
        )


OWN_FIELDS = tuple(one.name for one in fields(FaultRule) if one.name != "effect")


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
    """Return a rule as it could be posted, without default values."""
    usual = FaultRule(rule.effect)
    own = {name: getattr(rule, name) for name in OWN_FIELDS}
    own = {name: value for name, value in own.items() if value != getattr(usual, name)}
    if "nth" in own:
        end = {} if rule.nth.last is None else {"to": rule.nth.last}
        own["nth"] = {"from": rule.nth.first, **end, "every": rule.nth.every}
    given = {name: value for name, value in asdict(rule.effect).items() if value is not None}
    return {"effect": rule.effect.name, **given, **own}


@dataclass(slots=True)
class Armed:
    """
    A rule and the calls it has counted.

    :param rule: the rule.
    :param place: its place in the list, so that rules with one seed draw different numbers.
    """

    rule: FaultRule
    place: int
    seen: int = 0
    fired: int = 0
    ends: float | None = None
    about: Counter[tuple[str, str]] = field(default_factory=Counter)

    def wants(self, action: str, id_card: str) -> bool:
        """Count a call if the rule is about it; return whether the effect applies to it."""
        rule = self.rule
        if not rule.is_about(action, id_card):
            return False
        self.seen += 1
        by_chance = rule.probability == 1 or self._chance(action, id_card) < rule.probability
        return by_chance and rule.nth.holds(self.seen)

    def may(self, now: float) -> bool:
        """Return whether the rule is still in force."""
        return self.fired < self.rule.most and (self.ends is None or now < self.ends)

    def fire(self, now: float) -> Effect:
        """Return the effect, and count it."""
        self.fired += 1
        if self.ends is None and self.rule.lasts_s is not None:
            self.ends = now + self.rule.lasts_s
        return self.rule.effect

    def _chance(self, action: str, id_card: str) -> float:
        """Return a number from 0 to 1 that does not depend on the order of calls."""
        self.about[action, id_card] += 1
        call = (self.rule.seed, self.place, action, id_card, self.about[action, id_card])
        return random.Random(ascii(call)).random()  # noqa: S311 - chance that can be repeated


class Faults:
    """
    The rules; the first rule that wants a call decides its effect.

    Rules may be added from any thread, for example by a test.

    :param clock: the right time, by which rules end.
    :param at_start: the rules at the start, and again after :meth:`reset`.
    """

    def __init__(self, clock: Clock, at_start: Sequence[FaultRule] = ()) -> None:
        self._clock, self._at_start = clock, tuple(at_start)
        self._lock = threading.Lock()
        self._armed: list[Armed] = []
        self.add(*at_start)

    def add(self, *rules: FaultRule) -> None:
        """Append rules."""
        with self._lock:
            for rule in rules:
                self._armed.append(Armed(rule, len(self._armed)))

    def replace(self, *rules: FaultRule) -> None:
        """Forget all rules and take these, with no call in between; changed settings stay."""
        with self._lock:
            self._armed[:] = [Armed(rule, place) for place, rule in enumerate(rules)]

    def clear(self) -> None:
        """Forget all rules; the settings they have changed stay."""
        self.replace()

    def reset(self) -> None:
        """Go back to the rules of the start."""
        self.replace(*self._at_start)

    def decide(self, action: str, id_card: str) -> Effect | None:
        """Return the effect on a call, and count it for every rule that is about it."""
        if not self._armed:  # the usual case costs nothing
            return None
        with self._lock:
            now = self._clock.now()
            wanting = [one for one in self._armed if one.wants(action, id_card) and one.may(now)]
            return wanting[0].fire(now) if wanting else None

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the rules with how many calls each was about, and how often it fired."""
        with self._lock:
            armed = list(self._armed)
        for one in armed:
            yield describe(one.rule) | {"seen": one.seen, "fired": one.fired}
