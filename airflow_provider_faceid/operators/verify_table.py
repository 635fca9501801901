"""Batch over a table: the generic operator, and the base of the named ones (run, manifest, rows left)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign, progress_store, reschedule_at, task_instance
from ..exceptions import DataQualityError, FaceIdError, IncompleteError
from ..process import without_frames
from ._common import (
    describe_outlets,
    manifest_on_failure,
    read_parameters,
    work_of,
)
from ._values import source_columns
from .check_results import complaint, results_check, run_check
from .error_mapping import airflow_errors
from .files import suite_of
from .lineage import ReportsLineage
from .links import FaceIdRunLink, push_link

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..batch.engine import Batch
    from ..batch.manifest import Manifest
    from ..quality.result_check import CheckReport, ResultsCheck


class VerifyTable(ReportsLineage, BaseOperator):
    """Base of the operators for a table, which say what each parameter means."""

    template_fields: Sequence[str] = (
        "source_conn_id",
        "source",
        "key_column",
        "after",
        "warehouse_conn_id",
        "result_table",
        "quarantine_table",
        "run_table",
        "campaign",
        "valid_for",
        "version_column",
        "max_changed",
        "is_dry_run",
        "min_rows",
        "on_postponed",
        "on_incomplete",
        "on_in_doubt",
        "reuse_within",
        "max_charged",
        "max_in_flight",
        "skip_rules",
        "check_results",
        "faceid_conn_id",
        "state_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#d2e3fc"
    lineage_kind = "verify_table"
    operator_extra_links = (FaceIdRunLink(),)
    action: str
    photo_is_path: bool = False

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str | Sequence[str] = "id",
        after: str | dict[str, Any] | Sequence[str | dict[str, Any]] | None = None,
        warehouse_conn_id: str | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        campaign: str | None = None,
        valid_for: timedelta | None = None,
        version_column: str | None = None,
        max_changed: float = 0.2,
        dry_run: bool = False,
        min_rows: int = 0,
        shard: dict[str, Any] | None = None,
        on_postponed: Literal["leave", "reschedule"] = "leave",
        on_incomplete: Literal["ignore", "warn", "fail"] = "warn",
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        max_charged: int | None = None,
        max_in_flight: int | None = None,
        skip_rules: Sequence[str] = (),
        check_results: bool | str | Callable[[], Any] = False,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key_column = key_column
        self.after = after
        self.warehouse_conn_id = warehouse_conn_id or source_conn_id
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.campaign = campaign
        self.valid_for = valid_for
        self.version_column = version_column
        self.max_changed = max_changed
        self.is_dry_run = dry_run  # Airflow has a method of the other name
        self.min_rows = min_rows
        self.shard = shard
        self.on_postponed = on_postponed
        self.on_incomplete = on_incomplete
        self.on_in_doubt = on_in_doubt
        self.reuse_within = reuse_within
        self.max_charged = max_charged
        self.max_in_flight = max_in_flight
        self.skip_rules = skip_rules
        self.check_results = check_results
        self.faceid_conn_id = faceid_conn_id
        self.state_conn_id = state_conn_id
        self._batch: Batch | None = None
        self._checked: CheckReport | None = None

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Verify the table and return the manifest."""
        with manifest_on_failure(context, lambda: self._manifest(context)), airflow_errors():
            read_parameters(self, "source_conn_id", "source", "faceid_conn_id")
            self.warehouse_conn_id = self.warehouse_conn_id or self.source_conn_id
            campaign = self.campaign or default_campaign(context)
            check = self._check_of_results(context, campaign)
            self._batch = self._build(context, campaign)
            push_link(FaceIdRunLink(), self, context)
            counts = self._run(self._batch, campaign)
            if (
                self.on_postponed == "reschedule"
                and counts.not_before is not None
                and not self.is_dry_run
            ):
                moment = datetime.fromtimestamp(counts.not_before, UTC)
                self.log.info("%s", "\n".join(self._summary(counts, campaign)))
                self.log.info("This task comes back after %s", moment.isoformat(timespec="seconds"))
                raise reschedule_at(moment)
            facts = {"campaign": campaign, **counts.as_dict()}
            describe_outlets(context, self.outlets, facts)
            if check is not None:
                self._checked = run_check(check, self, [facts])
            self._check_complete(facts, self._summary(counts, campaign))
            if self._checked is not None and not self._checked.success:
                raise DataQualityError(complaint(self._checked, self))
            return {**self._manifest(context), "success": True, "error": ""}

    def _run(self, batch: Batch, campaign: str) -> Manifest:
        """Run, and sum up what was done if that fails."""
        try:
            return batch.run()
        except FaceIdError:
            if batch.manifest.rows_in:
                self.log.warning("%s", "\n".join(self._summary(batch.manifest, campaign)))
            raise
        finally:
            self._counters.emit(batch.manifest)

    def _manifest(self, context: Context) -> dict[str, Any]:
        """Return what became of the rows so far."""
        from ..batch.manifest import Manifest  # noqa: PLC0415 - keeps reading a DAG file cheap

        counts = self._batch.manifest if self._batch is not None else Manifest()
        return {
            "campaign": self.campaign or default_campaign(context),
            "action": self.action,
            "warehouse_conn_id": self.warehouse_conn_id,
            "result_table": self.result_table,
            "quarantine_table": self.quarantine_table,
            "dry_run": self.is_dry_run,
            **counts.as_dict(),
            **({"checks": self._checked.as_dict()} if self._checked is not None else {}),
        }

    def on_kill(self) -> None:
        """Call for no further rows; those in flight are waited for and written."""
        if self._batch is not None:
            self._batch.stop()

    @property
    @abstractmethod
    def by_field(self) -> dict[str, str]:
        """Return the source column of each API field."""

    def _check_complete(self, result: dict[str, Any], summary: Sequence[str]) -> None:
        """
        Say, or fail because, rows are left without an answer.

        :raises DataQualityError: every row is in quarantine.
        :raises IncompleteError: rows are held or postponed, and ``on_incomplete`` is ``fail``.
        """
        nothing_usable = 0 < result["rows_in"] == result["quarantined"] and self.shard is None
        incomplete = bool(result["held"] or result["postponed"])
        if self.on_incomplete == "ignore" or not (nothing_usable or incomplete):
            self.log.info("%s", "\n".join(summary))
        elif nothing_usable:
            raise DataQualityError(
                f"Every row of the source is in quarantine, so the columns {self._columns_named()} "
                f"are probably not what they are taken for. {'. '.join(summary)}. If this is nothing unusual, "
                "set on_incomplete='ignore'"
            )
        elif self.on_incomplete == "warn":
            self.log.warning("%s", "\n".join(summary))
        else:
            raise IncompleteError(". ".join(summary))

    def _columns_named(self) -> str:
        return " and ".join(f"{field}={column!r}" for field, column in self.by_field.items())

    def _summary(self, manifest: Manifest, campaign: str) -> list[str]:
        from ..batch.manifest import Tables, summary  # noqa: PLC0415 - keeps reading a DAG file cheap

        return summary(
            manifest,
            Tables(campaign, self.warehouse_conn_id, self.result_table, self.quarantine_table),
        )

    def _build(self, context: Context, campaign: str) -> Batch:
        # Imported here: reading a DAG file must stay cheap.
        from ..api.actions import ACTIONS  # noqa: PLC0415
        from ..batch.engine import Batch  # noqa: PLC0415
        from ..hooks.faceid import FaceIdHook  # noqa: PLC0415
        from ..hooks.stats import RunCounters  # noqa: PLC0415
        from ..hooks.warehouses import database  # noqa: PLC0415
        from ..warehouse.names import Names  # noqa: PLC0415
        from ..warehouse.results import ResultsRepository  # noqa: PLC0415
        from ..warehouse.sources.keyset import Shard  # noqa: PLC0415
        from .table_source import table_columns, table_source  # noqa: PLC0415

        shard = Shard.from_json(self.shard) if self.shard is not None else None
        source = table_source(self, campaign, self.action, shard)
        valid_for = self.valid_for.total_seconds() if self.valid_for is not None else None
        hook = FaceIdHook(self.faceid_conn_id, self.state_conn_id)
        self._counters = RunCounters(self.action)
        return Batch(
            action=ACTIONS[self.action],
            source=source,
            columns=table_columns(self, self.by_field),
            store=ResultsRepository(
                database(self.warehouse_conn_id),
                work_of(context, campaign, self.action, source.label),
                SYSTEM_CLOCK,
                names=Names(self.result_table, self.quarantine_table, self.run_table),
                valid_for=valid_for,
            ),
            settings=hook.settings,
            pace=hook.rate_limiter(self.action),
            ledger=hook.ledger(
                task_instance(context),
                max_charged=self.max_charged,
                reuse_within=self.reuse_within,
            ),
            clock=SYSTEM_CLOCK,
            log=self.log,
            min_rows=self.min_rows if self.shard is None else 0,
            retry_held=self.on_in_doubt == "retry",
            max_changed=self.max_changed,
            dry_run=self.is_dry_run,
            max_in_flight=self.max_in_flight or 0,
            uplink=hook.uplink(),
            on_progress=self._counters.on_progress(lambda: self._batch, progress_store(context)),
        )

    def _check_of_results(self, context: Context, campaign: str) -> ResultsCheck | None:
        if not self.check_results or self.is_dry_run:
            return None
        own = [] if self.check_results is True else suite_of(self.check_results)
        return results_check(self, context, campaign, own)


