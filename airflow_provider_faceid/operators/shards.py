"""The plan of a sharded run: a source cut into ranges of keys, one for each mapped task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from ..api.id_card import birth_date_fits, normalise, province_fits
from ..clock import SYSTEM_CLOCK, beijing_date
from ..compat import default_campaign
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import read_parameters
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

LIKE_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{17}[0-9X](?![0-9])")


class FaceIdShardsOperator(ReportsLineage, BaseOperator):
    """
    Cut a table of people into shards, to be verified by several mapped tasks at once.

    Each shard is a range of keys, and all have equally many rows. Together they cover every key
    once; a row that appears later is in the range its key belongs to. The whole source is inspected
    first, so that a shard need not ask whether the key names every row.

    One shard per worker is enough, 2 to 8 in most cases: all of them share the account's pace, and
    one task alone can hold the quota. Only keys where shards meet go to XCom.

    :param source_conn_id: connection of the source: SQLite, PostgreSQL, MySQL, MariaDB or DuckDB, which reads
        files, too (templated).
    :param source: table, with a schema if there is a dot, and quoted if a name needs it; a ``SELECT``; a
        ``.sql`` file that holds one; or, on DuckDB, the path of CSV or Parquet files, such as
        ``/data/people/*.parquet`` (templated).
    :param key_column: column that names a row: unique, never NULL, and not an ID number; or a list of
        columns that do so together (templated).
    :param after: Action of an earlier task whose verdict a row needs, or a list of such Actions: rows
        whose current result in the same campaign and result table is not ``answered`` with ``match``
        or ``found`` are as if they were not there. A dict of ``action`` and ``outcomes`` names other
        outcomes (templated). Every row is in a shard if not given.
    :param shards: how many shards; a source of fewer rows has fewer (templated).
    :param min_rows: a source of fewer rows is an error (templated). With 0, the default, an empty
        source has one shard.
    :param warehouse_conn_id: connection of the result table that ``after`` reads; the source's if not
        given (templated).
    :param result_table: where the verdicts of ``after`` are; read only (templated).
    :param campaign: campaign of those verdicts (templated); the DAG id if not given.
    :return: through XCom, a list for ``.expand(shard=plan.output)`` of the batch operators.
    """

    template_fields: Sequence[str] = (
        "source_conn_id",
        "source",
        "key_column",
        "after",
        "shards",
        "min_rows",
        "warehouse_conn_id",
        "result_table",
        "campaign",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#e6f4ea"
    lineage_kind = "shards"

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str | Sequence[str] = "id",
        after: str | dict[str, Any] | Sequence[str | dict[str, Any]] | None = None,
        shards: int = 4,
        min_rows: int = 0,
        warehouse_conn_id: str | None = None,
        result_table: str = "faceid_results",
        campaign: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key_column = key_column
        self.after = after
        self.shards = shards
        self.min_rows = min_rows
        self.warehouse_conn_id = warehouse_conn_id or source_conn_id
        self.result_table = result_table
        self.campaign = campaign

    @without_frames
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Cut the source and return its shards."""
        with airflow_errors():
            read_parameters(self, "source_conn_id", "source")
            self.warehouse_conn_id = self.warehouse_conn_id or self.source_conn_id
            shards = self._plan(self.campaign or default_campaign(context))
        self.log.info("Cut into %s", counted(len(shards), "shard"))
        return shards

    def _plan(self, campaign: str) -> list[dict[str, Any]]:
        from .table_source import table_source  # noqa: PLC0415 - keeps reading a DAG file cheap

        source = table_source(self, campaign)
        try:
            shards = source.cut(source.inspect([], self.min_rows), self.shards)
        finally:
            source.close()
        today = beijing_date(SYSTEM_CLOCK.now())
        if any(_names_a_person(str(shard.until), today) for shard in shards):
            keys = [self.key_column] if isinstance(self.key_column, str) else self.key_column
            named = " or ".join(f"'{column}'" for column in keys)
            raise ConfigurationError(
                f"Column {named} holds ID numbers, and the keys where shards meet "
                "would be stored in Airflow's database. Name another unique column"
            )
        return [shard.as_json() for shard in shards]


def _names_a_person(key: str, today: date) -> bool:
    """Say whether there is an ID number in a key; a wrong check digit would not hide whose."""
    return any(
        province_fits(number) and birth_date_fits(number, today)
        for number in LIKE_ID_NUMBER.findall(normalise(key))
    )
