"""The page of a report: one self-contained HTML file, made of its numbers alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from . import charts
from .formats import moment, money, number, rate_text, share, short
from .runs import AVOIDED
from .sentences import LIMIT, OTHER_PLACES, sentences
from .stand_out import AT_LEAST
from .texts import text
from .verdicts import PLACE_OF

FOLDER = Path(__file__).parent
CHARTS = 4
"""Charts of a kind, of the largest; more would be a long page."""

HISTORIES = 6
"""Campaigns and Actions whose runs are listed."""

SECTIONS = (
    ("figures", "key_figures"),
    ("where", "where"),
    ("verdicts", "verdicts"),
    ("codes", "codes"),
    ("similarity", "similarity"),
    ("money", "money"),
    ("speed", "speed"),
    ("waiting", "waiting_section"),
    ("quarantine", "quarantine"),
    ("checks", "checks"),
    ("history", "history"),
    ("definitions", "definitions"),
)

Row = Mapping[str, Any]


def render(numbers: Row, language: str = "en", *, with_charts: bool | None = None) -> str:
    """
    Return a report as HTML.

    Every text of the warehouse is escaped: a name is text, whatever is in it.

    :param numbers: see :func:`~.numbers.read_numbers`.
    :param language: ``en`` or ``zh``.
    :param with_charts: whether charts are drawn, which needs the extra ``[report]``; if it is
        installed, where not given. Tables have drawn bars in their place.
    """
    draws = charts.can_draw() if with_charts is None else with_charts
    page = _Page(numbers, language, draws=draws)
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= page.filters
    html = environment.get_template("page.html").render(page.context())
    return re.sub(r"\n{2,}", "\n", html)


class _Page:
    """What the template of a page needs."""

    def __init__(self, numbers: Row, language: str, *, draws: bool) -> None:
        self._doc, self._language, self._draws = numbers, language, draws

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of the template."""
        language = self._language
        return {
            "number": number,
            "share": share,
            "short": short,
            "money": money,
            "moment": moment,
            "rate": rate_text,
            "rate_of_run": lambda run: rate_text(run | {"value": run["match_rate"]}),
            "breakable": _breakable,
            "svg": _svg,
            "colour": _colour,
            "outcome_colour": lambda outcome: PLACE_OF.get(outcome or "", "other_answers"),
            "name": lambda key: text("names", key, language),
            "word": lambda key: text("words", key or "", language) if key else "",
            "definition": lambda key: text("definitions", key, language),
        }

    def t(self, key: str, **values: Any) -> str:
        """Return a text of the page."""
        return text("page", key, self._language).format(**values)

    def context(self) -> dict[str, Any]:
        """Return the variables of the template."""
        doc = self._doc
        style = (FOLDER / "style.css").read_text(encoding="utf-8")
        return {
            "doc": doc,
            "head": doc["headline"],
            "language": self._language,
            "limit": LIMIT,
            "t": self.t,
            "style": Markup(_compact(style) + _chart_colours()),  # noqa: S704 - ours
            "title": self._title(),
            "sections": [one for one in SECTIONS if one[0] != "similarity" or doc["similarity"]],
            "figures": self._figures(),
            "notes": sentences(doc, self._language),
            "places": self._places(),
            "rows": sorted(doc["rows"], key=lambda row: -row["rows_in"]),
            "by_day": self._by_day(),
            "codes": _by(doc["codes"], "action"),
            "faces": self._faces(),
            "costs": self._costs(),
            "avoided": self._avoided(),
            "latency": self._latency(),
            "most_refusals": max((one["refusals"] or 0 for one in doc["quarantine"]), default=0),
            "histories": self._histories()[:HISTORIES],
            "more_histories": max(0, len(self._histories()) - HISTORIES),
        }

    def _title(self) -> str:
        doc = self._doc
        if doc["kind"] == "run":
            return self.t("title_run")
        days = datetime.fromisoformat(doc["last_day"]) - datetime.fromisoformat(doc["first_day"])
        return self.t("title_days", days=days.days + 1)

    def _figures(self) -> list[dict[str, str]]:
        """Return the key figures, each with what it is of."""
        head, doc = self._doc["headline"], self._doc
        rates, waits = head["rates"], head["postponed"] + head["held"]
        totals = [line for line in doc["money"]["totals"] if line["currency"]]
        speeds = [line for line in doc["speed"] if line["quota_used"] is not None]
        match = rates["match_rate"]
        figures = [
            ("rows_in", number(head["rows_in"]), "", "strong"),
            (
                "answered",
                share(head["answered"] / head["rows_in"] if head["rows_in"] else None),
                self.t("of_whole", part=number(head["answered"]), whole=number(head["rows_in"])),
                "answered_before",
            ),
            (
                "match_rate",
                rate_text(match),
                self.t("of_whole", part=number(match["part"]), whole=number(match["whole"]))
                if match["part"] is not None
                else text("definitions", "match_rate", self._language),
                "matched",
            ),
            ("hit_rate", rate_text(rates["hit_rate"]), self._of(rates["hit_rate"]), "found"),
            (
                "charged",
                number(head["charged"]),
                self.t("of_whole", part=number(head["charged"]), whole=number(head["requests"])),
                "strong",
            ),
        ]
        for line in totals[:1]:
            most = self.t("cost_at_most", amount=money(line["amount_at_most"], line["currency"]))
            figures.append(("amount", money(line["amount"], line["currency"]), most, "strong"))
            saved = sum(sum(one[n] for n in AVOIDED) for one in doc["money"]["avoided_rows"])
            note = self.t("not_needed", n=number(saved))
            figures.append(("avoided", money(line["avoided"], line["currency"]), note, "matched"))
        if not totals:
            figures.append(("amount", "–", self.t("no_price"), "strong"))
        if speeds:
            busiest = max(speeds, key=lambda line: line["requests"])
            figures.append(("quota_used", share(busiest["quota_used"]), busiest["action"], "found"))
        figures.append(
            (
                "quarantined",
                number(head["quarantined"]),
                share(head["quarantined"] / head["rows_in"] if head["rows_in"] else None),
                "quarantined",
            )
        )
        figures.append(("waiting", number(waits), "", "postponed"))
        return [
            {
                "name": text("names", name, self._language),
                "value": value,
                "sub": sub,
                "colour": colour,
            }
            for name, value, sub, colour in figures[:8]
        ]

    def _of(self, rate: Row) -> str:
        if rate["part"] is None:
            return ""
        return self.t("of_whole", part=number(rate["part"]), whole=number(rate["whole"]))

    def _places(self) -> list[dict[str, Any]]:
        """Return the parts of the rows in, as they are published."""
        head = self._doc["headline"]
        parts = [
            {"names": group["places"], "rows": group["answers"], "colour": _colour(group["places"])}
            for group in head["verdicts"]
        ]
        others = [{"names": [n], "rows": head[n], "colour": n} for n in OTHER_PLACES]
        return parts + others

    def _by_day(self) -> list[dict[str, Any]]:
        found = []
        sized = sorted(
            self._doc["verdicts_by_day"],
            key=lambda one: -sum(period["answers"] for period in one["periods"]),
        )
        for section in sized[:CHARTS]:
            periods = section["periods"]
            if len(periods) <= 1:  # the table of verdicts says the same
                continue
            filled = [
                place
                for place in range(len(section["columns"]))
                if any(period["counts"][place] for period in periods)
            ]
            found.append(
                {
                    "action": section["action"],
                    "columns": [section["columns"][place] for place in filled],
                    "periods": [
                        {**period, "counts": [period["counts"][place] for place in filled]}
                        for period in periods
                    ],
                    "most": max(period["answers"] for period in periods),
                    "is_merged": any(one["first_day"] != one["last_day"] for one in periods),
                    "chart": charts.verdicts(section) if self._draws else None,
                }
            )
        return found

    def _faces(self) -> list[dict[str, Any]]:
        found = []
        for face in sorted(self._doc["similarity"], key=lambda one: -one["compared"])[:CHARTS]:
            label = f"{text('names', 'cut_off', self._language)} {short(face['threshold'])}"
            found.append(
                {
                    **face,
                    "tens": [one for one in face["bins"] if one["compared"]],
                    "most": max(one["compared"] for one in face["bins"]),
                    "shown": [
                        cut
                        for cut in face["cut_offs"]
                        if cut["cut_off"] % 5 == 0 or cut["cut_off"] == face["threshold"]
                    ],
                    "chart": charts.similarities(face, label) if self._draws else None,
                }
            )
        return found

    def _costs(self) -> list[dict[str, Any]]:
        found = []
        for currency, listed in _by(self._doc["money"]["by_day"], "currency"):
            if not currency:
                continue
            days: dict[str, dict[str, Any]] = {}
            for line in listed:
                day = days.setdefault(
                    line["day"],
                    {"day": line["day"], "charged": 0, "amount": 0.0, "amount_at_most": 0.0},
                )
                for name in ("charged", "amount", "amount_at_most"):
                    day[name] += line[name]
            ordered = [days[day] for day in sorted(day for day in days if day)]
            if len(ordered) > 1:
                found.append(
                    {
                        "currency": currency,
                        "days": ordered,
                        "most": max(day["amount"] for day in ordered),
                        "chart": charts.costs(ordered) if self._draws else None,
                    }
                )
        return found

    def _avoided(self) -> list[dict[str, Any]]:
        """Return costs by campaign beside the rows that cost no call."""
        by_key: dict[tuple[str, str], dict[str, Any]] = defaultdict(
            lambda: dict.fromkeys(("amount", "cost_per_match", "avoided", "currency"))
        )
        for line in self._doc["money"]["avoided_rows"]:
            by_key[line["campaign"], line["action"]] |= line
        for line in self._doc["money"]["by_campaign"]:
            if line["currency"] or (line["campaign"], line["action"]) not in by_key:
                by_key[line["campaign"], line["action"]] |= line
        empty = {"quarantined": 0, "reused": 0, "still_valid": 0}
        return [empty | by_key[key] for key in sorted(by_key)]

    def _latency(self) -> list[dict[str, Any]]:
        grouped = _by(self._doc["latency"], "action")
        sized = sorted(grouped, key=lambda one: -sum(row["calls"] for row in one[1]))
        return [
            {
                "action": action,
                "last": listed[-1],
                "chart": charts.latencies(listed) if self._draws and len(listed) > 1 else None,
            }
            for action, listed in sized[:CHARTS]
        ]

    def _histories(self) -> list[dict[str, Any]]:
        grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for run in self._doc["runs"]:
            grouped[run["campaign"], run["action"]].append(run)
        found = []
        sized = sorted(grouped.items(), key=lambda one: -sum(run["rows_in"] for run in one[1]))
        for place, ((campaign, action), runs) in enumerate(sized):
            before = [r["match_rate"] for r in runs[:-1] if r["match_rate"] is not None]
            known = len(before) + (runs[-1]["match_rate"] is not None)
            middle = median(before) if len(before) >= AT_LEAST else None
            is_drawn = self._draws and known > 1 and place < CHARTS
            found.append(
                {
                    "campaign": campaign,
                    "action": action,
                    "runs": runs,
                    "chart": charts.match_rates(runs, middle) if is_drawn else None,
                }
            )
        return found


