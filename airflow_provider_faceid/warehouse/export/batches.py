"""Export: the rows of a campaign as Arrow record batches, read by keyset, for files and lake tables.

The formats are in :mod:`.parquet`, :mod:`.iceberg` and :mod:`.delta`. Each replaces
what its target has of the campaign, so that an export can be repeated: after a crash, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from ...api.actions import ACTIONS
from ...clock import SYSTEM_CLOCK, Clock
from ...exceptions import ConfigurationError, ExportError, FaceIdError, unknown
from ..names import Names
from ..sql.database import Database, Dialect
from ..tables import CHECKS, HISTORY, QUARANTINE, RESULTS, RUNS, Column, Table
from .arrow import arrow_batch, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

PAGE_ROWS = 10_000
"""Rows that are read at once; a row takes about 2 KB of memory meanwhile."""

CONFLICT_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before an export begins again that lost the race for a commit against another writer."""

PARTITION = ("campaign", "action")
"""Columns by which every format is partitioned."""

TABLES: Mapping[str, tuple[Table, Callable[[Names], str]]] = {
    "results": (RESULTS, lambda names: names.results),
    "history": (HISTORY, lambda names: names.history),
    "quarantine": (QUARANTINE, lambda names: names.quarantine),
    "runs": (RUNS, lambda names: names.runs),
    "checks": (CHECKS, lambda names: names.beside("checks")),
}
"""Tables that can be exported: each has a campaign, and an Action behind it in its key."""


class Exported(NamedTuple):
    """
    What an export wrote.

    :param rows: rows by Action.
    :param version: of the target: the id of an Iceberg snapshot or the version of a Delta table; None if
        the target has no versions, or there was nothing to write and nothing to remove.
    """

    rows: dict[str, int]
    version: str | None = None


@dataclass(frozen=True)
class Selection:
    """
    What is exported: the rows of one campaign, or of some of its Actions.

    :param table: definition of the table.
    :param name: its name in the warehouse.
    :param actions: some Actions; none for all.
    :param other_columns: columns a user added to the table, which are exported as text.
    """

    table: Table
    name: str
    campaign: str
    actions: Sequence[str] = ()
    other_columns: Sequence[str] = ()


