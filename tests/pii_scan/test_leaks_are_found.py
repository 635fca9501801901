"""The search can fail: each mistake of the careless DAG is found, and where it is."""

from __future__ import annotations

import pytest

from tests.support.marked_people import CARELESS

LEAKS = {
    "printed": ("name printed", "clear", ("task_id=shows/attempt=1.log", "scheduler.log")),
    "returned": ("number returned", "clear", ("airflow.db:xcom.value", "airflow/airflow.db")),
    "triggered": (
        "number triggered",
        "clear",
        (
            "airflow.db:dag_run.conf",
            "airflow.db:log.extra",
            "airflow.db:rendered_task_instance_fields.rendered_fields",
        ),
    ),
    "logged": (
        "mark of photo logged",
        "Base64",
        ("task_id=shows/attempt=1.log", "scheduler.log"),
    ),
    "raised": ("number raised", "clear", ("task_id=fails/attempt=1.log", "scheduler.log")),
    "noted": ("name noted", "JSON", ("warehouse.sqlite:notes.note",)),
    "exported": ("number exported", "clear", ("tmp/export.csv.gz (unpacked)",)),
}
"""Marker, form and ends of places, by what the careless DAG does."""


@pytest.mark.parametrize("what", CARELESS)
def test_a_mistake_is_found_where_it_was_made(story, what):
    marker, form, places = LEAKS[what]
    hits = story.search(story.source.careless_markers).hits
    found = [hit.place for hit in hits if (hit.marker, hit.form) == (marker, form)]
    missing = [end for end in places if not any(place.endswith(end) for place in found)]
    assert missing == []


def test_only_what_was_given_away_is_found(story):
    hits = story.search(story.source.careless_markers).hits
    assert {hit.marker for hit in hits} == {marker for marker, *_ in LEAKS.values()}
