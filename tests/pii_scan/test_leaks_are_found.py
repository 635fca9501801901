"""The search can fail: each mistake of the careless DAG is found, and where it is."""

from __future__ import annotations

import pytest

from tests.support.marked_people import CARELESS

LOGS = ("task_id=shows/attempt=1.log", "scheduler.log")
ERRORS = ("task_id=fails/attempt=1.log", "scheduler.log")
XCOM = ("airflow.db:xcom.value", "airflow/airflow.db")
LEAKS = {
    "printed": [
        ("name printed", "clear", LOGS),
        ("phone printed", "grouped", LOGS),
        ("bank_card printed", "clear", LOGS),
    ],
    "returned": [
        ("number returned", "clear", XCOM),
        ("phone returned", "clear", XCOM),
        ("bank_card returned", "clear", XCOM),
    ],
    "triggered": [
        (
            "number triggered",
            "clear",
            (
                "airflow.db:dag_run.conf",
                "airflow.db:log.extra",
                "airflow.db:rendered_task_instance_fields.rendered_fields",
            ),
        )
    ],
    "logged": [("mark of photo logged", "Base64", LOGS)],
    "raised": [
        ("number raised", "clear", ERRORS),
        ("phone raised", "scientific", ERRORS),
        ("bank_card raised", "part", ERRORS),
    ],
    "noted": [
        ("name noted", "JSON", ("warehouse.sqlite:notes.note",)),
        ("phone noted", "clear", ("warehouse.sqlite:notes.phone",)),
        ("bank_card noted", "grouped", ("warehouse.sqlite:notes.card",)),
    ],
    "exported": [("number exported", "clear", ("tmp/export.csv.gz (unpacked)",))],
}
"""Marker, form and ends of places, by what the careless DAG does."""


FOUND = []


def careless_hits(story):
    """Search once for what the careless DAG gives away."""
    if not FOUND:
        FOUND.append(story.search(story.source.careless_markers).hits)
    return FOUND[0]


@pytest.mark.parametrize("what", CARELESS)
def test_a_mistake_is_found_where_it_was_made(story, what):
    hits = careless_hits(story)
    for marker, form, places in LEAKS[what]:
        found = [hit.place for hit in hits if (hit.marker, hit.form) == (marker, form)]
        missing = [end for end in places if not any(place.endswith(end) for place in found)]
        assert missing == [], marker


def test_only_what_was_given_away_is_found(story):
    given_away = {marker for leaks in LEAKS.values() for marker, *_ in leaks}
    assert {hit.marker for hit in careless_hits(story)} == given_away
