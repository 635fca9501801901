"""The operator that forgets rows: keys of a table of requests are erased, with a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..exceptions import counted
from ..process import without_frames
from ._common import manifest_on_failure, read_parameters
from ._values import key_text
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..batch.erasure import Forgotten


class FaceIdForgetOperator(ReportsLineage, BaseOperator):
    """
    Erase rows from results, history, quarantine, reviews and ledger, with a receipt.

    It makes no call. Charges stay countable, without a person. Delete the rows from their source first: what
    is still there is verified again as new, and paid for. A row that is asked about at this moment fails the
    task, which changes nothing and may be retried. A try that was interrupted is finished by the next one.

    Keys show in rendered templates and XCom arguments of Airflow, as those of all operators. Values of a
    person are never given to an operator: ``airflow faceid forget`` asks for them.

    :param source_keys: keys of the rows, as the result table has them; a key of several columns may be a list
        (templated).
    :param warehouse_conn_id: connection of the result table (templated).
    :param campaign: rows of this campaign only; of all campaigns if not given (templated).
    :param of_action: rows of this API Action only; of all if not given (templated).
    :param whole_person: whether all rows of the people behind the keys are erased, in all campaigns that
        are meant; else the rows of the keys alone (templated).
    :param result_table: the result table (templated); the other tables are named after it.
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :param faceid_conn_id: the Face ID connection, whose hash key leads to the calls of the ledger (templated).
    :param state_conn_id: connection of the state store, before that of the Face ID connection (templated).
    :param requested_by: who asked for it, for the receipt (templated); the DAG if not given.
    :param reference: number of the request, for the receipt; no people (templated).
    :param on_unknown_keys: what to do about keys that are not known, because they were never verified or an
        earlier try has erased them: ``fail`` the task before anything is erased, ``warn`` in the log, or
        ``ignore`` them (templated).
    :param rewrite: whether files are rewritten, which locks tables meanwhile; else deleted bytes stay in them
        (templated).
    :return: through XCom, the receipt's id and counts: nothing of a person.
    """

    template_fields: Sequence[str] = (
        "source_keys",
        "warehouse_conn_id",
        "campaign",
        "of_action",
        "whole_person",
        "result_table",
        "quarantine_table",
        "run_table",
        "faceid_conn_id",
        "state_conn_id",
        "requested_by",
        "reference",
        "on_unknown_keys",
        "rewrite",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fce8e6"
    lineage_kind = "forget"

    def __init__(
        self,
        *,
        source_keys: Sequence[str | int | Sequence[str | int]],
        warehouse_conn_id: str,
        campaign: str | None = None,
        of_action: str | None = None,
        whole_person: bool = False,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        requested_by: str | None = None,
        reference: str | None = None,
        on_unknown_keys: Literal["ignore", "warn", "fail"] = "warn",
        rewrite: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_keys = source_keys
        self.warehouse_conn_id = warehouse_conn_id
        self.campaign = campaign
        self.of_action = of_action
        self.whole_person = whole_person
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.faceid_conn_id = faceid_conn_id
        self.state_conn_id = state_conn_id
        self.requested_by = requested_by
        self.reference = reference
        self.on_unknown_keys = on_unknown_keys
        self.rewrite = rewrite

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Erase the rows; return the receipt's id and counts."""
        counts: dict[str, Any] = {}
        with airflow_errors(), manifest_on_failure(context, lambda: counts):
            read_parameters(self, "warehouse_conn_id", "faceid_conn_id")
            told = self._forget(str(context["ti"].dag_id))
            counts |= {
                name: value
                for name, value in told.receipt.items()
                if name == "receipt_id" or isinstance(value, int)
            }
            counts["unknown"] = len(told.unknown_keys)
            self._report(told)
        return counts

    def _forget(self, dag_id: str) -> Forgotten:
        from ..batch.erasure import Forgetting, Request  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - the same
        from ..hooks.state_store import shared_store  # noqa: PLC0415 - the same
        from ..hooks.warehouses import database  # noqa: PLC0415 - the same
        from ..warehouse.names import Names  # noqa: PLC0415 - the same

        keys = list(dict.fromkeys(map(key_text, self.source_keys or ())))
        if not keys:
            return self._nothing()
        settings = FaceIdHook(self.faceid_conn_id, self.state_conn_id).settings
        warehouse = database(self.warehouse_conn_id)
        try:
            return Forgetting(
                Request(
                    keys=keys,
                    campaign=self.campaign or "",
                    action=self.of_action or "",
                    is_whole_person=self.whole_person,
                    requested_by=self.requested_by or f"DAG {dag_id}",
                    reference=self.reference or "",
                    skips_unknown=self.on_unknown_keys != "fail",
                    rewrites=self.rewrite,
                ),
                warehouse=warehouse,
                names=Names(self.result_table, self.quarantine_table, self.run_table),
                store=shared_store(settings, self.state_conn_id),
                settings=settings,
                clock=SYSTEM_CLOCK,
            ).run()
        finally:
            warehouse.close()

    @staticmethod
    def _nothing() -> Forgotten:
        from ..batch.erasure import Forgotten  # noqa: PLC0415 - keeps reading a DAG file cheap

        return Forgotten()

    def _report(self, told: Forgotten) -> None:
        from ..batch.erasure_words import lines_of, warnings_of  # noqa: PLC0415 - as above

        warnings = warnings_of(told)
        for line in lines_of(told):
            if line not in warnings:
                self.log.info("%s", line)
        if told.unknown_keys and self.on_unknown_keys == "warn":
            warnings.append(f"{counted(len(told.unknown_keys), 'key is', 'keys are')} not known")
        for line in warnings:
            self.log.warning("%s", line)
