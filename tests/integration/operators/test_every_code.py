"""Every code of every Action through the batch operator: outcome, charge and next step.

One run for each Action over a table of two parts. In the first part a fault rule gives each documented code
to one person. In the second part the personas of the simulator cause their codes themselves. The
simulator's ledger says what was called and billed.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing

import pytest

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import Charged, Step
from airflow_provider_faceid.operators.verify_batch import FaceIdVerifyTableOperator
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from airflow_provider_faceid.simulator.people import expects

TABLE = "everybody"


def fill(bench, action, people) -> None:
    """Make a table of what an Action reads by default, with the code each person is to get as key."""
    columns = list(action.columns.values())
    rows = [
        [key, *({**person.columns(), "photo": bench.server.photo(person)}[c] for c in columns)]
        for key, person in people.items()
    ]
    places = ", ".join("?" * (len(columns) + 1))
    with closing(sqlite3.connect(bench.warehouse)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} (id TEXT, {', '.join(columns)})")
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({places})", rows)


def given(bench, action) -> dict[str, object]:
    """Return people by the code that a fault rule gives them; a transient code comes once."""
    people = dict(zip(action.results, bench.ordinary, strict=False))
    bench.server.faults.add(
        *(
            FaultRule(
                Code(code),
                action=action.name,
                person=person.id_card,
                times=1 if action.results[code].step is Step.RETRY else None,
            )
            for code, person in people.items()
        )
    )
    return people


def own(bench, action) -> dict[str, object]:
    """Return the personas whose code does not stop a run, by the code they get in the end."""
    return {
        f"{expects(person)[action.name]} of {number}": person
        for number, person in enumerate(bench.server.account.people.personas)
        if code_row(action.name, expects(person)[action.name]).step is not Step.FATAL
    }


def calls_by_person(bench) -> dict[str, list[dict[str, object]]]:
    found = defaultdict(list)
    for call in bench.server.account.ledger.rows():
        found[call["id_card"]].append(call)
    return found


@pytest.mark.parametrize("name", ACTIONS)
def test_a_code_has_its_outcome_its_charge_and_its_next_step(bench, context, name):
    action = ACTIONS[name]
    bench.server.account.windows.quotas[name] = 0
    bench.faceid(extra={"quotas": {name: 2000}})
    people = {**given(bench, action), **own(bench, action)}
    fill(bench, action, people)
    manifest = FaceIdVerifyTableOperator(
        task_id="t", source_conn_id="warehouse", source=TABLE, action=name
    ).execute(context)
    results = {
        key: row
        for key, *row in bench.query("SELECT source_key, status, code, outcome FROM faceid_results")
    }
    quarantined = dict(bench.query("SELECT source_key, rule FROM faceid_quarantine"))
    calls = calls_by_person(bench)
    success = action.results[action.success_code]
    for key, person in people.items():
        code, _, of_persona = key.partition(" ")
        row = action.results[code]
        made = calls[person.id_card]
        assert made, key
        if row.step is Step.RETRY:
            assert made[0]["result"] == code, key
            row = success
        first = made[0]["result"] or made[0]["error"]
        transient = code_row(name, first).step is Step.RETRY
        assert len(made) == 1 or transient, key
        assert of_persona or len(made) == 1 + transient, key
        assert not any(call["charged"] for call in made[:-1]), key
        assert (made[-1]["result"], made[-1]["charged"]) == (
            row.code, row.charged is Charged.YES,
        ), key  # fmt: skip
        if row.step is Step.QUARANTINE:
            assert (quarantined.pop(key), results.get(key)) == (f"service:{row.code}", None), key
        else:
            status = "postponed" if row.step is Step.POSTPONE else "answered"
            assert results.pop(key) == [status, row.code, row.outcome], key
    assert not results
    assert not quarantined
    assert manifest["charged"] == bench.server.account.ledger.bill[name]


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.outputs])
def test_what_an_action_answers_besides_is_in_columns_of_its_own(bench, context, name):
    action = ACTIONS[name]
    bench.server.account.windows.quotas[name] = 0
    bench.faceid(extra={"quotas": {name: 2000}})
    people = {str(number): person for number, person in enumerate(bench.ordinary)}
    fill(bench, action, people)
    FaceIdVerifyTableOperator(
        task_id="t", source_conn_id="warehouse", source=TABLE, action=name
    ).execute(context)
    for output in action.outputs:
        found = dict(bench.query(f"SELECT source_key, {output.column} FROM faceid_results"))
        said = {
            key: person.chance(output.name).choice(output.samples) for key, person in people.items()
        }
        assert found == said
        assert len({*said.values()}) > 1
