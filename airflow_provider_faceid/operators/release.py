"""The operator for held rows: a person has decided that they shall be called again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..exceptions import ConfigurationError
from ..frames import without_frames
from ..task_context import default_campaign
from .common import check_choice, work_of
from .recovery import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class FaceIdReleaseOperator(BaseOperator):
    """
    Release rows that are held because they may have been charged without an answer.

    It makes no call: released rows are ``postponed``, and the next run of their campaign calls for
    them, whatever its ``on_in_doubt``. Nearly all held rows were charged, so this pays again for
    most of them; look up their moments in the bill first if that matters.

    :param action: the API Action whose rows are meant.
    :param warehouse_conn_id: connection of the result table.
    :param result_table: the result table (templated).
    :param campaign: campaign of the rows (templated); the DAG id if not given.
    :param source_keys: keys of the rows to release (templated); all held ones if not given.
    :return: through XCom, how many were released.
    """

    template_fields: Sequence[str] = ("result_table", "campaign", "source_keys")
    ui_color = "#fef7e0"

    def __init__(
        self,
        *,
        action: str,
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        campaign: str | None = None,
        source_keys: Sequence[str | int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.campaign = campaign
        self.source_keys = source_keys

    @without_frames
    def execute(self, context: Context) -> int:
        """Release the rows and return how many they were."""
        from ..hooks.sql import database  # noqa: PLC0415 - the same
        from ..service.actions import ACTIONS  # noqa: PLC0415 - the same
        from ..warehouse.migrations import Names  # noqa: PLC0415 - the same
        from ..warehouse.results import ResultsRepository  # noqa: PLC0415 - the same

        campaign = self.campaign or default_campaign(context)
        keys = None if self.source_keys is None else list(map(str, self.source_keys))
        with airflow_errors():
            check_choice("action", self.action, ACTIONS)
            warehouse = database(self.warehouse_conn_id)
            repository = ResultsRepository(
                warehouse,
                work_of(context, campaign, self.action),
                SYSTEM_CLOCK,
                names=Names(results=self.result_table),
            )
            try:
                if not warehouse.columns(self.result_table):
                    raise ConfigurationError(
                        f"Connection '{self.warehouse_conn_id}' has no such table: "
                        f"{self.result_table}. Name the result table of the batch operator"
                    )
                repository.open()
                released = repository.release(keys)
            finally:
                warehouse.close()
        self.log.info("Released %d held rows of campaign %s", released, campaign)
        return released
