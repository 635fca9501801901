"""Rendering of the pages: Jinja templates that escape everything, words for moments, durations and shares.

Each answer forbids what the pages do not need (Content-Security-Policy): nothing is loaded from elsewhere,
no script or style stands in a page, and only the page of cases sends a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...warehouse.views.metrics import (
    ANSWER_PLACES,
    COUNTS,
    PARTS,
    RATES,
    REVIEW_COUNTS,
    REVIEW_RATES,
    REVIEW_TIMES,
    ROW_COUNTS,
)

HERE = Path(__file__).parent
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORM_SECURITY = SECURITY | {
    "Content-Security-Policy": SECURITY["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    )
}
"""Of a page with forms, which are sent to ourselves only."""
REPORT_SECURITY = SECURITY | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox"
}
"""Of a report: one file with its own style, in which no script runs whatever it holds."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
PLACE_WORDS = {
    "matched": "match",
    "mismatched": "mismatch",
    "found": "found",
    "not_found": "not found",
    "review": "review",
    "other_answers": "other answers",
    "quarantined": "quarantine",
    "postponed": "postponed",
    "held": "held",
}
"""The places of a row as they are called on the pages, in order of the bars."""


def number(value: float | None) -> str:
    """Write a number with separators; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"  # noqa: PLR2004


def share(value: float | None) -> str:
    """Write a share from 0 to 1 as per cent; a dash for none."""
    return "–" if value is None else f"{value * 100:.1f} %"


def moment(seconds: float | None) -> str:
    """Write a moment in UTC; a dash for none."""
    if not seconds:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """Write a duration in its largest two units; a dash for none."""
    if seconds is None:
        return "–"
    left = max(0.0, seconds)
    if left < MINUTE:
        return f"{left:.0f} s"
    if left < HOUR:
        return f"{left // MINUTE:.0f} min {left % MINUTE:.0f} s"
    if left < DAY:
        return f"{left // HOUR:.0f} h {left % HOUR // MINUTE:.0f} min"
    return f"{left // DAY:.0f} d {left % DAY // HOUR:.0f} h"


def place(name: str) -> str:
    """Return the word for a place of a row."""
    return PLACE_WORDS.get(name, name)


def parts(counts: Mapping[str, Any], whole: float | None = None) -> list[dict[str, Any]]:
    """
    Return the segments of a bar in per cent of the whole; segments of nothing are left out.

    :param counts: number by place.
    :param whole: the sum of all if not given.
    """
    total = whole or sum(int(count or 0) for count in counts.values())
    segments, start = [], 0.0
    for name, count in counts.items():
        width = 100 * int(count or 0) / total if total else 0.0
        if width:
            segments.append({"name": name, "count": count, "x": start, "width": width})
            start += width
    return segments


def to(page: str, **query: Any) -> str:
    """Return the link to a page, relative to all pages."""
    return f"{page}?{urlencode({name: str(value) for name, value in query.items()})}"


def to_dag_run(dag_id: str, run_id: str) -> str:
    """Return the link to a DAG run in Airflow's own UI, likewise."""
    return f"../dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


@cache
def environment() -> Environment:
    """Return the templates."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": number,
        "share": share,
        "moment": moment,
        "duration": duration,
        "place": place,
    }
    made.globals |= {
        "to": to,
        "to_dag_run": to_dag_run,
        "parts": parts,
        "PARTS": PARTS,
        "RATES": RATES,
        "REVIEW_WORDS": {
            **{name: count.meaning for name, count in REVIEW_COUNTS.items()},
            **{name: rate.meaning for name, rate in REVIEW_RATES.items()},
            **REVIEW_TIMES,
        },
        "PLACES": {**{name: COUNTS[name].meaning for name in ANSWER_PLACES}, **ROW_COUNTS},
    }
    return made


def page(
    template: str, status: int = 200, *, security: Mapping[str, str] = SECURITY, **facts: Any
) -> HTMLResponse:
    """
    Return a rendered page.

    :param security: headers that forbid what it does not need.
    """
    text = environment().get_template(template).render(**facts)
    return HTMLResponse(text, status, dict(security))


def message(title: str, text: str, status: int, **facts: Any) -> HTMLResponse:
    """Return a page that says why there is nothing else."""
    shown: dict[str, Any] = {"login": "", "back": ""} | facts
    return page("message.html", status, title=title, text=text, **shown)
