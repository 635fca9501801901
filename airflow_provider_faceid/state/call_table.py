"""SQL of the ledger's table of calls: select, lock, insert, update and delete.

All transactions lock in one order, which rules out deadlocks: existing calls by key, then new calls by
key, then counters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .housekeeping import hour_of
from .identity_limits import Use
from .ledger_types import Call, Claim, Record, State, write_answer
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

_COLUMNS = "call_key, source_key, owner, try_number, state, changed_at, answer, claimed_hour"


class Holder(NamedTuple):
    """The holder of a call: a task instance, and the fencing token of its attempt."""

    owner: str
    attempt: int


class CallTable:
    """
    The table of calls; each method is part of the caller's transaction.

    :param store: the state store.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def lock(self, cursor: DBAPICursor, keys: set[str]) -> None:
        """
        Lock the existing calls of a step in ascending order, before counters and new calls.

        Otherwise two workers that record calls which the other one claims would deadlock.
        """
        if keys and not self._store.is_sqlite:
            cursor.execute(
                f"SELECT FROM faceid_calls WHERE call_key IN ({', '.join(['%s'] * len(keys))}) "
                "ORDER BY call_key FOR NO KEY UPDATE",
                sorted(keys),
            )

    def select(self, cursor: DBAPICursor, keys: list[str]) -> dict[str, Call]:
        """Return the existing calls by key."""
        cursor.execute(
            self._sql(
                "SELECT c.call_key, c.source_key, c.state, c.answer, c.owner, "
                "c.try_number, c.try_number = t.number, COALESCE(t.seen_at, 0), c.changed_at "
                "FROM faceid_calls c LEFT JOIN faceid_tries t ON t.owner = c.owner "
                f"WHERE c.call_key IN ({', '.join('?' * len(keys))})"
            ),
            keys,
        )
        return {
            key: Call(row, State(state), answer, owner, attempt, bool(current), seen_at, changed_at)
            for key, row, state, answer, owner, attempt, current, seen_at, changed_at in (
                cursor.fetchall()
            )
        }

    def rename_earlier_keys(
        self, cursor: DBAPICursor, claims: Sequence[Claim], known: Mapping[str, Call]
    ) -> dict[str, Call]:
        """Rename calls that have a key of an earlier version; return them by their present key."""
        today = {
            earlier: claim.key
            for claim in claims
            if claim.key not in known
            for earlier in claim.earlier_keys
        }
        found = self.select(cursor, sorted(today)) if today else {}
        for earlier in sorted(found):
            cursor.execute(
                self._sql(
                    f"INSERT INTO faceid_calls ({_COLUMNS}) SELECT ?, source_key, owner, "
                    "try_number, state, changed_at, answer, claimed_hour FROM faceid_calls "
                    "WHERE call_key = ? ON CONFLICT DO NOTHING"
                ),
                (today[earlier], earlier),
            )
            cursor.execute(self._sql("DELETE FROM faceid_calls WHERE call_key = ?"), (earlier,))
        return {today[earlier]: call for earlier, call in found.items()}

    def record(
        self, cursor: DBAPICursor, holder: Holder, records: Sequence[Record], now: float
    ) -> tuple[int, list[tuple[Use, ...]]]:
        """
        Record the results of calls; a result that is recorded already stays unchanged.

        :return: how many calls turned out to be free, and the reservations to release.
        """
        update = self._sql(
            "UPDATE faceid_calls SET state = ?, changed_at = ?, answer = ? WHERE call_key = ? "
            "AND owner = ? AND try_number = ? AND state IN ('sent', 'in_doubt')"
        )
        free, unused = 0, []
        values = []
        for record in sorted(records, key=lambda one: one.key):
            answer = write_answer(record.verdict) if record.verdict else None
            value = (record.state.value, now, answer, record.key, holder.owner, holder.attempt)
            if not record.is_free and not record.unused:
                values.append(value)
                continue
            cursor.execute(update, value)
            if cursor.rowcount == 1:  # a reservation is released only once
                free += record.is_free
                unused.append(record.unused)
        if values:
            cursor.executemany(update, values)
        return free, unused

    def insert_intents(
        self, cursor: DBAPICursor, holder: Holder, claims: Sequence[Claim], now: float
    ) -> set[str]:
        """
        Insert the intents of new calls; return the keys that no other worker has inserted meanwhile.

        Call it before the counters are changed: recording a call and releasing its reservations locks
        in the same order.
        """
        if not claims:
            return set()
        one = "(?, ?, ?, ?, 'sent', ?, NULL, ?)"
        cursor.execute(
            self._sql(
                f"INSERT INTO faceid_calls ({_COLUMNS}) VALUES {', '.join([one] * len(claims))} "
                "ON CONFLICT (call_key) DO NOTHING RETURNING call_key"
            ),
            [
                value
                for key, row in sorted((claim.key, claim.row) for claim in claims)
                for value in (key, row, holder.owner, holder.attempt, now, hour_of(now))
            ],
        )
        return {key for (key,) in cursor.fetchall()}

    def delete(self, cursor: DBAPICursor, keys: Sequence[str]) -> None:
        """Delete intents just inserted that turn out to be over a limit."""
        if keys:
            cursor.execute(
                self._sql(
                    f"DELETE FROM faceid_calls WHERE call_key IN ({', '.join('?' * len(keys))})"
                ),
                keys,
            )

    def retake(
        self,
        cursor: DBAPICursor,
        holder: Holder,
        claims: Sequence[Claim],
        known: Mapping[str, Call],
        now: float,
    ) -> set[str]:
        """Write the intents of calls that are sent again; return the keys no other worker has taken."""
        won = set()
        for key, row in sorted((claim.key, claim.row) for claim in claims):
            call = known[key]
            cursor.execute(
                self._sql(
                    "UPDATE faceid_calls SET source_key = ?, owner = ?, try_number = ?, "
                    "state = 'sent', changed_at = ?, claimed_hour = ? "
                    "WHERE call_key = ? AND state = ? AND owner = ?"
                ),
                (
                    *(row, holder.owner, holder.attempt, now, hour_of(now)),
                    *(key, call.state.value, call.owner),
                ),
            )
            if cursor.rowcount == 1:
                won.add(key)
        return won

    def mark_in_doubt(self, cursor: DBAPICursor, keys: Sequence[str]) -> None:
        """Mark calls in flight as in doubt: their worker is dead or superseded."""
        if keys:
            cursor.execute(
                self._sql(
                    "UPDATE faceid_calls SET state = 'in_doubt' WHERE state = 'sent' "
                    f"AND call_key IN ({', '.join('?' * len(keys))})"
                ),
                keys,
            )

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)
