"""The view of latest verdicts, and the history behind it, on each database."""

from __future__ import annotations

from airflow_provider_faceid import __version__
from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.results import ResultsRepository


def latest(bench, columns: str = "source_key, outcome, campaign") -> list:
    return bench.home.query(f"SELECT {columns} FROM faceid_latest ORDER BY source, source_key")


def test_a_row_is_there_once_with_its_latest_answer_whatever_the_campaign(bench):
    bench.fill_with(bench.ordinary[:3])
    bench.run(campaign="spring")
    assert latest(bench) == [(key, "match", "spring") for key in "123"]
    stranger = bench.special("-1")
    bench.source.run(
        "UPDATE people SET id_card = ?, name = ? WHERE id = 2", [(stranger.id_card, stranger.name)]
    )
    bench.run(campaign="autumn")
    outcomes = ["match", "mismatch", "match"]
    assert latest(bench) == [(k, o, "autumn") for k, o in zip("123", outcomes, strict=True)]
    if bench.source is bench.home:
        people = "SELECT COUNT(*) FROM people AS p JOIN faceid_latest AS v ON v.source_key = "
        assert bench.home.query(people + "CAST(p.id AS VARCHAR(20))") == [(3,)]


def test_rows_without_an_answer_are_not_there(bench):
    bench.fill_with([bench.ordinary[0], bench.special("-7")])
    manifest = bench.run()
    assert (manifest["answered"], manifest["postponed"]) == (1, 1)
    assert latest(bench) == [("1", "match", "c")]
    moments = "SELECT status, answered_at, verified_date, updated_at FROM faceid_results"
    for status, answered_at, verified_date, updated_at in bench.home.query(moments):
        assert (answered_at is None) is (verified_date is None) is (status != "answered")
        assert updated_at is not None


def test_keys_of_two_sources_stay_apart(bench):
    """Though each has a campaign of its own, and the same keys."""
    match, stranger = judge(Reply(ID_CARD, "0", "", "r-1")), judge(Reply(ID_CARD, "-1", "", "r-2"))
    for source, verdict in (("here:adults", match), ("here:children", stranger)):
        work = RunContext(source, ID_CARD, "run", source=source)
        repository = ResultsRepository(bench.home.open(), work, bench.clock)
        repository.open()
        repository.buffer.add_answer("1", verdict)
        repository.write(*repository.buffer.drain())
    assert latest(bench, "source, outcome") == [
        ("here:adults", "match"),
        ("here:children", "mismatch"),
    ]


def test_the_history_keeps_what_was_replaced_and_says_of_which_run(bench):
    bench.fill_with(bench.ordinary[:2])
    bench.run()
    other = bench.ordinary[5]
    bench.source.run(
        "UPDATE people SET id_card = ?, name = ? WHERE id = 1", [(other.id_card, other.name)]
    )
    bench.run()
    kept = bench.home.query(
        "SELECT source_key, COUNT(*), COUNT(DISTINCT question_hash), COUNT(DISTINCT id_card_hash) "
        "FROM faceid_history GROUP BY source_key ORDER BY source_key"
    )
    assert kept == [("1", 2, 2, 2), ("2", 1, 1, 1)]
    facts = (
        "SELECT DISTINCT dag_id, run_id, map_index, source, provider_version FROM faceid_history"
    )
    assert bench.home.query(facts) == [("dag", "run", -1, "here:people", __version__)]
