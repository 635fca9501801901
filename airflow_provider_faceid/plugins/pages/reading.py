"""Warehouses that the pages read: from the configuration, in daemon threads of limited time, memoised.

A warehouse that does not answer costs one thread and gives a message; other warehouses are shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast

from ...batch.threads import DaemonThreads
from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import FaceIdError
from ...hooks.readers import Warehouse, refuse_missing_file, state_database
from ...hooks.state_store import option
from ...hooks.warehouses import database
from ...process import safe_message
from ...warehouse.names import Names
from ...warehouse.overview import (
    Overview,
    Row,
    Run,
    check_readers,
    read_keys,
    read_outcomes,
    read_runs,
    read_views,
)
from ...warehouse.review.decisions import Case
from ...warehouse.review.overview import read_cases, read_dags, read_queue
from ...warehouse.sql.database import Database
from ...warehouse.state_overview import Pace, PauseInForce, read_paces, read_pauses

T = TypeVar("T")

WAIT_SECONDS = 8.0
"""For which a page waits for a database, its connecting included."""
RUNS_SECONDS, VIEWS_SECONDS, KEPT = 2.0, 10.0, 200
"""How old may be what is shown of runs, and of views; many readers cost a database what one does."""
THREADS = 8


@dataclass(frozen=True)
class Seen:
    """
    What was read of a warehouse.

    :param problem: why nothing could be read; empty otherwise.
    """

    warehouse: Warehouse
    overview: Overview
    problem: str = ""


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

    def review_queue(self, warehouse: Warehouse) -> tuple[list[Row], dict[str, set[str]]]:
        """
        Return counts of the review queue, and by campaign the DAGs that entered its cases.

        :raises FaceIdError: they cannot be read.
        """
        return self._ask(
            warehouse,
            RUNS_SECONDS,
            "review queue",
            lambda database: (
                read_queue(database, warehouse.names),
                read_dags(database, warehouse.names),
            ),
        )

    def review_cases(self, warehouse: Warehouse, campaign: str, dags: frozenset[str]) -> list[Case]:
        """
        Return the unresolved cases of a campaign that some DAGs entered.

        :raises FaceIdError: they cannot be read.
        """
        return self._ask(
            warehouse,
            RUNS_SECONDS,
            ("cases", campaign, dags),
            lambda database: read_cases(database, warehouse.names, campaign, dags),
        )

    def write(self, warehouse: Warehouse, work: Callable[[Database], T]) -> T:
        """
        Return what some work on a warehouse returns; pages read it anew afterwards.

        :raises FaceIdError: it fails, or takes so long that nobody knows whether it was done.
        """

        def run() -> T:
            base = self._database(warehouse.conn_id)
            refuse_missing_file(base)
            check_readers(base)
            try:
                return work(base)
            finally:
                base.close()

        done = self._threads.submit(run)
        try:
            return done.result(WAIT_SECONDS)
        except TimeoutError:
            raise FaceIdError(
                f"Connection '{warehouse.conn_id}' has not answered within {WAIT_SECONDS:g} s. Load the page "
                "of the case again to see whether it has changed"
            ) from None
        except FaceIdError:
            raise
        except Exception as error:  # noqa: BLE001 - a missing connection, a broken driver
            raise FaceIdError(
                f"Connection '{warehouse.conn_id}' cannot be used: {safe_message(error)}"
            ) from None
        finally:
            with self._lock:
                self._kept = {key: kept for key, kept in self._kept.items() if key[0] != warehouse}

    def paces(self) -> list[Pace]:
        """
        Return the rate limiters of the state store of ``[faceid] state_conn_id``.

        :raises FaceIdError: it cannot be read.
        """
        conn_id = option("state_conn_id")
        store = Warehouse(conn_id, Names())
        return self._ask(store, RUNS_SECONDS, "paces", partial(read_paces, clock=self._clock))

    def pauses(self) -> list[PauseInForce]:
        """
        Return the pauses in force, of the same state store.

        :raises FaceIdError: it cannot be read.
        """
        store = Warehouse(option("state_conn_id"), Names())
        return self._ask(store, RUNS_SECONDS, "pauses", read_pauses)

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
        base = self._database(warehouse.conn_id) if warehouse.conn_id else state_database("")
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
