"""A Delta table of campaigns: the rows of one are replaced in one commit."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

from ...clock import SYSTEM_CLOCK, Clock
from .batches import (
    PARTITION,
    Exported,
    ExportReader,
    Options,
    Selection,
    export_errors,
    until_committed,
)

if TYPE_CHECKING:
    from deltalake import DeltaTable

GROUP_ROWS = 50_000
"""Rows of a row group, which is kept in memory until it is whole."""
_MARK = "faceid.export"
"""Name under which a commit says which export made it."""
_COMMITS_SHOWN = 50
"""Commits among which our own is looked for: others may have committed meanwhile."""


def write_delta(
    reader: ExportReader, url: str, options: Options, clock: Clock = SYSTEM_CLOCK
) -> Exported:
    """
    Replace the rows of a campaign in a Delta table, which is made if it is not there.

    Columns that the table lacks are added to it, others that it has besides become NULL.

    :param url: folder of the table.
    :param options: ``storage_options`` of deltalake.
    :raises ExportError: the table cannot be written.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError  # noqa: PLC0415 - see below

    with export_errors(reader, url, [str(value) for value in options.values()]):
        return until_committed(
            lambda: _replace(reader, url, options),
            (CommitFailedError, DeltaError),
            is_conflict=lambda error: isinstance(error, CommitFailedError) or _is_made(error),
            clock=clock,
        )


def _is_made(error: Exception) -> bool:
    """Say whether another export made the table at the same time."""
    return "already exists" in str(error)


def _replace(reader: ExportReader, url: str, options: Options) -> Exported:
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export
    from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake  # noqa: PLC0415 - the same

    texts = {name: str(value) for name, value in options.items()}
    is_there = DeltaTable.is_deltatable(url, texts)
    mark = token_hex(8)
    commit = CommitProperties(custom_metadata={_MARK: mark})
    written = WriterProperties(compression="ZSTD", max_row_group_size=GROUP_ROWS)
    actions = reader.begin()
    if not actions:
        if is_there:
            DeltaTable(url, storage_options=texts).delete(
                _predicate(reader.selection), commit_properties=commit
            )
    else:
        batches = pa.RecordBatchReader.from_batches(reader.schema, reader.batches(actions))
        if is_there:
            write_deltalake(
                DeltaTable(url, storage_options=texts),
                batches,
                mode="overwrite",
                predicate=_predicate(reader.selection),
                schema_mode="merge",
                commit_properties=commit,
                writer_properties=written,
            )
        else:
            write_deltalake(
                url,
                batches,
                mode="error",
                partition_by=list(PARTITION),
                storage_options=texts,
                commit_properties=commit,
                writer_properties=written,
            )
    table = DeltaTable(url, storage_options=texts) if is_there or actions else None
    return Exported(reader.rows, _version(table, mark) if table else None)


def _version(table: DeltaTable, mark: str) -> str | None:
    for commit in table.history(_COMMITS_SHOWN):
        if commit.get(_MARK) == mark:
            return str(commit["version"])
    return None


def _predicate(selection: Selection) -> str:
    """Return the SQL condition of the rows that are replaced."""

    def literal(text: str) -> str:
        return "'{}'".format(text.replace("'", "''"))

    condition = f"campaign = {literal(selection.campaign)}"
    if selection.actions:
        condition += f" AND action IN ({', '.join(map(literal, selection.actions))})"
    return condition
