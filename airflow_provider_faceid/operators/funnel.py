"""The funnel of checks in a row: conversion, cost and savings of each step, in XCom and the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ..compat import default_campaign
from ..exceptions import ConfigurationError
from ..process import without_frames
from ._common import describe_outlets, read_parameters
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..warehouse.funnel import FunnelStep

_COLUMNS = ("step", "reached", "passed", "other", "waiting", "calls", "charged", "cost", "saved")


class FaceIdFunnelOperator(ReportsLineage, BaseOperator):
    """
    Report checks in a row as a funnel: rows of each step, what it cost, and what was saved.

    It makes no call and reads the tables of one campaign: current results and quarantine for the rows,
    all runs for the charges. Counts alone are returned and logged.

    Of each step, ``reached`` is the sum of ``passed``, ``others`` (answers that end the row, by
    outcome), ``postponed``, ``held``, ``quarantined`` (without a result) and ``left`` (no run has
    come to them yet). ``reached`` of the first step is ``reached`` of any step, ``ended_before`` (an
    answer of an earlier step ended the row) and ``waiting_before`` (no answer in an earlier step)
    together.

    ``calls`` are all requests: retries and refused ones, too. ``charged`` are those that are billed,
    whatever they answered, as the pages of the API say; the bill is never below ``charged``, and never
    above ``charged`` and ``charge_unknown`` together. Of a process that was killed, counted in
    ``unfinished_runs``, the answers in the history are counted as charged and the held rows as
    unknown. Charges of single calls are not included.

    ``saved`` is the price of ``saved_rows``: rows that an earlier answer ended, and that were never
    asked about in this step. It is an upper bound: some would have been answered without a charge.

    :param steps: names of the Actions in order, the cheapest first (templated). A dict of ``action``
        and ``outcomes`` in place of a name says which outcomes lead to the next step; ``match`` and
        ``found`` do if not given.
    :param warehouse_conn_id: connection of the result table (templated).
    :param result_table: the result table (templated).
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :param campaign: campaign of the verdicts (templated); the DAG id if not given.
    :param prices: price of one charged call by Action, as in your contract (templated). Money is left
        out of a step without a price, and of the sums if a price is missing.
    :param currency: of the prices, written beside them (templated).
    :return: through XCom, ``steps`` with the counts of each, and their sums.
    """

    template_fields: Sequence[str] = (
        "steps",
        "warehouse_conn_id",
        "result_table",
        "quarantine_table",
        "run_table",
        "campaign",
        "prices",
        "currency",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8eaed"
    lineage_kind = "funnel"

    def __init__(
        self,
        *,
        steps: Sequence[str | dict[str, Any]],
        warehouse_conn_id: str,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        campaign: str | None = None,
        prices: Mapping[str, float] | None = None,
        currency: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.steps = steps
        self.warehouse_conn_id = warehouse_conn_id
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.campaign = campaign
        self.prices = prices
        self.currency = currency

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Read the funnel, log it and return it."""
        with airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            campaign = self.campaign or default_campaign(context)
            steps = self._read(campaign)
        report = self._report(campaign, steps)
        self.log.info("%s", "\n".join(self._table(report)))
        describe_outlets(context, self.outlets, report)
        return report

    def _read(self, campaign: str) -> list[FunnelStep]:
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.funnel import Funnel  # noqa: PLC0415 - the same
        from ..warehouse.migrations import prepare  # noqa: PLC0415 - the same
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.sources.prerequisites import Prerequisite  # noqa: PLC0415 - the same

        given: Any = self.steps
        steps = [Prerequisite(one["action"], tuple(one["outcomes"])) for one in given]
        if not steps or len({step.action for step in steps}) < len(steps):
            raise ConfigurationError("steps: name at least one Action, and each once")
        warehouse = database(self.warehouse_conn_id)
        names = Names(self.result_table, self.quarantine_table, self.run_table)
        try:
            if not warehouse.columns(self.result_table):
                raise ConfigurationError(
                    f"Connection '{self.warehouse_conn_id}' has no such table: "
                    f"{self.result_table}. Name the result table of the batch operators"
                )
            prepare(warehouse, names)
            prices: Any = self.prices or {}
            return list(Funnel(warehouse, names, campaign).read(steps, prices))
        finally:
            warehouse.close()

    def _report(self, campaign: str, steps: Sequence[FunnelStep]) -> dict[str, Any]:
        found = [step.as_dict() for step in steps]

        def total(name: str) -> float | None:
            amounts = [step[name] for step in found]
            return None if None in amounts else round(sum(amounts), 6)

        return {
            "campaign": campaign,
            "currency": self.currency or "",
            "rows": steps[0].reached,
            "passed": steps[-1].passed,
            "calls": sum(step.calls for step in steps),
            "charged": sum(step.charged for step in steps),
            "charge_unknown": sum(step.charge_unknown for step in steps),
            "cost": total("cost"),
            "cost_at_most": total("cost_at_most"),
            "saved": total("saved"),
            "steps": found,
        }

    def _table(self, report: dict[str, Any]) -> list[str]:
        """Return the funnel as lines of text, its columns below each other."""
        lines = [_COLUMNS]
        for step in report["steps"]:
            other = sum(step["others"].values())
            waiting = step["reached"] - step["answered"]
            counts = (
                step["reached"],
                step["passed"],
                other,
                waiting,
                step["calls"],
                step["charged"],
            )
            money = (_money(step["cost"]), _money(step["saved"]))
            lines.append((step["action"], *(f"{count:,}" for count in counts), *money))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in lines
        ]
        cost = f"{report['charged']:,} charged"
        if report["charge_unknown"]:
            cost += f" and {report['charge_unknown']:,} that may be"
        if report["cost"] is not None:
            cost += f", {_money(report['cost'])} {report['currency']}".rstrip()
            cost += f"; {_money(report['saved'])} saved at most"
        title = (
            f"Funnel of campaign '{report['campaign']}': {report['passed']:,} of "
            f"{report['rows']:,} rows passed every step; {cost}"
        )
        return [title, *table]


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"
