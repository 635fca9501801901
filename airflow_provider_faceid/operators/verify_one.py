"""Single call of any Action: the generic operator, and the base of the named ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign, task_instance
from ..exceptions import ConfigurationError
from ..process import without_frames
from ._common import read_parameters
from ._values import key_text, names, source_columns
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..hooks.faceid import FaceIdHook


class VerifyOnePerson(ReportsLineage, BaseOperator):
    """Base of the operators for one person, which say what each parameter means."""

    template_fields: Sequence[str] = (
        "source_conn_id",
        "source",
        "key",
        "key_column",
        "campaign",
        "on_in_doubt",
        "reuse_within",
        "valid_for",
        "skip_rules",
        "is_priority",
        "faceid_conn_id",
        "state_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "sql"}
    ui_color = "#e8f0fe"
    lineage_kind = "verify_one"
    action: str
    photo_is_path: bool = False
    _literals: tuple[str, ...] = ()
    """Parameters that name the person literally, for the message of one that is not named."""

    def __init__(
        self,
        *,
        values: Mapping[str, Any],
        source_conn_id: str | None = None,
        source: str | None = None,
        key: str | int | Sequence[str | int] | None = None,
        key_column: str | Sequence[str] = "id",
        campaign: str | None = None,
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        valid_for: timedelta | None = None,
        skip_rules: Sequence[str] = (),
        priority: bool = False,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.source = source
        self.key = key
        self.key_column = key_column
        self.campaign = campaign
        self.on_in_doubt = on_in_doubt
        self.reuse_within = reuse_within
        self.valid_for = valid_for
        self.skip_rules = skip_rules
        self.is_priority = priority  # a parameter of that name means another thing elsewhere
        self.faceid_conn_id = faceid_conn_id
        self.state_conn_id = state_conn_id
        self._values = values

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Make the call and return the verdict."""
        from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..hooks.single_call import Idempotency  # noqa: PLC0415 - the same

        with airflow_errors():
            read_parameters(self, "faceid_conn_id")
            idempotency = Idempotency(
                owner=task_instance(context),
                campaign=self.campaign or default_campaign(context),
                row=key_text(self._key()),
                retry=self.on_in_doubt == "retry",
                reuse_within=self.reuse_within,
                valid_for=self.valid_for,
            )
            hook = FaceIdHook(self.faceid_conn_id, self.state_conn_id)
            verdict = hook.verify(
                self.action,
                self._photo_read(hook, self._asked()),
                idempotency=idempotency,
                skip_rules=self.skip_rules,
                priority=self.is_priority,
            )
        self.log.info(
            "%s: %s (code %s, RequestId %s)",
            verdict.action,
            verdict.outcome.value,
            verdict.code,
            verdict.request_id,
        )
        return {
            "action": verdict.action,
            "outcome": verdict.outcome.value,
            "code": verdict.code,
            "similarity": verdict.similarity,
            "charged": verdict.charged,
            "request_id": verdict.request_id,
            "latency_ms": verdict.latency_ms,
            **verdict.outputs,
        }

    @property
    @abstractmethod
    def by_field(self) -> dict[str, str]:
        """Return the source column of each API field."""

    def _asked(self) -> dict[str, Any]:
        """Return what is asked, by API field."""
        referenced = self.source_conn_id is not None and self.source is not None
        literal = any(value is not None for value in self._values.values())
        if referenced == literal:
            raise ConfigurationError(
                f"Task '{self.task_id}': name the person either by source_conn_id, source and key, "
                f"or literally by {', '.join(self._literals)}"
            )
        return self._row() if referenced else dict(self._values)

    def _photo_read(self, hook: FaceIdHook, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with the picture in place of its path."""
        from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..api.fields import PHOTO  # noqa: PLC0415 - the same
        from ..batch.photos import read_patiently  # noqa: PLC0415 - the same
        from .photo_files import photo_reader  # noqa: PLC0415 - the same

        field = ACTIONS[self.action].field_of(PHOTO) if self.photo_is_path else None
        if field is None:
            return values
        patience, reader = hook.settings.outage_patience, photo_reader()
        picture = read_patiently(reader, values[field.name], patience, SYSTEM_CLOCK, self.log)
        return {**values, field.name: picture}

    def _key(self) -> Any:
        """Return the key; of several columns it is a list, also if a template made text of it."""
        if isinstance(self.key_column, str) or self.key is None:
            return self.key
        try:
            return names(self.key)
        except ValueError as error:
            raise ConfigurationError(
                f"Task '{self.task_id}': key: {error}, as key_column is"
            ) from None

    def _row(self) -> dict[str, Any]:
        from ..hooks.warehouses import source_database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.sources.source import Source  # noqa: PLC0415 - the same

        source = Source(
            source_database(str(self.source_conn_id)), str(self.source), self.key_column
        )
        by_field = self.by_field
        try:
            row = source.row(self._key(), list(by_field.values()))
        finally:
            source.database.close()
        if row is None:
            raise ConfigurationError(f"Task '{self.task_id}': the source has no row with this key")
        return dict(zip(by_field, row, strict=True))


class FaceIdVerifyOperator(VerifyOnePerson):
    """
    Ask an Action about one person.

    The named operators, such as ``IdCardVerificationOperator``, have a parameter for each value; this
    one takes any listed Action.

    Give the person in one of two ways. As a reference (``source_conn_id``, ``source``, ``key``):
    the row is read when the task runs, and no personal data reaches Airflow. Or literally, which
    is for trying out: these parameters are not templated, so that they are not stored in Airflow's
    database.

    The call is made once in a campaign: a retry or a cleared task uses the answer that is known. If
    it may have been charged without an answer, because there was none or the worker died, the task
    fails at once, Airflow does not retry it, and it is not made again.

    :param source_conn_id: connection of the source: SQLite, PostgreSQL, MySQL, MariaDB or DuckDB, which reads
        files, too (templated).
    :param source: table, with a schema if there is a dot, and quoted if a name needs it; a ``SELECT``; a
        ``.sql`` file that holds one; or, on DuckDB, the path of CSV or Parquet files, such as
        ``/data/people/*.parquet`` (templated).
    :param key: value of the key column that names the person; of several, a list of their values
        (templated).
    :param key_column: the key column, or a list of them (templated).
    :param action: name of the API Action (templated).
    :param columns: source column by API field, such as ``{"IdCard": "id_no"}`` (templated); a field that
        is not named is read from its default column, such as ``id_card``.
    :param photo_is_path: whether the photo's column holds a path or URL below one of
        ``[faceid] photo_roots`` (templated).
    :param campaign: book in which verdicts are kept (templated); the DAG id if not given. A person
        is asked about once in a campaign, unless the answer has expired.
    :param on_in_doubt: ``hold`` or ``retry`` a call that may have been charged without an answer
        (templated).
    :param reuse_within: for how long the answer of another campaign to the same question is good;
        not at all if not given. A reused answer is not charged (templated).
    :param valid_for: for how long an answer of this campaign is good; for as long as the ledger
        keeps it (90 days by default) if not given (templated).
    :param values: values by API field, for trying out; not templated.
    :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``
        (templated).
    :param priority: whether somebody waits for the answer: the call leaves before those of tables that
        are being verified, see the connection's priority share (templated). Leave it for mapped tasks
        over many people, who would only wait for each other.
    :param faceid_conn_id: connection of type ``faceid`` (templated).
    :param state_conn_id: connection of the database in which all workers keep the pace
        (templated).
    :return: through XCom, outcome, code, similarity, charged, request id; no personal data.
    """

    template_fields: Sequence[str] = (
        *VerifyOnePerson.template_fields,
        "action",
        "columns",
        "photo_is_path",
    )
    _literals = ("values",)

    def __init__(
        self,
        *,
        source_conn_id: str | None = None,
        source: str | None = None,
        key: str | int | Sequence[str | int] | None = None,
        key_column: str | Sequence[str] = "id",
        action: str,
        columns: dict[str, str] | None = None,
        photo_is_path: bool = False,
        campaign: str | None = None,
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        valid_for: timedelta | None = None,
        values: dict[str, Any] | None = None,
        skip_rules: Sequence[str] = (),
        priority: bool = False,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            values=values or {},
            source_conn_id=source_conn_id,
            source=source,
            key=key,
            key_column=key_column,
            campaign=campaign,
            on_in_doubt=on_in_doubt,
            reuse_within=reuse_within,
            valid_for=valid_for,
            skip_rules=skip_rules,
            priority=priority,
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
