"""The few sentences of a report: rows, money, alerts, what stands out. The page and messages have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .formats import money, number, share, short
from .stand_out import WATCHED
from .texts import text
from .thresholds import State, Unit

LIMIT = 20
"""Lines of a table or a list; the JSON has all."""

FEW = 4
"""Campaigns and Actions of which is said that they have too few runs to compare."""

OTHER_PLACES = ("answered_before", "quarantined", "postponed", "held", "left")

Row = Mapping[str, Any]


class Sentence(NamedTuple):
    """
    A sentence.

    :param text: without its mark.
    :param mark: word before it, of what needs a look; empty for others.
    """

    text: str
    mark: str = ""


def sentences(doc: Row, language: str) -> list[Sentence]:
    """
    Return a report in a few sentences; alerts and what stands out are marked.

    :param doc: its numbers: ``headline``, ``alerts`` and ``stands_out``, which is None where runs were
        not compared.
    :param language: ``en`` or ``zh``.
    """
    return _Writer(language).write(doc)


def alert_name(one: Row, language: str) -> str:
    """Return the name of the number of an alert, with the Action it is of."""
    name = text("names", one["number"], language)
    if not one["of"]:
        return name
    return text("page", "of_action", language).format(number=name, action=one["of"])


def broken_alerts(alerts: Sequence[Row], language: str) -> list[tuple[str, str]]:
    """Return the sentence and the severity of each alert that is broken."""
    writer = _Writer(language)
    return [(writer.broken(one), one["severity"]) for one in alerts if one["state"] == State.BROKEN]


class _Writer:
    """Writes sentences in a language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def t(self, key: str, **values: Any) -> str:
        """Return a text of the page."""
        return text("page", key, self._language).format(**values)

    def write(self, doc: Row) -> list[Sentence]:
        head, alerts = doc["headline"], doc["alerts"]
        parts = [
            self.t(f"part_{name}", n=number(head[name]))
            for name in ("answers", *OTHER_PLACES)
            if head[name]
        ]
        listed = self.t("comma").join(parts) or self.t("none")
        of_money = {
            "charged": number(head["charged"]),
            "requests": number(head["requests"]),
            "unknown": number(head["may_be_charged"]),
        }
        found = [
            Sentence(self.t("short_rows", rows_in=number(head["rows_in"]), parts=listed)),
            Sentence(self.t("short_money", **of_money)),
            *self._alerts(alerts),
        ]
        if head["runs_unfinished"]:
            unfinished = self.t("unfinished", n=number(head["runs_unfinished"]))
            found.append(Sentence(unfinished, self.t("alert")))
        return found + self._compared(doc["stands_out"])

    def _alerts(self, alerts: Sequence[Row]) -> list[Sentence]:
        """Return what is not kept and what was not judged, one sentence each, and the rest in one."""
        broken = [one for one in alerts if one["state"] == State.BROKEN]
        others = [one for one in alerts if one["state"] == State.NOT_JUDGED]
        kept = [one for one in alerts if one["state"] == State.KEPT]
        found = [Sentence(self.broken(one), self.t("alarm")) for one in broken]
        found += [Sentence(self._not_judged(one)) for one in others]
        if kept:
            names = self.t("comma").join(alert_name(one, self._language) for one in kept)
            found.append(Sentence(self.t("kept", names=names)))
        return found

    def broken(self, one: Row) -> str:
        """Write which limit a number is beyond."""
        known = one["value"] if one["value"] is not None else one.get("at_most")
        is_below = one["min"] is not None and known is not None and known < one["min"]
        limit = one["min"] if is_below else one["max"]
        return self.t(
            "below" if is_below else "above",
            number=alert_name(one, self._language),
            value=self._value(one),
            limit=self._amount(one, limit),
        )

    def _not_judged(self, one: Row) -> str:
        name = alert_name(one, self._language)
        return self.t(f"unjudged_{one['reason']}", number=name, value=self._value(one))

    def _value(self, one: Row) -> str:
        """Write the value of an alert, or what is published of it."""
        if one["value"] is not None:
            return self._amount(one, one["value"])
        bounds = (("≥ ", one.get("at_least")), ("≤ ", one.get("at_most")))
        return self.t("comma").join(
            sign + self._amount(one, bound) for sign, bound in bounds if bound is not None
        )

    def _amount(self, one: Row, value: float) -> str:
        """Write a value in the unit of its alert."""
        unit = one["unit"]
        if unit == Unit.SHARE:
            return share(value)
        if unit == Unit.MONEY:
            return money(value, one["currency"])
        if unit in {Unit.MS, Unit.HOURS}:
            return self.t(unit, n=short(value))
        return short(value)

    def _compared(self, found: Sequence[Row] | None) -> list[Sentence]:
        """Return what stands out against the runs before."""
        if found is None:
            return []
        listed = [one for one in found if one["number"]]
        few = [one for one in found if not one["number"]]
        said = [Sentence(self._stands_out(one), self.t("alert")) for one in listed[:LIMIT]]
        said += [Sentence(self.t("too_few_runs", **one)) for one in few[:FEW]]
        return said or [Sentence(self.t("nothing_stands_out"))]

    def _stands_out(self, one: Row) -> str:
        unit = next(watched.unit for watched in WATCHED if watched.name == one["number"])
        write = share if unit == "share" else number
        values = {name: write(one[name]) for name in ("value", "median", "lowest", "highest")}
        return self.t(
            "stands_out",
            number=text("names", one["number"], self._language),
            campaign=one["campaign"],
            action=one["action"],
            runs=one["runs"],
            **values,
        )
