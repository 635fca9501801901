"""Checks of the state store: reachable, writable, of this version, in a place that all workers share."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import conf

from ...clock import NOTEWORTHY_SKEW_SECONDS, SYSTEM_CLOCK
from ...exceptions import ConfigurationError, WarehouseError
from ...state.schema import MIGRATIONS
from ...warehouse.sql.database import Database
from ..readers import state_database
from ..state_store import DEFAULT_FILE, option, spread_executors, state_url
from .problems import Finding, found, found_wrong
from .subject import NotExaminedError, Subject

READ_SECONDS = 5.0
LOCK_SECONDS = 2.0
"""For which the write lock of a SQLite file is waited for; a step of ours holds it for milliseconds."""
FREE_MB = 500
"""Least free space of the disk with a SQLite store: what a million calls need (docs/reliability.md)."""
_NETWORK_DISKS = ("nfs", "cifs", "smb", "fuse.sshfs", "fuse.s3fs", "9p", "glusterfs", "ceph", "afs")
"""Types of file systems, by their beginnings, on which SQLite's locks or its WAL do not hold."""

_SQLITE_PROBLEMS = {
    "SQLITE_BUSY": "state_busy",
    "SQLITE_CORRUPT": "state_damaged",
    "SQLITE_NOTADB": "state_damaged",
}
"""By the name of SQLite's result code; any other says that it cannot be written."""

Ask = Callable[..., list[tuple[Any, ...]]]


def check_state_store(subject: Subject) -> Iterator[Finding]:
    """Look at the state store without making, migrating or writing anything."""
    conn_id = subject.state_conn_id
    if conn_id and subject.connection(conn_id) is None:
        message = f"The state connection '{conn_id}' does not exist"
        yield found("state_connection_wrong", message=message)
        return
    try:
        path = sqlite_path(conn_id)
    except ConfigurationError as error:
        yield found_wrong("state_connection_wrong", "state_store", error)
        return
    yield from _two_stores(subject)
    yield from _sqlite(path) if path is not None else _postgresql(conn_id)


def sqlite_path(conn_id: str) -> Path | None:
    """
    Return the file of a SQLite store; None if it is PostgreSQL.

    :raises ConfigurationError: the connection is no state store's.
    """
    if not conn_id:
        return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / DEFAULT_FILE
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a while

    url = make_url(state_url(conn_id))
    if url.get_backend_name() != "sqlite":
        return None
    return Path((url.database or "").removeprefix("file:").partition("?")[0])


def _two_stores(subject: Subject) -> Iterator[Finding]:
    try:
        own, general = subject.settings.state_conn_id, option("state_conn_id")
    except (NotExaminedError, ConfigurationError):
        return
    if not subject.named.state and own and general and own != general:
        yield found("state_stores_two", conn_id=subject.named.faceid, own=own, general=general)


def _sqlite(path: Path) -> Iterator[Finding]:
    if spread := spread_executors():
        yield found("state_on_one_host", executors=" and ".join(spread), place=path)
    folder = path.parent
    if not folder.is_dir():
        reason = f"the folder {folder} is not there"
        yield _unwritable(path, reason)
        return
    if (kind := file_system_of(folder)).startswith(_NETWORK_DISKS):
        yield found("state_on_network_disk", place=path, type=kind)
    free = shutil.disk_usage(folder).free // 10**6
    if free < FREE_MB:
        yield found("disk_full", place=path, free=free)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield _unwritable(path, f"the folder {folder} is not writable for this user")
    elif path.exists():
        yield from _sqlite_file(path)


def _sqlite_file(path: Path) -> Iterator[Finding]:
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=LOCK_SECONDS,
            isolation_level=None,
        )
        try:
            connection.execute("BEGIN IMMEDIATE")  # takes the right to write, and writes nothing
            rows = _version(lambda sql: connection.execute(sql).fetchall(), _SQLITE_HAS_VERSION)
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        reason = getattr(error, "sqlite_errorname", type(error).__name__)
        name = _SQLITE_PROBLEMS.get(reason)
        yield found(name, place=path, reason=reason) if name else _unwritable(path, reason)
    else:
        yield from _versions(rows)


def _unwritable(path: Path, reason: str) -> Finding:
    grant = f"owner and mode of {path.parent} and of the files {path.name}*, and a disk that is not mounted read-only"
    return found("state_read_only", place=path, reason=reason, grant=grant)


_SQLITE_HAS_VERSION = (
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'faceid_state_version'"
)
_HAS_VERSION = "SELECT 1 WHERE to_regclass('faceid_state_version') IS NOT NULL"


