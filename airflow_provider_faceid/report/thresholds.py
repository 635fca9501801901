"""Alerts: thresholds on the numbers of a report, read from parameters and judged by published numbers.

A threshold is judged by what the report shows and by nothing else: a rate of a small group is not told by
an alert either. Numbers that are there for each Action or campaign are judged by the worst of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from ..exceptions import unknown

Doc = Mapping[str, Any]
LIMITS = ("min", "max")
KEYS = (*LIMITS, "severity", "currency")
SECONDS_IN_HOUR = 3600


class Unit(StrEnum):
    """What a number is measured in."""

    NUMBER = "number"
    SHARE = "share"
    MONEY = "money"
    MS = "ms"
    HOURS = "hours"
    PER_SECOND = "per_second"


class Severity(StrEnum):
    """What a threshold that is not kept does."""

    WARNING = "warning"
    """It is logged, and said in the report, in the XCom and by the notifier."""
    CRITICAL = "critical"
    """The same, and the task fails once the report is written."""


class State(StrEnum):
    """How a threshold was judged."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_JUDGED = "not_judged"


class Reason(StrEnum):
    """Why a threshold was not judged."""

    NO_VALUE = "no_value"
    """Nothing was counted, or too few to be shown."""
    BOUND = "bound"
    """What is published of a rate with a small group is within the threshold and outside of it."""
    NO_PRICE = "no_price"
    """Some charges have no price, so that the amount is a part of what was spent."""
    SEVERAL_CURRENCIES = "several_currencies"
    """There is an amount in each, and the threshold names none."""


class Candidate(NamedTuple):
    """
    A published value, or what is published of it.

    :param low: it is at least this.
    :param high: it is at most this.
    :param of: the Action it is of, if there is one for each.
    :param currency: of an amount.
    """

    low: float
    high: float
    of: str | None = None
    currency: str | None = None


class Metric(NamedTuple):
    """
    A number that a threshold may be set on.

    :param unit: what it is measured in.
    :param read: yields its values in a report; none if it has no value there.
    """

    unit: Unit
    read: Callable[[Doc], Iterator[Candidate]]


class Threshold(NamedTuple):
    """
    A threshold on a number.

    :param number: its name in the JSON.
    :param least: it must not be below; None for any.
    :param most: it must not be above; None for any.
    :param severity: what follows if it is not kept.
    :param currency: of an amount; None for the only one there is.
    """

    number: str
    least: float | None
    most: float | None
    severity: Severity = Severity.WARNING
    currency: str | None = None


def _head(name: str) -> Metric:
    def read(doc: Doc) -> Iterator[Candidate]:
        value = doc["headline"][name]
        if value is not None:
            yield Candidate(value, value)

    return Metric(Unit.HOURS if name.endswith("_hours") else Unit.NUMBER, read)


def _rate(name: str) -> Metric:
    def read(doc: Doc) -> Iterator[Candidate]:
        rate = doc["headline"]["rates"][name]
        low, high = (rate.get(bound, rate["value"]) for bound in ("at_least", "at_most"))
        if low is not None or high is not None:
            yield Candidate(0.0 if low is None else low, 1.0 if high is None else high)

    return Metric(Unit.SHARE, read)


def _quotient(part: tuple[str, ...], whole: str) -> Metric:
    def read(doc: Doc) -> Iterator[Candidate]:
        head = doc["headline"]
        if head[whole]:
            value = sum(head[name] for name in part) / head[whole]
            yield Candidate(value, value)

    return Metric(Unit.SHARE, read)


def _speed(name: str, unit: Unit) -> Metric:
    def read(doc: Doc) -> Iterator[Candidate]:
        for line in doc["speed"]:
            if line[name] is not None:
                yield Candidate(line[name], line[name], line["action"])

    return Metric(unit, read)


def _latency(name: str) -> Metric:
    def read(doc: Doc) -> Iterator[Candidate]:
        newest = {line["action"]: line for line in doc["latency"]}  # days are in order
        for action, line in newest.items():
            if line[name] is not None:
                yield Candidate(line[name], line[name], action)

    return Metric(Unit.MS, read)


