"""The ledger: a write-ahead intent of each paid call, and its result.

The key of a call is a pseudonym (keyed hash) of the question, followed by one of the campaign. Only
the worker that inserted the key sends the call; all workers use its answer. Each attempt of a task has
a fencing token, and renews its lease with a heartbeat in each step. After a crash the calls in flight,
at most as many as were allowed, are in doubt and are not sent again unasked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..api.codes import Outcome, Step
from ..api.pseudonyms import VERSION
from ..clock import SECONDS_PER_DAY
from ..exceptions import SupersededError
from .call_table import (
    Call,
    CallTable,
    Claim,
    Decision,
    Holder,
    Record,
    Ruling,
    State,
    answers_to,
    question_of,
    read_answer,
)
from .housekeeping import Housekeeping, hour_of
from .identity_limits import IdentityCounts, Use
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

MAX_OWNER_LENGTH = 500
"""Length of the column, in characters."""

LEASE_SECONDS = 120.0
"""Lease of an attempt, in seconds. Without a heartbeat for this long the worker counts as dead, and its
calls in flight as in doubt."""

KEEP_SECONDS = 90.0 * SECONDS_PER_DAY
"""Default retention of answers, in seconds."""


class Ledger:
    """
    The ledger as one task instance uses it.

    :param store: the state store, shared by all workers.
    :param owner: name of the task instance, the same for all its attempts; a long one is hashed.
    :param max_charged: most calls that all attempts together may be charged for; None for no limit.
    :param reuse_within: seconds for which the answer of another campaign is reused.
    :param keep: retention of answers, in seconds.
    :ivar fenced_at: when the fencing token of this attempt was last found to be the newest, on the
        monotonic clock. Read inside the transaction: a process may be stopped right after it.
    :ivar has_earlier_keys: whether the ledger has calls under keys of earlier versions.
    """

    def __init__(
        self,
        store: StateStore,
        owner: str,
        *,
        max_charged: int | None = None,
        reuse_within: float = 0.0,
        keep: float = KEEP_SECONDS,
    ) -> None:
        self._store, self._owner = store, _owner_key(owner)
        self.max_charged, self._reuse_within, self.keep = max_charged, reuse_within, keep
        self._counts, self._calls = IdentityCounts(store), CallTable(store)
        self._attempt, self.fenced_at = 0, float("-inf")
        self.has_earlier_keys = False

    def begin(self, now: float) -> None:
        """
        Begin an attempt with a new fencing token; earlier attempts can neither claim nor record.

        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        self._start(now, "")

    def join(self, now: float, attempt_id: str = "") -> None:
        """
        Join the attempt that this task instance has begun, or begin one.

        All threads of a task, and all processes of its pool, share one attempt and its fencing token,
        so that they do not supersede each other.

        :param now: Unix seconds.
        :param attempt_id: id of the attempt, equal in all its processes; empty if they are only this
            process and its forks.
        :raises StateStoreError: the database cannot be used.
        """
        process = self._store.process
        with process.joining:
            begun = process.attempts.get(self._owner)
            if begun is not None:
                self._attempt, self.has_earlier_keys = begun
                return
            self._start(now, attempt_id)
            process.is_shared = process.is_shared or bool(attempt_id)

    def _start(self, now: float, attempt_id: str) -> None:
        begin = partial(self._begin, now=now, attempt_id=attempt_id or None)
        self._store.run(begin, durable=True)
        self._store.process.attempts[self._owner] = self._attempt, self.has_earlier_keys

    def step(self, records: Sequence[Record], claims: Sequence[Claim]) -> list[Ruling]:
        """
        Record results and claim further calls in one durable transaction (group commit).

        :param records: results of calls that have ended.
        :param claims: a few hundred at most.
        :return: one ruling for each claim, in order; a call may be sent only if its ruling says so.
        :raises SupersededError: a newer attempt of this task instance has begun.
        :raises StateStoreError: the database cannot be used; nothing was written.
        """

        def step(cursor: DBAPICursor) -> list[Ruling]:
            now, charged = self._heartbeat(cursor)
            keys = {record.key for record in records} | {claim.key for claim in claims}
            self._calls.lock(cursor, keys)
            free, unused = self._calls.record(cursor, self._holder, records, now)
            free -= sum(record.gateway_refusals for record in records)
            self._charge(cursor, -free)
            if claims:
                return self._claim(cursor, claims, now, charged - free, unused)
            self._counts.uncount(cursor, unused)
            return []

        process, recorded = self._store.process, {record.key for record in records}
        process.begin(claim.key for claim in claims)
        process.unwritten |= recorded
        rulings: list[Ruling] = []
        try:
            rulings = self._store.run(step, durable=True)
            process.unwritten -= recorded
        finally:
            # Only after the commit: another thread would otherwise find the call in doubt.
            process.end(record.key for record in records)
            called = [ruling.decision is Decision.CALL for ruling in rulings]
            called = called or [False] * len(claims)  # the transaction failed
            process.end(c.key for c, is_ours in zip(claims, called, strict=True) if not is_ours)
        return rulings

    def housekeeping(self) -> Housekeeping:
        """Return the housekeeping of the store, which deletes expired rows."""
        return Housekeeping(self._store, self._owner, self.keep)

    def after_refusal(self, uses: Sequence[Use], now: float) -> float:
        """Return when to call again, see :meth:`IdentityCounts.after_refusal`."""
        return self._counts.after_refusal(uses, now)

    def _begin(self, cursor: DBAPICursor, now: float, attempt_id: str | None) -> None:
        # The first fencing token is the hour: above each token of a row that has expired meanwhile.
        hour = hour_of(now)
        cursor.execute(
            self._sql(
                "INSERT INTO faceid_tries (owner, number, seen_at, begun_hour, attempt_id) "
                "VALUES (?, ?, 0, ?, ?) ON CONFLICT (owner) DO UPDATE SET number = "
                "CASE WHEN faceid_tries.attempt_id = excluded.attempt_id THEN faceid_tries.number "
                "ELSE faceid_tries.number + 1 END, begun_hour = excluded.begun_hour, "
                "attempt_id = excluded.attempt_id RETURNING number"
            ),
            (self._owner, hour, hour, attempt_id),
        )
        self._attempt = int(cursor.fetchall()[0][0])
        self._heartbeat(cursor)
        cursor.execute(
            self._sql("SELECT EXISTS (SELECT 1 FROM faceid_calls WHERE call_key < ?)"), (VERSION,)
        )
        self.has_earlier_keys = bool(cursor.fetchall()[0][0])

    def _heartbeat(self, cursor: DBAPICursor) -> tuple[float, int]:
        """
        Renew the lease of this attempt and check its fencing token, the attempt's number.

        :return: the database's time, and the calls that were or may be charged.
        :raises SupersededError: a newer attempt has begun.
        """
        moment = self._store.moment(None)
        cursor.execute(
            self._sql(
                f"UPDATE faceid_tries SET seen_at = COALESCE({self._store.now_sql}, ?) "
                "WHERE owner = ? AND number = ? RETURNING seen_at, charged"
            ),
            (moment.now, self._owner, self._attempt),
        )
        found = cursor.fetchall()
        if not found:
            raise SupersededError(
                "Superseded by a newer attempt of this task instance; stopping without sending or "
                "recording"
            )
        self.fenced_at = moment.here
        seen_at, charged = found[0]
        return float(seen_at), int(charged)

    def _claim(
        self,
        cursor: DBAPICursor,
        claims: Sequence[Claim],
        now: float,
        charged: int,
        unused: Sequence[Sequence[Use]],
    ) -> list[Ruling]:
        known = self._calls.select(cursor, sorted({claim.key for claim in claims}))
        known |= self._calls.rename_earlier_keys(cursor, claims, known)
        rulings: dict[int, Ruling] = {}
        wanted: dict[str, int] = {}
        doubtful = set()
        for number, claim in enumerate(claims):
            call = known.get(claim.key)
            ruling = self._decide(claim, call, now, claims)
            if ruling is None and claim.key in wanted:
                ruling = Ruling(Decision.BUSY)  # two rows ask the same question
            if ruling is None:
                wanted[claim.key] = number
            else:
                rulings[number] = ruling
                if ruling.decision is Decision.HOLD and call and call.state is State.SENT:
                    doubtful.add(claim.key)
        self._calls.mark_in_doubt(cursor, sorted(doubtful))
        fresh = {key: claims[number].answered_since for key, number in wanted.items()}
        for key, ruling in self._reuse(cursor, fresh, now).items():
            rulings[wanted.pop(key)] = ruling
        for key in self._over_budget(wanted, charged):
            rulings[wanted.pop(key)] = Ruling(Decision.STOP)
        wishes = [claims[number] for number in wanted.values()]
        for key, ruling in self._write_intents(cursor, wishes, known, now, unused).items():
            rulings[wanted[key]] = ruling
        return [rulings.get(n, Ruling(Decision.CALL)) for n in range(len(claims))]

    def _write_intents(
        self,
        cursor: DBAPICursor,
        wishes: Sequence[Claim],
        known: Mapping[str, Call],
        now: float,
        unused: Sequence[Sequence[Use]],
    ) -> dict[str, Ruling]:
        """
        Write the intents of calls, as far as the limits per identity allow.

        :param wishes: claims that may call, each for another question.
        :return: by key, the rulings of claims that may not call after all.
        """
        won = self._calls.insert_intents(
            cursor, self._holder, [w for w in wishes if w.key not in known], now
        )
        ours = [wish for wish in wishes if wish.key in won or wish.key in known]
        waits = self._counts.count(cursor, [wish.uses for wish in ours], unused)
        refused = {
            wish.key: Ruling(Decision.WAIT, wait)
            for wish, wait in zip(ours, waits, strict=True)
            if wait is not None
        }
        self._calls.delete(cursor, sorted(won & refused.keys()))
        again = [wish for wish in ours if wish.key not in won | refused.keys()]
        retaken = self._calls.retake(cursor, self._holder, again, known, now)
        self._counts.uncount(cursor, [wish.uses for wish in again if wish.key not in retaken])
        called = won - refused.keys() | retaken
        self._charge(cursor, len(called))
        lost = {wish.key for wish in wishes} - called - refused.keys()
        return refused | dict.fromkeys(lost, Ruling(Decision.BUSY))

    def _decide(
        self, claim: Claim, call: Call | None, now: float, claims: Sequence[Claim]
    ) -> Ruling | None:
        """
        Return the ruling on a claim by its call's state, None if it may call.

        :param call: the ledger's row; None if the question is new.
        :param now: Unix seconds.
        :param claims: all claims of this step.
        """
        if call is None:
            return None if claim.may_call else Ruling(Decision.HOLD)
        if call.state is State.DONE:
            if claim.may_call and call.changed_at < claim.answered_since:
                return None
            verdict = read_answer(call.answer, own=call.row == claim.row)
            return Ruling(Decision.USE, verdict=verdict, answered_at=call.changed_at)
        if call.state is State.SENT and self._is_in_flight(claim.key, call, now, claims):
            return Ruling(Decision.BUSY)
        if call.state is State.FREE or claim.retry:
            return None
        return Ruling(Decision.HOLD)

    def _is_in_flight(self, key: str, call: Call, now: float, claims: Sequence[Claim]) -> bool:
        """Return whether a call in flight may still be answered: its attempt is current and alive."""
        if not call.is_current:
            return False
        if (call.owner, call.attempt) == (self._owner, self._attempt):
            process, asking = self._store.process, sum(claim.key == key for claim in claims)
            if (
                process.calling.get(key, 0) > asking
            ):  # another thread of this process makes the call
                return True
            if not process.is_shared or key in process.unwritten:
                return False
            return (
                now - call.changed_at < LEASE_SECONDS
            )  # another process of this attempt may make it
        return now - call.seen_at < LEASE_SECONDS

    def _reuse(
        self, cursor: DBAPICursor, fresh: Mapping[str, float], now: float
    ) -> dict[str, Ruling]:
        """
        Return the latest answers of other campaigns to the same questions.

        :param fresh: by key, the Unix second before which an answer has expired.
        :param now: Unix seconds.
        """
        asked = {question_of(key): key for key in fresh} if self._reuse_within else {}
        if not asked:
            return {}
        cursor.execute(
            self._sql(answers_to(len(asked))),
            [*asked, now - self._reuse_within],
        )
        rulings = {}
        for question, answer, changed_at in cursor.fetchall():
            verdict = read_answer(answer, own=False)
            is_final = verdict.step is Step.RECORD and verdict.outcome is not Outcome.ERROR
            if is_final and changed_at >= fresh[asked[question]]:
                rulings[asked[question]] = Ruling(
                    Decision.USE, verdict=verdict, answered_at=changed_at
                )
        return rulings

    def _over_budget(self, keys: Mapping[str, int], charged: int) -> list[str]:
        """Return the keys that would exceed ``max_charged``."""
        if self.max_charged is None:
            return []
        return list(keys)[max(0, self.max_charged - charged) :]

    @property
    def _holder(self) -> Holder:
        return Holder(self._owner, self._attempt)

    def _charge(self, cursor: DBAPICursor, count: int) -> None:
        """Add to the count of calls that may be charged; a negative count was not charged after all."""
        if count:
            cursor.execute(
                self._sql("UPDATE faceid_tries SET charged = charged + ? WHERE owner = ?"),
                (count, self._owner),
            )

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)


def _owner_key(owner: str) -> str:
    """Return an owner that fits the column: a long one is hashed, as cut ones could collide."""
    return owner if len(owner) <= MAX_OWNER_LENGTH else hashlib.sha256(owner.encode()).hexdigest()
