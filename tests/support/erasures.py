"""A process that forgets a row of a table, and is killed with signal 9 at a named point of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import duckdb
import psycopg

from airflow_provider_faceid.batch import erasure
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.erasure.erasure import Erasure, _Changes
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, SQLITE, Database

POINTS = {
    "the receipt is begun": (Erasure, "write_receipt", 1),
    "calls are erased and not committed": (StateStore, "run", 1),
    "calls are erased": (erasure, "erase_calls", 1),
    "a table is erased and not committed": (_Changes, "erase", 1),
    "tables are erased and not committed": (_Changes, "erase", 4),
    "tables are erased": (Erasure, "erase", 1),
    "a file of the warehouse is rewritten": (Database, "maintain", 1),
    "files of the warehouse are rewritten": (erasure, "rewrite", 1),
    "a file of the state store is rewritten": (StateStore, "maintain", 1),
    "all files are rewritten": (erasure.Forgetting, "_rewrite", 1),
    "all is done": (Erasure, "write_receipt", 2),
}
"""What has just happened when the process dies: whose function has returned how many times."""


def connect_duckdb(address: str) -> Any:
    """Open a file of DuckDB that keeps texts as they are, so that a search of the file finds them."""
    connection = duckdb.connect(address)
    connection.execute("SET force_compression = 'uncompressed'")
    return connection


WAREHOUSES: dict[str, tuple[Any, Callable[[str], Any]]] = {
    SQLITE.name: (SQLITE, sqlite3.connect),
    DUCKDB.name: (DUCKDB, connect_duckdb),
    POSTGRESQL.name: (POSTGRESQL, psycopg.connect),
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(calls: int, work: Callable[..., Any]) -> Callable[..., Any]:
    left = [calls]

    def call(*parts: Any, **more: Any) -> Any:
        result = work(*parts, **more)
        left[0] -= 1
        if not left[0]:
            _die()
        return result

    return call


def _before_commit(run: Callable[..., Any]) -> Callable[..., Any]:
    """Die when the work of a durable transaction is done, and it is not committed."""

    def call(store: StateStore, work: Callable[..., Any], *, durable: bool = False) -> Any:
        return run(store, _dying(1, work) if durable else work, durable=durable)

    return call


def _die_after(seconds: float) -> None:
    time.sleep(seconds)
    _die()


def forget_and_die(dialect: str, address: str, state: str, key: str, point: str) -> None:
    """Forget a key; die at a point, or after so many seconds."""
    if point in POINTS:
        owner, name, calls = POINTS[point]
        whole = getattr(owner, name)
        dying = (
            _before_commit(whole) if (owner, name) == (StateStore, "run") else _dying(calls, whole)
        )
        setattr(owner, name, dying)
    kind, connect = WAREHOUSES[dialect]
    warehouse, store = Database(lambda: connect(address), kind, "here"), StateStore(state)
    if point not in POINTS:
        threading.Thread(target=_die_after, args=[float(point)], daemon=True).start()
    erasure.Forgetting(
        erasure.Request(keys=[key], requested_by="someone"),
        warehouse=warehouse,
        names=Names(),
        store=store,
        settings=Settings(Credentials("simulator-id", "simulator-key")),
        clock=SYSTEM_CLOCK,
    ).run()
