"""What the lines of our tables say, as values: states, what is known of a row, whose work it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a row of the result table stands."""

    ANSWERED = "answered"
    POSTPONED = "postponed"
    HELD = "held"


class Stage(StrEnum):
    """Who put a row into quarantine."""

    VALIDATE = "validate"
    INPUT = "input"
    SERVICE = "service"
    WAREHOUSE = "warehouse"
    """The warehouse refused its answer, which is in the ledger; the next run tries to write it again."""


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    PLANNED = "planned"
    REFUSED = "refused"
    SUCCESS = "success"
    FAILED = "failed"


class Refusal(NamedTuple):
    """
    A line of the quarantine table.

    :param row_hash: of the row as it was then; None if it had none.
    """

    rule: str
    stage: str
    row_hash: str | None


class Known(NamedTuple):
    """
    A line of the result table.

    :param row_hash: of the row as it was then; None for rows of version 1.
    :param answered_at: Unix seconds; 0 if it is not answered.
    :param not_before: Unix seconds; 0 if it is not postponed.
    """

    status: str
    outcome: str
    row_hash: str | None
    id_card_hash: str | None
    answered_at: float
    not_before: float


class Refused(NamedTuple):
    """
    A row that the warehouse would not take.

    :param rule: the one it is quarantined under: ``warehouse:`` and the SQLSTATE, result code or class.
    :param lines: what was to be written into the result table: status and outcome of each line.
    """

    key: str
    rule: str
    lines: tuple[tuple[str, str], ...]


class LastRun(NamedTuple):
    """What the run table says of an earlier run of a campaign."""

    source: str | None
    hash_key_id: str | None


@dataclass(frozen=True)
class Work:
    """
    The identity of one piece of work.

    :param campaign: book in which verdicts are kept.
    :param action: the API Action.
    :param run_id: the DAG run, written beside every row.
    :param map_index: that of the task, written likewise; -1 if it is not mapped.
    :param dag_id: the DAG, written likewise.
    :param source: where the rows are, written likewise.
    """

    campaign: str
    action: str
    run_id: str
    map_index: int = -1
    dag_id: str = ""
    source: str = ""

    @property
    def scope(self) -> dict[str, str]:
        """Return the part of the tables' keys that is the same for all rows."""
        return {"campaign": self.campaign, "action": self.action}
