"""A simulator, a table of its people on each of the databases, and runs over it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, Person
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_rows import MemoryRow, RateRow
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.records import RunContext
from airflow_provider_faceid.warehouse.results import ResultsRepository
from airflow_provider_faceid.warehouse.sources.prerequisites import Prerequisite, Prerequisites
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import MYSQL, SQLITE
from tests.integration.warehouse.conftest import Home, home
from tests.support.departures import NotedRateLimiter

__all__ = ["home"]

UNLIMITED = {ID_CARD: 0, FACE: 0}
LOG = logging.getLogger("test.batch")


class BriskClock(Clock):
    """The machine's clock, with back-offs a tenth as long."""

    def jitter(self, low: float, high: float) -> float:
        return super().jitter(low, high) / 10


class Bench:
    """
    Runs over one table, which is in the warehouse or, given a source, in another database.

    :ivar url: where calls go; the simulator unless a test says otherwise.
    :ivar state: the state store.
    :ivar clock: the engine's clock.
    :ivar left: when the pace let calls go.
    """

    def __init__(
        self, server: SimulatorServer, home: Home, state: StateStore, source: Home | None = None
    ) -> None:
        self.server, self.home, self.url = server, home, server.url
        self.source = source or home
        self.state = state
        self.clock: Clock = BriskClock()
        self.left: list[float] = []

    @property
    def people(self) -> list[Person]:
        """People who do not stop a run, special ones first."""
        return [
            person
            for person in self.server.account.people.listed
            if not (person.persona and stops_a_run(person))
        ]

    @property
    def ordinary(self) -> list[Person]:
        """People who match."""
        return [person for person in self.server.account.people.listed if not person.persona]

    def special(self, code: str, action: str = ID_CARD) -> Person:
        """Return the person who is answered a code."""
        return next(
            person
            for person in self.server.account.people.listed
            if person.persona and person.persona.codes[action] == code
        )

    def photo(self, person: Person) -> bytes:
        """Return the picture to send."""
        return self.server.account.gallery.submitted(person)

    def fill(
        self, rows: Sequence[Sequence[Any]], photo: str = "TEXT", number: str = "TEXT"
    ) -> None:
        """Make the table ``people`` of rows ``(id, id_card, name[, photo])``."""
        if self.source.dialect is MYSQL:
            photo = f"LONG{photo}"  # its TEXT and BLOB hold 64 KiB
        self.source.run(
            f"CREATE TABLE people (id INTEGER, id_card {number}, name TEXT, photo {photo})"
        )
        self.source.run(
            "INSERT INTO people VALUES (?, ?, ?, ?)", [(*row, None)[:4] for row in rows]
        )

    def fill_with(self, people: Sequence[Person]) -> None:
        """Make the table of people, numbered from 1."""
        self.fill([(key, p.id_card, p.name) for key, p in enumerate(people, 1)])

    def settings(self, **changes: Any) -> Settings:
        """Return the settings of an account that is not held back."""
        usual = {
            "credentials": Credentials("simulator-id", "simulator-key"),
            "url": self.url,
            "quotas": {ID_CARD: 2000, FACE: 2000},
            "timeout": 10.0,
            "outage_patience": 2.0,
        }
        return Settings(**usual | changes)

    def store(
        self, campaign: str = "c", action: str = ID_CARD, valid_for: float | None = None
    ) -> ResultsRepository:
        """Return the tables of a campaign."""
        work = RunContext(campaign, action, "run", dag_id="dag", source="here:people")
        return ResultsRepository(self.home.open(), work, self.clock, valid_for=valid_for)

    def batch(
        self,
        action: str = ID_CARD,
        *,
        campaign: str = "c",
        columns: Columns | None = None,
        source: str = "people",
        key: str = "id",
        settings: dict[str, Any] | None = None,
        owner: str = "work",
        valid_for: float | None = None,
        reuse_within: float = 0.0,
        after: str = "",
        row: RateRow | None = None,
        **more: Any,
    ) -> Batch:
        """Return a run that has not started, of the rows with a match by another Action if named."""
        account = self.settings(**settings or {})
        here, earlier = self.source.open(), None
        if after:
            warehouse = here if self.source is self.home else self.home.open()
            earlier = Prerequisites(warehouse, "faceid_results", campaign, [Prerequisite(after)])
        photo = "photo" if action == FACE else ""
        return Batch(
            action=ACTIONS[action],
            source=Source(here, source, key, prerequisites=earlier),
            columns=columns or Columns({"IdCard": "id_card", "Name": "name"}, photo),
            store=self.store(campaign, action, valid_for),
            settings=account,
            pace=NotedRateLimiter(
                row or MemoryRow(self.clock),
                account.rate(action),
                note=self.left.append,
                now=self.clock.now,
            ),
            ledger=Ledger(self.state, owner, reuse_within=reuse_within),
            clock=self.clock,
            log=LOG,
            **more,
        )

    def run(self, *parts: Any, **more: Any) -> dict[str, Any]:
        """Run and return the manifest."""
        return self.batch(*parts, **more).run().as_dict()

    def fail(self, kind: type[FaceIdError], *parts: Any, **more: Any) -> tuple[FaceIdError, Any]:
        """Run, expect an error, and return it with the manifest so far."""
        batch = self.batch(*parts, **more)
        with pytest.raises(kind) as caught:
            batch.run()
        return caught.value, batch.manifest.as_dict()

    def calls(self) -> list[dict[str, Any]]:
        """Return what the service saw."""
        return list(self.server.account.ledger.rows())

    def called(self) -> Counter[str]:
        """Return calls by ID number."""
        return Counter(str(call["id_card"]) for call in self.calls())

    def results(self, campaign: str = "c", columns: str = "status, outcome") -> dict[str, Any]:
        """Return what stands in the result table, by key."""
        rows = self.home.query(
            f"SELECT source_key, {columns} FROM faceid_results WHERE campaign = '{campaign}'"
        )
        return {key: values[0] if len(values) == 1 else tuple(values) for key, *values in rows}

    def quarantine(self, campaign: str = "c") -> list[tuple[str, str, str]]:
        """Return key, rule and stage of what stands in quarantine."""
        return sorted(
            self.home.query(
                f"SELECT source_key, rule, stage FROM faceid_quarantine WHERE campaign = '{campaign}'"
            )
        )

    def runs(self, columns: str) -> list[tuple[Any, ...]]:
        """Return the run table, oldest first."""
        return self.home.query(f"SELECT {columns} FROM faceid_runs ORDER BY started_at")

    def check(self, manifest: dict[str, Any], action: str = ID_CARD, campaign: str = "c") -> None:
        """Assert that every row is in one place (I1) and the counts are the service's own (I5)."""
        keys = {str(key) for (key,) in self.source.query("SELECT id FROM people")}
        results, bad = self.results(campaign), {row[0] for row in self.quarantine(campaign)}
        assert results.keys() | bad == keys
        assert results.keys() & bad == set()
        places = Counter(status for status, _ in results.values())
        assert manifest["rows_in"] == len(keys)
        assert manifest["answered"] == places["answered"] == sum(manifest["outcomes"].values())
        assert manifest["postponed"] == places["postponed"]
        assert manifest["held"] == places["held"]
        assert manifest["quarantined"] == len(bad) == sum(manifest["quarantined_by_rule"].values())
        self.check_counts(manifest, action)

    def check_counts(self, manifest: dict[str, Any], action: str = ID_CARD) -> None:
        """Assert that calls, charged and throttled ones are those of the service's ledger."""
        calls = [call for call in self.calls() if call["action"] == action]
        assert manifest["calls"] == len(calls)
        assert manifest["charged"] == self.server.account.ledger.bill[action]
        assert manifest["throttled"] == sum(
            call["error"] == "RequestLimitExceeded" for call in calls
        )


