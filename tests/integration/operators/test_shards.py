"""A table cut into shards, and the shards verified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.api.id_card import check_character
from airflow_provider_faceid.clock import utc_seconds
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from tests.integration.operators.conftest import TaskInstance, make_context
from tests.support.departures import too_fast
from tests.support.overlap import overlap
from tests.support.patience import PATIENCE

PROJECT = Path(__file__).parents[3]
PEOPLE = {"source_conn_id": "warehouse", "source": "people"}
OPEN = {"after": None, "until": None}
WORKER = f"""
import json, sys
from functools import partial
from airflow_provider_faceid.hooks import state_store
from tests.support.departures import NotedRateLimiter
from tests.integration.operators.conftest import TaskInstance, make_context
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
left = open(sys.argv[2], "w", buffering=1)
state_store.SlotRateLimiter = partial(NotedRateLimiter, note=lambda moment: print(moment, file=left))
shard = json.loads(sys.argv[1])
operator = IdCardVerificationBatchOperator(task_id="verify", shard=shard, **{PEOPLE})
operator._build(make_context(), "warms up")
print("ready", flush=True)
sys.stdin.readline()
ti = TaskInstance(shard["after"] or 0)
print(operator.execute(make_context(ti=ti))["calls"], flush=True)
"""


@pytest.fixture
def table(bench):
    """Ten people."""
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(bench.ordinary[:10], 1)])
    return bench


def plan(context, **more):
    return FaceIdShardsOperator(task_id="plan", **PEOPLE | more).execute(context)


def verify(number, shard, **more):
    """Verify a shard as the mapped task of a number does."""
    context = make_context(ti=TaskInstance(number))
    operator = IdCardVerificationBatchOperator(task_id="verify", shard=shard, **PEOPLE | more)
    return operator.execute(context)


def test_ranges_of_keys_are_returned_and_nothing_else(table, context, told):
    shards = plan(context, shards=3)
    assert shards == [
        {"after": None, "until": 3},
        {"after": 3, "until": 6},
        {"after": 6, "until": None},
    ]
    assert json.loads(json.dumps(shards)) == shards
    texts = told()
    assert not [person for person in table.ordinary if person.id_card in texts]


@pytest.mark.parametrize(("shards", "expected"), [(1, 1), (4, 4), (10, 10), (50, 10)])
def test_a_table_has_as_many_shards_as_asked_but_no_more_than_rows(
    table, context, shards, expected
):
    assert len(plan(context, shards=shards)) == expected


def test_four_shards_unless_another_number_is_given(table, context):
    assert len(plan(context)) == 4


def test_an_empty_table_has_one_shard_if_it_is_allowed_to_be_empty(bench, context):
    bench.fill([])
    assert plan(context) == [OPEN]
    with pytest.raises(AirflowFailException, match="has 0 rows, fewer than min_rows=1"):
        plan(context, min_rows=1)
    assert verify(0, OPEN)["rows_in"] == 0


@pytest.mark.parametrize("shards", [0, -1])
def test_no_shard_at_all_is_refused(table, context, shards):
    with pytest.raises(AirflowFailException, match=f"shards={shards}: it is a whole number from 1"):
        plan(context, shards=shards)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE people SET id = NULL WHERE id = 5", "1 row has none"),
        ("UPDATE people SET id = 4 WHERE id = 5", "1 row repeats"),
        ("ALTER TABLE people RENAME COLUMN id TO number", "no column 'id'"),
    ],
)
def test_what_cannot_be_read_row_by_row_is_not_cut(table, context, statement, fault):
    table.query(statement)
    with pytest.raises(AirflowFailException, match=fault):
        plan(context)


@pytest.mark.parametrize(
    "column",
    [
        "id_card",
        "LOWER(id_card)",
        "' ' || id_card",
        "'CN-' || id_card || '-1'",
        "SUBSTR(id_card, 1, 17) || '0'",
        "CAST(SUBSTR(id_card, 1, 17) || '0' AS INTEGER)",
    ],
    ids=["ID number", "lower case", "blank", "part of it", "mistyped", "number"],
)
def test_id_numbers_are_no_keys_and_are_not_shown(table, context, told, column):
    source = f"SELECT DISTINCT {column} AS person FROM people"
    with pytest.raises(AirflowFailException, match="Column 'person' holds ID numbers") as caught:
        plan(context, source=source, key_column="person")
    assert caught.value.__cause__.__class__.__name__ == "ConfigurationError"
    text = f"{caught.value!r} {caught.value.__cause__!r} {told()}"
    assert not [person for person in table.ordinary if person.id_card[:17] in text]
    two = f"SELECT id, {column} AS person FROM people"
    with pytest.raises(AirflowFailException, match="Column 'id' or 'person' holds ID numbers"):
        plan(context, source=two, key_column=["id", "person"])


@pytest.mark.parametrize("key", [100000000000000000, "999999999999999999", "1101011990030712345"])
def test_other_long_numbers_are_keys(table, context, key):
    table.query(f"UPDATE people SET id = '{key}' WHERE id = 5")
    shards = plan(context, source=f"SELECT * FROM people WHERE id IN (1, '{key}')", shards=2)
    assert len(shards) == 2


def test_a_shard_is_no_template():
    assert "shard" not in IdCardVerificationBatchOperator.template_fields


def test_shards_call_for_every_row_once_and_each_writes_a_run_of_its_own(table, context):
    shards = plan(context, shards=3)
    manifests = [verify(number, shard) for number, shard in enumerate(shards)]
    assert [manifest["rows_in"] for manifest in manifests] == [3, 3, 4]
    assert {manifest["campaign"] for manifest in manifests} == {"dag"}
    calls = Counter(row["id_card"] for row in table.server.account.ledger.rows())
    assert calls == {person.id_card: 1 for person in table.ordinary[:10]}
    runs = "SELECT map_index, rows_in, answered, charged, state FROM faceid_runs ORDER BY map_index"
    assert table.query(runs) == [
        (n, rows, rows, rows, "success") for n, rows in enumerate([3, 3, 4])
    ]
    assert [verify(number, shard)["calls"] for number, shard in enumerate(shards)] == [0, 0, 0]


def test_a_run_over_a_whole_table_is_no_shard(table, context):
    IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    assert table.query("SELECT map_index, rows_in FROM faceid_runs") == [(-1, 10)]


def test_a_shard_may_have_lost_its_rows_since_the_plan(table, context):
    first, *_ = plan(context)
    table.query("DELETE FROM people WHERE id < 4")
    assert verify(0, first, min_rows=5)["rows_in"] == 0


def test_rows_that_came_since_the_plan_are_in_a_shard(table, context):
    shards = plan(context, shards=3)
    people = table.ordinary[10:13]
    table.query("UPDATE people SET id = id + 1 WHERE id > 5")
    for key, person in zip((0, 6, 99), people, strict=True):
        table.query(f"INSERT INTO people VALUES ({key}, '{person.id_card}', '{person.name}', NULL)")
    assert [verify(n, shard)["rows_in"] for n, shard in enumerate(shards)] == [4, 3, 6]
    called = Counter(row["id_card"] for row in table.server.account.ledger.rows())
    assert called == {person.id_card: 1 for person in table.ordinary[:13]}


@pytest.mark.parametrize("shard", [{}, {"after": 5}, {"from": 1, "to": 2}, [1, 2], 7])
def test_what_is_no_shard_fails_at_once(table, shard):
    with pytest.raises(AirflowFailException, match="A shard has the keys 'after' and 'until'"):
        verify(0, shard)
    assert table.calls == 0


def test_shards_at_once_share_the_pace_equally(bench, context, tmp_path):
    """In processes of their own, as on two workers."""
    rate, each = 100, 200
    logs = [tmp_path / "left_0", tmp_path / "left_1"]
    bench.faceid(extra={"id_card_verification_quota": rate})
    bodies = [f"11010119900101{number:03}" for number in range(2 * each)]
    numbers = [body + check_character([*map(int, body)]) for body in bodies]
    bench.fill([(n, number, chr(0x4E00 + n) * 2) for n, number in enumerate(numbers)])
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", WORKER, json.dumps(shard), log],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    cwd=PROJECT,
                )
            )
            for shard, log in zip(plan(context, shards=2), logs, strict=True)
        ]
        for worker in workers:
            assert "ready\n" in iter(worker.stdout.readline, "")
        for worker in workers:
            print("go", file=worker.stdin, flush=True)
        told = [worker.communicate(timeout=PATIENCE)[0] for worker in workers]
    calls = list(bench.server.account.ledger.rows())
    assert sum(int(text.splitlines()[-1]) for text in told) == len(calls)
    assert sorted(call["id_card"] for call in calls if not call["error"]) == sorted(numbers)
    left = [[*map(float, log.read_text().split())] for log in logs]
    assert too_fast(rate, left[0] + left[1], [utc_seconds(call["at"]) for call in calls]) == []
    both = overlap([(moment, n) for n, one in enumerate(left) for moment in one], at_least=2)
    assert both.seconds > 0
    assert both.fairness >= 0.5
