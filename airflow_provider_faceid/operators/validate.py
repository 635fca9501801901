"""The validation before any money is spent: bad rows go to quarantine, too many stop the DAG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK, beijing_date
from ..compat import default_campaign
from ..exceptions import DataQualityError, counted
from ..process import without_frames
from ._common import (
    describe_outlets,
    manifest_on_failure,
    read_parameters,
    work_of,
)
from ._values import source_columns
from .error_mapping import airflow_errors
from .files import suite_of, write_validation
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..api.fields import InputRules
    from ..api.id_card import Check
    from ..quality.page import Projection
    from ..quality.validator import Validator
    from ..warehouse.records import RunContext
    from ..warehouse.results import ResultsRepository
    from ..warehouse.sources.source import Source


class FaceIdValidateOperator(ReportsLineage, BaseOperator):
    """
    Check a table of people with Great Expectations before it is verified.

    Every row that breaks a rule goes to the quarantine table with the rule's name, and the batch
    operator of the same campaign skips it. Two questions are asked, and they differ: ``mostly`` of
    an expectation says whether a *rule* is met, over all pages together, and is reported;
    ``max_bad_fraction`` says whether the *table* may go on.

    When too many rows are bad the task fails at once, after pushing its counts: a retry cannot
    help. Mended rows leave the quarantine at the next validation of the campaign. Names and ID
    numbers appear in no result, log or message.

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
        outcomes (templated). Every row is checked if not given.
    :param action: the API Action the rows are meant for; it decides the default suite (templated).
    :param columns: source column by API field, such as ``{"IdCard": "id_no"}``, for any Action
        (templated); a field that is not named is read from its default column, such as ``phone``.
    :param id_card_column: source column of the ID number, which ``columns`` may name, too; it must be
        text (templated).
    :param name_column: source column of the name, likewise (templated).
    :param photo_column: source column of the photo, likewise, for Actions that compare faces
        (templated).
    :param photo_is_path: whether that column holds paths (templated).
    :param read_photos: whether photos behind paths are read, and asked every rule of photos; else
        only whether there is a path is asked. Photos in the column always are (templated).
    :param id_card_check: ``strict``, or ``format`` for length and characters only; if not given
        what the Face ID connection says, so that validation and batch ask the same (templated).
    :param skip_rules: names of input rules that are not asked, such as ``name_missing_text`` for a
        table with a person called Null. Give the batch operator the same (templated).
    :param expectations: further expectations as dicts ``{"type": ..., "kwargs": {...}, "meta":
        {"rule": ...}}`` (templated); column map expectations only. Those with ``"severity":
        "warning"`` or ``"info"`` are counted, and their rows are not quarantined. The page's columns are
        the default columns of the Action's fields, such as ``id_card`` and ``phone``; for photos
        ``photo_length`` and ``photo_head`` (of the Base64 text) or ``photo_path``; and those of
        ``other_columns``.
    :param suite: further expectations from a suite of Great Expectations: path or URL of its JSON file,
        local or in object storage (templated), or a function that returns an ``ExpectationSuite`` or a
        list of dicts.
    :param result_path: path or URL to which the validation result is written in Great Expectations' JSON,
        counts without values (templated); not written if not given.
    :param data_docs_path: folder or URL to which Data Docs of the validation are written, without values
        (templated); not written if not given. Their pages load styles and scripts from the web.
    :param other_columns: source columns for ``expectations`` and ``suite`` (templated).
    :param use_default_suite: whether to ask the default suite too (templated).
    :param max_bad_fraction: share of bad rows, 0-1, above which the task fails (templated).
    :param min_rows: a source of fewer rows is an error (templated). With 0, the default, an empty
        source has no bad rows.
    :param warehouse_conn_id: connection of the quarantine table; the source's if not given
        (templated).
    :param result_table: where the verdicts of ``after`` are; read only. What each expectation found is
        written beside it, into ``faceid_checks`` beside ``faceid_results`` (templated).
    :param quarantine_table: where bad rows go (templated); made if it is not there.
    :param campaign: book in which verdicts are kept (templated); the DAG id if not given.
    :param page_size: rows per page; a page of 50,000 takes about half a second and 60 MB. With photos
        in the column, which are read a few at a time, larger pages only save time (templated).
    :param faceid_conn_id: connection of type ``faceid``, which need not be there: it is asked for
        nothing but ``id_card_check`` (templated).
    :return: through XCom, counts per rule, ``success`` and ``error``; of a task that fails likewise.
    """

    template_fields: Sequence[str] = (
        "source_conn_id",
        "source",
        "key_column",
        "after",
        "action",
        "columns",
        "id_card_column",
        "name_column",
        "photo_column",
        "photo_is_path",
        "read_photos",
        "id_card_check",
        "skip_rules",
        "expectations",
        "suite",
        "result_path",
        "data_docs_path",
        "other_columns",
        "use_default_suite",
        "max_bad_fraction",
        "min_rows",
        "warehouse_conn_id",
        "result_table",
        "quarantine_table",
        "campaign",
        "page_size",
        "faceid_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#fef7e0"
    lineage_kind = "validate"

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str | Sequence[str] = "id",
        after: str | dict[str, Any] | Sequence[str | dict[str, Any]] | None = None,
        action: str = "IdCardVerification",
        columns: dict[str, str] | None = None,
        id_card_column: str = "id_card",
        name_column: str = "name",
        photo_column: str = "photo",
        photo_is_path: bool = False,
        read_photos: bool = False,
        id_card_check: Literal["strict", "format"] | None = None,
        skip_rules: Sequence[str] = (),
        expectations: Sequence[dict[str, Any]] = (),
        suite: str | Callable[[], Any] | None = None,
        result_path: str | None = None,
        data_docs_path: str | None = None,
        other_columns: Sequence[str] = (),
        use_default_suite: bool = True,
        max_bad_fraction: float = 0.1,
        min_rows: int = 0,
        warehouse_conn_id: str | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        campaign: str | None = None,
        page_size: int = 50_000,
        faceid_conn_id: str = "faceid_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key_column = key_column
        self.after = after
        self.action = action
        self.columns = columns
        self.id_card_column = id_card_column
        self.name_column = name_column
        self.photo_column = photo_column
        self.photo_is_path = photo_is_path
        self.read_photos = read_photos
        self.id_card_check = id_card_check
        self.skip_rules = skip_rules
        self.expectations = expectations
        self.suite = suite
        self.result_path = result_path
        self.data_docs_path = data_docs_path
        self.other_columns = other_columns
        self.use_default_suite = use_default_suite
        self.max_bad_fraction = max_bad_fraction
        self.min_rows = min_rows
        self.warehouse_conn_id = warehouse_conn_id or source_conn_id
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.campaign = campaign
        self.page_size = page_size
        self.faceid_conn_id = faceid_conn_id

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Validate the table and return the counts."""
        report: dict[str, Any] = {"campaign": self.campaign or default_campaign(context)}
        with manifest_on_failure(context, lambda: report), airflow_errors():
            read_parameters(self, "source_conn_id", "source", "faceid_conn_id")
            self.warehouse_conn_id = self.warehouse_conn_id or self.source_conn_id
            campaign = self.campaign or default_campaign(context)
            report |= {"campaign": campaign, **self._report(0, 0)}
            source, store = self._tables(work_of(context, campaign, self.action))
            try:
                report |= self._validate(source, store)
            finally:
                source.close()
                store.database.close()
            describe_outlets(context, self.outlets, report)
            self.log.info("%s", self._summary(report))
            if not report["success"]:
                raise DataQualityError(self._complaint(report))
        return {**report, "error": ""}

    def _validate(self, source: Source, store: ResultsRepository) -> dict[str, Any]:
        from ..quality.page import pages  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..quality.validator import Validator  # noqa: PLC0415 - the same
        from ..warehouse.checks import unusable as unusable_check  # noqa: PLC0415 - the same
        from ..warehouse.checks import write_checks  # noqa: PLC0415 - the same

        projection = self._projection()
        suite = self._suite(projection)
        texts = tuple(projection.columns.values())
        total = source.inspect(projection.source_columns, self.min_rows, texts)
        validator = Validator(suite)
        store.open_quarantine()
        started = SYSTEM_CLOCK.now()
        unusable: Counter[str] = Counter()
        rows = bad_rows = 0
        for page in pages(source, projection, self.page_size):
            bad = [*page.unusable, *(validator.bad_rows(page.frame) if len(page.frame) else [])]
            store.replace_validation((str(key), rule) for key, rule in bad)
            unusable.update(rule for _, rule in page.unusable)
            rows += page.rows
            bad_rows += len({key for key, _ in bad})
            self.log.info("Validated: %d/%d rows, %d to quarantine", rows, total, bad_rows)
        store.forget_validation_before(started)
        checks = [{**count.as_dict(), "type": count.type} for count in validator.counts]
        checks += [unusable_check(rule, rows, times) for rule, times in unusable.items()]
        write_checks(store.database, store.names, store.context, checks, SYSTEM_CLOCK.now())
        write_validation(self, [validator], store.context, SYSTEM_CLOCK.now())
        return self._report(rows, bad_rows, validator, unusable)

    def _report(
        self,
        rows: int,
        bad_rows: int,
        validator: Validator | None = None,
        unusable: Counter[str] | None = None,
    ) -> dict[str, Any]:
        fraction = bad_rows / rows if rows else 0.0
        return {
            "action": self.action,
            "success": fraction <= self.max_bad_fraction,
            "rows": rows,
            "good_rows": rows - bad_rows,
            "quarantined_rows": bad_rows,
            "unusable_by_rule": dict(unusable or {}),
            "bad_fraction": round(fraction, 6),
            "max_bad_fraction": self.max_bad_fraction,
            "quarantine_table": self.quarantine_table,
            "gx_version": validator.version if validator else "",
            "expectations": [count.as_dict() for count in validator.counts] if validator else [],
        }

    def _summary(self, report: dict[str, Any]) -> str:
        bad = counted(report["quarantined_rows"], "row is", "rows are")
        return (
            f"Campaign '{report['campaign']}': {report['good_rows']:,} of "
            f"{counted(report['rows'], 'row')} may be asked about; {bad} in quarantine until mended: "
            f"see rule and key in table '{self.quarantine_table}' of connection "
            f"'{self.warehouse_conn_id}'"
        )

    def _complaint(self, report: dict[str, Any]) -> str:
        broken = Counter(report["unusable_by_rule"])
        broken.update({count["rule"]: count["unexpected"] for count in report["expectations"]})
        ((worst, times),) = broken.most_common(1)
        return (
            f"{report['quarantined_rows']} of {counted(report['rows'], 'row is', 'rows are')} bad "
            f"({report['bad_fraction']:.1%}, allowed {self.max_bad_fraction:.1%}); most break "
            f"rule '{worst}' ({counted(times, 'row')}). See table "
            f"'{self.quarantine_table}' for their keys; nothing was sent"
        )

    def _suite(self, projection: Projection) -> list[dict[str, Any]]:
        from ..api.actions import ACTIONS  # noqa: PLC0415 - the same
        from ..quality import default_suite  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..quality.suites import check_columns  # noqa: PLC0415 - the same

        rules, own = self._rules(), [*self.expectations]
        if self.suite:
            own += suite_of(self.suite)
        check_columns(own, projection.names, "Name those of your own in other_columns")
        if not self.use_default_suite:
            return own
        default = default_suite(
            ACTIONS[self.action],
            rules,
            photo_path=projection.photo_path,
            reads_photos=projection.reads_photos,
        )
        return [*default, *own]

    def _rules(self) -> InputRules:
        from ..api.fields import InputRules, skipped_rules  # noqa: PLC0415 - the same
        from ..api.id_card import Check  # noqa: PLC0415 - the same

        today = beijing_date(SYSTEM_CLOCK.now())
        check = Check(self.id_card_check) if self.id_card_check else self._check_of_connection()
        return InputRules(today, check, skipped_rules(self.skip_rules))

    def _check_of_connection(self) -> Check:
        from ..api.id_card import Check  # noqa: PLC0415 - the same
        from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - the same

        try:
            return FaceIdHook(self.faceid_conn_id).settings.id_card_check
        except AirflowNotFoundException:
            return Check.STRICT

    def _projection(self) -> Projection:
        from ..api.actions import ACTIONS  # noqa: PLC0415 - the same
        from ..api.fields import PHOTO  # noqa: PLC0415 - the same
        from ..quality.page import Projection  # noqa: PLC0415 - keeps reading a DAG file cheap

        action, read_photo = ACTIONS[self.action], None
        has_photos = action.field_of(PHOTO) is not None
        if has_photos and self.photo_is_path and self.read_photos:
            from .photo_files import photo_reader  # noqa: PLC0415 - the same

            read_photo = photo_reader()
        named = {
            "id_card": self.id_card_column,
            "name": self.name_column,
            "photo": self.photo_column,
        }
        return Projection(
            action=action,
            columns=source_columns(action, self.columns, named),
            photo_path=self.photo_is_path and has_photos,
            read_photo=read_photo,
            others=self.other_columns,
        )

    def _tables(self, work: RunContext) -> tuple[Source, ResultsRepository]:
        from ..hooks.warehouses import database  # noqa: PLC0415 - the same
        from ..warehouse.names import Names  # noqa: PLC0415 - the same
        from ..warehouse.results import ResultsRepository  # noqa: PLC0415 - the same
        from .table_source import table_source  # noqa: PLC0415 - the same

        source = table_source(self, work.campaign)
        store = ResultsRepository(
            database(self.warehouse_conn_id),
            work,
            SYSTEM_CLOCK,
            names=Names(results=self.result_table, quarantine=self.quarantine_table),
        )
        return source, store
