"""Housekeeping: retention of the state store's rows, in small transactions beside a run's calls.

A run over a table takes the turn if it was free for an hour, and deletes expired rows: a few hundred in
a transaction, found by an index, so that other workers are not blocked. The start of a task and single
calls delete nothing.

Rows of calls and attempts carry the hour in which they began. It is indexed in place of their times,
which change with each step, so that a step does not write the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..clock import SECONDS_PER_DAY, SECONDS_PER_HOUR
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

TURN_SECONDS = float(SECONDS_PER_HOUR)
"""Shortest time between two turns, in seconds."""
ROWS_AT_ONCE = 500
"""Rows of one transaction, which takes a few milliseconds."""
MAX_STEPS = 4_000
"""Most transactions of one turn: two million rows an hour, far more than an account's quota can add."""
BACKFILL_AFTER_SECONDS = float(SECONDS_PER_DAY)
"""Seconds after a migration in which workers of the earlier version may still add rows without an hour."""
COUNTER_GRACE_SECONDS = float(SECONDS_PER_HOUR)
"""Seconds for which counters outlive their window, because of workers with clock skew."""

TURN_ROW = "turn"
"""Name of the row with the owner and the beginning of the last turn."""


class _ExpiringTable(NamedTuple):
    """A table whose rows expire: its key column, its hour column and its time column."""

    name: str
    key: str
    hour: str
    moment: str


CALLS = _ExpiringTable("faceid_calls", "call_key", "claimed_hour", "changed_at")
TRIES = _ExpiringTable("faceid_tries", "owner", "begun_hour", "seen_at")


