"""Results validation: the operator that checks a result table, and the same check at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign
from ..exceptions import ConfigurationError, DataQualityError
from ..process import without_frames
from ._common import describe_outlets, manifest_on_failure, read_parameters, work_of
from .error_mapping import airflow_errors
from .files import suite_of, write_validation
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..quality.result_check import CheckReport, ResultsCheck


class HasResults(Protocol):
    """The parameters that say where an operator's results are, after they were read."""

    action: str
    warehouse_conn_id: str
    result_table: str
    quarantine_table: str

    @property
    def log(self) -> Any:
        """Return the task's logger."""


def results_check(
    operator: HasResults,
    context: Context,
    campaign: str,
    expectations: Sequence[dict[str, Any]] = (),
    page_size: int | None = None,
) -> ResultsCheck:
    """
    Return the check of an operator's results, built and ready to run.

    :param campaign: whose results are checked.
    :param expectations: further ones, beside the suite of the Action.
    :param page_size: rows per page; the usual number if not given.
    :raises ConfigurationError: an expectation cannot be evaluated.
    """
    from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..quality.result_check import PAGE_SIZE, ResultsCheck  # noqa: PLC0415 - the same
    from ..warehouse.names import Names  # noqa: PLC0415 - the same

    warehouse = database(operator.warehouse_conn_id)
    try:
        return ResultsCheck(
            warehouse,
            Names(results=operator.result_table, quarantine=operator.quarantine_table),
            work_of(context, campaign, operator.action),
            expectations=expectations,
            page_size=page_size or PAGE_SIZE,
        )
    finally:
        warehouse.close()


def run_check(
    check: ResultsCheck, operator: HasResults, manifests: Sequence[Mapping[str, Any]]
) -> CheckReport:
    """
    Run a check and log what it has found.

    :param manifests: of the tasks that wrote the results; none if counts are not compared.
    """
    log = operator.log

    def tick(rows: int) -> None:
        log.info("Checked: %d result rows", rows)

    report = check.run(manifests, SYSTEM_CLOCK, tick)
    say = log.warning if report.unmet else log.info
    say("%s", "\n".join(report.lines(operator.result_table)))
    return report


def complaint(report: CheckReport, operator: HasResults) -> str:
    """Return why a task fails whose results break critical rules."""
    lines = ". ".join(report.lines(operator.result_table))
    return (
        f"{lines}. All answers are written; numbers by rule are in table faceid_checks beside it, "
        f"connection '{operator.warehouse_conn_id}'"
    )


class FaceIdCheckResultsOperator(ReportsLineage, BaseOperator):
    """
    Check the result table of a campaign with Great Expectations, after it was verified.

    It makes no call and changes no result. The suite is made from the Action's table of codes: known
    codes, outcome and charge of each code, similarity from 0 to 100, moments, one row a key, and with a
    manifest as many rows as the run counted. An expectation with severity ``critical`` that is not met
    fails the task, those with ``warning`` and ``info`` are counted. What each of them found is written
    into ``faceid_checks``. No value of a row is in any result, log or message.

    :param warehouse_conn_id: connection of the result table (templated).
    :param action: the API Action whose results are checked (templated).
    :param result_table: the result table (templated); the table ``faceid_checks`` is named after it.
    :param quarantine_table: the quarantine table (templated).
    :param campaign: book in which verdicts are kept (templated); the DAG id if not given.
    :param manifest: what the task has returned that verified the table, such as ``verify.output``; of
        a mapped task all of it (templated). Counts are not compared with a run's if not given.
    :param suite: further expectations about columns of the result table, from a suite of Great
        Expectations: path or URL of its JSON file, local or in object storage (templated), or a function
        that returns an ``ExpectationSuite`` or a list of dicts.
    :param result_path: path or URL to which the result is written in Great Expectations' JSON, counts
        without values (templated); not written if not given.
    :param data_docs_path: folder or URL to which Data Docs of the check are written, without values
        (templated); not written if not given. Their pages load styles and scripts from the web.
    :param page_size: rows per page (templated).
    :return: through XCom, ``success``, ``rows``, rows by rule by severity of what is not met, counts of
        each expectation; of a task that fails likewise, with ``error``.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "action",
        "result_table",
        "quarantine_table",
        "campaign",
        "manifest",
        "suite",
        "result_path",
        "data_docs_path",
        "page_size",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fef7e0"
    lineage_kind = "check_results"

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        action: str,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        campaign: str | None = None,
        manifest: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        suite: str | Callable[[], Any] | None = None,
        result_path: str | None = None,
        data_docs_path: str | None = None,
        page_size: int = 50_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.action = action
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.campaign = campaign
        self.manifest = manifest
        self.suite = suite
        self.result_path = result_path
        self.data_docs_path = data_docs_path
        self.page_size = page_size

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Check the results and return the counts."""
        told: dict[str, Any] = {"campaign": self.campaign or default_campaign(context)}
        with manifest_on_failure(context, lambda: told), airflow_errors():
            read_parameters(self, "warehouse_conn_id")
            campaign = self.campaign or default_campaign(context)
            told |= {"campaign": campaign, "action": self.action}
            report = self._check(context, campaign)
            told |= {
                **report.as_dict(),
                "gx_version": report.validators[0].version,
                "expectations": [count.as_dict() for count in report.counts],
            }
            describe_outlets(context, self.outlets, told)
            if not report.success:
                raise DataQualityError(complaint(report, self))
        return {**told, "error": ""}

    def _check(self, context: Context, campaign: str) -> CheckReport:
        manifests: Any = self.manifest or []
        for one in manifests:
            expected = {
                "campaign": campaign,
                "action": self.action,
                "result_table": self.result_table,
            }
            for name, value in expected.items():
                if one.get(name, value) != value:
                    raise ConfigurationError(
                        f"manifest is of {name} '{one[name]}', and {name} is '{value}'"
                    )
        own = suite_of(self.suite) if self.suite else []
        check = results_check(self, context, campaign, own, self.page_size)
        try:
            report = run_check(check, self, manifests)
        finally:
            check.close()
        write_validation(
            self, report.validators, work_of(context, campaign, self.action), SYSTEM_CLOCK.now()
        )
        return report
