"""Rows as values: unreadable values and unusable keys of the source, rows of our tables, write buffer.

A value or key that cannot be used is replaced by a value that names the broken rule, so that it costs
its own row only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from .. import __version__
from ..api.codes import CodeRow
from ..api.verdict import Verdict
from ..clock import Clock, beijing_date, utc_text

MAX_KEY = 500
"""Characters of a key; an index of PostgreSQL holds about 2,700 bytes."""
_KEY_SHOWN = 40
"""Characters of an unusable key that its name begins with."""

ROW_RULES: dict[str, str] = {
    "not_text": "a value is no text in its database's encoding, mostly UTF-8",
    "not_readable": "the database cannot compute a value of the row",
    "key_not_text": "the key is no text in its database's encoding",
    "key_type": "the key is a fraction or bytes, which have no one text",
    "key_length": f"a key has at most {MAX_KEY} characters",
    "key_characters": "a key holds no NUL character",
    "key_encoding": "the warehouse's encoding cannot hold the key",
}
"""Rules that are checked before any input rule."""


class Unreadable(bytes):
    """
    The bytes of a value that is no text. Printing it shows nothing.

    :ivar rule: the one its row breaks.
    """

    rule = "not_text"

    def __repr__(self) -> str:
        return "<unreadable>"

    __str__ = __repr__


class NotComputed(Unreadable):
    """A value its database raises an error for."""

    rule = "not_readable"


class UnusableKey(str):
    """
    The name of a row whose key cannot be used: the beginning of the key, and a hash of the whole.

    :ivar rule: the one the key breaks.
    """

    __slots__ = ("rule",)
    rule: str

    @classmethod
    def named(cls, key: object, rule: str) -> UnusableKey:
        """Return the name of a key, the same each time; it is ASCII."""
        text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
        whole = bytes(key) if isinstance(key, bytes) else text.encode("utf-8", "surrogatepass")
        head = text[:_KEY_SHOWN].encode("unicode_escape").decode("ascii")
        name = cls(f"{head}... ({rule}, {hashlib.sha256(whole).hexdigest()[:16]})")
        name.rule = rule
        return name


def usable_key(key: Any, position: Any) -> str:
    """
    Return a key, or the name of one that cannot be used.

    :param key: as the database makes text of it.
    :param position: as it is in the source.
    """
    if isinstance(position, Unreadable) or not isinstance(key, str):
        return UnusableKey.named(key, "key_not_text")
    if isinstance(position, float | bytes):
        return UnusableKey.named(position if isinstance(position, bytes) else key, "key_type")
    if len(key) > MAX_KEY:
        return UnusableKey.named(key, "key_length")
    if "\0" in key:
        return UnusableKey.named(key, "key_characters")
    return key


class Status(StrEnum):
    """State of a row of the result table."""

    ANSWERED = "answered"
    POSTPONED = "postponed"
    HELD = "held"
    ERASED = "erased"
    """Its person was erased; it was in doubt, and its call may be on the bill."""


COUNTED = (Status.ANSWERED, Status.POSTPONED, Status.HELD)
"""Statuses of the rows that a run counts; an erased one is a row of no source."""


class Stage(StrEnum):
    """Stage that put a row into quarantine."""

    VALIDATE = "validate"
    INPUT = "input"
    SERVICE = "service"
    WAREHOUSE = "warehouse"
    """The warehouse refused its answer, which is in the ledger; the next run tries to write it again."""


class RunState(StrEnum):
    """State of a run."""

    RUNNING = "running"
    PLANNED = "planned"
    REFUSED = "refused"
    SUCCESS = "success"
    FAILED = "failed"


class QuarantineEntry(NamedTuple):
    """
    A row of the quarantine table.

    :param row_hash: of the row as it was then; None if it had none.
    """

    rule: str
    stage: str
    row_hash: str | None


class StoredResult(NamedTuple):
    """
    A row of the result table, as an earlier run wrote it.

    :param row_hash: of the row as it was then; None for rows of version 1.
    :param answered_at: Unix seconds; 0 if it is not answered.
    :param not_before: Unix seconds; 0 if it is not postponed. Of an answer, when a reviewer wanted it
        checked again.
    """

    status: str
    outcome: str
    row_hash: str | None
    id_card_hash: str | None
    answered_at: float
    not_before: float


class RejectedRow(NamedTuple):
    """
    A row that the warehouse rejected; it is in quarantine.

    :param rule: the one it is quarantined under: ``warehouse:`` and the SQLSTATE, result code or class.
    :param lines: what was to be written into the result table: status and outcome of each line.
    """

    key: str
    rule: str
    lines: tuple[tuple[str, str], ...]


class PreviousRun(NamedTuple):
    """A row of the run table: an earlier run of a campaign."""

    source: str | None
    hash_key_id: str | None


@dataclass(frozen=True)
class RunContext:
    """
    The run whose rows are written: campaign, Action, DAG run, source.

    :param campaign: book in which verdicts are kept.
    :param action: the API Action.
    :param run_id: the DAG run, written beside every row.
    :param map_index: that of the task, written likewise; -1 if it is not mapped.
    :param dag_id: the DAG, written likewise.
    :param source: where the rows are, written likewise.
    :param task_id: the task, written beside what a validation has found.
    """

    campaign: str
    action: str
    run_id: str
    map_index: int = -1
    dag_id: str = ""
    source: str = ""
    task_id: str = ""

    @property
    def scope(self) -> dict[str, str]:
        """Return the part of the tables' keys that is the same for all rows."""
        return {"campaign": self.campaign, "action": self.action}