def hour_of(moment: float) -> int:
    """Return the hour of a Unix time, counted from 1970."""
    return int(moment // SECONDS_PER_HOUR)


class Housekeeping:
    """
    One turn of housekeeping.

    :param store: the state store.
    :param owner: name of the task instance that takes the turn, for diagnosis.
    :param keep: retention of answers, attempts and ended pauses, in seconds.
    """

    def __init__(self, store: StateStore, owner: str, keep: float) -> None:
        self._store, self._owner, self._keep = store, owner, keep
        self._skip_locked = "" if store.is_sqlite else " FOR UPDATE SKIP LOCKED"

    def steps(self) -> Iterator[int]:
        """
        Run the transactions of the turn; yield the rows of each. Yield nothing without the turn.

        :raises StateStoreError: the database cannot be used.
        """
        if not self._store.run(self._take_turn):
            return
        left = MAX_STEPS
        for chore in self._chores():
            seen = ROWS_AT_ONCE
            while seen >= ROWS_AT_ONCE and left > 0:
                seen, left = self._store.run(chore), left - 1
                yield seen

    def _chores(self) -> tuple[Callable[[DBAPICursor], int], ...]:
        return (
            self._delete_counters,
            self._delete_uplinks,
            self._delete_pauses,
            lambda cursor: self._delete_expired(cursor, CALLS),
            lambda cursor: self._delete_expired(cursor, TRIES),
            lambda cursor: self._backfill_hours(cursor, CALLS),
            lambda cursor: self._backfill_hours(cursor, TRIES),
        )

    def _take_turn(self, cursor: DBAPICursor) -> bool:
        now = self._now(cursor)
        cursor.execute(
            self._sql(
                "UPDATE faceid_housekeeping SET began_at = ?, owner = ? WHERE name = ? "
                "AND NOT began_at BETWEEN ? AND ?"  # in the future: the clock was set back
            ),
            (now, self._owner, TURN_ROW, now - TURN_SECONDS, now + TURN_SECONDS),
        )
        return cursor.rowcount == 1

    def _delete_counters(self, cursor: DBAPICursor) -> int:
        """Delete counters of windows that have ended."""
        cursor.execute(
            self._sql(
                "DELETE FROM faceid_identity_uses WHERE counter IN (SELECT counter "
                f"FROM faceid_identity_uses WHERE ends < ? LIMIT {ROWS_AT_ONCE}{self._skip_locked})"
            ),
            (self._now(cursor) - COUNTER_GRACE_SECONDS,),
        )
        return int(cursor.rowcount)

    def _delete_uplinks(self, cursor: DBAPICursor) -> int:
        """Delete the uplinks of hosts without a report for a day."""
        cursor.execute(
            self._sql(
                "DELETE FROM faceid_uplinks WHERE host IN (SELECT host FROM faceid_uplinks "
                f"WHERE seen_hour < ? LIMIT {ROWS_AT_ONCE}{self._skip_locked})"
            ),
            (hour_of(self._now(cursor) - SECONDS_PER_DAY),),
        )
        return int(cursor.rowcount)

    def _delete_pauses(self, cursor: DBAPICursor) -> int:
        """Delete pauses whose retention has passed since they ended; one in force stays."""
        cursor.execute(
            self._sql(
                "DELETE FROM faceid_pauses WHERE resumed_at <= (SELECT MAX(resumed_at) FROM "
                "(SELECT resumed_at FROM faceid_pauses WHERE resumed_at < ? "
                f"ORDER BY resumed_at LIMIT {ROWS_AT_ONCE}) AS oldest)"
            ),
            (self._now(cursor) - self._keep,),
        )
        return int(cursor.rowcount)

    def _delete_expired(self, cursor: DBAPICursor, table: _ExpiringTable) -> int:
        """
        Delete rows whose retention has passed since their last change.

        A call in doubt, or one without a result, is kept for ever. Its hour is cleared, so that it
        does not turn up again.
        """
        before = self._now(cursor) - self._keep
        state = "state" if table is CALLS else "'done'"
        cursor.execute(
            self._sql(
                f"SELECT {table.key}, {table.moment}, {state} FROM {table.name} "
                f"WHERE {table.hour} < ? ORDER BY {table.hour} "
                f"LIMIT {ROWS_AT_ONCE}{self._skip_locked}"
            ),
            (hour_of(before),),
        )
        found = cursor.fetchall()
        kept = {key for key, _, state in found if state not in {"done", "free"}}
        younger = {key: hour_of(at) for key, at, _ in found if at >= before and key not in kept}
        hours: dict[str, int | None] = {**dict.fromkeys(kept), **younger}
        self._set_hours(cursor, table, hours)
        old = [key for key, _, _ in found if key not in kept and key not in younger]
        if old:
            cursor.execute(
                f"DELETE FROM {table.name} WHERE {table.key} IN ({self._placeholders(old)})", old
            )
        return len(found)

    def _backfill_hours(self, cursor: DBAPICursor, table: _ExpiringTable) -> int:
        """Backfill the hour of rows of earlier versions by keyset pagination, once."""
        cursor.execute(
            self._sql("SELECT began_at, walked_to FROM faceid_housekeeping WHERE name = ?"),
            (table.name,),
        )
        walk = cursor.fetchall()
        if not walk:
            return 0
        (began_at, walked_to), now = walk[0], self._now(cursor)
        if not began_at:
            self._record_backfill(cursor, table, now, "")
        if not began_at or now < began_at + BACKFILL_AFTER_SECONDS:
            return 0
        cursor.execute(
            self._sql(
                f"SELECT {table.key}, {table.moment}, {table.hour} FROM {table.name} "
                f"WHERE {table.key} > ? ORDER BY {table.key} LIMIT {ROWS_AT_ONCE}"
            ),
            (walked_to,),
        )
        found = cursor.fetchall()
        hours: dict[str, int | None] = {key: hour_of(at) for key, at, hour in found if hour is None}
        self._set_hours(cursor, table, hours)
        if found:
            self._record_backfill(cursor, table, began_at, found[-1][0])
        if len(found) < ROWS_AT_ONCE:
            cursor.execute(
                self._sql("DELETE FROM faceid_housekeeping WHERE name = ?"), (table.name,)
            )
        return len(found)

    def _record_backfill(
        self, cursor: DBAPICursor, table: _ExpiringTable, began_at: float, walked_to: str
    ) -> None:
        cursor.execute(
            self._sql(
                "UPDATE faceid_housekeeping SET began_at = ?, owner = ?, walked_to = ? "
                "WHERE name = ?"
            ),
            (began_at, self._owner, walked_to, table.name),
        )

    def _set_hours(
        self, cursor: DBAPICursor, table: _ExpiringTable, hours: dict[str, int | None]
    ) -> None:
        if hours:
            cursor.executemany(
                self._sql(f"UPDATE {table.name} SET {table.hour} = ? WHERE {table.key} = ?"),
                [(hour, key) for key, hour in sorted(hours.items())],
            )

    def _now(self, cursor: DBAPICursor) -> float:
        """Return the database's time, the same for all workers."""
        cursor.execute(f"SELECT {self._store.now_sql}")
        return self._store.moment(cursor.fetchall()[0][0]).now

    def _placeholders(self, values: Sequence[object]) -> str:
        return ", ".join([self._store.marker] * len(values))

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)
