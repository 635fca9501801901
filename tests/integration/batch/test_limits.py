"""Limits per person: counted before a call leaves, and what becomes of the rows over them."""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.clock import next_beijing_midnight, utc_text
from airflow_provider_faceid.exceptions import OutageError, StateStoreError
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.store import StateStore
from tests.support.patience import SOON

from .conftest import Bench, BriskClock

pytestmark = pytest.mark.source

NOON = 1_790_000_080.0
"""Forty seconds into a minute, far from midnight."""


class MovedClock(BriskClock):
    """The machine's clock, set to another time."""

    def __init__(self, moment: float) -> None:
        self.set(moment)

    def set(self, moment: float) -> None:
        self._ahead = moment - super().now()

    def now(self) -> float:
        return super().now() + self._ahead


Limited = Callable[..., Bench]


@pytest.fixture
def limited(home, tmp_path) -> Iterator[Limited]:
    """
    Make a bench whose service has limits; the engine is told of those in ``known``.

    All live at the same time: in a state store of today, the counts of that day would be old.
    """
    servers: list[SimulatorServer] = []
    stores: list[StateStore] = []

    def make(action: str, limits: IdentityLimits, *, at: float = NOON) -> Bench:
        clock = MovedClock(at)
        unlimited = {ID_CARD: 0, FACE: 0}
        servers.append(
            SimulatorServer(
                people=60, quotas=unlimited, identity_limits={action: limits}, clock=clock
            ).__enter__()
        )
        stores.append(StateStore(f"sqlite:///{tmp_path / 'state.sqlite'}", clock))
        bench = Bench(servers[-1], home, stores[-1])
        bench.clock = clock
        return bench

    yield make
    for server in servers:
        server.__exit__(None, None, None)
    for store in stores:
        store.close()


def known(limits: IdentityLimits) -> dict[str, object]:
    return {"settings": {"identity_limits": {ID_CARD: limits, FACE: limits}}}


def namesakes(bench: Bench, count: int) -> list[tuple[int, str, str]]:
    """So many people of one name, and twenty of other names."""
    people = bench.ordinary
    same = [(key, person.id_card, people[0].name) for key, person in enumerate(people[:count], 1)]
    others = people[count : count + 20]
    return same + [(key, p.id_card, p.name) for key, p in enumerate(others, 101)]


def refused(bench: Bench) -> list[object]:
    return [call for call in bench.calls() if call["result"] in {"-7", "limit"}]


def test_only_the_rows_of_a_frequent_name_wait_for_another_day(limited):
    limits = IdentityLimits(id_card_per_day=0, name_per_day=3)
    bench = limited(ID_CARD, limits)
    bench.fill(namesakes(bench, 8))
    manifest = bench.run(**known(limits))
    bench.check(manifest)
    assert (manifest["postponed"], manifest["calls"]) == (5, 23)
    assert refused(bench) == []
    midnight = utc_text(next_beijing_midnight(NOON))
    assert manifest["not_before"] == midnight
    waiting = bench.results(columns="status, outcome, code, not_before")
    assert list(waiting.values()).count(("postponed", "limit", "limit:counted", midnight)) == 5

    assert bench.run(**known(limits))["calls"] == 0
    bench.clock.set(next_beijing_midnight(NOON) + 1)
    tomorrow = bench.run(**known(limits))
    assert (tomorrow["postponed"], tomorrow["calls"]) == (2, 3)
    assert refused(bench) == []


def test_a_limit_per_minute_is_waited_for_within_the_run(limited):
    limits = IdentityLimits(id_card_per_day=0, name_per_day=0, name_per_minute=2)
    bench = limited(ID_CARD, limits, at=NOON + 18)
    bench.fill(namesakes(bench, 4)[:6])
    began = time.monotonic()
    manifest = bench.run(**known(limits))
    bench.check(manifest)
    assert manifest["answered"] == manifest["calls"] == 6
    assert manifest["not_before"] is None
    assert refused(bench) == []
    assert 1 < time.monotonic() - began < 60 + SOON  # a busy machine may miss the end of a minute


