"""An Iceberg table of campaigns: the rows of one are replaced in one commit of its catalog."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...clock import SYSTEM_CLOCK, Clock
from .arrow import grouped
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
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table

FILE_ROWS = 50_000
"""Rows that are handed over at once, about 25 MB; those of an Action among them become a file."""


def write_iceberg(
    reader: ExportReader, name: str, identifier: str, options: Options, clock: Clock = SYSTEM_CLOCK
) -> Exported:
    """
    Replace the rows of a campaign in an Iceberg table, which is made if it is not there.

    Columns that the table lacks are added to it, others that it has besides become NULL.

    :param name: of the catalog, as in pyiceberg's own configuration.
    :param identifier: of the table: namespace and name, with a dot between.
    :param options: properties of the catalog.
    :raises ExportError: the table cannot be written.
    """
    from pyiceberg.catalog import load_catalog  # noqa: PLC0415 - comes with the extra export
    from pyiceberg.exceptions import (  # noqa: PLC0415 - the same
        CommitFailedException,
        TableAlreadyExistsError,
        ValidationException,
    )

    with (
        export_errors(reader, identifier, [str(value) for value in options.values()]),
        _system_memory(),
    ):
        catalog = load_catalog(name, **options)
        try:
            return until_committed(
                lambda: _replace(reader, catalog, identifier),
                (CommitFailedException, TableAlreadyExistsError, ValidationException),
                clock=clock,
            )
        finally:
            catalog.close()


@contextmanager
def _system_memory() -> Iterator[None]:
    """Let Arrow take memory from the system: its own pools keep 100 MB more between files."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)


def _replace(reader: ExportReader, catalog: Catalog, identifier: str) -> Exported:
    actions = reader.begin()
    table = _table(reader.schema, catalog, identifier, is_needed=bool(actions))
    if table is None:
        return Exported(reader.rows)
    before = table.current_snapshot()
    condition = _filter(reader.selection)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Delete operation did not match any records")
        with table.transaction() as transaction:
            transaction.delete(condition)
            for rows in grouped(reader.batches(actions), FILE_ROWS):
                transaction.append(rows)
    after = table.current_snapshot()
    if after is None or (before and before.snapshot_id == after.snapshot_id):
        return Exported(reader.rows)
    return Exported(reader.rows, str(after.snapshot_id))


def _table(
    schema: pa.Schema, catalog: Catalog, identifier: str, *, is_needed: bool
) -> Table | None:
    """Return the table with all columns of a schema; make it if it is needed and not there."""
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415 - comes with the extra export

    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        return _made(schema, catalog, identifier) if is_needed else None
    if not set(schema.names) <= {field.name for field in table.schema().fields}:
        with table.update_schema() as update:
            update.union_by_name(schema)
    return table


def _made(schema: pa.Schema, catalog: Catalog, identifier: str) -> Table:
    catalog.create_namespace_if_not_exists(catalog.namespace_from(identifier))
    with (
        catalog.create_table_transaction(identifier, schema) as creation,
        creation.update_spec() as spec,
    ):
        for column in PARTITION:
            spec.add_identity(column)
    return catalog.load_table(identifier)


def _filter(selection: Selection) -> BooleanExpression:
    """Return the condition of the rows that are replaced."""
    from pyiceberg import expressions  # noqa: PLC0415 - comes with the extra export

    terms: Any = expressions  # the types of their constructors are pydantic's, not their own
    condition: BooleanExpression = terms.EqualTo("campaign", selection.campaign)
    if selection.actions:
        condition = terms.And(condition, terms.In("action", set(selection.actions)))
    return condition
