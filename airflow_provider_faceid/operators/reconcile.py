"""The operator that compares our charges with the vendor's bill, by day, Action and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign
from ..exceptions import ConfigurationError, ReconciliationError, counted
from ..process import without_frames
from ._common import (
    describe_outlets,
    manifest_on_failure,
    read_parameters,
    work_of,
)
from .error_mapping import airflow_errors
from .files import read_file
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from collections import Counter

    from airflow.sdk import Context

    from ..warehouse.reconciliation import BillKey, Difference

SHOWN = 50
"""Differences in the log; all are in the table."""

IN_ERROR = 3
"""Unexplained differences in the error."""


class FaceIdReconcileOperator(ReportsLineage, BaseOperator):
    """
    Compare the charges of the warehouse with the vendor's bill.

    It makes no call. It compares the view of charges with the totals of the bill, for the days from the
    first to the last of the bill: charged calls by day and Action, and by code if the bill has codes. The
    days are the service's (Beijing).

    What differs is logged, and written into ``faceid_reconciliation``, beside the result table. A bill
    above our count is explained by answers of which no page says whether they are billed, and by calls
    in doubt: rows that were sent without an answer. These are in ``faceid_reconciliation_calls`` by
    key. What remains is unexplained: single calls of the hook, calls of others with the same account,
    calls in doubt of rows that were released and have an answer by now, or a mistake.

    :param warehouse_conn_id: connection of the result table (templated).
    :param bill: totals of the bill, a list of dicts with ``day``, ``action``, ``charged`` and, if it has
        codes, ``code`` (templated).
    :param bill_file: path or URL of the bill as a CSV file, in place of ``bill`` (templated). It is read
        as consoles export it: UTF-8 or GB 18030, with commas, tabs or semicolons, with thousands
        separators and lines of totals.
    :param bill_columns: names of the bill's columns by ``day``, ``action``, ``charged`` and ``code``,
        such as ``{"day": "日期"}`` (templated).
    :param bill_action_names: API Action by what the bill calls it (templated).
    :param actions: Actions to compare; all if not given (templated).
    :param result_table: the result table (templated); views and tables are named after it.
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :param on_difference: what to do if something differs that nothing explains: ``fail`` the task,
        ``warn`` in the log, or ``ignore`` it (templated).
    :return: through XCom, counts of days, calls and differences.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "bill",
        "bill_file",
        "bill_columns",
        "bill_action_names",
        "actions",
        "result_table",
        "quarantine_table",
        "run_table",
        "on_difference",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8eaed"
    lineage_kind = "reconcile"

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        bill: Sequence[Mapping[str, Any]] | None = None,
        bill_file: str | None = None,
        bill_columns: Mapping[str, str] | None = None,
        bill_action_names: Mapping[str, str] | None = None,
        actions: Sequence[str] | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        on_difference: Literal["ignore", "warn", "fail"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.bill = bill
        self.bill_file = bill_file
        self.bill_columns = bill_columns
        self.bill_action_names = bill_action_names
        self.actions = actions
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.on_difference = on_difference

    @without_frames
    def execute(self, context: Context) -> dict[str, int]:
        """Compare, write what differs, and return the counts."""
        counts: dict[str, int] = {}
        with airflow_errors(), manifest_on_failure(context, lambda: counts):
            read_parameters(self, "warehouse_conn_id")
            found, compared = self._compare(context, self._bill())
            counts |= compared
            describe_outlets(context, self.outlets, counts)
            self._report(found, counts)
        return counts

    def _report(self, found: Sequence[Difference], counts: Mapping[str, int]) -> None:
        """
        Log what differs.

        :raises ReconciliationError: something is unexplained, and ``on_difference`` is ``fail``.
        """
        for one in found[:SHOWN]:
            self.log.info("%s", _sentence(one))
        summary = (
            f"{counted(counts['billed'], 'call is', 'calls are')} on the bill of "
            f"{counted(counts['days'], 'day')}, {counts['charged']:,} counted as charged; "
            f"{counted(counts['differences'], 'total differs', 'totals differ')}, "
            f"{counts['unexplained']:,} of them unexplained"
        )
        if counts["unexplained"] and self.on_difference == "fail":
            unexplained = [_sentence(one) for one in found if one.unexplained]
            raise ReconciliationError(f"{summary}. {'; '.join(unexplained[:IN_ERROR])}")
        if counts["unexplained"] and self.on_difference == "warn":
            self.log.warning("%s", summary)
        else:
            self.log.info("%s", summary)

    def _bill(self) -> Counter[BillKey]:
        """Return the totals of the bill."""
        from ..warehouse.reconciliation import bill_of, lines_of_csv  # noqa: PLC0415 - as below

        if (self.bill is None) == (self.bill_file is None):
            raise ConfigurationError("Give the bill either as bill or as bill_file")
        lines: Any = self.bill
        if self.bill_file is not None:
            lines = lines_of_csv(read_file(self.bill_file, "bill_file"))
        bill = bill_of(lines, self.bill_columns, self.bill_action_names)
        wanted = set(self.actions or ())
        chosen = {key: count for key, count in bill.items() if not wanted or key.action in wanted}
        if not chosen:
            raise ConfigurationError("The bill has no lines to compare with")
        bill.clear()
        bill.update(chosen)
        return bill

    def _compare(
        self, context: Context, bill: Counter[BillKey]
    ) -> tuple[list[Difference], dict[str, int]]:
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.migrations import prepare, prepare_reconciliation  # noqa: PLC0415
        from ..warehouse.names import Names  # noqa: PLC0415
        from ..warehouse.reconciliation import (  # noqa: PLC0415
            differences,
            read_charges,
            write_differences,
        )

        days: tuple[date, date] = (min(bill).day, max(bill).day)
        warehouse = database(self.warehouse_conn_id)
        names = Names(self.result_table, self.quarantine_table, self.run_table)
        try:
            if not warehouse.columns(self.result_table):
                raise ConfigurationError(
                    f"Connection '{self.warehouse_conn_id}' has no such table: "
                    f"{self.result_table}. Name the result table of the batch operators"
                )
            prepare(warehouse, names)
            tables = prepare_reconciliation(warehouse, names)
            ours = read_charges(
                warehouse,
                names.beside("charges"),
                names.beside("in_doubt"),
                days,
                self.actions or (),
            )
            found = differences(bill, ours)
            origin = work_of(context, default_campaign(context), "")
            write_differences(warehouse, tables, days, found, context=origin, clock=SYSTEM_CLOCK)
        finally:
            warehouse.close()
        return found, {
            "days": (days[1] - days[0]).days + 1,
            "billed": bill.total(),
            "charged": sum(ours.charged.values()),
            "differences": len(found),
            "explained": sum(not one.unexplained for one in found),
            "unexplained": sum(bool(one.unexplained) for one in found),
            "calls_billed_not_counted": sum(max(0, one.difference) for one in found),
            "calls_counted_not_billed": sum(max(0, -one.difference) for one in found),
            "in_doubt": len(ours.in_doubt),
        }


def _sentence(one: Difference) -> str:
    """Return what differs, without a key."""
    day, action, code = one.key
    reasons = []
    if one.may_be_charged:
        reasons.append(f"{counted(one.may_be_charged, 'answer')} may be charged")
    if one.in_doubt:
        reasons.append(f"{counted(len(one.in_doubt), 'call')} in doubt")
    because = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"{day} {action}{' ' * bool(code)}{code}: {one.billed:,} billed, {one.charged:,} counted, "
        f"difference {one.difference:+,}, unexplained {one.unexplained:+,}{because}"
    )
