"""The source of a table operator, from its parameters: table or query, columns, shard, earlier verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from ..batch.inputs import Columns
    from ..warehouse.sources.keyset import Shard
    from ..warehouse.sources.source import Source


class HasSource(Protocol):
    """The parameters that say which rows an operator reads, after they were read."""

    source_conn_id: str
    source: str
    key_column: str | Sequence[str]
    warehouse_conn_id: str
    result_table: str
    after: Any


def table_source(
    operator: HasSource, campaign: str, action: str = "", shard: Shard | None = None
) -> Source:
    """
    Return the source an operator reads.

    :param campaign: campaign of the earlier verdicts.
    :param action: the Action that is asked; empty for none.
    :param shard: the keys to read; all of them if not given.
    :raises ConfigurationError: the Action is to be asked after itself.
    """
    from ..hooks.warehouses import database, source_database  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..warehouse.sources.keyset import Shard  # noqa: PLC0415 - the same
    from ..warehouse.sources.prerequisites import Prerequisite, Prerequisites  # noqa: PLC0415 - the same
    from ..warehouse.sources.source import Source  # noqa: PLC0415 - the same

    where, needed = source_database(operator.source_conn_id), None
    if operator.after:
        earlier = [Prerequisite(one["action"], tuple(one["outcomes"])) for one in operator.after]
        if action in {one.action for one in earlier}:
            raise ConfigurationError(
                f"after: {action} cannot come after itself; name the Action of an earlier task"
            )
        is_same = operator.warehouse_conn_id == operator.source_conn_id
        warehouse = where if is_same else database(operator.warehouse_conn_id)
        needed = Prerequisites(warehouse, operator.result_table, campaign, earlier)
    return Source(where, operator.source, operator.key_column, shard or Shard(), needed)


class HasColumns(Protocol):
    """The parameters that say how an operator reads the columns of people's values."""

    action: str
    photo_is_path: bool
    version_column: str | None
    skip_rules: Sequence[str]


def table_columns(operator: HasColumns, by_field: dict[str, str]) -> Columns:
    """
    Return the columns an operator reads its rows from.

    :param by_field: source column by API field, the photo's included.
    :raises ConfigurationError: a rule cannot be switched off.
    """
    from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..api.fields import PHOTO, skipped_rules  # noqa: PLC0415 - the same
    from ..batch.inputs import Columns  # noqa: PLC0415 - the same
    from .photo_files import photo_reader  # noqa: PLC0415 - the same

    field = ACTIONS[operator.action].field_of(PHOTO)
    photo = by_field.pop(field.name, "") if field is not None else ""
    return Columns(
        by_field=by_field,
        photo=photo,
        read_photo=photo_reader() if photo and operator.photo_is_path else None,
        version=operator.version_column or "",
        skip_rules=skipped_rules(operator.skip_rules),
    )
