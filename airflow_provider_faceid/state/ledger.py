"""Every call and what became of it, written down before it leaves.

A call has a key: a keyed hash of what is asked, for whom, in which campaign. Whoever claims the key
calls; its answer is everybody's. After a crash the calls that were on their way are in doubt, at
most as many as were allowed in flight, and nobody repeats them unasked.
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
from .call_table import CallTable, Holder
from .housekeeping import Housekeeping, hour_of
from .identity_limits import IdentityCounts, Use
from .ledger_types import Call, Claim, Decision, Record, Ruling, State, question_of, read_answer
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

MAX_OWNER_LENGTH = 500
"""Characters the table has room for."""

LEASE_SECONDS = 120.0
"""A worker not heard of for so long is dead, and what it had on its way is in doubt."""

KEEP_SECONDS = 90.0 * SECONDS_PER_DAY
"""How long answers are kept, unless told otherwise."""


class Ledger:
    """
    The ledger of one worker's work.

    :param store: shared by all workers.
    :param owner: the work, the same for every attempt of it; a long one is kept as its hash.
    :param max_charged: calls all tries of this work may be charged for; None for any number.
    :param reuse_within: seconds for which the answer of another campaign is good.
    :param keep: seconds for which answers are kept.
    :ivar fenced_at: when the fencing token of this attempt was found to be the newest, on the
        monotonic clock. Taken inside the transaction: a process may be stopped right after it.
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
        Start a try; all earlier tries of this work can neither record nor claim from now on.

        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        self._start(now, "")

    def join(self, now: float, attempt_id: str = "") -> None:
        """
        Go on with the attempt that was begun for this work, or begin one.

        Threads of one task share their attempt like this, and so do the processes of a pool: none of
        them supersedes another.

        :param now: Unix seconds.
        :param attempt_id: the same for all processes of an attempt, and for no other attempt; empty if
            this process and its forks are all there are.
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
        Write down what became of calls, and claim further ones, in one transaction.

        :param claims: a few hundred at most.
        :return: one ruling for each claim; a call may leave when it says so, not before.
        :raises SupersededError: a later try of this work has begun.
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
            # Not before it is written: another thread would take the call for one in doubt.
            process.end(record.key for record in records)
            called = [ruling.decision is Decision.CALL for ruling in rulings]
            called = called or [False] * len(claims)  # nothing was written
            process.end(c.key for c, is_ours in zip(claims, called, strict=True) if not is_ours)
        return rulings

    def housekeeping(self) -> Housekeeping:
        """Return what deletes the store's expired rows, if it is our turn."""
        return Housekeeping(self._store, self._owner, self.keep)

    def after_refusal(self, uses: Sequence[Use], now: float) -> float:
        """Return when to call again, see :meth:`IdentityCounts.after_refusal`."""
        return self._counts.after_refusal(uses, now)

    def _begin(self, cursor: DBAPICursor, now: float, attempt_id: str | None) -> None:
        # The first token is the hour, above every one of a row that has expired meanwhile.
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
        Renew the lease of this attempt, and check its fencing token: the attempt's number.

        :return: the time, and the calls that were or may yet be charged.
        :raises SupersededError: a later attempt has begun.
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
                ruling = Ruling(Decision.BUSY)  # two rows ask the same
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
        Write down that calls are sent, as far as the limits per identity allow.

        :param wishes: claims that may call, each of another question.
        :return: by key, what is to be done in place of a call.
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
        Return what is to be done about a claim, None if it may call.

        :param claims: all of this step.
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
        """Say whether a call that was sent may yet be answered; one of ours is, while we make it."""
        if not call.is_current:
            return False
        if (call.owner, call.attempt) == (self._owner, self._attempt):
            process, asking = self._store.process, sum(claim.key == key for claim in claims)
            if process.calling.get(key, 0) > asking:  # somebody makes the call
                return True
            if not process.is_shared or key in process.unwritten:
                return False
            return now - call.changed_at < LEASE_SECONDS  # another process of this attempt may
        return now - call.seen_at < LEASE_SECONDS

    def _reuse(
        self, cursor: DBAPICursor, fresh: Mapping[str, float], now: float
    ) -> dict[str, Ruling]:
        """
        Return the answers other campaigns have to the same questions, the latest of each.

        :param fresh: by key, the Unix second before which an answer is too old.
        """
        asked = {question_of(key): key for key in fresh} if self._reuse_within else {}
        if not asked:
            return {}
        cursor.execute(
            self._sql(
                f"WITH asked (question) AS (VALUES {', '.join(['(?)'] * len(asked))}) "
                "SELECT question, answer, changed_at FROM asked JOIN faceid_calls "
                "ON call_key > CAST(question AS CHAR(40)) "
                "AND call_key < CAST(question || 'g' AS CHAR(40)) "  # follows all digits
                "WHERE state = 'done' AND changed_at >= ? ORDER BY changed_at"
            ),
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
        """Return the keys there is no money left for."""
        if self.max_charged is None:
            return []
        return list(keys)[max(0, self.max_charged - charged) :]

    @property
    def _holder(self) -> Holder:
        return Holder(self._owner, self._attempt)

    def _charge(self, cursor: DBAPICursor, count: int) -> None:
        """Count calls that may be charged; a negative number of them may not after all."""
        if count:
            cursor.execute(
                self._sql("UPDATE faceid_tries SET charged = charged + ? WHERE owner = ?"),
                (count, self._owner),
            )

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)


def _owner_key(owner: str) -> str:
    """Return an owner as the table has room for it: two long ones must not be cut to the same."""
    return owner if len(owner) <= MAX_OWNER_LENGTH else hashlib.sha256(owner.encode()).hexdigest()
