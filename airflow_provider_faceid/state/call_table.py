"""The table of calls: what its rows are found, locked, written and deleted by.

All workers lock in one order: calls that are there, by key; then new ones, by key; then counters.
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
    """Who holds a call: the work, and its attempt."""

    owner: str
    attempt: int


class CallTable:
    """
    The table of calls, in transactions of the caller's.

    :param store: where it is.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def lock(self, cursor: DBAPICursor, keys: set[str]) -> None:
        """
        Lock the calls of a step, in one order for everybody, before its counters and new calls.

        Two workers that record calls the other one asks about would wait for each other otherwise.
        """
        if keys and not self._store.is_sqlite:
            cursor.execute(
                f"SELECT FROM faceid_calls WHERE call_key IN ({', '.join(['%s'] * len(keys))}) "
                "ORDER BY call_key FOR NO KEY UPDATE",
                sorted(keys),
            )

    def select(self, cursor: DBAPICursor, keys: list[str]) -> dict[str, Call]:
        """Return the calls that are there, by key."""
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
        """Return calls of claims that are known under a key of an earlier version, renamed."""
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
        Write down what became of calls; what is recorded already stays as it is.

        :return: how many of them turned out to be free, and what was not used of the limits.
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
            if cursor.rowcount == 1:  # what is given back is given back once
                free += record.is_free
                unused.append(record.unused)
        if values:
            cursor.executemany(update, values)
        return free, unused

    def insert_intents(
        self, cursor: DBAPICursor, holder: Holder, claims: Sequence[Claim], now: float
    ) -> set[str]:
        """
        Write down that calls nobody made before are sent; return the keys nobody was faster with.

        This comes before the counters, whoever counts: a worker that records a call and gives back
        what it counted has them in the same order.
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
        """Delete calls just inserted that turn out to be over a limit."""
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
        """Write down that calls are sent again; return the keys nobody else was faster with."""
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
        """Write down that calls on their way will not be heard of."""
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