class ExportReader:
    """
    Reads the selected rows, a page ahead of what uses them, in a thread of its own.

    Its database is opened, used and closed in that thread: libraries ask for batches in threads of
    theirs.

    :param database: not opened yet.
    :param report: called with the number of rows so far, after each page.
    :ivar columns: the exported columns.
    :ivar rows: rows that were read, by Action.
    :ivar error: the error that ended the reading. A library that reads the batches may replace it by an
        error of its own.
    :raises ConfigurationError: the table is not there, is of an older version, or lacks a column.
    """

    def __init__(
        self,
        database: Database,
        selection: Selection,
        report: Callable[[int], None] | None = None,
    ) -> None:
        self.selection = selection
        self.rows: dict[str, int] = {}
        self.error: FaceIdError | None = None
        self._database, self._report = database, report
        self._thread = ThreadPoolExecutor(1, "faceid-export")
        try:
            self.columns = self._thread.submit(exported_columns, database, selection).result()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and end the thread, when a page that is being read is there."""
        self._thread.submit(self._database.close)
        self._thread.shutdown()

    @property
    def schema(self) -> pa.Schema:
        """Return the schema of the batches."""
        return arrow_schema(self.columns)

    def begin(self) -> list[str]:
        """Begin to read, or begin again; return the Actions that have rows."""
        self.rows, self.error = {}, None
        return self._thread.submit(self._actions).result()

    def batches(self, actions: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """
        Yield the rows of some Actions in pages, ordered by key.

        A page is a statement of its own: rows that are written meanwhile are exported as they are then.

        :raises WarehouseError: the table cannot be read, or a value is not of its column's type.
        """
        try:
            for action in actions:
                yield from self._pages(action)
        except FaceIdError as error:
            self.error = error
            raise

    def _pages(self, action: str) -> Iterator[pa.RecordBatch]:
        key = [column for column in self.selection.table.key if column not in PARTITION]
        read = PageStatement(self._database.dialect, self.selection, self.columns, key)
        schema = self.schema

        def page(behind: list[Any]) -> tuple[pa.RecordBatch | None, list[Any] | None]:
            rows = self._database.rows(*read.behind(action, behind))
            if not rows:
                return None, None
            constants = {"campaign": self.selection.campaign, "action": action}
            batch = arrow_batch(rows, read.columns, schema, constants)
            last = dict(zip(read.columns, rows[-1], strict=True))
            return batch, [last[c] for c in key] if len(rows) == PAGE_ROWS else None

        ahead: Future[tuple[pa.RecordBatch | None, list[Any] | None]] | None
        ahead = self._thread.submit(page, [])
        while ahead is not None:
            batch, position = ahead.result()
            ahead = None if position is None else self._thread.submit(page, position)
            if batch is not None:
                self.rows[action] = self.rows.get(action, 0) + batch.num_rows
                yield batch
                if self._report:
                    self._report(sum(self.rows.values()))

    def _actions(self) -> list[str]:
        marker, quote = self._database.dialect.marker, self._database.dialect.quote
        table = self._database.dialect.quote_table(self.selection.name)
        ours = f"FROM {table} WHERE {quote('campaign')} = {marker} AND {quote('action')}"
        if self.selection.actions:
            statement = f"SELECT 1 {ours} = {marker} LIMIT 1"
            return [
                action
                for action in dict.fromkeys(self.selection.actions)
                if self._database.rows(statement, [self.selection.campaign, action])
            ]
        statement = f"SELECT MIN({quote('action')}) {ours} > {marker}"
        found = [""]
        while True:  # a step of the key's index for each, in place of a pass over all rows
            ((action,),) = self._database.rows(statement, [self.selection.campaign, found[-1]])
            if not action:  # an empty text is what ClickHouse finds in no rows
                return found[1:]
            found.append(action)


class PageStatement:
    """
    The query of one page of an Action's rows behind a position.

    :param columns: the exported columns.
    :param key: columns of the key that are not the same for all rows.
    :ivar columns: those of them that are read: not those of the partition.
    """

    def __init__(
        self,
        dialect: Dialect,
        selection: Selection,
        columns: Mapping[str, Column],
        key: Sequence[str],
    ) -> None:
        self.columns = {name: c for name, c in columns.items() if name not in PARTITION}
        self._dialect, self._campaign, self._key = dialect, selection.campaign, key
        read = (
            dialect.to_text.format(dialect.quote(c))
            if c in selection.other_columns
            else dialect.quote(c)
            for c in self.columns
        )
        self._select = (
            f"SELECT {', '.join(read)} FROM {dialect.quote_table(selection.name)} WHERE "
            f"{dialect.quote('campaign')} = {dialect.marker} "
            f"AND {dialect.quote('action')} = {dialect.marker}"
        )
        self._order = f" ORDER BY {', '.join(map(dialect.quote, key))} LIMIT {PAGE_ROWS}"
        self._behind, self._wanted = self._condition(key)

    def behind(self, action: str, position: Sequence[Any]) -> tuple[str, list[Any]]:
        """
        Return the statement and its parameters.

        :param position: key of the last row of the page before; empty for the first page.
        """
        if not position:
            return self._select + self._order, [self._campaign, action]
        values = [position[at] for at in self._wanted]
        return (
            f"{self._select} AND {self._behind}{self._order}",
            [self._campaign, action, *values],
        )

    def _condition(self, columns: Sequence[str]) -> tuple[str, list[int]]:
        """
        Return the condition of rows behind a position, and which of its values are the parameters.

        ``(a, b) > (?, ?)`` is written out: not every database finds such a place through its index.
        """
        marker, quoted = self._dialect.marker, self._dialect.quote(columns[0])
        if len(columns) == 1:
            return f"{quoted} > {marker}", [0]
        inner, wanted = self._condition(columns[1:])
        condition = f"{quoted} >= {marker} AND ({quoted} > {marker} OR ({inner}))"
        return condition, [0, 0, *(at + 1 for at in wanted)]


def exported_columns(database: Database, selection: Selection) -> dict[str, Column]:
    """
    Return the exported columns: those of the definition, of the Actions it was made for, of the user.

    :raises ConfigurationError: the table is not there, is of an older version, or lacks a column.
    """
    there = database.columns(selection.name)
    if not there:
        raise ConfigurationError(
            f"Connection '{database.label}' has no such table: {selection.name}. Name the tables of "
            "the batch operators"
        )
    table = selection.table
    if missing := [column for column in table.columns if column not in there]:
        raise ConfigurationError(
            f"Table '{selection.name}' (connection '{database.label}') has no column "
            f"'{missing[0]}': it is of an older version. Any run over a table brings it up to date, "
            "and so does FaceIdViewsOperator"
        )
    if table.name in {RESULTS.name, HISTORY.name}:
        own = (one for action in ACTIONS.values() for one in action.result_columns)
        table = table.with_columns_of(one for one in own if one.column in there)
    others = [column for column in selection.other_columns if column not in table.columns]
    if words := unknown(others, there):
        raise ConfigurationError(f"other_columns: table '{selection.name}' has no column {words}")
    return table.columns | {column: Column("text", "of your own") for column in others}


@contextmanager
def export_errors(
    reader: ExportReader, target: str, secrets: Collection[str] = ()
) -> Iterator[None]:
    """
    Raise errors of object stores, catalogs and file formats as errors of ours.

    :param target: path or table, for the message.
    :param secrets: values that must not be part of the message.
    :raises ExportError: the target could not be written.
    """
    try:
        yield
    except FaceIdError:
        raise
    except Exception as error:  # noqa: BLE001 - every library has its own tree of errors
        if reader.error is not None:
            raise reader.error from None
        said = bounded(str(error), secrets)
        raise ExportError(
            f"The export to {target} failed: {type(error).__name__}{said and f' ({said})'}. Readers "
            "find whole rows of an export there; the next try replaces them"
        ) from None


def bounded(text: str, secrets: Collection[str] = ()) -> str:
    """Return the beginning of a library's message on one line, without secrets and query strings."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = re.sub(r"(https?://)[^/\s@]*@", r"\1***@", text)
    text = re.sub(r"\?[^\s'\")]*=[^\s'\")]*", "?***", text)
    return " ".join(text.split())[:MESSAGE_SHOWN]


MESSAGE_SHOWN = 300
"""Characters of a library's message that are shown."""


def until_committed(
    write: Callable[[], T],
    conflicts: tuple[type[Exception], ...],
    *,
    is_conflict: Callable[[Exception], bool] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> T:
    """
    Write, and once more if another writer committed first, a bounded number of times.

    :param conflicts: what the library raises then.
    :param is_conflict: says whether such an error is one.
    """
    for pause in CONFLICT_BACKOFF_SECONDS:
        try:
            return write()
        except conflicts as error:
            if is_conflict and not is_conflict(error):
                raise
        clock.sleep(pause)
    return write()


Options = Mapping[str, Any]
"""Options of a library by name, secrets among them."""
