"""The ledger's types (claims, rulings, records, calls and their keys) and the SQL of its table of calls.

An answer is kept serialised, without the fields that may hold the service's words about a person.

All transactions lock in one order, which rules out deadlocks: existing calls by key, then new calls by
key, then counters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..api.codes import Outcome, Step
from ..api.pseudonyms import (
    HASH_DIGITS,
    campaign_hash,
    identifying_values,
    question_hash,
    question_hashes_of_version_1,
)
from ..api.verdict import Verdict
from ..exceptions import StateStoreError
from .housekeeping import hour_of
from .identity_limits import Use
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

CAMPAIGN_DIGITS = 16
"""Hex digits of the campaign's hash in a call's key; they follow those of the question."""

_KEPT = tuple(
    field.name
    for field in fields(Verdict)
    if field.name not in {"fields", "description", "gateway_refusals"}
)
"""Fields of a verdict that are kept. Fields that may hold the service's words about a person are not,
nor are those that the run which made the call counts."""


class State(StrEnum):
    """State of a call."""

    SENT = "sent"
    """Its intent is written; it may be in flight."""
    DONE = "done"
    """It is answered."""
    FREE = "free"
    """It was certainly not charged and may be sent."""
    IN_DOUBT = "in_doubt"
    """It was sent, and it is unknown whether it was processed and charged."""


class Decision(StrEnum):
    """The ledger's decision on a claim."""

    CALL = "call"
    """The intent is written: send the call."""
    USE = "use"
    """The call is answered: use the answer."""
    BUSY = "busy"
    """The call is in flight, in this run or another."""
    WAIT = "wait"
    """A limit per identity is reached: wait."""
    HOLD = "hold"
    """The call is in doubt: it may have been charged without an answer."""
    STOP = "stop"
    """``max_charged`` is reached, unless a call in flight turns out to be free."""


@dataclass(frozen=True)
class Claim:
    """
    A request to make a call, at most once.

    :param key: key of the call, see :func:`call_key`.
    :param row: key of the source row.
    :param uses: what the call reserves of the limits per identity.
    :param retry: whether to call although an earlier call in doubt may have been charged.
    :param may_call: whether to call for a question that the ledger does not know. A held row may not:
        it was called for before, even if its call is no longer in the ledger.
    :param answered_since: Unix second before which an answer has expired and the call is made again.
    :param earlier_keys: keys of this call in earlier versions.
    """

    key: str
    row: str
    uses: tuple[Use, ...] = ()
    retry: bool = False
    may_call: bool = True
    answered_since: float = 0.0
    earlier_keys: tuple[str, ...] = ()

    @property
    def question_hash(self) -> str:
        """Return the question's part of the key, the same in each campaign."""
        return question_of(self.key)


@dataclass(frozen=True)
class Ruling:
    """
    The ledger's answer to a claim.

    :param decision: what to do.
    :param not_before: for ``WAIT``, the Unix second from which the call may be made.
    :param verdict: for ``USE``, the answer; not charged if it comes from another row's call.
    :param answered_at: for ``USE``, the Unix second of the answer.
    """

    decision: Decision
    not_before: float = 0.0
    verdict: Verdict | None = None
    answered_at: float = 0.0


@dataclass(frozen=True)
class Record:
    """
    The result of a call.

    :param key: key of the call.
    :param state: its new state.
    :param verdict: for ``DONE``, the answer.
    :param unused: reservations of the limits per identity to release, because it was not sent.
    :param gateway_refusals: requests that a gateway refused; each may be charged in addition.
    """

    key: str
    state: State
    verdict: Verdict | None = None
    unused: tuple[Use, ...] = ()
    gateway_refusals: int = 0

    @property
    def is_free(self) -> bool:
        """Return whether the call is certainly not charged."""
        return self.state is State.FREE or (
            self.verdict is not None and self.verdict.charged is False
        )


@dataclass(frozen=True)
class Call:
    """
    A row of the ledger.

    :param row: key of the source row.
    :param state: state of the call.
    :param answer: the answer as :func:`write_answer` wrote it; None if there is none.
    :param owner: task instance that claimed it.
    :param attempt: fencing token of the attempt that claimed it.
    :param is_current: whether no newer attempt of that task instance has begun.
    :param seen_at: last heartbeat of that attempt, in Unix seconds; 0 if it is unknown.
    :param changed_at: when the state changed last, in Unix seconds.
    """

    row: str
    state: State
    answer: str | None
    owner: str
    attempt: int
    is_current: bool
    seen_at: float
    changed_at: float


def call_key(secret: str, action: str, campaign: str, params: Mapping[str, object]) -> str:
    """
    Return the key of a call: the hash of its question, followed by that of its campaign.

    :param secret: the connection's hash key; without it no hash leads to a person.
    :param action: the API Action.
    :param campaign: the campaign.
    :param params: the request fields, see :func:`~..api.pseudonyms.identifying_values`.
    """
    question = question_hash(secret, action, identifying_values(action, params))
    return _in_campaign(question, secret, campaign)


def earlier_keys(
    secret: str, action: str, campaign: str, params: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the keys of a call in earlier versions, under which answers may be kept."""
    return tuple(
        _in_campaign(question, secret, campaign)
        for question in question_hashes_of_version_1(secret, action, params)
    )


def _in_campaign(question: str, secret: str, campaign: str) -> str:
    return question + campaign_hash(secret, campaign)[:CAMPAIGN_DIGITS]


def question_of(call_key: str) -> str:
    """Return the question's part of a call's key, the same in each campaign."""
    return call_key[:HASH_DIGITS]


def write_answer(verdict: Verdict) -> str:
    """Serialise the fields of an answer that are kept."""
    return json.dumps({name: getattr(verdict, name) for name in _KEPT})


def read_answer(answer: str | None, *, own: bool) -> Verdict:
    """
    Parse an answer that :func:`write_answer` serialised.

    :param answer: the text.
    :param own: whether it comes from the row's own call; otherwise the row is not charged.
    :raises StateStoreError: the text is corrupt.
    """
    try:
        kept: dict[str, Any] = json.loads(answer or "")
        if not own:
            kept |= {"charged": False, "attempts": 0, "throttled": 0}
        kept |= {"outcome": Outcome(kept["outcome"]), "step": Step(kept["step"])}
        return Verdict(**kept, description="")
    except (KeyError, TypeError, ValueError):
        raise StateStoreError(
            "An answer in the ledger of the state store cannot be read. Restore the store from a "
            "backup; nothing is sent without it, because paid calls could be sent again"
        ) from None


def answers_to(questions: int) -> str:
    """
    Return the query for the answers to questions in all campaigns, the oldest first.

    Its parameters, marked by ``?``, are the questions, and the Unix second since when answers count.
    """
    # Of many questions SQLite would make an index of all answered calls by their state for each query,
    # which takes minutes in a large ledger: an expression keeps it to the primary key.
    return (
        f"WITH asked (question) AS (VALUES {', '.join(['(?)'] * questions)}) "
        "SELECT question, answer, changed_at FROM asked JOIN faceid_calls "
        "ON call_key > CAST(question AS CHAR(40)) "
        "AND call_key < CAST(question || 'g' AS CHAR(40)) "  # g sorts after all hex digits
        "WHERE state || '' = 'done' AND changed_at >= ? ORDER BY changed_at"
    )


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
