"""The page: both languages are complete, and a number is written as what it is."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from airflow_provider_faceid.api.codes import Charged, Outcome, Step
from airflow_provider_faceid.report import charts, formats, page, sentences, texts
from airflow_provider_faceid.report.definitions import DEFINITIONS
from airflow_provider_faceid.report.stand_out import WATCHED
from airflow_provider_faceid.report.thresholds import METRICS, Reason, Severity
from airflow_provider_faceid.warehouse.records import RunState, Stage, Status

TEMPLATE = (Path(page.__file__).parent / "page.html").read_text(encoding="utf-8")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("kind", texts.TEXTS)
def test_every_text_is_there_in_both_languages(kind):
    for key, text in texts.TEXTS[kind].items():
        assert text.en, key
        assert text.zh, key
        assert key in {"comma", "colon"} or CHINESE.search(text.zh), key
        assert not CHINESE.search(text.en), key
        fields = [{name for _, name, *_ in Formatter().parse(one) if name} for one in text]
        assert fields[0] == fields[1], key


def test_every_text_of_the_page_is_used_and_every_used_one_is_there():
    made = [Path(one.__file__).read_text(encoding="utf-8") for one in (page, sentences)]
    source = TEMPLATE + "".join(made)
    used = set(re.findall(r"""\bt\(\s*["'](\w+)["']""", source)) | {key for _, key in page.SECTIONS}
    used |= set(re.findall(r'"page", "(\w+)"', source)) | {"where_days", "title_days"}
    used |= {f"part_{name}" for name in ("answers", *sentences.OTHER_PLACES)}
    used |= {f"unjudged_{reason}" for reason in Reason} | {"below", "above", "ms", "hours"}
    assert used == set(texts.PAGE)


def test_numbers_and_words_have_names():
    words = {*Outcome, *Charged, *Step, *Status, *Stage, RunState.RUNNING, RunState.SUCCESS}
    assert {str(word) for word in words} - {"answered"} <= set(texts.WORDS)
    assert {watched.name for watched in WATCHED} <= set(texts.NAMES)
    assert set(METRICS) <= set(DEFINITIONS) <= set(texts.NAMES)
    assert set(Severity) <= set(texts.WORDS)
    assert set(texts.CHINESE_DEFINITIONS) == set(DEFINITIONS)
    assert texts.text("words", "<new>", "zh") == "<new>"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %")],
)
def test_a_share_that_is_not_all_is_not_written_as_all(value, text):
    assert formats.share(value) == text.replace(" %", f"{formats.NBSP}%")


def test_moments_are_in_beijing_time():
    assert formats.moment("2026-11-28T18:30:00.000+00:00") == "2026-11-29 02:30"
    assert formats.moment(None) == ""


def test_colours_of_charts_are_those_of_the_light_page():
    style = (Path(page.__file__).parent / "style.css").read_text(encoding="utf-8")
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")
    for name, colour in charts.COLOURS.items():
        assert f"--{name}: {colour};" in light
        assert f"--{name}: #" in dark.split("}\n}")[0]