def _version(ask: Ask, has_version: str) -> int | None:
    """Return the version of a store; None if there is none yet."""
    if not ask(has_version):
        return None
    return int(ask("SELECT COALESCE(MAX(version), 0) FROM faceid_state_version")[0][0])


def _versions(version: int | None) -> Iterator[Finding]:
    known = len(MIGRATIONS)
    if version is not None and version != known:
        name = "state_newer" if version > known else "state_older"
        yield found(name, version=version, known=known)


def _postgresql(conn_id: str) -> Iterator[Finding]:
    base = state_database(conn_id)
    try:
        with base.reading(READ_SECONDS) as ask:
            version = _version(ask, _HAS_VERSION)
            yield from _versions(version)
            yield from _rights(ask, base, version)
            yield from _limits(ask)
            yield from _server_clock(ask)
    except WarehouseError as error:
        yield found("state_away", message=error, conn_id=conn_id)


def _rights(ask: Ask, base: Database, version: int | None) -> Iterator[Finding]:
    ((is_standby, is_read_only, schema, may_create),) = ask(_STANDING)
    reason = grant = ""
    if is_standby or is_read_only == "on":
        reason = "it is a read-only replica" if is_standby else "its transactions are read-only"
        grant = (
            "name the primary server; ALTER ROLE or DATABASE ... SET default_transaction_read_only"
        )
    elif version is None and not may_create:
        reason = (
            f"there is no schema {schema or 'on its search_path'} in which its role may make tables"
        )
        grant = f"GRANT CREATE, USAGE ON SCHEMA {schema or '...'}"
    elif version is not None and (tables := [name for (name,) in ask(_NO_RIGHTS)]):
        reason = f"its role lacks rights on {', '.join(tables)}"
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE on these tables"
    if reason:
        yield found(
            "state_read_only", place=f"of connection '{base.label}'", reason=reason, grant=grant
        )


_STANDING = (
    "SELECT pg_is_in_recovery(), (SELECT reset_val FROM pg_settings WHERE name = "
    "'default_transaction_read_only'), current_schema()::text, "
    "COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE)"
)
_NO_RIGHTS = (
    "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = (SELECT "
    "relnamespace FROM pg_class WHERE oid = to_regclass('faceid_state_version')) AND relname IN "
    "('faceid_pace', 'faceid_identity_uses', 'faceid_tries', 'faceid_calls', 'faceid_uplinks', "
    "'faceid_housekeeping') AND NOT (has_table_privilege(oid, 'SELECT') AND "
    "has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND "
    "has_table_privilege(oid, 'DELETE')) ORDER BY relname"
)


def _limits(ask: Ask) -> Iterator[Finding]:
    tasks = conf.getint("core", "parallelism", fallback=32)
    ((server, role, database),) = ask(_CONNECTION_LIMITS)
    limits = {
        "The server": (server, "max_connections"),
        "The role": (role, "ALTER ROLE ... CONNECTION LIMIT"),
        "The database": (database, "ALTER DATABASE ... CONNECTION LIMIT"),
    }
    known = {who: limit for who, limit in limits.items() if limit[0] >= 0}
    who, (most, how) = min(known.items(), key=lambda limit: limit[1][0])
    if tasks > 0 and most < tasks:
        yield found("state_connections", limit=who, most=most, tasks=tasks, how=how)


_CONNECTION_LIMITS = (
    "SELECT current_setting('max_connections')::int - "
    "current_setting('superuser_reserved_connections')::int, "
    "(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), "
    "(SELECT datconnlimit FROM pg_database WHERE datname = current_database())"
)


def _server_clock(ask: Ask) -> Iterator[Finding]:
    before = SYSTEM_CLOCK.now()
    ((there,),) = ask("SELECT extract(epoch FROM clock_timestamp())::float8")
    ahead = there - (before + SYSTEM_CLOCK.now()) / 2
    if abs(ahead) >= NOTEWORTHY_SKEW_SECONDS:
        way = "ahead of" if ahead > 0 else "behind"
        yield found("database_clock_off", seconds=round(abs(ahead)), way=way)


def file_system_of(folder: Path, mounts: Sequence[str] | None = None) -> str:
    """
    Return the type of the file system a folder is on; empty where the system does not say.

    :param mounts: lines as in ``/proc/self/mounts``; those of this process if not given.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
        except OSError:
            return ""
    there = folder.resolve()
    best, kind = -1, ""
    for line in mounts:
        parts = line.split(" ")
        point = Path(parts[1].encode().decode("unicode_escape", "replace"))
        if there.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), parts[2]
    return kind