def _breakable(name: str) -> Markup:
    """Return a name that may be broken into lines behind its marks."""
    parts = re.split(r"(?<=[._:/-])(?=.)", name)
    return Markup("<wbr>").join(parts)


def _colour(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else "pooled"


def _by(rows: Sequence[Row], key: str) -> list[tuple[Any, list[Row]]]:
    grouped: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return list(grouped.items())


def _svg(drawn: str, kind: str, id_: str, title: str, description: str) -> Markup:
    """Return a chart for one width, with the title and description a screen reader says."""
    body = drawn.partition(">")
    named = Markup(
        '{} class="{}" role="img" aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title>'
        '<desc id="{}-d">{}</desc>{}'
    )
    return named.format(
        Markup(body[0]),  # noqa: S704 - drawn by us of numbers; the texts in it are escaped by its maker
        kind,
        id_,
        id_,
        id_,
        escape(title),
        id_,
        escape(description),
        Markup(body[2]),  # noqa: S704 - the same
    )


def _compact(style: str) -> str:
    return re.sub(r"\n\s*", "\n", style).strip()


def _chart_colours() -> str:
    """Return the rules by which the colours of charts follow the page's."""
    return "".join(
        f'\nfigure svg [{part}="{colour}"]{{{part}:var(--{name})}}'
        for name, colour in charts.COLOURS.items()
        for part in ("fill", "stroke")
    )
