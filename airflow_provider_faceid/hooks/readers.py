"""What is read by pages and commands: configured warehouses, a state store; nothing is made that is not there."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..exceptions import ConfigurationError, unknown
from ..warehouse.names import Names
from ..warehouse.sql.database import SQLITE, Database
from .state_store import DEFAULT_FILE, option, state_url
from .warehouses import database

STORE = "state store"
"""Label of the default state store, which has no connection."""
_FIELDS = ("conn_id", "result_table", "quarantine_table", "run_table")


class Warehouse(NamedTuple):
    """
    A warehouse of the configuration.

    :param conn_id: Airflow connection.
    :param names: of the tables.
    """

    conn_id: str
    names: Names


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


class MissingFileError(ConfigurationError):
    """A SQLite file is not there, and reading it must not make it."""


def state_database(conn_id: str) -> Database:
    """
    Return the database of a state store for :mod:`~..warehouse.state_overview`.

    :param conn_id: its connection; empty for the default file.
    :raises MissingFileError: it is a file that is not there.
    :raises ConfigurationError: it is no connection of a state store.
    """
    if not conn_id:
        return _default_store()
    state_url(conn_id)  # refuses what workers would refuse
    found = database(conn_id)
    refuse_missing_file(found)
    return found


def refuse_missing_file(base: Database) -> None:
    """
    Make sure that opening a SQLite file does not make it.

    :raises MissingFileError: it is not there.
    """
    path = sqlite_path(base.label) if base.dialect is SQLITE else None
    if path is not None and not path.exists():
        raise MissingFileError(
            f"The SQLite file of connection '{base.label}' is not there yet, or not on this host"
        )


def sqlite_path(conn_id: str) -> Path | None:
    """Return the file of a SQLite connection; None for one in memory, and without a connection."""
    from airflow.sdk import BaseHook  # noqa: PLC0415 - tests of the reader have no connections

    if not conn_id or conn_id == STORE:
        return None
    host = str(BaseHook.get_connection(conn_id).host or "")
    path = host.removeprefix("file:").partition("?")[0]
    return Path(path) if path and path != ":memory:" else None


def _default_store() -> Database:
    """
    Return the default state store, opened read-only.

    :raises MissingFileError: it is not there.
    """
    path = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / DEFAULT_FILE
    if not path.exists():
        raise MissingFileError(
            f"There is no {DEFAULT_FILE} in AIRFLOW_HOME of this host: either no call was made yet, or the "
            "state store is elsewhere, see [faceid] state_conn_id"
        )
    return Database(
        lambda: sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True), SQLITE, STORE
    )