def _total(name: str) -> Metric:
    """Return an amount of the whole report; what has no price makes it a lower bound."""

    def read(doc: Doc) -> Iterator[Candidate]:
        totals = doc["money"]["totals"]
        unpriced = any(
            line["currency"] is None and (line["charged"] or line["may_be_charged"])
            for line in totals
        )
        priced = [line for line in totals if line["currency"] is not None]
        for line in priced:
            high = math.inf if unpriced else line[name]
            yield Candidate(line[name], high, currency=line["currency"])
        if not priced:
            yield Candidate(0.0, math.inf if unpriced else 0.0)

    return Metric(Unit.MONEY, read)


def _cost_per_match(doc: Doc) -> Iterator[Candidate]:
    for line in doc["money"]["by_campaign"]:
        value = line["cost_per_match"]
        if line["currency"] is not None and value is not None:
            yield Candidate(value, value, line["action"], line["currency"])


METRICS: Mapping[str, Metric] = {
    **{
        name: _head(name)
        for name in (
            *("rows_in", "answers", "answered", "answered_before", "quarantined", "postponed"),
            *("held", "left", "requests", "throttled", "charged", "may_be_charged"),
            *("stood_out", "postponed_hours", "held_hours"),
        )
    },
    **{name: _rate(name) for name in ("match_rate", "hit_rate", "review_rate")},
    "quarantined_share": _quotient(("quarantined",), "rows_in"),
    "waiting_share": _quotient(("postponed", "held"), "rows_in"),
    "throttled_share": _quotient(("throttled",), "requests"),
    "quota_used": _speed("quota_used", Unit.SHARE),
    "requests_per_second": _speed("requests_per_second", Unit.PER_SECOND),
    **{
        name: _latency(name)
        for base in ("p50", "p95", "p99")
        for name in (f"{base}_ms", f"{base}_with_wait_ms")
    },
    **{name: _total(name) for name in ("amount", "amount_at_most", "avoided")},
    "cost_per_match": Metric(Unit.MONEY, _cost_per_match),
}
"""Numbers that thresholds may be set on, by their name in the JSON."""


def _nothing(value: object) -> bool:
    """Say of no value that it comes later."""
    del value
    return False


def read_thresholds(
    given: Any, comes_later: Callable[[Any], bool] = _nothing
) -> tuple[Threshold, ...]:
    """
    Return the thresholds that a parameter says.

    :param given: by number ``min``, ``max`` or both; besides, ``severity`` and, of an amount,
        ``currency``.
    :param comes_later: says of a value that it is not there yet, such as a template: it is not checked.
    :raises ValueError: with the words that say what is wrong, and the names that are known.
    """
    if not isinstance(given, Mapping):
        raise ValueError("it is a dict such as {'match_rate': {'min': 0.8}}")  # noqa: TRY004 - one kind to catch
    if wrong := unknown(given, METRICS):
        raise ValueError(f"there is no number {wrong}")
    return tuple(_threshold(number, limits, comes_later) for number, limits in given.items())


def _threshold(number: str, given: Any, comes_later: Callable[[Any], bool]) -> Threshold:
    if not isinstance(given, Mapping):
        raise ValueError(f"{number}: it is a dict with min, max or both, such as {{'max': 10}}")  # noqa: TRY004 - the same
    if wrong := unknown(given, KEYS):
        raise ValueError(f"{number}: there is no key {wrong}")
    unit = METRICS[number].unit
    if all(given.get(key) is None for key in LIMITS):
        raise ValueError(f"{number}: it needs min, max or both")
    given = {key: value for key, value in given.items() if not comes_later(value)}
    least, most = (_limit(number, key, given.get(key), unit) for key in LIMITS)
    if least is not None and most is not None and least > most:
        raise ValueError(f"{number}: min is above max")
    severity, currency = given.get("severity", Severity.WARNING), given.get("currency")
    if severity not in list(Severity):
        raise ValueError(f"{number}: severity is {' or '.join(map(repr, map(str, Severity)))}")
    if currency is not None and (unit is not Unit.MONEY or not isinstance(currency, str)):
        raise ValueError(f"{number}: currency is the code of one, such as 'USD', of an amount")
    return Threshold(number, least, most, Severity(severity), currency)


