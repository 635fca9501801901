"""A hook in a pool of forked processes: each its own connection, all of them one attempt."""

from __future__ import annotations

import multiprocessing
import warnings
from collections import Counter
from types import SimpleNamespace

import pytest
from airflow.sdk.definitions._internal import contextmanager as current

from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import Person
from tests.support.patience import SOON

from .conftest import Connect

CHILDREN, ROUNDS = 4, 6
HOOK: list[FaceIdHook] = []
"""What the children inherit."""


def ask(people: list[Person]) -> list[tuple[str, str]]:
    """Ask about people one after the other, in a child; return which request answered."""
    found = []
    for person in people:
        verdict = HOOK[0].id_card_verification(person.id_card, person.name)
        found.append((person.id_card, verdict.request_id))
    return found


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pose as a running task."""
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="pool", map_index=-1, id="attempt 1")
    monkeypatch.setattr(current, "_CURRENT_CONTEXT", [{"ti": ti}])


@pytest.mark.usefixtures("task")
def test_children_of_a_task_that_has_called_get_their_own_answers(connect: Connect):
    """The parent's connection is kept alive, and open in every child."""
    with SimulatorServer(people=60, quotas={"IdCardVerification": 0}) as server:
        first, *asked = (p for p in server.account.people.listed if not p.persona)
        HOOK[:] = [connect(server.url)]
        HOOK[0].id_card_verification(first.id_card, first.name)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            pool = multiprocessing.get_context("fork").Pool(CHILDREN)
        try:
            parts = [asked[n : CHILDREN * ROUNDS : CHILDREN] for n in range(CHILDREN)]
            answers = [a for part in pool.map_async(ask, parts).get(4 * SOON) for a in part]
        finally:
            pool.terminate()
            pool.join()
        calls = {call["request_id"]: call for call in server.account.ledger.rows()}
    assert len(answers) == CHILDREN * ROUNDS
    for id_card, request_id in answers:
        assert calls[request_id]["id_card"] == id_card
    assert set(Counter(str(call["id_card"]) for call in calls.values()).values()) == {1}
