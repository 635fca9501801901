"""The example in shards on two workers: what the service saw, and what is in the warehouse."""

from __future__ import annotations

from collections import Counter

from airflow_provider_faceid.simulator.people import ID_CARD
from tests.distributed.cluster import WORKERS
from tests.support.departures import busiest_second, too_fast
from tests.support.overlap import overlap

QUOTA = 100
TARGET = 0.97 * QUOTA
SHARDS = 4


def test_every_task_of_both_runs_succeeds_at_its_first_try(story):
    for tasks, tries in ((story.tasks, 1), (story.tasks_again, 2)):
        assert Counter(task["task_id"] for task in tasks)["verify"] == SHARDS
        assert {(task["state"], task["try_number"]) for task in tasks} == {("success", tries)}


def test_every_good_row_is_called_once_and_no_other(story):
    assert Counter(story.called()) == dict.fromkeys(story.applicants.answers, 1)
    assert {call["error"] for call in story.calls} == {""}


def test_every_row_is_in_the_one_place_it_belongs_to(story):
    results = story.query("SELECT CAST(source_key AS INTEGER), code FROM faceid_results")
    quarantine = story.query("SELECT CAST(source_key AS INTEGER), rule FROM faceid_quarantine")
    assert sorted(results) == sorted(story.applicants.answers.items())
    assert sorted(quarantine) == sorted(story.applicants.bad.items())


def test_the_counts_are_the_services_own_and_clearing_the_run_calls_nobody(story):
    runs = story.query(
        "SELECT map_index, calls, charged FROM faceid_runs ORDER BY map_index, started_at"
    )
    assert [shard for shard, *_ in runs] == sorted([*range(SHARDS), *range(SHARDS)])
    first, again = runs[::2], runs[1::2]
    called = Counter(shard for _, shard in story.moments())
    assert [calls for _, calls, _ in first] == [called[shard] for shard in range(SHARDS)]
    assert sum(charged for *_, charged in first) == story.charged
    assert story.charged == sum(call["charged"] for call in story.calls)
    assert [(calls, charged) for _, calls, charged in again] == [(0, 0)] * SHARDS
    assert story.calls_again == 0


def test_both_workers_call_at_the_same_time(story):
    hosts = story.hosts()
    assert Counter(hosts) == dict.fromkeys(WORKERS, SHARDS // len(WORKERS))
    both = overlap([(moment, hosts[shard]) for moment, shard in story.moments()], len(WORKERS))
    assert both.seconds >= 3


def test_the_quota_is_used_together_and_never_exceeded(story, capsys):
    several, all_of_them = (overlap(story.moments(), at_least) for at_least in (2, SHARDS))
    with capsys.disabled():
        print(  # noqa: T201 - a measurement is to be seen
            f"\n  {len(story.calls)} calls, busiest second {busiest_second(story.left)} of {QUOTA}"
            f"\n  two shards or more at once: {several.seconds:.1f} s, "
            f"{several.rate:.1f} calls/s of {TARGET:.0f}"
            f"\n  all {SHARDS} at once: {all_of_them.seconds:.1f} s, {all_of_them.rate:.1f} calls/s, "
            f"smallest share / largest {all_of_them.fairness:.2f}"
        )
    arrived = [moment for moment, _ in story.moments()]
    assert too_fast(QUOTA, story.left, arrived) == []
    assert several.seconds >= 3
    assert busiest_second(story.left) >= 0.97 * TARGET  # where the machine lets them
    assert all_of_them.fairness >= 0.5 or all_of_them.seconds < 2


def test_nobody_is_in_airflows_database_or_in_a_log(story):
    tables = story.query("SELECT relname FROM pg_stat_user_tables", "airflow")
    places = {
        table: repr(story.query(f'SELECT t::text FROM "{table}" AS t', "airflow"))
        for (table,) in tables
    }
    places |= {str(log): log.read_text() for log in story.folder.rglob("*.log")}
    assert "rows_in" in places["xcom"]
    assert any("verify" in str(place) and ID_CARD in text for place, text in places.items())
    found = [
        (place, key)
        for key, name, number in story.applicants.rows
        for place, text in places.items()
        if number in text or name in text
    ]
    assert found == []
