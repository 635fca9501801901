"""The operator that writes a report of a run, or of the last days: an HTML page, and its numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign
from ..exceptions import AlertError, ConfigurationError, counted
from ..process import without_frames
from ..report.message import REPORT_KEY, excerpt
from ..report.sentences import broken_alerts
from ..report.thresholds import Severity, read_thresholds
from ._common import describe_outlets, manifest_on_failure, read_parameters
from .error_mapping import airflow_errors
from .files import NUMBERS, PAGE, write_file
from .lineage import ReportsLineage
from .links import FaceIdReportLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..report.numbers import Scope
    from ..warehouse.names import Names


class FaceIdReportOperator(ReportsLineage, BaseOperator):
    """
    Write a report as one self-contained HTML page, and the same numbers as JSON beside it.

    It makes no call and changes no result. The page has no script and refers to nothing outside of it:
    it opens anywhere, prints on A4 and can be mailed. It says where each row ended, verdicts and result
    codes, similarities against the threshold, cost and what was avoided, speed, what waits, what is in
    quarantine, the checks of the data, the last 14 runs and what stands out against them, each number
    with its definition. There is no key and nobody's data in it; groups of fewer than
    ``smallest_group`` answers are not shown alone. Numbers come from the views over the result table,
    which are brought up to date first.

    With the extra ``[report]`` there are charts; tables with drawn bars stand in their place without it.
    A local file is replaced in one step; so is an object of an object store.

    Alerts are thresholds on its numbers, by their names in the JSON:
    ``{"match_rate": {"min": 0.8}, "amount": {"max": 500, "severity": "critical"}}``. One that is broken is
    said in the report and the log, and fails the task if its severity is ``critical``, once the report is
    written. A number without a value is not judged, which is said as well. Names and limits are checked
    when the DAG is parsed, templates among them when they are rendered.

    :param warehouse_conn_id: connection of the result table (templated).
    :param path: where the page is written, ending with ``.html``: a path or a URL as for
        ``ObjectStoragePath`` (templated). The JSON is beside it, ending with ``.json``.
    :param days: how many of the service's days (Beijing) up to today it is about, such as 90
        (templated); it is about one run if not given.
    :param run_id: the DAG run it is about (templated); the task's own if not given. It covers all
        attempts and all mapped tasks of the run.
    :param campaign: campaign of the verdicts (templated). If not given, the DAG id for a run, and all
        campaigns for days.
    :param actions: API Actions (templated); all if not given.
    :param language: ``en`` or ``zh``, of the page (templated).
    :param faceid_conn_id: the connection whose quotas and similarity threshold the numbers are compared
        with (templated); those of the API's pages, and 70, if not given.
    :param smallest_group: the smallest group of answers whose count is shown (templated).
    :param alerts: by number its limits: ``min``, ``max`` or both, with ``severity`` (``warning`` or
        ``critical``; ``warning`` if not given) and, of an amount, ``currency`` (templated).
    :param result_table: the result table (templated); views, history, prices and checks are named
        after it.
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :return: through XCom, where the two files are, the key figures, and how each alert was judged. The
        same is attached to the asset events of the task's outlets. What a notifier says is in an XCom
        of its own, ``faceid_report``.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "path",
        "days",
        "run_id",
        "campaign",
        "actions",
        "language",
        "faceid_conn_id",
        "smallest_group",
        "alerts",
        "result_table",
        "quarantine_table",
        "run_table",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8eaed"
    lineage_kind = "report"
    operator_extra_links = (FaceIdReportLink(),)

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        path: str,
        days: int | None = None,
        run_id: str | None = None,
        campaign: str | None = None,
        actions: Sequence[str] | None = None,
        language: Literal["en", "zh"] = "en",
        faceid_conn_id: str | None = None,
        smallest_group: int = 10,
        alerts: Mapping[str, Mapping[str, Any]] | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.path = path
        self.days = days
        self.run_id = run_id
        self.campaign = campaign
        self.actions = actions
        self.language = language
        self.faceid_conn_id = faceid_conn_id
        self.smallest_group = smallest_group
        self.alerts = alerts
        self._check_alerts()
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table

    def _check_alerts(self) -> None:
        """Refuse alerts that cannot be meant, while the DAG is parsed."""
        if self.alerts is None or _comes_later(self.alerts):
            return
        try:
            read_thresholds(self.alerts, _comes_later)
        except ValueError as error:
            raise ConfigurationError(f"Task '{self.task_id}': alerts: {error}") from None

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Write the report, and return where it is."""
        from ..warehouse.names import Names  # noqa: PLC0415 - keeps reading a DAG file cheap

        manifest: dict[str, Any] = {}
        with airflow_errors(), manifest_on_failure(context, lambda: manifest):
            read_parameters(self, "warehouse_conn_id", "path")
            check_path(self.path)
            if self.days is not None and self.run_id is not None:
                raise ConfigurationError(
                    "Give days or run_id: a report is about the last days or about one run"
                )
            numbers = read_report(
                self.warehouse_conn_id,
                Names(self.result_table, self.quarantine_table, self.run_table),
                self._scope(context),
            )
            manifest |= write_report(self.path, numbers, self.language)
            message: Any = excerpt(numbers, manifest["path"])
            context["ti"].xcom_push(key=REPORT_KEY, value=message)
            self._log_summary(manifest)
            self._alert(numbers)
        describe_outlets(context, self.outlets, manifest)
        return manifest

    def _alert(self, numbers: Mapping[str, Any]) -> None:
        """
        Warn of each alert that is broken.

        :raises AlertError: one of them is critical.
        """
        broken = broken_alerts(numbers["alerts"], "en")
        for sentence, _ in broken:
            self.log.warning("Alert: %s", sentence)
        critical = [said for said, severity in broken if severity == Severity.CRITICAL]
        if critical:
            raise AlertError(f"{' '.join(critical)} The report is at {self.path}")

    def _scope(self, context: Context) -> Scope:
        from ..report.numbers import Scope  # noqa: PLC0415 - keeps reading a DAG file cheap

        about: dict[str, Any] = (
            {"run_id": self.run_id or str(context["run_id"])}
            if self.days is None
            else {"days": self.days}
        )
        thresholds = read_thresholds(self.alerts or {})
        campaign = self.campaign or (default_campaign(context) if self.days is None else None)
        return Scope(
            campaign,
            tuple(self.actions or ()),
            smallest=self.smallest_group,
            thresholds=thresholds,
            **about,
            **account_of(self.faceid_conn_id),
        )

    def _log_summary(self, manifest: Mapping[str, Any]) -> None:
        self.log.info(
            "Report about %s written to %s (%s bytes), its numbers to %s",
            counted(manifest["rows_in"], "row"),
            manifest["path"],
            f"{manifest['bytes']:,}",
            manifest["json_path"],
        )


def check_path(path: str) -> None:
    """
    Make sure that a path is one of a page.

    :raises ConfigurationError: it is not.
    """
    if not path.endswith(PAGE):
        raise ConfigurationError(f"path: it ends with {PAGE}, such as /reports/kyc{PAGE}")


def account_of(faceid_conn_id: str | None) -> dict[str, Any]:
    """
    Return what numbers are compared with: quotas, and the similarity threshold.

    :param faceid_conn_id: the connection that says them; those of the API's pages if not given.
    """
    from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps reading a DAG file cheap

    if faceid_conn_id is None:
        return {"quotas": {name: action.quota for name, action in ACTIONS.items()}}
    from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - keeps reading a DAG file cheap

    settings = FaceIdHook(faceid_conn_id).settings
    return {
        "quotas": {name: settings.quota(name) for name in ACTIONS},
        "threshold": settings.similarity_threshold,
    }


def read_report(warehouse_conn_id: str, names: Names, scope: Scope) -> dict[str, Any]:
    """
    Return the numbers of a report, after the views were brought up to date.

    :raises ConfigurationError: the run table has no such run.
    """
    from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..report.numbers import read_numbers  # noqa: PLC0415 - the same
    from ..warehouse.migrations import prepare  # noqa: PLC0415 - the same

    warehouse = database(warehouse_conn_id)
    try:
        prepare(warehouse, names)
        numbers = read_numbers(warehouse, names, scope, SYSTEM_CLOCK.now())
    finally:
        warehouse.close()
    if scope.run_id is not None and not numbers["rows"]:
        raise ConfigurationError(
            f"Table '{names.runs}' has no run '{scope.run_id}' of campaign '{scope.campaign}'. Give "
            "run_id and campaign of the task that verified the table"
        )
    return numbers


def write_report(
    path: str, numbers: Mapping[str, Any], language: Literal["en", "zh"]
) -> dict[str, Any]:
    """
    Write a report as a page and as JSON.

    :param path: of the page.
    :return: where the two are, and the key figures.
    :raises ConfigurationError: they cannot be written there.
    """
    from ..report.page import render  # noqa: PLC0415 - keeps reading a DAG file cheap

    page = render(numbers, language)
    beside = path.removesuffix(PAGE) + NUMBERS
    text = json.dumps(numbers, ensure_ascii=False, indent=1, allow_nan=False)
    write_file(beside, "path", text)
    write_file(path, "path", page)
    head = numbers["headline"]
    return {
        "path": path,
        "json_path": beside,
        **{name: numbers[name] for name in ("kind", "campaign", "run_id")},
        **{name: numbers[name] for name in ("first_day", "last_day")},
        **{name: head[name] for name in ("rows_in", "answered", "quarantined", "postponed")},
        **{name: head[name] for name in ("held", "requests", "charged", "may_be_charged")},
        "match_rate": head["rates"]["match_rate"]["value"],
        "amounts": {
            line["currency"]: line["amount"]
            for line in numbers["money"]["totals"]
            if line["currency"]
        },
        "stands_out": head["stood_out"],
        "alerts": numbers["alerts"],
        "bytes": len(page.encode()),
    }


def _comes_later(value: Any) -> bool:
    """Say whether a value is there only when the task runs: a template, or what another task returns."""
    is_template = isinstance(value, str) and any(mark in value for mark in ("{{", "{%"))
    return is_template or hasattr(value, "resolve")
