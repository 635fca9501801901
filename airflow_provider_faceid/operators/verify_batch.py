"""Operators for a whole table: every row answered once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import come_back
from .common import default_campaign, describe_outlets, shall_retry, task_instance
from .recovery import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..batch.engine import Batch
    from ..batch.inputs import Columns
    from ..warehouse.results import Work


class _VerifyTableOperator(BaseOperator):
    """
    Base of the operators for a table.

    The source is read in pages by its key. Rows that an earlier run of the same campaign answered,
    or that the validation put into quarantine, are skipped; the others are checked, called at the
    account's pace, and their answers are written as they come. Nothing per row goes to XCom.

    When the task fails, what was answered is in the result table, and the next try or run calls
    only for the rest. A row that was sent without an answer may have been charged: it is ``held``
    and not called again unless ``on_in_doubt="retry"``.

    :param source_conn_id: connection of the source table (SQLite, PostgreSQL or DuckDB).
    :param source: table, with a schema if there is a dot, or ``SELECT`` statement (templated).
    :param key_column: column that names a row: unique, never NULL (templated).
    :param columns: source column by API field.
    :param warehouse_conn_id: connection of the tables we write; the source's if not given.
    :param result_table: one row per person and campaign (templated); made if it is not there.
    :param quarantine_table: rows whose input has to be mended (templated); made likewise.
    :param run_table: one row per run (templated); made likewise.
    :param campaign: name under which a person is verified once (templated); DAG id and logical
        date if not given.
    :param min_rows: a source of fewer rows is an error; not asked of a shard.
    :param shard: the part of the source to verify, as ``FaceIdShardsOperator`` returns it; for
        ``.expand(shard=plan.output)``. The whole source if not given.
    :param on_postponed: what to do about rows that may only be called later, because their person
        was asked about too often or the service could not answer. ``leave`` them to the next run,
        or ``reschedule`` this task for the moment when the first of them may go; that uses up no
        try, and downstream tasks wait.
    :param on_in_doubt: ``hold`` or ``retry`` rows that may have been charged without an answer
        (templated).
    :param reuse_within: for how long the answer of another campaign to the same question is good;
        not at all if not given. A reused answer is not charged and keeps its own date.
    :param max_charged: calls this task may be charged for, over all its tries; each shard is a task
        of its own. Before a call that might exceed it, the task fails and is not retried.
    :param max_in_flight: calls in flight at most, which is what a crash can leave in doubt. Too few
        cannot keep the pace: it takes the rate times the seconds from claim to record, about 0.5 and
        the service's latency. As many as 2 seconds of the rate need if not given.
    :param faceid_conn_id: connection of type ``faceid``.
    :param state_conn_id: connection of the database in which all workers keep the pace.
    :return: through XCom, counts, money, rate and names of tables.
    """

    template_fields: Sequence[str] = (
        "source",
        "key_column",
        "result_table",
        "quarantine_table",
        "run_table",
        "campaign",
        "on_in_doubt",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#d2e3fc"
    action: ClassVar[str]

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        columns: dict[str, str],
        key_column: str = "id",
        warehouse_conn_id: str | None = None,
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        campaign: str | None = None,
        min_rows: int = 1,
        shard: dict[str, Any] | None = None,
        on_postponed: Literal["leave", "reschedule"] = "leave",
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        max_charged: int | None = None,
        max_in_flight: int | None = None,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key_column = key_column
        self.columns = columns
        self.warehouse_conn_id = warehouse_conn_id or source_conn_id
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table
        self.campaign = campaign
        self.min_rows = min_rows
        self.shard = shard
        self.on_postponed = on_postponed
        self.on_in_doubt = on_in_doubt
        self.reuse_within = reuse_within
        self.max_charged = max_charged
        self.max_in_flight = max_in_flight
        self.faceid_conn_id = faceid_conn_id
        self.state_conn_id = state_conn_id
        self._batch: Batch | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify the table and return the manifest."""
        from ..warehouse.results import Work  # noqa: PLC0415 - keeps reading a DAG file cheap

        campaign = self.campaign or default_campaign(context)
        with airflow_errors():
            map_index = int(getattr(context["ti"], "map_index", -1))
            work = Work(campaign, self.action, str(context["run_id"]), map_index)
            self._batch = self._build(work, task_instance(context))
            counted = self._batch.run()
        if self.on_postponed == "reschedule" and counted.not_before is not None:
            self.log.info("%s rows may only be called later; coming back then", counted.postponed)
            raise come_back(datetime.fromtimestamp(counted.not_before, UTC))
        manifest = counted.as_dict()
        describe_outlets(context, self.outlets, {"campaign": campaign, **manifest})
        return {
            "campaign": campaign,
            "action": self.action,
            "warehouse_conn_id": self.warehouse_conn_id,
            "result_table": self.result_table,
            "quarantine_table": self.quarantine_table,
            **manifest,
        }

    def on_kill(self) -> None:
        """Call for no further rows; those in flight are waited for and written."""
        if self._batch is not None:
            self._batch.stop()

    def _build(self, work: Work, owner: str) -> Batch:
        # Imported here: reading a DAG file must stay cheap.
        from ..batch.engine import Batch  # noqa: PLC0415
        from ..hooks.faceid import FaceIdHook  # noqa: PLC0415
        from ..hooks.sql import database  # noqa: PLC0415
        from ..service.actions import ACTIONS  # noqa: PLC0415
        from ..warehouse.results import ResultsRepository  # noqa: PLC0415
        from ..warehouse.shard import Shard  # noqa: PLC0415
        from ..warehouse.source import Source  # noqa: PLC0415

        shard = Shard.from_json(self.shard) if self.shard is not None else Shard()
        hook = FaceIdHook(self.faceid_conn_id, self.state_conn_id)
        return Batch(
            action=ACTIONS[self.action],
            source=Source(database(self.source_conn_id), self.source, self.key_column, shard),
            columns=self._source_columns(),
            store=ResultsRepository(
                database(self.warehouse_conn_id),
                work,
                SYSTEM_CLOCK,
                results=self.result_table,
                quarantine=self.quarantine_table,
                runs=self.run_table,
            ),
            settings=hook.settings,
            pace=hook.pace(self.action),
            ledger=hook.ledger(owner, max_charged=self.max_charged, reuse_within=self.reuse_within),
            clock=SYSTEM_CLOCK,
            log=self.log,
            min_rows=self.min_rows if self.shard is None else 0,
            retry_held=shall_retry(self.on_in_doubt),
            max_in_flight=self.max_in_flight or 0,
        )

    def _source_columns(self) -> Columns:
        from ..batch.inputs import Columns  # noqa: PLC0415 - as above

        return Columns(by_field=self.columns)


