"""Overview of a state store for its readers: the pace of each account and Action, calls without an answer.

Read in read-only transactions of limited time (:meth:`~.database.Database.reading`). Nothing is made,
migrated or written, unlike with :class:`~..state.store.StateStore`, which workers use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..clock import Clock
from ..state.call_table import State
from ..state.ledger import LEASE_SECONDS
from ..state.pauses import EVERY_ACTION
from ..state.rate import RECOVERY_PER_SECOND, Rate, factor_now
from .overview import READ_SECONDS, Run, columns_of
from .sql.database import SQLITE, Database

IDLE_SECONDS = 2.0
"""A pace of which no slot was taken for so long is idle."""
Row = dict[str, Any]


class Pace(NamedTuple):
    """
    The pace of an account and Action, which all its workers share.

    :param host: of the service.
    :param account: a hash of it.
    :param rate: the row of the state store.
    :param now: when it was read, on the store's clock.
    """

    host: str
    account: str
    action: str
    rate: Rate
    now: float


class OpenCalls(NamedTuple):
    """
    Calls of a task instance without an answer.

    :param owner: the task instance.
    :param in_flight: sent by an attempt that is alive.
    :param left_behind: sent by an attempt that has said nothing for two minutes; its next one settles them.
    :param in_doubt: may have been charged without an answer.
    :param since: when the oldest of them was sent, in Unix seconds.
    """

    owner: str
    in_flight: int
    left_behind: int
    in_doubt: int
    since: float


class PauseInForce(NamedTuple):
    """
    A pause of an account's Action.

    :param host: of the service.
    :param account: a hash of it.
    :param action: the API Action, ``*`` for all.
    :param paused_at: since when, in Unix seconds.
    """

    host: str
    account: str
    action: str
    paused_at: float
    paused_by: str
    reason: str


def read_paces(database: Database, clock: Clock) -> list[Pace]:
    """
    Read the rate limiters of a state store.

    :raises FaceIdError: it cannot be read, or is no state store.
    """
    with database.reading(READ_SECONDS) as ask:
        rows = ask(
            f"SELECT name, next_at, factor, factor_at, {_now(database)} FROM faceid_pace ORDER BY name"
        )
    found = []
    for name, next_at, factor, factor_at, now in rows:
        moment = clock.now() if now is None else float(now)
        found.append(Pace(*_parts(name), Rate(next_at, factor, factor_at), moment))
    return found


def read_open_calls(database: Database, clock: Clock) -> list[OpenCalls]:
    """
    Read which task instances have calls without an answer, those of the oldest first.

    :raises FaceIdError: it cannot be read, or takes too long.
    """
    marker = database.dialect.marker
    now = f"COALESCE({_now(database)}, {marker})"
    alive = f"COALESCE(t.seen_at, c.changed_at) > {now} - {LEASE_SECONDS}"
    with database.reading(READ_SECONDS) as ask:
        rows = ask(
            f"SELECT c.owner, SUM(CASE WHEN c.state = '{State.SENT}' AND {alive} THEN 1 ELSE 0 END), "
            f"SUM(CASE WHEN c.state = '{State.SENT}' AND NOT ({alive}) THEN 1 ELSE 0 END), "
            f"SUM(CASE WHEN c.state = '{State.IN_DOUBT}' THEN 1 ELSE 0 END), MIN(c.changed_at) "
            "FROM faceid_calls c LEFT JOIN faceid_tries t ON t.owner = c.owner "
            "AND t.number = c.try_number "
            f"WHERE c.state IN ('{State.SENT}', '{State.IN_DOUBT}') GROUP BY c.owner "
            "ORDER BY MIN(c.changed_at)",
            [clock.now()] * 2,
        )
    return [OpenCalls(str(row[0]), int(row[1]), int(row[2]), int(row[3]), row[4]) for row in rows]


def read_pauses(database: Database) -> list[PauseInForce]:
    """
    Read which Actions are paused; none in a store of an earlier version.

    :raises FaceIdError: it cannot be read.
    """
    with database.reading(READ_SECONDS) as ask:
        if not columns_of(ask, database, "faceid_pauses"):
            return []
        rows = ask(
            "SELECT name, paused_at, paused_by, reason FROM faceid_pauses "
            "WHERE resumed_at IS NULL ORDER BY paused_at"
        )
    return [PauseInForce(*_parts(name), *rest) for name, *rest in rows]


def quota_in_use(
    paces: Iterable[Pace], runs: Iterable[Run], pauses: Sequence[PauseInForce] = ()
) -> list[Row]:
    """
    Return what is used of each Action's quota, and who has paused it.

    :param runs: those whose calls per second are summed up.
    :param pauses: those in force; one of an Action that was never called has a line of its own.
    """
    used: dict[str, Row] = {}
    for run in runs:
        row = used.setdefault(run["action"], {"rate": 0.0, "runs": 0, "allowed": None})
        row["allowed"] = row["allowed"] or run.pace
        if run.is_live:
            row["rate"] += run["calls_per_second"] or 0.0
            row["runs"] += 1
    listed = list(paces)
    for pause in pauses:
        if not any(_is_paused(pace, pause) for pace in listed):
            listed.append(Pace(*pause[:3], Rate(), pause.paused_at))
    lines = []
    for pace in listed:
        found = next((pause for pause in pauses if _is_paused(pace, pause)), None)
        lines.append(_line(pace, used.get(pace.action, {})) | _pause_columns(found))
    return lines


def _is_paused(pace: Pace, pause: PauseInForce) -> bool:
    return pace[:2] == pause[:2] and pause.action in {pace.action, EVERY_ACTION}


def _pause_columns(pause: PauseInForce | None) -> Row:
    return {
        "paused_by": "" if pause is None else pause.paused_by,
        "paused_at": 0.0 if pause is None else pause.paused_at,
        "pause_reason": "" if pause is None else pause.reason,
    }


def _parts(name: Any) -> tuple[str, str, str]:
    """Return host, account and Action of a rate limiter's row."""
    host, account, action = (*str(name).split(" "), "", "", "")[:3]
    return host, account, action


def _line(pace: Pace, used: Row) -> Row:
    factor = factor_now(pace.rate, pace.now)
    return {
        "action": "all Actions" if pace.action == EVERY_ACTION else pace.action,
        "host": pace.host,
        "account": pace.account[:6],
        "rate": used.get("rate", 0.0),
        "runs": used.get("runs", 0),
        "allowed": used.get("allowed"),
        "factor": factor,
        "throttled_at": pace.rate.factor_at if factor < 1 else 0.0,
        "full_in": (1 - factor) / RECOVERY_PER_SECOND,
        "is_in_use": pace.rate.next_at > pace.now - IDLE_SECONDS,
        "last_at": min(pace.rate.next_at, pace.now),
    }


def _now(database: Database) -> str:
    """Return SQL for the store's clock; NULL where it is that of the host."""
    return (
        "CAST(NULL AS REAL)"
        if database.dialect is SQLITE
        else "extract(epoch FROM clock_timestamp())"
    )
