"""Make the files beside this one: what version e3c2574 left in a warehouse and a state store.

Run it in a checkout of that version, with this folder as its argument::

    git worktree add ../old e3c2574
    cd ../old && PYTHONPATH=. python ../airflow-provider-faceid/tests/data/e3c2574/make.py FOLDER

The tests play the statements back into each database and let today's code bring them up to date.
"""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.batch.store import Store, Work
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults.rule import read_rule
from airflow_provider_faceid.simulator.people.personas import FACE, ID_CARD
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.rate_limiter import MemoryRow, SlotRateLimiter
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, SQLITE, Database
from airflow_provider_faceid.warehouse.tables import QUARANTINE, RESULTS, RUNS, create

ROWS = 12
NIGHTS = (
    "dag/2026-11-20 00:00:00+00:00",
    "dag/2026-11-21 00:00:00+00:00",
    "dag/manual__2026-11-22",
)
"""What the default campaigns of that version were called."""


def main(folder: Path) -> None:
    """Run that version over a small table and write down what it leaves."""
    with (
        tempfile.TemporaryDirectory() as home,
        SimulatorServer(people=700, quotas={ID_CARD: 0, FACE: 0}) as server,
    ):
        warehouse, store = Path(home) / "w", StateStore(f"sqlite:///{home}/s")
        people = _fill(warehouse, server)
        for night, campaign in enumerate(NIGHTS):
            if night == 1:  # one row gets no answer and is held
                server.faults.add(read_rule({"effect": "reset_after", "person": people[3]}))
            _run(server, warehouse, store, ID_CARD, campaign)
            server.faults.clear()
        _run(server, warehouse, store, ID_CARD, "spring")
        _run(server, warehouse, store, FACE, "spring")
        store.close()
        (folder / "people.json").write_text(
            json.dumps(_query(warehouse, "SELECT id, id_card, name FROM people"), indent=0) + "\n"
        )
        inserts = [line for line in _dump(warehouse) if line.startswith('INSERT INTO "faceid_')]
        for dialect in (SQLITE, POSTGRESQL, DUCKDB):
            made = [_statement(table, dialect) for table in (RESULTS, QUARANTINE, RUNS)]
            _write(folder / f"create.{dialect.name}.sql", made)
        _write(folder / "rows.sql", inserts)
        _write(folder / "state.sql", [f for f in _dump(Path(home) / "s") if "faceid_" in f])


def _fill(warehouse: Path, server: SimulatorServer) -> list[str]:
    """Make the table of people: ordinary ones, one of a limit, one refused, one bad, one twice."""
    listed = server.account.people.listed
    special = [
        next(p for p in listed if p.special and p.special.codes[action] == code)
        for action, code in (
            (ID_CARD, "-7"),
            (ID_CARD, "-5"),
            (FACE, "FailedOperation.LifePhotoPoorQuality"),
        )
    ]
    people = [p for p in listed if not p.special][: ROWS - 5]
    people += [*special, people[0]]
    photos = [base64.b64encode(server.account.gallery.submitted(p)).decode() for p in people]
    rows = [
        (key, p.id_card, p.name, photo)
        for key, (p, photo) in enumerate(zip(people, photos, strict=True), 1)
    ]
    rows.append((ROWS, "12345", people[0].name, photos[0]))
    with sqlite3.connect(warehouse) as connection:
        connection.execute("CREATE TABLE people (id INTEGER, id_card TEXT, name TEXT, photo TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    return [p.id_card for p in people]


def _run(
    server: SimulatorServer, warehouse: Path, state: StateStore, action: str, campaign: str
) -> None:
    def database() -> Database:
        return Database(lambda: sqlite3.connect(warehouse), SQLITE, "here")

    account = Settings(
        Credentials("simulator-id", "simulator-key"),
        url=server.url,
        quotas={ID_CARD: 2000, FACE: 2000},
    )
    Batch(
        action=ACTIONS[action],
        source=Source(database(), "people", "id"),
        columns=Columns({"IdCard": "id_card", "Name": "name"}, "photo" if action == FACE else ""),
        store=Store(database(), Work(campaign, action, f"run of {campaign}"), SYSTEM_CLOCK),
        settings=account,
        pace=SlotRateLimiter(MemoryRow(SYSTEM_CLOCK), account.rate(action)),
        ledger=Ledger(state, f"{campaign} {action}"),
        clock=SYSTEM_CLOCK,
        log=logging.getLogger("make"),
    ).run()


def _statement(table: Any, dialect: Any) -> str:
    """Return the statement with which that version made a table."""
    said: list[str] = []

    class Cursor:
        def execute(self, sql: str, _: Any = ()) -> None:
            said.append(sql)

        def fetchall(self) -> list[Any]:
            return []

        def close(self) -> None: ...

    class Connection:
        in_transaction = False

        def cursor(self) -> Cursor:
            return Cursor()

        def execute(self, sql: str) -> Cursor:
            del sql
            return Cursor()

        def commit(self) -> None: ...

        def rollback(self) -> None: ...

    create(Database(Connection, dialect, "here"), table, table.name)
    return next(sql for sql in said if sql.startswith("CREATE TABLE")) + ";"


def _query(path: Path, sql: str) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def _write(path: Path, statements: list[str]) -> None:
    path.write_text("\n".join(statements) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