class FaceIdVerifyTableOperator(VerifyTable):
    """
    Ask an Action about every row of a table.

    The named operators, such as ``IdCardVerificationBatchOperator``, have a parameter for each column;
    this one takes any listed Action.

    The source is read in pages by its key. A row is due when it has no answer in the campaign, asks
    something else than before, its answer has expired, its postponement is over, or it was released;
    all others are left alone, and so are those the validation put into quarantine. Before the first
    call the task says how many rows are due and why, and what they can cost. Then they are called at
    the account's pace, and their answers are written as they come. Nothing per row goes to XCom.

    When the task fails, what was answered is in the result table, and the next try or run calls
    only for the rest. A row that was sent without an answer may have been charged: it is ``held``
    and not called again unless ``on_in_doubt="retry"``.

    :param source_conn_id: connection of the source: SQLite, PostgreSQL, MySQL, MariaDB or DuckDB, which reads
        files, too (templated).
    :param source: table, with a schema if there is a dot, and quoted if a name needs it; a ``SELECT``; a
        ``.sql`` file that holds one; or, on DuckDB, the path of CSV or Parquet files, such as
        ``/data/people/*.parquet`` (templated).
    :param key_column: column that names a row: unique, never NULL; or a list of columns that do so together,
        whose texts are in our tables as ``["t1","17"]`` (templated).
    :param after: Action of an earlier task whose verdict a row needs, or a list of such Actions: rows
        whose current result in the same campaign and result table is not ``answered`` with ``match``
        or ``found`` are as if they were not there. A dict of ``action`` and ``outcomes`` names other
        outcomes (templated). Every row is asked about if not given.
    :param action: name of the API Action (templated).
    :param columns: source column by API field, such as ``{"IdCard": "id_no"}`` (templated); a field that
        is not named is read from its default column, such as ``id_card``.
    :param photo_is_path: whether the photo's column holds paths or URLs, each below one of
        ``[faceid] photo_roots`` (templated).
    :param warehouse_conn_id: connection of the tables we write; the source's if not given (templated).
    :param result_table: current state of each row in a campaign (templated); made if it is not there.
        History and view of latest verdicts are named after it: ``faceid_history`` and
        ``faceid_latest`` beside ``faceid_results``.
    :param quarantine_table: rows whose input has to be mended (templated); made likewise.
    :param run_table: one row per run (templated); made likewise.
    :param campaign: book in which verdicts are kept (templated); the DAG id if not given, so that a
        daily DAG asks only about who is new, changed or expired.
    :param valid_for: for how long an answer is good; for ever if not given (templated: text such as
        ``P30D`` is a duration, too).
    :param version_column: source column that changes whenever the row does, such as the time of its
        last update or an upload's number (templated). Without one a row counts as changed when its
        values do, and a new photo alone is not noticed.
    :param max_changed: share of answered rows, 0-1, that may ask something else than before. More
        stop the task before its first call: the table was probably reloaded with other keys. One
        row alone never does, unless it is 0 (templated).
    :param dry_run: whether to end before the first call, with the plan in log, XCom and run table
        (templated).
    :param min_rows: a source of fewer rows is an error; not asked of a shard (templated). With 0, the
        default, an empty source is a run without rows, as on a day without applicants.
    :param shard: the part of the source to verify, as ``FaceIdShardsOperator`` returns it; for
        ``.expand(shard=plan.output)``. The whole source if not given.
    :param on_postponed: what to do about rows that may only be called later, because their person
        was asked about too often or the service could not answer. ``leave`` them to the next run,
        or ``reschedule`` this task for the moment when the first of them may go; that uses up no
        try, and downstream tasks wait (templated).
    :param on_incomplete: what to do at the end about rows that are held or still postponed:
        ``ignore`` them, ``warn`` in the log, or ``fail`` the task, whose manifest is in XCom then.
        A source of which every row is in quarantine fails the task, too, unless this is
        ``ignore``; a shard does not (templated).
    :param on_in_doubt: ``hold`` or ``retry`` rows that may have been charged without an answer
        (templated).
    :param reuse_within: for how long the answer of another campaign to the same question is good;
        not at all if not given. A reused answer is not charged and keeps its own date (templated).
    :param max_charged: calls this task may be charged for, over all its tries; each shard is a
        task of its own. Before a call that might exceed it, the task fails and is not retried
        (templated).
    :param max_in_flight: calls in flight at most, which is what a crash can leave in doubt. Too
        few cannot keep the pace: it takes the rate times the seconds from claim to record, about
        0.5 and the service's latency. As many as 2 seconds of the rate need if not given
        (templated).
    :param skip_rules: names of input rules that are not asked, such as ``name_missing_text`` for a
        table with a person called Null. Give the validation the same (templated).
    :param check_results: whether to check the result table at the end, as ``FaceIdCheckResultsOperator``
        does, with the counts of this run: ``True``, or with further expectations what it takes as
        ``suite``, which is read before the first call. All answers are written before a critical
        expectation that is not met fails the task (templated).
    :param faceid_conn_id: connection of type ``faceid`` (templated).
    :param state_conn_id: connection of the database in which all workers keep the pace
        (templated).
    :return: through XCom, counts, money, rate and names of tables, ``success`` and ``error``. A task
        that fails pushes the same under the same key, with the counts so far and why it fails.
    """

    template_fields: Sequence[str] = (
        *VerifyTable.template_fields,
        "action",
        "columns",
        "photo_is_path",
    )

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str | Sequence[str] = "id",
        after: str | dict[str, Any] | Sequence[str | dict[str, Any]] | None = None,
        action: str,
        columns: dict[str, str] | None = None,
        photo_is_path: bool = False,
        warehouse_conn_id: str | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        campaign: str | None = None,
        valid_for: timedelta | None = None,
        version_column: str | None = None,
        max_changed: float = 0.2,
        dry_run: bool = False,
        min_rows: int = 0,
        shard: dict[str, Any] | None = None,
        on_postponed: Literal["leave", "reschedule"] = "leave",
        on_incomplete: Literal["ignore", "warn", "fail"] = "warn",
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        max_charged: int | None = None,
        max_in_flight: int | None = None,
        skip_rules: Sequence[str] = (),
        check_results: bool | str | Callable[[], Any] = False,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source_conn_id=source_conn_id,
            source=source,
            key_column=key_column,
            after=after,
            warehouse_conn_id=warehouse_conn_id,
            result_table=result_table,
            quarantine_table=quarantine_table,
            run_table=run_table,
            campaign=campaign,
            valid_for=valid_for,
            version_column=version_column,
            max_changed=max_changed,
            dry_run=dry_run,
            min_rows=min_rows,
            shard=shard,
            on_postponed=on_postponed,
            on_incomplete=on_incomplete,
            on_in_doubt=on_in_doubt,
            reuse_within=reuse_within,
            max_charged=max_charged,
            max_in_flight=max_in_flight,
            skip_rules=skip_rules,
            check_results=check_results,
            faceid_conn_id=faceid_conn_id,
            state_conn_id=state_conn_id,
            **kwargs,
        )
        self.action = action
        self.columns = columns
        self.photo_is_path = photo_is_path

    @property
    def by_field(self) -> dict[str, str]:
        """Return the source column of each API field."""
        from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps reading a DAG file cheap

        return source_columns(ACTIONS[self.action], self.columns)
