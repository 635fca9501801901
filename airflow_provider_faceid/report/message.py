"""Messages of notifiers: a report in a title, a text and as HTML, from the excerpt that a task leaves.

The excerpt is a part of the report's JSON, small enough for an XCom; sentences and numbers are those of the
page. Nobody's data and no key is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from .formats import money, number, rate_text
from .sentences import LIMIT, Sentence, alert_name, sentences
from .texts import text
from .thresholds import State

REPORT_KEY = "faceid_report"
"""Of the XCom in which a report task leaves the excerpt of its numbers."""

_KEYS = ("kind", "campaign", "run_id", "first_day", "last_day", "headline", "alerts")
_COUNTS = {"rows_in", "answered", "already", "quarantined", "postponed", "held", "calls", "charged"}
_RATES = ("match_rate", "hit_rate")


class About(NamedTuple):
    """
    What a message is about, besides the numbers.

    :param dag_id: of the DAG.
    :param run_id: of the DAG run.
    :param task_id: of the task; empty of a message about a DAG run.
    :param is_failure: whether the task or run has failed.
    :param error: why, without anybody's data; empty if it is not known.
    :param url: of the report's page in Airflow; empty if it has none.
    """

    dag_id: str
    run_id: str
    task_id: str = ""
    is_failure: bool = False
    error: str = ""
    url: str = ""


class Message(NamedTuple):
    """
    A message.

    :param title: in one line.
    :param text: sentences and numbers, a line each.
    :param html: the same as HTML, escaped.
    :param alerts: sentences about alerts that are broken.
    :param numbers: the excerpt of the report's JSON; empty if no task has left one.
    """

    title: str
    text: str
    html: str
    alerts: list[str]
    numbers: dict[str, Any]


def excerpt(numbers: Mapping[str, Any], path: str) -> dict[str, Any]:
    """
    Return the part of a report that its messages are made of.

    :param numbers: of the report.
    :param path: where its page is.
    """
    return {
        **{key: numbers[key] for key in _KEYS},
        "stands_out": numbers["stands_out"][:LIMIT],
        "totals": [line for line in numbers["money"]["totals"] if line["currency"]],
        "path": path,
    }


def excerpt_of_run(manifest: Any) -> dict[str, Any] | None:
    """
    Return the same of a task that verified a table: its rows and charges, without verdicts.

    :param manifest: what the task returned; None is returned for whatever else.
    """
    if not isinstance(manifest, Mapping) or not manifest.keys() >= _COUNTS:
        return None
    before = min(manifest["already"], manifest["answered"])
    places = {name: manifest[name] for name in ("quarantined", "postponed", "held")}
    known = manifest["answered"] + sum(places.values())
    headline = {
        "rows_in": manifest["rows_in"],
        "answers": manifest["answered"] - before,
        "answered_before": before,
        **places,
        "left": max(0, manifest["rows_in"] - known),
        "requests": manifest["calls"],
        "charged": manifest["charged"],
        "may_be_charged": manifest.get("charge_unknown", 0),
        "runs_unfinished": 0,
        "rates": {},
    }
    empty: dict[str, Any] = {"alerts": [], "stands_out": None, "totals": [], "path": ""}
    return {"campaign": manifest.get("campaign"), "headline": headline, **empty}


def compose(found: dict[str, Any] | None, about: About, language: str) -> Message:
    """
    Return a message.

    :param found: the excerpt; None if there is none.
    :param language: ``en`` or ``zh``.
    """

    def t(key: str, **values: Any) -> str:
        return text("message", key, language).format(**values)

    name = (found or {}).get("campaign") or about.dag_id
    lines = [Sentence(t("task" if about.task_id else "run", **about._asdict()))]
    if about.is_failure:
        lines.append(Sentence(t("why", error=about.error or t("no_reason")), t("failed")))
    if found is None:
        lines.append(Sentence(t("no_numbers")))
    else:
        lines += sentences(found, language)
        lines += [
            Sentence(f"{label}{t('colon')}{value}") for label, value in _figures(found, language)
        ]
        if found["path"]:
            lines.append(Sentence(f"{t('report')}{t('colon')}{found['path']}"))
    alerts = [one for one in (found or {}).get("alerts", []) if one["state"] == State.BROKEN]
    if about.is_failure:
        title = t("title_failed", name=name)
    elif alerts:
        names = dict.fromkeys(alert_name(one, language) for one in alerts)
        title = t("title_alerts", name=name, names=t("comma").join(names))
    else:
        title = t("title", name=name)
    return Message(
        title,
        "\n".join([*(f"{line.mark} {line.text}".strip() for line in lines), about.url]).rstrip(),
        _html(lines, about.url, t("page")),
        [line.text for line in lines if line.mark == text("page", "alarm", language)],
        found or {},
    )


def _figures(found: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    """Return rates and amounts, as far as they are published."""
    figures = []
    for name in _RATES:
        rate = found["headline"]["rates"].get(name)
        if rate is None or all(rate.get(key) is None for key in ("value", "at_least", "at_most")):
            continue
        written = rate_text(rate)
        if rate["part"] is not None:
            of = {"part": number(rate["part"]), "whole": number(rate["whole"])}
            written += f" ({text('page', 'of_whole', language).format(**of)})"
        figures.append((text("names", name, language), written))
    for line in found["totals"]:
        most = money(line["amount_at_most"], line["currency"])
        written = money(line["amount"], line["currency"])
        if line["amount_at_most"] > line["amount"]:
            written += f" ({text('page', 'cost_at_most', language).format(amount=most)})"
        figures.append((text("names", "amount", language), written))
    return figures


def _html(lines: list[Sentence], url: str, label: str) -> str:
    """Return lines as an HTML list, each text escaped."""
    marked = Markup("<li><strong>{}</strong> {}</li>")
    items = [
        marked.format(line.mark, line.text)
        if line.mark
        else Markup("<li>{}</li>").format(line.text)
        for line in lines
    ]
    if url:
        items.append(Markup('<li><a href="{}">{}</a></li>').format(url, label))
    return str(Markup("<ul>\n{}\n</ul>").format(Markup("\n").join(items)))