def test_a_refusal_we_did_not_foresee_is_waited_for_as_well(limited):
    """The service allows fewer than we were told: it says so when we have asked before."""
    limits = IdentityLimits(id_card_per_day=0, name_per_day=0, id_card_per_minute=2)
    bench = limited(FACE, limits, at=NOON + 18)
    person, others = bench.ordinary[0], bench.ordinary[1:3]
    photos = [b64encode(bench.photo(one)).decode() for one in (person, *others)]
    bench.fill([(n, person.id_card, person.name, photo) for n, photo in enumerate(photos)])
    generous = IdentityLimits(id_card_per_day=0, name_per_day=0, id_card_per_minute=9)
    manifest = bench.run(FACE, **known(generous))
    bench.check(manifest, FACE)
    assert manifest["answered"] == 3
    # A busy machine may ask for the third time in the next minute, and is not refused.
    assert manifest["calls"] == 3 + sum("Limit" in call["result"] for call in bench.calls()) <= 4


def test_runs_at_different_times_and_tables_count_together(limited):
    limits = IdentityLimits(id_card_per_day=0, name_per_day=3)
    bench = limited(ID_CARD, limits)
    bench.fill(namesakes(bench, 2))
    assert bench.run(campaign="first", **known(limits))["calls"] == 22
    again = bench.run(campaign="second", **known(limits))
    assert (again["calls"], again["postponed"]) == (21, 1)


def test_rows_a_stopped_run_did_not_send_are_not_counted(sqlite_bench, stub):
    bench, limits = sqlite_bench, IdentityLimits(id_card_per_day=0, name_per_day=100)
    name = bench.ordinary[0].name
    bench.fill([(n, person.id_card, name) for n, person in enumerate(bench.ordinary[:100])])
    bench.url = stub(b"<html>no service</html>", 200, "text/html").url
    _, manifest = bench.fail(OutageError, **known(limits))
    sent = manifest["calls"]
    assert 0 < sent < 100
    bench.url = bench.server.url
    rest = bench.run(**known(limits))
    assert (rest["calls"], rest["postponed"]) == (100 - sent, 0)


def test_without_the_state_store_nothing_is_sent(sqlite_bench, tmp_path):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:3])
    store = StateStore(f"sqlite:///{tmp_path / 'no' / 'such.sqlite'}")
    bench.state = store
    bench.fail(StateStoreError)
    assert bench.calls() == []


@pytest.mark.parametrize("after", [0, 30])
def test_a_ledger_that_fails_in_an_unknown_way_ends_the_run(sqlite_bench, monkeypatch, after):
    """Nobody waits for it for ever, and what was answered is written."""
    bench, step, steps = sqlite_bench, Ledger.step, []
    bench.fill_with(bench.ordinary[:200])

    def failing(ledger, records, claims):
        steps.extend(claims)
        if len(steps) > after:
            raise ZeroDivisionError("a fault of ours")
        return step(ledger, records, claims)

    monkeypatch.setattr(Ledger, "step", failing)
    batch = bench.batch(max_in_flight=8)
    with pytest.raises(ZeroDivisionError):
        batch.run()
    assert batch.manifest.answered == len(bench.results()) == len(bench.calls())
    assert bool(bench.calls()) is bool(after)


def test_the_state_store_holds_nobody(limited, state, caplog):
    limits = IdentityLimits(id_card_per_day=1, name_per_day=1)
    bench = limited(ID_CARD, limits)
    bench.fill(namesakes(bench, 5))
    with caplog.at_level(logging.DEBUG):
        bench.run(**known(limits))
    with state.transaction() as cursor:
        cursor.execute("SELECT * FROM faceid_identity_uses")
        kept = str(cursor.fetchall()) + caplog.text
    people = Counter(value for _, *person in namesakes(bench, 5) for value in person)
    assert [value for value in people if value in kept] == []
