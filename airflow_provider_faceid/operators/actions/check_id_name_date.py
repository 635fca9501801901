"""Operators of ``CheckIdNameDate``: for one person, and for a whole table."""

# Written by codegen/generate.py from the Actions; `make docs` writes it anew.

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Literal

from ..verify_one import VerifyOnePerson
from ..verify_table import VerifyTable


class CheckIdNameDateOperator(VerifyOnePerson):
    """
    Ask whether name, ID number and validity are those of the person's ID card.

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
    :param name_column: column of the name in ``source`` (templated).
    :param id_card_column: column of the ID number in ``source`` (templated).
    :param validity_begin_column: column of ``ValidityBegin`` in ``source`` (templated).
    :param validity_end_column: column of ``ValidityEnd`` in ``source`` (templated).
    :param campaign: book in which verdicts are kept (templated); the DAG id if not given. A person
        is asked about once in a campaign, unless the answer has expired.
    :param on_in_doubt: ``hold`` or ``retry`` a call that may have been charged without an answer
        (templated).
    :param reuse_within: for how long the answer of another campaign to the same question is good;
        not at all if not given. A reused answer is not charged (templated).
    :param valid_for: for how long an answer of this campaign is good; for as long as the ledger
        keeps it (90 days by default) if not given (templated).
    :param name: name, for trying out; not templated.
    :param id_card: ID number, for trying out; not templated.
    :param validity_begin: ``ValidityBegin``, for trying out; not templated.
    :param validity_end: ``ValidityEnd``, for trying out; not templated.
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
        "name_column",
        "id_card_column",
        "validity_begin_column",
        "validity_end_column",
    )
    action = "CheckIdNameDate"
    _literals = (
        "name",
        "id_card",
        "validity_begin",
        "validity_end",
    )

    def __init__(
        self,
        *,
        source_conn_id: str | None = None,
        source: str | None = None,
        key: str | int | Sequence[str | int] | None = None,
        key_column: str | Sequence[str] = "id",
        name_column: str = "name",
        id_card_column: str = "id_card",
        validity_begin_column: str = "validity_begin",
        validity_end_column: str = "validity_end",
        campaign: str | None = None,
        on_in_doubt: Literal["hold", "retry"] = "hold",
        reuse_within: timedelta | None = None,
        valid_for: timedelta | None = None,
        name: str | None = None,
        id_card: str | None = None,
        validity_begin: str | int | date | None = None,
        validity_end: str | int | date | None = None,
        skip_rules: Sequence[str] = (),
        priority: bool = False,
        faceid_conn_id: str = "faceid_default",
        state_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            values={
                "Name": name,
                "IdCard": id_card,
                "ValidityBegin": validity_begin,
                "ValidityEnd": validity_end,
            },
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
        self.name_column = name_column
        self.id_card_column = id_card_column
        self.validity_begin_column = validity_begin_column
        self.validity_end_column = validity_end_column

    @property
    def by_field(self) -> dict[str, str]:
        """Return the source column of each API field."""
        return {
            "Name": self.name_column,
            "IdCard": self.id_card_column,
            "ValidityBegin": self.validity_begin_column,
            "ValidityEnd": self.validity_end_column,
        }


class CheckIdNameDateBatchOperator(VerifyTable):
    """
    Ask for every row of a table whether name, ID number and validity are those of
    the person's ID card.

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
    :param name_column: source column of the name (templated).
    :param id_card_column: source column of the ID number; it must be text (templated).
    :param validity_begin_column: source column of ``ValidityBegin``: a date, or text such as
        20260131 (templated).
    :param validity_end_column: source column of ``ValidityEnd``: a date, or text such as
        20460131; ``00000000`` and ``长期`` say that there is none (templated).
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
        "name_column",
        "id_card_column",
        "validity_begin_column",
        "validity_end_column",
    )
    action = "CheckIdNameDate"

    def __init__(
        self,
        *,
        source_conn_id: str,
        source: str,
        key_column: str | Sequence[str] = "id",
        after: str | dict[str, Any] | Sequence[str | dict[str, Any]] | None = None,
        name_column: str = "name",
        id_card_column: str = "id_card",
        validity_begin_column: str = "validity_begin",
        validity_end_column: str = "validity_end",
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
        self.name_column = name_column
        self.id_card_column = id_card_column
        self.validity_begin_column = validity_begin_column
        self.validity_end_column = validity_end_column

    @property
    def by_field(self) -> dict[str, str]:
        """Return the source column of each API field."""
        return {
            "Name": self.name_column,
            "IdCard": self.id_card_column,
            "ValidityBegin": self.validity_begin_column,
            "ValidityEnd": self.validity_end_column,
        }
