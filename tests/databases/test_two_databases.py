"""People in MariaDB and verdicts in PostgreSQL, and the other way round."""

from __future__ import annotations

import pytest

from tests.integration.operators.conftest import Bench as Operators
from tests.integration.operators.conftest import airflow
from tests.integration.operators.test_two_databases import Story, check_kill, check_story, of
from tests.integration.quality.conftest import great_expectations

__all__ = ["airflow", "great_expectations"]

PAIRS = [("mariadb", "postgresql"), ("sqlite", "mariadb")]


@pytest.fixture
def story(request, server, tmp_path, monkeypatch):
    bench = Operators(server, tmp_path / "unused.sqlite", monkeypatch)
    return Story(bench, request.param, request, tmp_path)


@of(PAIRS)
def test_a_source_and_a_warehouse_may_be_of_two_kinds(story):
    check_story(story)


@of(PAIRS[:1])
def test_a_run_that_is_killed_is_finished_by_the_next_one(story):
    check_kill(story)