class IdCardVerificationBatchOperator(_VerifyTableOperator):
    """
    Ask for every row of a table whether name and ID number belong to the same person.

    :param id_card_column: source column of the ID number; it must be text.
    :param name_column: source column of the name.
    """

    action = "IdCardVerification"

    def __init__(
        self, *, id_card_column: str = "id_card", name_column: str = "name", **kwargs: Any
    ) -> None:
        super().__init__(columns={"IdCard": id_card_column, "Name": name_column}, **kwargs)


class ImageRecognitionV2BatchOperator(_VerifyTableOperator):
    """
    Ask for every row of a table whether a photo shows the person registered under an ID number.

    Photos are read one at a time, just before their call.

    :param id_card_column: source column of the ID number; it must be text.
    :param name_column: source column of the name.
    :param photo_column: source column of the photo: Base64 text, or the picture as bytes.
    :param photo_is_path: whether that column holds paths or URLs instead, each below one of
        ``[faceid] photo_roots``.
    """

    action = "ImageRecognitionV2"

    def __init__(
        self,
        *,
        id_card_column: str = "id_card",
        name_column: str = "name",
        photo_column: str = "photo",
        photo_is_path: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(columns={"IdCard": id_card_column, "Name": name_column}, **kwargs)
        self.photo_column = photo_column
        self.photo_is_path = photo_is_path

    def _source_columns(self) -> Columns:
        from ..batch.inputs import Columns  # noqa: PLC0415 - keeps reading a DAG file cheap
        from .photos import photo_reader  # noqa: PLC0415 - the same

        return Columns(
            by_field=self.columns,
            photo=self.photo_column,
            read_photo=photo_reader() if self.photo_is_path else None,
        )
