"""A source in one database, or in files, and the warehouse in another: every operator, a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    PhoneVerificationBatchOperator,
)
from airflow_provider_faceid.operators.verify_one import FaceIdVerifyOperator
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.sources.composite import encode
from tests.integration.operators.conftest import FAST, TaskInstance, make_context
from tests.support.patience import PATIENCE
from tests.support.places import place

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[3]
PAIRS = [
    ("postgresql", "sqlite"),
    ("duckdb", "postgresql"),
    ("sqlite", "duckdb"),
    ("csv", "sqlite"),
    ("parquet", "postgresql"),
]
KILLED = PAIRS[:2]
TENANTS = ("t1", 'a "\\" tenant')
KEYS = [(tenant, f"{number:03d}") for tenant in TENANTS for number in range(1, 16)]
NAMELESS, MISMATCH = KEYS[2], KEYS[20]
PHONE = "PhoneVerification"


class Story:
    """
    Thirty people in a source with a key of two columns, one without a name, one under another's.

    :ivar parameters: of each operator.
    """

    def __init__(self, bench, kinds, request, folder) -> None:
        self.bench = bench
        self.source, self.warehouse = (
            place(kind, conn_id, request, folder)
            for kind, conn_id in zip(kinds, ("applicants_db", "results_db"), strict=True)
        )
        rows = []
        for key, one in zip(KEYS, bench.ordinary, strict=False):
            name = {NAMELESS: None, MISMATCH: "王八"}.get(key, one.name)
            rows.append((*key, one.id_card, name, one.columns()["phone"]))
        written = self.source.fill("My.People", ["tenant", "No.", "ID card", "name", "phone"], rows)
        self.parameters = {
            "source_conn_id": "applicants_db",
            "source": written,
            "key_column": ["tenant", '"No."'],
            "id_card_column": "[ID card]",
        }
        self.tables = {
            "warehouse_conn_id": "results_db",
            "result_table": self.warehouse.name("faceid_results"),
            "quarantine_table": self.warehouse.name("faceid_quarantine"),
        }
        self.runs = {"run_table": self.warehouse.name("faceid_runs")}

    def execute(self, operator, map_index=-1, **parameters):
        """Run an operator as a task."""
        made = operator(task_id="task", **parameters)
        return made.execute(make_context(ti=TaskInstance(map_index)))

    def results(self, action=ID_CARD):
        """Return status and outcome by key."""
        rows = self.warehouse.query(
            "faceid_results", "source_key, status, outcome", f"action = '{action}'"
        )
        return {key: (status, outcome) for key, status, outcome in rows}


@pytest.fixture
def story(request, bench, tmp_path):
    return Story(bench, request.param, request, tmp_path)


def of(pairs):
    return pytest.mark.parametrize("story", pairs, indirect=True, ids=" to ".join)


@of(PAIRS)
def test_a_source_and_a_warehouse_may_be_of_two_kinds(story):
    check_story(story)


def check_story(story):
    """Validate, cut, verify, look at what comes after, release, count."""
    people, tables, runs = story.parameters, story.tables, story.runs
    validated = story.execute(FaceIdValidateOperator, max_bad_fraction=0.5, **people, **tables)
    assert (validated["rows"], validated["quarantined_rows"]) == (30, 1)
    cut = {name: value for name, value in people.items() if name != "id_card_column"}
    shards = story.execute(FaceIdShardsOperator, shards=3, **cut)
    assert len(shards) == 3
    for index, shard in enumerate(shards):
        made = story.execute(
            IdCardVerificationBatchOperator, index, shard=shard, **people, **tables, **runs
        )
        assert made["rows_in"] == 10
    answered = story.results()
    expected = {encode(key): ("answered", "match") for key in KEYS if key != NAMELESS}
    assert answered == expected | {encode(MISMATCH): ("answered", "mismatch")}
    bad = story.warehouse.query("faceid_quarantine", "source_key, rule")
    assert [key for key, _ in bad] == [encode(NAMELESS)]
    again = story.execute(IdCardVerificationBatchOperator, **people, **tables, **runs)
    assert (again["calls"], again["answered"], again["quarantined"]) == (0, 29, 1)

    behind = {**people, "after": ID_CARD, **tables}
    later = story.execute(PhoneVerificationBatchOperator, **behind, **runs)
    assert (later["rows_in"], later["calls"] - later["throttled"]) == (28, 28)
    assert story.results(PHONE).keys() == expected.keys() - {encode(MISMATCH)}
    half = {**cut, "after": ID_CARD, "warehouse_conn_id": "results_db"}
    half["result_table"] = tables["result_table"]
    assert len(story.execute(FaceIdShardsOperator, shards=2, **half)) == 2

    name = story.warehouse.home.dialect.quote_table(tables["result_table"])
    held = encode(KEYS[-1])
    story.warehouse.home.run(
        f"UPDATE {name} SET status = 'held', outcome = 'uncertain' WHERE source_key = ? "
        f"AND action = '{ID_CARD}'",
        [(held,)],
    )
    released = story.execute(
        FaceIdReleaseOperator,
        action=ID_CARD,
        warehouse_conn_id="results_db",
        result_table=tables["result_table"],
        source_keys=[list(KEYS[-1]), encode(KEYS[0])],
    )
    assert released == 1
    assert story.results()[held][0] == "postponed"
    steps = story.execute(FaceIdFunnelOperator, steps=[ID_CARD, PHONE], **tables, **runs)
    assert [step["passed"] for step in steps["steps"]] == [27, 27]

    one = {k: v for k, v in people.items() if k != "id_card_column"}
    one |= {"action": ID_CARD, "columns": {"IdCard": '"ID card"'}, "campaign": "one"}
    for key in (list(KEYS[5]), '["t1", "006"]'):
        assert story.execute(FaceIdVerifyOperator, key=key, **one)["outcome"] == "match"


WORKER = """
import json, sys
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from tests.integration.operators.conftest import make_context
operator = IdCardVerificationBatchOperator(task_id="task", **json.loads(sys.argv[1]))
operator.execute(make_context())
"""


@of(KILLED)
def test_a_run_that_is_killed_is_finished_by_the_next_one(story):
    check_kill(story)


def check_kill(story):
    """Kill a process while it calls, and let another one go on."""

    bench, parameters = story.bench, {**story.parameters, **story.tables, **story.runs}
    bench.faceid(extra={"quotas": FAST | {ID_CARD: 5}})
    command = [sys.executable, "-c", WORKER, json.dumps(parameters)]
    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while bench.calls < 6 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert process.poll() is None, "it must be killed while it runs"
    process.kill()
    process.wait()
    seen = bench.calls
    bench.faceid()
    last = story.execute(IdCardVerificationBatchOperator, **parameters)
    assert 0 < seen < len(KEYS)
    assert last["answered"] + last["held"] + last["quarantined"] == len(KEYS)
    assert last["quarantined"] == 1
    calls = Counter(str(call["id_card"]) for call in bench.server.account.ledger.rows())
    assert set(calls.values()) == {1}
    results = story.results()
    assert results.keys() == {encode(key) for key in KEYS if key != NAMELESS}
    history = story.warehouse.query("faceid_history", "source_key")
    answered = [key for key, (status, _) in results.items() if status == "answered"]
    assert sorted(key for (key,) in history) == sorted(answered)
