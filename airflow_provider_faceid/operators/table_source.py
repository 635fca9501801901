"""The source of a table operator, from its parameters: table or query, shard, earlier verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from ..warehouse.keyset import Shard
    from ..warehouse.source import Source


class HasSource(Protocol):
    """The parameters that say which rows an operator reads, after they were read."""

    source_conn_id: str
    source: str
    key_column: str
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
    from ..hooks.state_store import database  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..warehouse.keyset import Shard  # noqa: PLC0415 - the same
    from ..warehouse.prerequisites import Prerequisite, Prerequisites  # noqa: PLC0415 - the same
    from ..warehouse.source import Source  # noqa: PLC0415 - the same

    where, needed = database(operator.source_conn_id), None
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
