"""Warehouses that the pages read: from the configuration, in daemon threads of limited time, memoised.

A warehouse that does not answer costs one thread and gives a message; other warehouses are shown.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from ...batch.threads import DaemonThreads
from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import ConfigurationError, FaceIdError, unknown
from ...hooks.state_store import DEFAULT_FILE, option
from ...hooks.warehouses import database
from ...process import safe_message
from ...state.rate_limiter import Rate
from ...warehouse.database import SQLITE, Database
from ...warehouse.names import Names
from ...warehouse.overview import (
    READ_SECONDS,
    Overview,
    Row,
    Run,
    read_keys,
    read_outcomes,
    read_runs,
    read_views,
)

T = TypeVar("T")

WAIT_SECONDS = 8.0
"""For which a page waits for a database, its connecting included."""
RUNS_SECONDS, VIEWS_SECONDS, KEPT = 2.0, 10.0, 200
"""How old may be what is shown of runs, and of views; many readers cost a database what one does."""
THREADS = 8
_FIELDS = ("conn_id", "result_table", "quarantine_table", "run_table")


class Warehouse(NamedTuple):
    """
    A warehouse of the configuration.

    :param conn_id: Airflow connection.
    :param names: of the tables.
    """

    conn_id: str
    names: Names


class Pace(NamedTuple):
    """
    The pace of an account and Action, which all its workers share.

    :param host: of the service.
    :param account: a hash of it.
    :param rate: the row of the state store.
    :param now: when it was read, on the store's clock.
    """

    host: str
    account: str
    action: str
    rate: Rate
    now: float


@dataclass(frozen=True)
class Seen:
    """
    What was read of a warehouse.

    :param problem: why nothing could be read; empty otherwise.
    """

    warehouse: Warehouse
    overview: Overview
    problem: str = ""


def configured() -> list[Warehouse]:
    """
    Return the warehouses of ``[faceid] pages_warehouses``.

    :raises ConfigurationError: it is neither connection ids nor JSON as documented.
    """
    text = option("pages_warehouses").strip()
    if not text.startswith("["):
        return [Warehouse(name.strip(), Names()) for name in text.split(",") if name.strip()]
    wrong = (
        "[faceid] pages_warehouses is connection ids with commas between them, or a JSON list of objects "
        "with conn_id and, if they have other names, result_table, quarantine_table and run_table"
    )
    try:
        listed = json.loads(text)
        return [_warehouse(one) for one in listed]
    except (ValueError, TypeError, KeyError):
        raise ConfigurationError(wrong) from None


def _warehouse(said: Mapping[str, str]) -> Warehouse:
    if words := unknown(sorted(said), _FIELDS):
        raise ConfigurationError(f"[faceid] pages_warehouses: unknown field {words}")
    tables = {name.removesuffix("_table"): said[name] for name in _FIELDS[1:] if name in said}
    kinds = {"result": "results", "quarantine": "quarantine", "run": "runs"}
    return Warehouse(said["conn_id"], Names(**{kinds[kind]: tables[kind] for kind in tables}))


class Reader:
    """
    Reads warehouses and the state store for the pages.

    :param open_database: returns the database of a connection.
    """

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, open_database: Callable[[str], Database] = database
    ) -> None:
        self._clock, self._database = clock, open_database
        self._threads = DaemonThreads(THREADS, "faceid-pages")
        self._lock = threading.Lock()
        self._asking: dict[tuple[Any, ...], Future[Any]] = {}
        self._kept: dict[tuple[Any, ...], tuple[float, Any]] = {}

    def seen(self, warehouse: Warehouse, *, with_views: bool = True) -> Seen:
        """Return what a warehouse holds, with a problem in place of an error."""
        try:
            found: Overview = self._ask(
                warehouse,
                RUNS_SECONDS,
                "runs",
                lambda database: read_runs(database, warehouse.names, self._clock.now()),
            )
            if with_views:
                views: Overview = self._ask(
                    warehouse,
                    VIEWS_SECONDS,
                    "views",
                    lambda database: read_views(database, warehouse.names),
                )
                found = replace(views, runs=found.runs, dags=found.dags)
        except FaceIdError as error:
            return Seen(warehouse, Overview(), str(error))
        return Seen(warehouse, found)

    def outcomes(self, warehouse: Warehouse, run: Run) -> dict[str, int]:
        """Return the rows of a run by outcome; none if they cannot be read."""
        key = (run["campaign"], run["action"], run["run_id"], run["map_index"], run["dag_id"])
        try:
            return self._ask(
                warehouse,
                RUNS_SECONDS,
                ("outcomes", *key),
                lambda database: read_outcomes(database, warehouse.names, run),
            )
        except FaceIdError:
            return {}

    def keys(
        self, warehouse: Warehouse, campaign: str, dags: frozenset[str]
    ) -> tuple[list[Row], list[Row]]:
        """
        Return keys in quarantine and keys that wait, of some DAGs.

        :raises FaceIdError: they cannot be read.
        """
        return self._ask(
            warehouse,
            RUNS_SECONDS,
            ("keys", campaign, dags),
            lambda database: read_keys(database, warehouse.names, campaign, sorted(dags)),
        )

    def paces(self) -> list[Pace]:
        """
        Return the rate limiters of the state store of ``[faceid] state_conn_id``.

        :raises FaceIdError: it cannot be read.
        """
        conn_id = option("state_conn_id")
        store = Warehouse(conn_id, Names())
        return self._ask(store, RUNS_SECONDS, "paces", partial(_paces, clock=self._clock))

    def _ask(
        self, warehouse: Warehouse, seconds: float, what: Any, read: Callable[[Database], T]
    ) -> T:
        """
        Return what is read, or was a moment ago.

        :param seconds: how old it may be.
        :raises FaceIdError: it cannot be read, or takes too long.
        """
        key = (warehouse, what)
        with self._lock:
            at, value = self._kept.get(key, (-seconds, None))
            if self._clock.monotonic() - at < seconds:
                return cast("T", value)
            asking = self._asking.get(key)
            if asking is None or asking.done():
                asking = self._threads.submit(self._read, warehouse, key, read)
                self._asking[key] = asking
        try:
            return cast("T", asking.result(WAIT_SECONDS))
        except TimeoutError:
            raise FaceIdError(
                f"Connection '{warehouse.conn_id}' has not answered within {WAIT_SECONDS:g} s. Its "
                "database may be away or busy; this page asks again when it is loaded again"
            ) from None
        except FaceIdError:
            raise
        except Exception as error:  # noqa: BLE001 - a missing connection, a broken driver
            raise FaceIdError(
                f"Connection '{warehouse.conn_id}' cannot be read: {safe_message(error)}"
            ) from None

    def _read(self, warehouse: Warehouse, key: tuple[Any, ...], read: Callable[[Database], T]) -> T:
        base = self._database(warehouse.conn_id) if warehouse.conn_id else _default_store()
        refuse_missing_file(base)
        value = read(base)
        with self._lock:
            if len(self._kept) >= KEPT:
                self._kept.clear()
                self._asking = {
                    name: asked for name, asked in self._asking.items() if not asked.done()
                }
            self._kept[key] = (self._clock.monotonic(), value)
        return value


def refuse_missing_file(base: Database) -> None:
    """
    Make sure that opening a SQLite file does not make it.

    :raises ConfigurationError: it is not there.
    """
    path = sqlite_path(base.label) if base.dialect is SQLITE else None
    if path is not None and not path.exists():
        raise ConfigurationError(
            f"The SQLite file of connection '{base.label}' is not there yet, or not on this host"
        )


def sqlite_path(conn_id: str) -> Path | None:
    """Return the file of a SQLite connection; None for one in memory, and without a connection."""
    from airflow.sdk import BaseHook  # noqa: PLC0415 - tests of the reader have no connections

    if not conn_id or conn_id == _STORE:
        return None
    host = str(BaseHook.get_connection(conn_id).host or "")
    path = host.removeprefix("file:").partition("?")[0]
    return Path(path) if path and path != ":memory:" else None


_STORE = "state store"


def _default_store() -> Database:
    """
    Return the default state store, opened read-only.

    :raises ConfigurationError: it is not there.
    """
    path = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / DEFAULT_FILE
    if not path.exists():
        raise ConfigurationError(
            f"There is no {DEFAULT_FILE} in AIRFLOW_HOME of this host: either no call was made yet, or the "
            "state store is elsewhere, see [faceid] state_conn_id"
        )
    return Database(
        lambda: sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True), SQLITE, _STORE
    )


def _paces(base: Database, clock: Clock) -> list[Pace]:
    now_sql = "NULL" if base.dialect is SQLITE else "extract(epoch FROM clock_timestamp())"
    with base.reading(READ_SECONDS) as ask:
        rows = ask(
            f"SELECT name, next_at, factor, factor_at, {now_sql} FROM faceid_pace ORDER BY name"  # noqa: S608 - of two texts
        )
    found = []
    for name, next_at, factor, factor_at, now in rows:
        host, account, action = (*str(name).split(" "), "", "", "")[:3]
        moment = clock.now() if now is None else float(now)
        found.append(Pace(host, account, action, Rate(next_at, factor, factor_at), moment))
    return found