def stops_a_run(person: Person) -> bool:
    """Say whether asking about a person answers as a broken account would."""
    return any(code_row(a, code).step is Step.FATAL for a, code in person.persona.codes.items())


@pytest.fixture(scope="session")
def running() -> Iterator[SimulatorServer]:
    with SimulatorServer(people=700, quotas=UNLIMITED) as server:
        yield server


@pytest.fixture
def server(running: SimulatorServer) -> SimulatorServer:
    """One server for all tests, fresh and without quotas for each of them."""
    running.account.reset()
    running.account.windows.quotas.update(UNLIMITED)
    return running


@pytest.fixture
def state(tmp_path) -> Iterator[StateStore]:
    """A state store of its own."""
    store = StateStore(f"sqlite:///{tmp_path / 'state.sqlite'}")
    yield store
    store.close()


@pytest.fixture
def bench(server: SimulatorServer, home: Home, state: StateStore, tmp_path) -> Iterator[Bench]:
    """A bench on each of the databases in turn; one that is no source has a file of SQLite beside it."""
    if home.dialect.is_source:
        yield Bench(server, home, state)
        return
    source = Home(SQLITE, str(tmp_path / "source.sqlite"), sqlite3.connect)
    yield Bench(server, home, state, source)
    source.close()


@pytest.fixture
def sqlite_bench(server: SimulatorServer, tmp_path, state: StateStore) -> Iterator[Bench]:
    """A bench on SQLite, for what has nothing to do with the database."""
    home = Home(SQLITE, str(tmp_path / "here.sqlite"), sqlite3.connect)
    yield Bench(server, home, state)
    home.close()


class Stub:
    """An endpoint that gives one answer to everything and counts."""

    def __init__(
        self, body: bytes, status: int = 200, media_type: str = "application/json"
    ) -> None:
        stub, self.calls = self, 0
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    stub.calls += 1
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop and close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stub() -> Iterator[Callable[..., Stub]]:
    """Make endpoints; all are stopped when the test ends."""
    stubs: list[Stub] = []

    def make(*parts: Any) -> Stub:
        stubs.append(Stub(*parts))
        return stubs[-1]

    yield make
    for one in stubs:
        one.stop()
