"""What operators and hook add to Airflow's metrics, compared with what the service saw."""

from __future__ import annotations

from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.stats import METRICS
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code, DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD

PEOPLE = 12


@pytest.fixture
def counted(monkeypatch):
    """Take what goes to the backend."""
    counted: Counter[tuple[str, ...]] = Counter()

    def incr(stat, count=1, rate=1, *, tags=None):
        counted[(stat, *(tags or {}).values())] += count
        assert tuple(tags or {}) in {(), METRICS.get(stat, METRICS["faceid.calls"]).labels}

    monkeypatch.setattr(Stats, "incr", incr)
    return counted


@pytest.fixture
def people(bench):
    people = bench.ordinary[:PEOPLE]
    rows = [(key, one.id_card, one.name) for key, one in enumerate(people)]
    rows[2] = (2, people[2].id_card, "王八")
    rows[3] = (3, "11010119900307", people[3].name)  # too short
    bench.fill(rows)
    return people


def verify(**changes):
    return IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people", **changes
    )


def test_a_run_counts_its_calls_charges_and_rows_once(bench, people, counted, context):
    verify().execute(context)
    assert counted[("faceid.calls", ID_CARD)] == bench.calls == PEOPLE - 1
    assert counted[("faceid.charged", ID_CARD)] == bench.server.account.ledger.bill[ID_CARD]
    assert counted[("faceid.waited_ms", ID_CARD)] > 0
    rows = {key[2]: count for key, count in counted.items() if key[0] == "faceid.rows"}
    assert rows == {"match": PEOPLE - 2, "mismatch": 1, "quarantined": 1}
    before = Counter(counted)
    verify().execute(context)  # nothing is due
    assert counted == before


def test_a_server_without_tags_gets_them_in_the_name(people, counted, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    verify().execute(context)
    assert counted[(f"faceid.calls.{ID_CARD}",)] == PEOPLE - 1
    assert counted[(f"faceid.rows.{ID_CARD}.match",)] == PEOPLE - 2
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    FaceIdHook("faceid_default").verify(
        ID_CARD, {"IdCard": people[1].id_card, "Name": people[1].name}, idempotency=None
    )
    assert counted[("faceid.calls", ID_CARD)] == 1
    assert counted[("faceid.rows", ID_CARD, "match")] == 1


def test_no_label_is_a_campaign_a_key_or_a_person(people, counted, context):
    verify(campaign="marked-campaign").execute(context)
    words = {word for key in counted for word in key}
    allowed = {*METRICS, ID_CARD, "match", "mismatch", "quarantined"}
    assert words <= allowed


def test_a_backend_that_raises_costs_nothing(bench, people, context, monkeypatch):
    def incr(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(Stats, "incr", incr)
    assert verify().execute(context)["answered"] == PEOPLE - 1


def test_throttled_repeated_and_lost_calls_are_counted(bench, people, counted, context):
    faults = bench.server.faults
    faults.add(FaultRule(Code("RequestLimitExceeded", "error"), person=people[1].id_card, times=2))
    faults.add(FaultRule(DropAfter(), person=people[5].id_card))
    verify().execute(context)
    assert counted[("faceid.calls", ID_CARD)] == bench.calls == PEOPLE - 1 + 2
    assert counted[("faceid.throttled", ID_CARD)] == counted[("faceid.retries", ID_CARD)] == 2
    assert counted[("faceid.in_doubt", ID_CARD)] == counted[("faceid.rows", ID_CARD, "held")] == 1
    billed = bench.server.account.ledger.bill[ID_CARD]
    certain, doubtful = (
        counted[("faceid.charged", ID_CARD)],
        counted[("faceid.may_be_charged", ID_CARD)],
    )
    assert (certain, doubtful) == (billed - 1, 1)
