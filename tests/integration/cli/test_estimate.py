"""``airflow faceid estimate``: it says what a run then does, and writes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_faceid.operators.views import FaceIdViewsOperator
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

from .conftest import verify

GIVEN = ("estimate", "--action", ID_CARD, "--campaign", "dag", "--source-conn-id", "warehouse")
PEOPLE = (*GIVEN, "--source", "people")
DAY = timedelta(days=1)


def everything(path: Path) -> list[str]:
    """Return all that a SQLite file holds."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def people(bench):
    """Ten people, one of them twice, and two rows that break a rule."""
    rows = [(n, person.id_card, person.name) for n, person in enumerate(bench.ordinary[:10])]
    again, broken = (10, *rows[0][1:]), [(11, "1", "张三"), (12, rows[1][1], None)]
    bench.fill([*rows, again, *broken])
    return bench


def test_a_table_nobody_asked_about_is_all_new(people, run, context):
    before = everything(people.warehouse)
    data = run(*PEOPLE, "--output", "json").data
    assert everything(people.warehouse) == before
    assert not people.warehouse.with_name("state.sqlite").exists()
    assert people.calls == 0
    assert {name: data[name] for name in ("rows_in", "due_new", "shared", "calls", "reused")} == {
        "rows_in": 13,
        "due_new": 11,
        "shared": 1,
        "calls": 10,
        "reused": 0,
    }
    assert sum(data["quarantined_by_rule"].values()) == data["quarantined"] == 2
    done = verify(context)
    assert done["calls"] == data["calls"]
    assert done["quarantined_by_rule"] == data["quarantined_by_rule"]


def test_what_is_known_costs_nothing(people, run, context):
    verify(context)
    state = people.warehouse.with_name("state.sqlite")
    people.query("DELETE FROM faceid_results WHERE source_key = '3'")
    before = everything(people.warehouse), everything(state)
    data = run(*PEOPLE, "--output", "json").data
    assert (everything(people.warehouse), everything(state)) == before
    counts = ("still_valid", "due_new", "reused", "calls", "quarantined", "seconds")
    assert {name: data[name] for name in counts} == {
        "still_valid": 10,
        "due_new": 1,
        "reused": 1,
        "calls": 0,
        "quarantined": 2,
        "seconds": 0.0,
    }
    assert verify(context)["calls"] == 0


def test_answers_of_another_campaign_are_reused_if_that_is_wished(people, run, context):
    verify(context, campaign="other")
    assert run(*PEOPLE, "--output", "json").data["calls"] == 10
    data = run(*PEOPLE, "--reuse-within", "P1D", "--output", "json").data
    assert (data["calls"], data["reused"]) == (0, 11)
    assert verify(context, reuse_within=DAY)["calls"] == 0


def test_expired_answers_are_asked_for_again(people, run, context):
    verify(context)
    people.query("UPDATE faceid_results SET answered_at = '2020-01-01T00:00:00.000Z'")
    with closing(sqlite3.connect(people.warehouse.with_name("state.sqlite"))) as state, state:
        state.execute("UPDATE faceid_calls SET changed_at = 0")
    data = run(*PEOPLE, "--valid-for", "P30D", "--output", "json").data
    assert (data["due_expired"], data["calls"]) == (11, 10)
    assert verify(context, valid_for=30 * DAY)["calls"] == 10


def test_held_rows_are_called_again_only_if_that_is_wished(held, run, context):
    data = run(*PEOPLE, "--output", "json").data
    assert (data["held"], data["still_valid"], data["calls"]) == (3, 5, 0)
    data = run(*PEOPLE, "--on-in-doubt", "retry", "--output", "json").data
    assert (data["held"], data["due_held"], data["calls"]) == (0, 3, 3)
    assert verify(context, on_in_doubt="retry")["calls"] == 3


def test_a_reloaded_table_would_be_refused(people, run, context):
    verify(context)
    people.query("UPDATE people SET name = name || '一' WHERE id < 10")
    done = run(*PEOPLE)
    assert done.code == 3
    assert (
        "faceid estimate: 10 of 11 answered rows of campaign 'dag' ask something else" in done.err
    )
    assert run(*PEOPLE, "--max-changed", "1").code == 0


def test_the_price_is_that_of_today(people, run, context):
    prices = [
        {"action": ID_CARD, "price": 1, "currency": "USD", "valid_to": "2020-01-01"},
        {"action": ID_CARD, "price": 0.25, "currency": "USD", "valid_from": "2020-01-02"},
    ]
    FaceIdViewsOperator(task_id="views", warehouse_conn_id="warehouse", price_list=prices).execute(
        context
    )
    done = run(*PEOPLE)
    assert done.out == (
        "Campaign 'dag', IdCardVerification\n"
        "rows\n"
        "  11  due: new\n"
        "   1  quarantine: id_card_length\n"
        "   1  quarantine: name_missing\n"
        "  13  in all\n"
        "\n"
        "Of the due rows the ledger answers 0, and 1 share a call\n"
        "Calls, each of which may be charged: at most 10\n"
        "Time at 1940 calls/s, if nothing else uses the quota: 0 s\n"
        "Price: at most 2.50 USD, at 0.25 a call\n"
    )


def test_photos_are_not_read(bench, run):
    bench.applicants(bench.ordinary[:5])
    arguments = [*GIVEN, "--source", "applicants", "--output", "json"]
    arguments[2] = FACE
    data = run(*arguments).data
    assert (data["rows_in"], data["calls"], data["reused"]) == (5, 5, None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--action": "IdCardVerificaton"}, "did you mean 'IdCardVerification'"),
        ({"--source": "poeple"}, "poeple"),
        ({"--source": 'a"; DROP TABLE people; --'}, "source"),
        ({"--source-conn-id": "no_such"}, "`no_such` isn't defined"),
        ({"--source-conn-id": "elsewhere"}, "is not there yet, or not on this host"),
        ({"--faceid-conn-id": "no_such"}, "`no_such` isn't defined"),
        ({"--faceid-conn-id": "broken"}, "Connection 'broken'"),
        ({"--state-conn-id": "faceid_default"}, "is of type 'faceid'"),
        ({"--key-column": "no_such_column"}, "no_such_column"),
        ({"--column": "IdCrad=id_card"}, "did you mean 'IdCard'"),
        ({"--column": "IdCard"}, "--column: it is text, and must not be empty"),
        ({"--valid-for": "a month"}, "--valid-for: it is a timedelta"),
        ({"--max-changed": "20"}, "--max-changed: it is a share from 0 to 1"),
        ({"--after": ID_CARD}, "cannot come after itself"),
        ({"--skip-rule": "no_such_rule"}, "no_such_rule"),
        (
            {"--result-table": "people"},
            "Table 'people' behind connection 'warehouse' is of an earlier",
        ),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(people, run, tmp_path, changed, said):
    people.connect("elsewhere", conn_type="sqlite", host=str(tmp_path / "not-made.sqlite"))
    people.connect("broken", conn_type="faceid", login="id", password="key", extra={"tmieout": 3})
    before = everything(people.warehouse)
    given = dict(zip(PEOPLE[1::2], PEOPLE[2::2], strict=True)) | changed
    done = run("estimate", *(part for pair in given.items() for part in pair))
    assert done.code == 1
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err
    assert everything(people.warehouse) == before
    assert not (tmp_path / "not-made.sqlite").exists()
