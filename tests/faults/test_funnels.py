"""The funnels of fault tests are checked after each test: their warehouses are found, and what is wrong is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import DropAfter

from .findings import TRIALS, funnels
from .funnels import copied, in_files, names_in

PEOPLE = 40


@pytest.fixture
def copy(trial, tmp_path, tmp_path_factory):
    """The warehouse of a trial in which each place has rows, apart from what is checked after the test."""
    people = trial.ordinary[:PEOPLE]
    rows = [(key, one.id_card, one.name) for key, one in enumerate(people)]
    trial.fill([*rows, (PEOPLE, "123", "李四")])
    trial.arm(FaultRule(DropAfter(), times=1))
    trial.run()
    trial.hold()
    folder = tmp_path_factory.mktemp("copy")
    with (
        closing(sqlite3.connect(tmp_path / "here.sqlite")) as here,
        closing(sqlite3.connect(folder / "there.db")) as there,
    ):
        here.backup(there)
    return folder / "there.db"


def test_runs_are_found_wherever_they_are_and_hold(copy, request):
    assert in_files(copy.parent) == (1, [])  # one DAG run of two tries
    assert funnels(request.node) == []
    assert request.node.user_properties[-1] == ("funnels", 1)
    assert len(request.node.stash[TRIALS]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE faceid_runs SET rows_in = rows_in + 1", "it succeeded, and 1 rows are left"),
        ("UPDATE faceid_runs SET rows_in = rows_in - 1", "41 rows came in, its tries recorded 40"),
        ("UPDATE faceid_runs SET held = 0", "it succeeded, and 1 rows are left"),
        ("UPDATE faceid_runs SET quarantined = 2", "rows came in, its tries recorded 41"),
        ("UPDATE faceid_runs SET answered = 3", "its answers are not the 3 its tries recorded"),
    ],
)
def test_what_does_not_sum_is_said(copy, change, said):
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(change)
    checked, wrong = in_files(copy.parent)
    assert checked == 1
    assert any(said in one for one in wrong), wrong


def test_the_tests_own_warehouse_stays_as_it_is(copy):
    before = copy.read_bytes()
    with copied(copy, names_in(copy)) as database:
        database.rows("SELECT 1")
    assert copy.read_bytes() == before
