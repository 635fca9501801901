"""The plan of a sharded run: a source cut into ranges of keys, one for each mapped task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from ..api.id_card import birth_date_fits, normalise, province_fits
from ..clock import SYSTEM_CLOCK, beijing_date
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import read_parameters
from .error_mapping import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

LIKE_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{17}[0-9X](?![0-9])")


class FaceIdShardsOperator(BaseOperator):
    """
    Cut a table of people into shards, to be verified by several mapped tasks at once.

    Each shard is a range of keys, and all have equally many rows. Together they cover every key
    once; a row that appears later is in the range its key belongs to. The whole source is inspected
    first, so that a shard need not ask whether the key names every row.

    One shard per worker is enough, 2 to 8 in most cases: all of them share the account's pace, and
    one task alone can hold the quota. Only keys where shards meet go to XCom.

    :param source_conn_id: connection of the source table: SQLite, PostgreSQL or DuckDB (templated).
    :param source: table, with a schema if there is a dot; a ``SELECT``; or a ``.sql`` file that holds one
        (templated).
    :param key_column: column that names a row: unique, never NULL, and nobody's ID number
        (templated).
    :param shards: how many shards; a source of fewer rows has fewer (templated).
    :param min_rows: a source of fewer rows is an error (templated). With 0, the default, an empty
        source has one shard.
    :return: through XCom, a list for ``.expand(shard=plan.output)`` of the batch operators.
    """

    template_fields: Sequence[str] = (
        "source_conn_id",
        "source",
        "key_column",
        "shards",
        "min_rows",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str = "id",
        shards: int = 4,
        min_rows: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key_column = key_column
        self.shards = shards
        self.min_rows = min_rows

    @without_frames
    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - Airflow's form
        """Cut the source and return its shards."""
        with airflow_errors():
            read_parameters(self, "source_conn_id", "source")
            shards = self._plan()
        self.log.info("Cut into %s", counted(len(shards), "shard"))
        return shards

    def _plan(self) -> list[dict[str, Any]]:
        from ..hooks.state_store import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.source import Source  # noqa: PLC0415 - the same

        source = Source(database(self.source_conn_id), self.source, self.key_column)
        try:
            shards = source.cut(source.inspect([], self.min_rows), self.shards)
        finally:
            source.database.close()
        today = beijing_date(SYSTEM_CLOCK.now())
        if any(_names_a_person(str(shard.until), today) for shard in shards):
            raise ConfigurationError(
                f"Column '{self.key_column}' holds ID numbers, and the keys where shards meet "
                "would be stored in Airflow's database. Name another unique column"
            )
        return [shard.as_json() for shard in shards]


def _names_a_person(key: str, today: date) -> bool:
    """Say whether there is an ID number in a key; a wrong check digit would not hide whose."""
    return any(
        province_fits(number) and birth_date_fits(number, today)
        for number in LIKE_ID_NUMBER.findall(normalise(key))
    )
