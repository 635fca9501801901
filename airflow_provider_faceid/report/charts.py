"""Charts of the page as inline SVG: Altair describes them, vl-convert draws them without a browser.

Both come with the extra ``[report]``. Colours are those of the light page; the page's style sheet has
those of the dark one by the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

COLOURS: Mapping[str, str] = {
    "matched": "#14746f",
    "mismatched": "#c4501b",
    "found": "#2f6db5",
    "not_found": "#7a5fb0",
    "review": "#b98512",
    "other_answers": "#74808f",
    "quarantined": "#a39586",
    "postponed": "#8fb3d9",
    "held": "#b83269",
    "answered_before": "#9ecdc7",
    "left": "#c9ced6",
    "strong": "#0b5c6b",
    "soft": "#566273",
    "grid": "#e4e8ee",
}
"""Light colour by its name in the style sheet."""

WIDE, NARROW = 920, 360
"""Widths in pixels: of the page and of a telephone."""

GAP = 0.88
"""Part of its days that a bar fills."""

_FONT = "Noto Sans, Noto Sans SC, sans-serif"
_SAME = re.compile(r'(<path d="(?:[^"]*)" fill="([^"]+)")/>(?:<path d="([^"]*)" fill="\2"/>)+')
_PATH = re.compile(r'<path d="([^"]*)" fill="([^"]+)"/>')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_NOISE = re.compile(
    r' (?:role|aria-[a-z]+|class|xmlns:xlink|version|stroke-miterlimit|pointer-events|font-style|font-weight|font-family)="[^"]*"'
)


class Chart(NamedTuple):
    """
    A chart in two widths.

    :param wide: SVG for a page.
    :param narrow: SVG for a telephone.
    """

    wide: str
    narrow: str


def can_draw() -> bool:
    """Say whether the libraries of the extra ``[report]`` are installed."""
    return all(find_spec(name) is not None for name in ("altair", "vl_convert"))


def verdicts(section: Mapping[str, Any]) -> Chart:
    """Return stacked bars of verdicts by day."""
    alt = _altair()
    values = []
    for period in section["periods"]:
        span = _span(period["first_day"], period["last_day"])
        base = 0
        for column, count in zip(section["columns"], period["counts"], strict=True):
            if count:
                values.append(
                    {
                        **span,
                        "low": base,
                        "high": base + count,
                        "colour": colour_of(column),
                    }
                )
            base += count
    values.sort(key=lambda value: str(value["colour"]))
    base_chart = (
        alt.Chart(alt.Data(values=values))
        .mark_rect(stroke=None)
        .encode(
            x=_days(alt, "from"),
            x2="to:T",
            y=alt.Y("low:Q", axis=_axis(alt, format="~s"), title=None),
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _drawn(base_chart, 210)


def costs(days: Sequence[Mapping[str, Any]]) -> Chart:
    """Return bars of cost by day, with what may be charged on top."""
    alt = _altair()
    values = []
    for day in days:
        span = _span(day["day"], day["day"])
        values.append(
            span | {"low": 0, "high": round(day["amount"], 4), "colour": COLOURS["strong"]}
        )
        if day["amount_at_most"] > day["amount"]:
            values.append(
                span
                | {
                    "low": round(day["amount"], 4),
                    "high": round(day["amount_at_most"], 4),
                    "colour": COLOURS["held"],
                }
            )
    values.sort(key=lambda value: str(value["colour"]))
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_rect(stroke=None)
        .encode(
            x=_days(alt, "from"),
            x2="to:T",
            y=alt.Y("low:Q", axis=_axis(alt, format="~s"), title=None),
            y2="high:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    return _drawn(chart, 170)


def similarities(section: Mapping[str, Any], label: str) -> Chart:
    """Return the histogram of similarities, with the threshold as a line."""
    alt = _altair()
    threshold = section["threshold"]
    values = [
        {
            "from": one["similarity_from"],
            "to": min(one["similarity_to"], 101),
            # The area of a bar that stands for several points is its count.
            "height": one["compared"] / (one["similarity_to"] - one["similarity_from"]),
            "colour": COLOURS["matched" if one["similarity_from"] >= threshold else "mismatched"],
        }
        for one in section["bins"]
        if one["compared"]
    ]
    scale = alt.Scale(domain=[0, 101], nice=False)
    bars = (
        alt.Chart(alt.Data(values=values))
        .transform_calculate(zero="0")
        .mark_rect(stroke=None)
        .encode(
            x=alt.X(
                "from:Q",
                scale=scale,
                axis=_axis(alt, grid=False, values=[*range(0, 101, 10)]),
                title=None,
            ),
            x2="to:Q",
            y=alt.Y("height:Q", axis=_axis(alt, format="~s", tickCount=4), title=None),
            y2=alt.datum(0),
            color=alt.Color("colour:N", scale=None),
        )
    )
    at = alt.Chart(alt.Data(values=[{"x": threshold, "label": label}]))
    line = at.mark_rule(color=COLOURS["soft"], strokeWidth=1.5, strokeDash=[4, 3]).encode(
        x=alt.X("x:Q", scale=scale)
    )
    text = at.mark_text(
        align="right", dx=-6, dy=6, baseline="top", color=COLOURS["soft"], fontSize=12
    ).encode(x=alt.X("x:Q", scale=scale), y=alt.value(0), text="label:N")
    return _drawn(alt.layer(bars, line, text), 200)


def match_rates(runs: Sequence[Mapping[str, Any]], median: float | None) -> Chart:
    """Return the match rate of the last runs as points on a line, with the median of those before."""
    alt = _altair()
    known = [run for run in runs if run["match_rate"] is not None]
    values = [
        {"run": number, "rate": round(run["match_rate"], 4), "label": run["started_at"][5:10]}
        for number, run in enumerate(known)
    ]
    x = alt.X(
        "run:O",
        axis=_axis(
            alt,
            grid=False,
            labelExpr=f"{[value['label'] for value in values]!r}[datum.value]",
            labelOverlap=True,
            labelAngle=0,
        ),
        title=None,
        scale=alt.Scale(type="point", padding=0.4),
    )
    y = alt.Y(
        "rate:Q",
        axis=_axis(alt, format=".1%", tickCount=4),
        scale=alt.Scale(zero=False, nice=True, padding=8),
        title=None,
    )
    base = alt.Chart(alt.Data(values=values))
    layers = [base.mark_line(color=COLOURS["strong"], strokeWidth=2).encode(x=x, y=y)]
    if median is not None:
        layers.insert(
            0,
            alt.Chart(alt.Data(values=[{"rate": round(median, 4)}]))
            .mark_rule(color=COLOURS["soft"], strokeDash=[4, 3], strokeWidth=1.5)
            .encode(y=y),
        )
    layers.append(
        base.mark_point(filled=True, opacity=1, color=COLOURS["strong"], size=45).encode(x=x, y=y)
    )
    layers.append(
        base.transform_filter(f"datum.run == {len(values) - 1}")
        .mark_point(filled=True, opacity=1, color=COLOURS["mismatched"], size=90)
        .encode(x=x, y=y)
    )
    return _drawn(alt.layer(*layers), 180)


def latencies(days: Sequence[Mapping[str, Any]]) -> Chart:
    """Return the median and the 95th percentile of the latency by day, with the wait as dashes."""
    alt = _altair()
    layers = []
    lines = (
        ("p50_ms", "strong", False),
        ("p95_ms", "mismatched", False),
        ("p50_with_wait_ms", "strong", True),
        ("p95_with_wait_ms", "mismatched", True),
    )
    for name, colour, is_dashed in lines:
        values = [
            {"day": day["verified_date"], "ms": day[name]} for day in days if day[name] is not None
        ]
        layers.append(
            alt.Chart(alt.Data(values=values))
            .mark_line(
                color=COLOURS[colour],
                strokeWidth=1.6 if is_dashed else 2,
                strokeDash=[4, 3] if is_dashed else [1, 0],
            )
            .encode(
                x=_days(alt, "day"),
                y=alt.Y("ms:Q", axis=_axis(alt, format="~s", tickCount=5), title=None),
            )
        )
    return _drawn(alt.layer(*layers), 180)


def colour_of(places: Sequence[str]) -> str:
    """Return the colour of a published group of verdicts."""
    return COLOURS[places[0] if len(places) == 1 else "other_answers"]


def _altair() -> Any:
    import altair as alt  # noqa: PLC0415 - of the extra [report]

    return alt


def _span(first: str, last: str) -> dict[str, str]:
    """Return where the bar of some days begins and ends: a little before the next one."""
    begin = datetime.fromisoformat(first)
    days = (datetime.fromisoformat(last) - begin).days + 1
    end = begin + GAP * days * timedelta(days=1)
    return {"from": begin.isoformat(), "to": end.isoformat()}


def _days(alt: Any, name: str) -> Any:
    return alt.X(
        f"{name}:T",
        scale=alt.Scale(type="utc"),
        axis=_axis(alt, grid=False, format="%m-%d", labelOverlap=True, tickCount=8),
        title=None,
    )


def _axis(alt: Any, **more: Any) -> Any:
    return alt.Axis(
        **{
            "labelColor": COLOURS["soft"],
            "labelFontSize": 12,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "gridColor": COLOURS["grid"],
            **more,
        }
    )


def _drawn(chart: Any, height: int) -> Chart:
    return Chart(*(_svg(chart, width, height) for width in (WIDE, NARROW)))


def _svg(chart: Any, width: int, height: int) -> str:
    """Return a chart as SVG that refers to nothing."""
    import vl_convert  # noqa: PLC0415 - of the extra [report]

    specification = (
        chart.properties(
            width=width,
            height=height,
            autosize={"type": "fit", "contains": "padding"},
            padding=2,
        )
        .configure(aria=False, background="transparent", font=_FONT)
        .configure_view(stroke=None)
        .to_dict()
    )
    return compact(vl_convert.vegalite_to_svg(specification))


def compact(svg: str) -> str:
    """Return an SVG with less: no roles of its own, one decimal, marks of one colour as one path."""
    body = svg[svg.index("<svg") :]
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[^"]+"', head)
    rest = _NOISE.sub("", rest)
    rest = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), rest)

    def joined(match: re.Match[str]) -> str:
        paths = _PATH.findall(match[0])
        return f'<path d="{"".join(d for d, _ in paths)}" fill="{paths[0][1]}"/>'

    rest = _SAME.sub(joined, rest)
    return f"<svg {box[0] if box else ''}>{rest}"