def _limit(number: str, key: str, value: Any, unit: Unit) -> float | None:
    """Return a limit as a number in the unit of its metric."""
    if value is None:
        return None
    if isinstance(value, timedelta) and unit is Unit.HOURS:
        value = value.total_seconds() / SECONDS_IN_HOUR
    try:
        limit = math.nan if isinstance(value, bool | timedelta) else float(value)
    except (TypeError, ValueError):
        limit = math.nan
    if unit is Unit.SHARE and not 0 <= limit <= 1:
        raise ValueError(f"{number}: {key} is a share from 0 to 1, such as 0.8 for 80 %")
    if not 0 <= limit < math.inf:
        kind = "hours or a timedelta" if unit is Unit.HOURS else "a number"
        raise ValueError(f"{number}: {key} is {kind} from 0")
    return limit


def judge(doc: Doc, thresholds: tuple[Threshold, ...]) -> list[dict[str, Any]]:
    """
    Return how the thresholds are kept, those that are not kept first.

    :param doc: the numbers of a report.
    :return: of each ``number``, ``unit``, ``min``, ``max``, ``severity``, ``state`` (``kept``, ``broken``
        or ``not_judged``), ``value``, or ``at_least`` or ``at_most`` where no more is published,
        ``of`` (the Action), ``currency``, and ``reason`` if it is not judged.
    """
    order = (State.BROKEN, State.NOT_JUDGED, State.KEPT)
    return sorted(
        (_judged(doc, threshold) for threshold in thresholds),
        key=lambda one: (order.index(one["state"]), one["severity"] != Severity.CRITICAL),
    )


def _judged(doc: Doc, threshold: Threshold) -> dict[str, Any]:
    metric = METRICS[threshold.number]
    line: dict[str, Any] = {
        "number": threshold.number,
        "unit": metric.unit.value,
        "min": threshold.least,
        "max": threshold.most,
        "severity": threshold.severity.value,
        **dict.fromkeys(("state", "value", "of", "currency", "reason")),
    }
    line["currency"] = threshold.currency
    found = list(metric.read(doc))
    if threshold.currency is not None:
        found = [one for one in found if one.currency in {threshold.currency, None}]
    if not found:
        return line | {"state": State.NOT_JUDGED.value, "reason": Reason.NO_VALUE.value}
    if len({one.currency for one in found}) > 1:
        return line | {"state": State.NOT_JUDGED.value, "reason": Reason.SEVERAL_CURRENCIES.value}
    state, worst = min(
        ((_state(one, threshold), one) for one in found),
        key=lambda judged: (
            (State.BROKEN, State.NOT_JUDGED, State.KEPT).index(judged[0]),
            -_distance(judged[1], threshold),
        ),
    )
    line |= {"state": state.value, "of": worst.of, "currency": worst.currency}
    if state is State.NOT_JUDGED:
        line["reason"] = (Reason.NO_PRICE if metric.unit is Unit.MONEY else Reason.BOUND).value
    if worst.low == worst.high:
        return line | {"value": worst.low}
    bounds = {"at_least": worst.low or None, "at_most": worst.high}
    if worst.high >= (1 if metric.unit is Unit.SHARE else math.inf):
        bounds["at_most"] = None
    return line | {name: bound for name, bound in bounds.items() if bound is not None}


def _state(one: Candidate, threshold: Threshold) -> State:
    """Return whether what is published of a value is within a threshold, outside, or either."""
    least = -math.inf if threshold.least is None else threshold.least
    most = math.inf if threshold.most is None else threshold.most
    if one.high < least or one.low > most:
        return State.BROKEN
    return State.KEPT if least <= one.low and one.high <= most else State.NOT_JUDGED


def _distance(one: Candidate, threshold: Threshold) -> float:
    """Return how far a value is beyond its threshold; below zero within it."""
    below = -math.inf if threshold.least is None else threshold.least - one.high
    above = -math.inf if threshold.most is None else one.low - threshold.most
    return max(below, above)


def hours_since(moment: str | None, now: str) -> float:
    """Return the hours from a moment to another; 0 if there is none."""
    if not moment:
        return 0.0
    passed = datetime.fromisoformat(now) - datetime.fromisoformat(moment)
    return round(max(0.0, passed.total_seconds() / SECONDS_IN_HOUR), 3)
