"""Checks of a warehouse: reachable, writable, tables and views of this version, one hash key, prices."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

from ... import __version__
from ...api.pseudonyms import hash_key_id
from ...clock import SYSTEM_CLOCK, beijing_date
from ...exceptions import ConfigurationError, FaceIdError, WarehouseError
from ...warehouse.names import Names
from ...warehouse.sql.database import DUCKDB, SQLITE, Database
from ...warehouse.sql.identifiers import beside
from ...warehouse.table_states import TableState, missing_views, table_states
from ...warehouse.views.views import VERSIONS, is_newer
from ..readers import Warehouse, sqlite_path
from ..state_store import spread_executors
from ..warehouses import database
from .problems import Finding, found, found_wrong
from .subject import NotExaminedError, Subject

RUNS_LOOKED_AT = 500
LATEST_RUNS, LEAST_CALLS, MOST_REFUSED = 20, 100, 0.05
"""Runs whose refusals count, calls they need together, and the share of refusals that is no accident."""
CAMPAIGNS_SHOWN = 3
_OURS = (TableState.CURRENT, TableState.OLD)
_CHINESE = "测试"


def check_no_warehouse(_: Subject) -> Iterator[Finding]:
    """
    Say that no warehouse was examined.

    :raises NotExaminedError: always.
    """
    raise NotExaminedError("none is named, here or in [faceid] pages_warehouses")


def check_warehouse(subject: Subject, warehouse: Warehouse) -> Iterator[Finding]:
    """Look at one warehouse; nothing is made or changed there."""
    conn_id = warehouse.conn_id
    if subject.connection(conn_id) is None:
        yield found("warehouse_connection_wrong", message=f"Connection '{conn_id}' does not exist")
        return
    try:
        base = database(conn_id)
    except ConfigurationError as error:
        yield found_wrong("warehouse_connection_wrong", "warehouse", error)
        return
    yield from _place(base)
    path = _file_of(subject, base)
    if path is not None and not path.exists():  # opening it would make it
        yield from _new_file(conn_id, path)
        return
    try:
        yield from _tables(subject, base, warehouse.names)
    except ConfigurationError as error:
        yield found_wrong("warehouse_connection_wrong", "warehouse", error)
    except WarehouseError as error:
        is_busy = base.dialect is DUCKDB and "Conflicting lock" in str(error)
        name = "warehouse_busy" if is_busy else "warehouse_away"
        yield found(name, message=error, conn_id=conn_id)
    finally:
        base.close()


def _file_of(subject: Subject, base: Database) -> Path | None:
    """Return the file of a database that is one."""
    if base.dialect is SQLITE:
        return sqlite_path(base.label)
    host = str(subject.connection(base.label).host or "") if base.dialect is DUCKDB else ""
    return Path(host) if host and ":" not in host else None


def _place(base: Database) -> Iterator[Finding]:
    spread = [] if base.dialect.is_server else spread_executors()
    if spread:
        yield found("warehouse_on_one_host", executors=" and ".join(spread), conn_id=base.label)


def _new_file(conn_id: str, path: Path) -> Iterator[Finding]:
    if not path.parent.is_dir():
        message = f"Connection '{conn_id}': the folder {path.parent} is not there on this host"
        yield found("warehouse_away", message=message, conn_id=conn_id)


def _tables(subject: Subject, base: Database, names: Names) -> Iterator[Finding]:
    conn_id = base.label
    if base.dialect.is_lost and base.rows(base.dialect.is_lost):
        message = f"Connection '{conn_id}' is a database in memory: what is written there is lost"
        yield found("warehouse_connection_wrong", message=message)
        return
    states = table_states(base, names)

    def of(state: TableState) -> list[str]:
        return [name for name, (one, _) in states.items() if one is state]

    for name in of(TableState.FOREIGN):
        lacking = ", ".join(sorted(states[name][1])[:10])
        yield found("tables_foreign", table=name, conn_id=conn_id, columns=lacking)
    if newer := of(TableState.NEWER):
        message = f"Tables behind connection '{conn_id}' are of a newer version: {', '.join(newer)}"
        yield found("tables_newer", message=message)
    if old := of(TableState.OLD):
        yield found("tables_old", conn_id=conn_id, tables=", ".join(old))
    there = {name: one is TableState.CURRENT for name, (one, _) in states.items() if one in _OURS}
    yield from _writing(base, names.results, there, creates=bool(of(TableState.MISSING)))
    if not base.holds(_CHINESE):
        yield found("encoding_narrow", conn_id=conn_id)
    if of(TableState.CURRENT) == list(states):
        if views := missing_views(base, names):
            yield found("views_missing", conn_id=conn_id, views=", ".join(views))
        yield from _provider(base, names)
        yield from _too_fast(base, names)
        yield from _hash_keys(subject, base, names)
        yield from _prices(base, names)


def _writing(
    base: Database, results: str, there: Mapping[str, bool], *, creates: bool
) -> Iterator[Finding]:
    """
    Write nothing into tables that are there, which takes the rights to; make a table and roll that back.

    :param there: whether a table has all of today's columns, by its name.
    """

    def write() -> None:
        with base.transaction("testing the rights to write") as cursor:
            for name, is_current in there.items():
                for statement in base.dialect.rights:
                    if is_current or "updated_at" not in statement:
                        cursor.execute(statement.format(base.dialect.quote_table(name)), ())

    rights = "INSERT, UPDATE, DELETE and SELECT on the tables"
    if not (yield from _tried(base, write, rights)):
        return
    if creates and base.dialect.has_transactional_ddl:
        making = partial(_make_nothing, base, results)
        yield from _tried(base, making, "the right to create tables")


def _tried(base: Database, work: Callable[[], None], rights: str) -> Generator[Finding, None, bool]:
    """Do some work; return whether it could be done."""
    try:
        work()
    except WarehouseError as error:
        if error.is_transient:
            raise
        reason = str(error).partition(" failed: ")[2] or str(error)
        yield found("warehouse_read_only", conn_id=base.label, reason=reason, rights=rights)
        return False
    return True


class _UndoError(FaceIdError):
    """Rolls a transaction back."""


def _make_nothing(base: Database, results: str) -> None:
    """Make a table beside the result table, and roll that back."""
    name = beside(results, f"faceid_doctor_{uuid.uuid4().hex[:8]}")
    table = base.dialect.quote_table(name)
    with suppress(_UndoError), base.transaction("testing the right to create tables") as cursor:
        cursor.execute(f"CREATE TABLE {table} (n INTEGER)", ())
        raise _UndoError("nothing is to stay")


def _provider(base: Database, names: Names) -> Iterator[Finding]:
    """Compare the version of this provider with those that made the tables and views."""
    table = base.dialect.quote_table(beside(names.results, VERSIONS.name))
    versions = [
        version
        for (version,) in base.rows(f"SELECT DISTINCT provider_version FROM {table}")  # noqa: S608 - quoted
        if version and is_newer(version)
    ]
    if versions:
        version = max(versions)
        yield found("provider_older", conn_id=base.label, version=version, own=__version__)


def _too_fast(base: Database, names: Names) -> Iterator[Finding]:
    """Look how many calls of the latest runs were refused as too fast."""
    table = base.dialect.current.format(base.dialect.quote_table(names.runs))
    rows = base.rows(
        f"SELECT action, calls, throttled FROM {table} WHERE calls > 0 "  # noqa: S608 - quoted
        f"ORDER BY started_at DESC LIMIT {LATEST_RUNS}"
    )
    calls, refused = (sum(int(row[at] or 0) for row in rows) for at in (1, 2))
    if calls >= LEAST_CALLS and refused > MOST_REFUSED * calls:
        actions = sorted({action for action, _, throttled in rows if throttled})
        share = f"{100 * refused / calls:.0f}"
        facts = {"conn_id": base.label, "actions": ", ".join(actions)}
        yield found("quota_exceeded", share=share, **facts)


def _hash_keys(subject: Subject, base: Database, names: Names) -> Iterator[Finding]:
    """Compare the hash key with those of the latest runs, of which the run table has an id."""
    try:
        present = hash_key_id(subject.settings.hmac_key)
    except (ConfigurationError, NotExaminedError):  # the check of the connection reports it
        return
    table = base.dialect.current.format(base.dialect.quote_table(names.runs))
    rows = base.rows(
        f"SELECT campaign, action, hash_key_id FROM {table} WHERE hash_key_id IS NOT NULL "  # noqa: S608 - quoted
        f"ORDER BY started_at DESC LIMIT {RUNS_LOOKED_AT}"
    )
    keys: dict[tuple[str, str], list[str]] = {}
    for campaign, action, key in rows:
        keys.setdefault((campaign, action), []).append(key)
    facts = {"conn_id": base.label, "faceid": subject.named.faceid}
    if turns := [scope for scope, ids in keys.items() if _changes(ids) > 1]:
        yield found("hash_keys_alternate", campaigns=_campaigns(turns), **facts)
    elif keys and all(ids[0] != present for ids in keys.values()):
        yield found("hash_key_changed", campaigns=_campaigns(list(keys)), **facts)


def _changes(ids: list[str]) -> int:
    return sum(one != other for one, other in pairwise(ids))


def _campaigns(scopes: list[tuple[str, str]]) -> str:
    shown = [f"campaign '{campaign}' ({action})" for campaign, action in scopes[:CAMPAIGNS_SHOWN]]
    more = len(scopes) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _prices(base: Database, names: Names) -> Iterator[Finding]:
    """Compare the prices with the Actions that were charged in the last days."""
    dialect = base.dialect
    prices, runs = (
        dialect.current.format(dialect.quote_table(name)) for name in (names.prices, names.runs)
    )
    rows = base.rows(f"SELECT action, currency, valid_to FROM {prices}")  # noqa: S608 - quoted
    if not rows:
        return
    facts = {"table": names.prices, "conn_id": base.label}
    today = beijing_date(SYSTEM_CLOCK.now()).isoformat()
    valid = {action for action, _, to in rows if to is None or str(to)[:10] >= today}
    priced = {action for action, _, _ in rows}
    charged = {
        action
        for (action,) in base.rows(f"SELECT DISTINCT action FROM {runs} WHERE charged > 0")  # noqa: S608 - quoted
    }
    if bare := sorted({action for action, currency, _ in rows if not (currency or "").strip()}):
        yield found("price_currency", actions=", ".join(bare), **facts)
    if expired := sorted(priced - valid):
        yield found("price_expired", actions=", ".join(expired), **facts)
    if missing := sorted(charged - priced):
        yield found("price_missing", actions=", ".join(missing), **facts)
