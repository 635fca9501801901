"""A server that goes away in the middle of a transaction: done once, however often it is tried."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import StateStoreError
from airflow_provider_faceid.state.call_table import Claim, Decision, Record, State
from airflow_provider_faceid.state.identity_limits import Use
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import ConnectionLostError, StateStore
from tests.support.patience import PATIENCE

from .conftest import HOURLY, SleepClock

SOCKET = ".s.PGSQL.5432"
KEYS = ["a" * 40, "b" * 40]


class ShortClock(SleepClock):
    """Its waits are short, and long enough for a server that is slow to see that a line broke."""

    def sleep(self, seconds: float) -> None:
        time.sleep(0.05)
        super().sleep(seconds)


class Line:
    """
    A line to a PostgreSQL server that breaks when it is told to.

    :ivar breaks_at: words of the client at which the line breaks, once.
    :ivar before: whether it breaks before the server hears them; else after it has answered.
    :ivar broken: how often it broke.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.breaks_at, self.before, self.broken = b"", True, 0
        self._server = server
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / SOCKET))
        self._socket.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no further calls."""
        if self._socket.fileno() < 0:
            return
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._server)
            silent = threading.Event()
            back = threading.Thread(
                target=self._carry_back, args=(server, client, silent), daemon=True
            )
            back.start()
            while words := client.recv(65536):
                ends = bool(self.breaks_at) and self.breaks_at in words
                if ends:
                    self.breaks_at = b""
                    self.broken += 1
                    silent.set()
                if not (ends and self.before):
                    server.sendall(words)
                if ends:
                    break
            if ends and not self.before:
                back.join(PATIENCE)  # it ends with the server's answer
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)
            back.join(PATIENCE)

    def _carry_back(
        self, server: socket.socket, client: socket.socket, silent: threading.Event
    ) -> None:
        with suppress(OSError):
            while words := server.recv(65536):
                if silent.is_set():
                    return
                client.sendall(words)


@pytest.fixture
def line(postgres, tmp_path_factory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    made = Line(folder, str(Path(make_url(postgres).query["host"]) / SOCKET))
    made.folder = folder
    yield made
    made.close()


@pytest.fixture
def store(line, postgres_url) -> Iterator[StateStore]:
    """A store at the other end of the line."""
    url = make_url(postgres_url).update_query_dict({"host": str(line.folder)})
    made = StateStore(url, clock=ShortClock())
    yield made
    made.close()


@pytest.fixture
def break_at(line, store):
    """Break the line of a new connection, whose statements the driver still sends as text."""

    def break_at(words: bytes, *, before: bool) -> Line:
        store.close()
        store.run(lambda cursor: cursor.execute("SELECT 1"))  # looks after the tables
        line.breaks_at, line.before = words, before
        return line

    return break_at


@pytest.fixture
def ask(postgres_url):
    """Ask the server on a line of its own."""
    own = StateStore(postgres_url)

    def ask(sql):
        with own.transaction() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    yield ask
    own.close()


MOMENTS = pytest.mark.parametrize(
    "moment",
    [
        (b"UPDATE faceid_tries SET seen_at", True),
        (b"INSERT INTO faceid_calls", False),
        (b"COMMIT\0", True),
        (b"COMMIT\0", False),
    ],
    ids=["at the first statement", "after a claim", "before the end", "after the end"],
)


@MOMENTS
def test_a_step_of_the_ledger_is_made_once(store, ask, break_at, moment):
    ledger = Ledger(store, "work", max_charged=3)
    ledger.begin(0)
    uses = (Use(7, 10, SYSTEM_CLOCK.now() + 1000),)
    line = break_at(moment[0], before=moment[1])
    rulings = ledger.step([], [Claim(key, "1", uses) for key in KEYS])
    assert line.broken == 1
    assert [ruling.decision for ruling in rulings] == [Decision.CALL] * 2
    assert ask("SELECT state, COUNT(*) FROM faceid_calls GROUP BY state") == [("sent", 2)]
    assert ask("SELECT charged, number FROM faceid_tries") == [(2, 0)]
    assert ask("SELECT used FROM faceid_identity_uses") == [(2,)]


@MOMENTS
def test_what_is_given_back_is_given_back_once(store, ask, break_at, moment):
    ledger = Ledger(store, "work", max_charged=3)
    ledger.begin(SYSTEM_CLOCK.now())
    uses = (Use(7, 10, SYSTEM_CLOCK.now() + 1000),)
    ledger.step([], [Claim(KEYS[0], "1", uses)])
    line = break_at(moment[0], before=moment[1])
    ledger.step([Record(KEYS[0], State.FREE, unused=uses)], [Claim(KEYS[1], "2", uses)])
    assert line.broken == 1
    assert ask("SELECT charged FROM faceid_tries") == [(1,)]
    assert ask("SELECT used FROM faceid_identity_uses") == [(1,)]


@pytest.mark.parametrize("before", [True, False], ids=["before the end", "after the end"])
def test_a_try_begins_once(store, ask, break_at, before):
    line = break_at(b"COMMIT\0", before=before)
    ledger = Ledger(store, "work")
    ledger.begin(0)
    assert ledger.step([], [Claim(KEYS[0], "1")])[0].decision is Decision.CALL
    assert line.broken == 1
    assert ask("SELECT number FROM faceid_tries") == [(0,)]


@pytest.mark.parametrize("before", [True, False], ids=["before the end", "after the end"])
def test_slots_are_taken_once(store, break_at, before):
    row = StoredRow(store, "account")
    row.take(HOURLY, 2)
    line = break_at(b"COMMIT\0", before=before)
    second = row.take(HOURLY, 2)
    assert line.broken == 1
    assert row.take(HOURLY, 1).start - second.start == pytest.approx(2 / HOURLY, rel=0.1)


def test_a_server_that_does_not_come_back_is_given_up(store, break_at):
    line = break_at(b"COMMIT\0", before=True)
    tried = []

    def work(cursor):
        cursor.execute("SELECT 1")
        line.close()
        tried.append(cursor)

    with pytest.raises(StateStoreError, match="nothing is sent without it"):
        store.run(work)
    assert len(tried) == line.broken == 1


def test_a_transaction_the_server_knows_nothing_of_is_an_error(store):
    lost = ConnectionLostError("gone", "99999999999")
    with pytest.raises(StateStoreError):
        store._was_committed(store._engine(), lost)
