"""The operator for held rows: a person has decided that they shall be called again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import keep_facts, read_parameters, work_of
from ._values import key_text
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context


class FaceIdReleaseOperator(ReportsLineage, BaseOperator):
    """
    Release rows that are held because they may have been charged without an answer.

    It makes no call: released rows are ``postponed``, and the next run of their campaign calls for
    them, whatever its ``on_in_doubt``. Nearly all held rows were charged, so this pays again for
    most of them; look up their moments in the bill first if that matters.

    :param action: the API Action whose rows are meant (templated).
    :param warehouse_conn_id: connection of the result table (templated).
    :param result_table: the result table (templated).
    :param campaign: campaign of the rows (templated); the DAG id if not given.
    :param source_keys: keys of the rows to release, as the result table has them; a key of several columns
        may be a list (templated). All held ones if not given.
    :param on_nothing_released: what to do if there is no such row: ``fail`` the task, because
        campaign, Action or keys are probably not those of the held rows; ``warn`` in the log; or
        ``ignore`` it. Rows that an earlier try has released count (templated).
    :return: through XCom, how many were released, those of an earlier try included.
    """

    template_fields: Sequence[str] = (
        "action",
        "warehouse_conn_id",
        "result_table",
        "campaign",
        "source_keys",
        "on_nothing_released",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fef7e0"
    lineage_kind = "release"

    def __init__(
        self,
        *,
        action: str,
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        campaign: str | None = None,
        source_keys: Sequence[str | int | Sequence[str | int]] | None = None,
        on_nothing_released: Literal["ignore", "warn", "fail"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.campaign = campaign
        self.source_keys = source_keys
        self.on_nothing_released = on_nothing_released

    @without_frames
    def execute(self, context: Context) -> int:
        """Release the rows and return how many they were."""
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.release import nothing_released, release_held  # noqa: PLC0415 - the same

        with airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            campaign = self.campaign or default_campaign(context)
            keys = None if self.source_keys is None else list(map(key_text, self.source_keys))
            work, names = work_of(context, campaign, self.action), Names(results=self.result_table)
            released = release_held(
                database(self.warehouse_conn_id), work, SYSTEM_CLOCK, names=names, keys=keys
            )
            keep_facts(context, {"released": released})
            if not released:
                self._say_nothing_released(nothing_released(work, names, keys))
        self.log.info("Released %s of campaign '%s'", counted(released, "held row"), campaign)
        return released

    def _say_nothing_released(self, sentence: str) -> None:
        """
        Say, or fail because, there is no row to release.

        :raises ConfigurationError: ``on_nothing_released`` is ``fail``.
        """
        message = f"{sentence}, or on_nothing_released='ignore'"
        if self.on_nothing_released == "fail":
            raise ConfigurationError(message)
        if self.on_nothing_released == "warn":
            self.log.warning("%s", message)
