"""The operator that makes the views for analysts, and writes the prices they multiply with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import describe_outlets, read_parameters
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context


class FaceIdViewsOperator(ReportsLineage, BaseOperator):
    """
    Make the views for analysts beside the result table, or bring them up to date; write the prices.

    It makes no call. Each run over a table makes the views, too, but goes on if it cannot; this
    operator fails then. A view that is missing is made again, one whose definition has changed is
    replaced. On PostgreSQL a view that others depend on is replaced if it gets further columns only. A
    table or view of yours that has the name of one of ours is left alone, and named in the error.

    :param warehouse_conn_id: connection of the result table (templated).
    :param result_table: the result table (templated); views, history and prices are named after it.
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :param price_list: prices of one charged call, as in your contract (templated): a list of dicts of
        ``action``, ``price``, ``currency``, and the service's first and last day on which it holds,
        ``valid_from`` and ``valid_to``, which may be left out. It replaces all rows of the price
        table; that is left as it is if not given.
    :return: through XCom, how many views and prices there are.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "result_table",
        "quarantine_table",
        "run_table",
        "price_list",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8eaed"
    lineage_kind = "views"

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        price_list: Sequence[Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.price_list = price_list

    @without_frames
    def execute(self, context: Context) -> dict[str, int]:
        """Make the views and write the prices; return how many there are."""
        with airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            made = self._make()
            describe_outlets(context, self.outlets, made)
        self.log.info("%s beside '%s'", counted(made["views"], "view"), self.result_table)
        return made

    def _make(self) -> dict[str, int]:
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.migrations import prepare, refresh_views  # noqa: PLC0415 - the same
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.prices import Price, count_prices, write_prices  # noqa: PLC0415 - the same
        from ..warehouse.views.definitions import VIEWS  # noqa: PLC0415 - the same

        warehouse = database(self.warehouse_conn_id)
        names = Names(self.result_table, self.quarantine_table, self.run_table)
        try:
            prepare(warehouse, names)
            if problems := refresh_views(warehouse, names, look=True):
                listed = "; ".join(f"'{name}': {problem}" for name, problem in problems.items())
                raise ConfigurationError(
                    f"{counted(len(problems), 'view')} could not be made through connection "
                    f"'{self.warehouse_conn_id}': {listed}. Drop views of yours that depend on "
                    "columns that have gone, and run it again"
                )
            if self.price_list is not None:
                prices = [Price(**line) for line in self.price_list]
                write_prices(warehouse, names.prices, prices, SYSTEM_CLOCK)
            return {"views": len(VIEWS), "prices": count_prices(warehouse, names.prices)}
        finally:
            warehouse.close()
