"""The faults: all rules in their order, and what each of them has seen."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...clock import Clock
from .effects import Effect
from .rule import FaultRule, describe


@dataclass(slots=True)
class Armed:
    """
    A rule and what it has seen.

    :param rule: the rule.
    :param place: its place in the list, so that rules with one seed do not share their chance.
    """

    rule: FaultRule
    place: int
    seen: int = 0
    fired: int = 0
    ends: float | None = None
    about: Counter[tuple[str, str]] = field(default_factory=Counter)

    def wants(self, action: str, id_card: str) -> bool:
        """Count a call if the rule is about it; say whether it should happen to this one."""
        rule = self.rule
        if not rule.is_about(action, id_card):
            return False
        self.seen += 1
        by_chance = rule.probability == 1 or self._chance(action, id_card) < rule.probability
        return by_chance and rule.nth.holds(self.seen)

    def may(self, now: float) -> bool:
        """Say whether the rule is still in force."""
        return self.fired < self.rule.most and (self.ends is None or now < self.ends)

    def fire(self, now: float) -> Effect:
        """Return what happens, and count it."""
        self.fired += 1
        if self.ends is None and self.rule.lasts_s is not None:
            self.ends = now + self.rule.lasts_s
        return self.rule.effect

    def _chance(self, action: str, id_card: str) -> float:
        """Return a number from 0 to 1 that is the same whenever this call comes."""
        self.about[action, id_card] += 1
        call = (self.rule.seed, self.place, action, id_card, self.about[action, id_card])
        return random.Random(ascii(call)).random()  # noqa: S311 - chance that can be repeated


class Faults:
    """
    The rules; to each call happens what the first one says that wants it.

    Rules may be added from any thread, for example by a test.

    :param clock: the right time, by which rules end.
    :param at_start: rules there are from the start, and again after :meth:`reset`.
    """

    def __init__(self, clock: Clock, at_start: Sequence[FaultRule] = ()) -> None:
        self._clock, self._at_start = clock, tuple(at_start)
        self._lock = threading.Lock()
        self._armed: list[Armed] = []
        self.add(*at_start)

    def add(self, *rules: FaultRule) -> None:
        """Put rules behind those there are."""
        with self._lock:
            for rule in rules:
                self._armed.append(Armed(rule, len(self._armed)))

    def clear(self) -> None:
        """Forget all rules; what settings they have changed stays."""
        with self._lock:
            self._armed.clear()

    def reset(self) -> None:
        """Go back to the rules of the start."""
        self.clear()
        self.add(*self._at_start)

    def decide(self, action: str, id_card: str) -> Effect | None:
        """Return what happens to a call, and count it for every rule that is about it."""
        if not self._armed:  # the usual case costs nothing
            return None
        with self._lock:
            now = self._clock.now()
            wanting = [one for one in self._armed if one.wants(action, id_card) and one.may(now)]
            return wanting[0].fire(now) if wanting else None

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the rules with the calls each was about, and to how many it happened."""
        with self._lock:
            armed = list(self._armed)
        for one in armed:
            yield describe(one.rule) | {"seen": one.seen, "fired": one.fired}