class WriteBuffer:
    """
    Rows that the next transaction writes: result rows (answered, postponed, held) and quarantine rows.

    :param context: the run, which is written beside each row.
    """

    def __init__(self, context: RunContext, clock: Clock) -> None:
        self._context, self._clock = context, clock
        self._results: list[dict[str, Any]] = []
        self._quarantine: list[dict[str, Any]] = []

    def add_answer(self, key: str, verdict: Verdict, at: float | None = None, **facts: Any) -> None:
        """
        Buffer a final answer.

        :param at: when it came, in Unix seconds; now if not given.
        :param facts: more columns of the row.
        """
        moment = self._clock.now() if at is None else at
        row = self._row(key, Status.ANSWERED) | {
            "outcome": verdict.outcome.value,
            "code": verdict.code,
            "similarity": verdict.similarity,
            "charged": None if verdict.charged is None else int(verdict.charged),
            # Our own words: the service's may change, and might quote the request.
            "description": verdict.meaning,
            "request_id": verdict.request_id,
            "attempts": verdict.attempts,
            "latency_ms": verdict.latency_ms,
            "waited_ms": verdict.waited_ms if verdict.attempts else None,
            "answered_at": utc_text(moment),
            "verified_date": beijing_date(moment).isoformat(),
            "answer_id": verdict.request_id or utc_text(moment),
            **verdict.outputs,
        }
        self._results.append(row | facts)

    def add_postponed(self, key: str, outcome: str, not_before: float, **facts: Any) -> None:
        """Buffer that a row waits until a moment (Unix seconds)."""
        row = self._row(key, Status.POSTPONED)
        row |= {"outcome": outcome, "not_before": utc_text(not_before)}
        self._results.append(row | facts)

    def add_held(self, key: str, code: CodeRow, **facts: Any) -> None:
        """Buffer that a row may have been charged without an answer."""
        row = self._row(key, Status.HELD)
        row |= {"outcome": code.outcome.value, "code": code.code, "description": code.meaning}
        self._results.append(row | facts)

    def add_quarantined(self, key: str, rule: str, stage: Stage, **facts: Any) -> None:
        """
        Buffer that a row's input has to be mended.

        :param facts: more columns of the row.
        """
        row = {
            **self.origin(key),
            "rule": rule,
            "stage": stage.value,
            "found_at": utc_text(self._clock.now()),
        }
        self._quarantine.append(row | facts)

    def drain(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Empty the buffer and return its content: result rows, quarantine rows."""
        drained = self._results, self._quarantine
        self._results, self._quarantine = [], []
        return drained

    def put_back(self, results: list[dict[str, Any]], quarantine: list[dict[str, Any]]) -> None:
        """Buffer rows again that could not be written, before those that came meanwhile."""
        self._results[:0], self._quarantine[:0] = results, quarantine

    def _row(self, key: str, status: Status) -> dict[str, Any]:
        return {**self.origin(key), "source": self._context.source, "status": status.value}

    def origin(self, key: str) -> dict[str, Any]:
        """Return the columns by which each of our rows names its source row and its run."""
        return {
            **self._context.scope,
            "source_key": key,
            "dag_id": self._context.dag_id,
            "run_id": self._context.run_id,
            "map_index": self._context.map_index,
            "provider_version": __version__,
        }
