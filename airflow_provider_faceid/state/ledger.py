"""Every call and what became of it, written down before it leaves.

A call has a key: a keyed hash of what is asked, for whom, in which campaign. Whoever claims the key
calls; its answer is everybody's. After a crash the calls that were on their way are in doubt, at
most as many as were allowed in flight, and nobody repeats them unasked.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..clock import SECONDS_PER_DAY
from ..exceptions import SupersededError
from ..service.outcomes import Outcome, Step
from ..service.pseudonyms import VERSION
from .calls import (
    Call,
    Claim,
    Decision,
    Record,
    Ruling,
    State,
    question_of,
    read_answer,
    write_answer,
)
from .limits import IdentityCounts, Use
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

LONGEST_OWNER = 500
"""Characters the table has room for."""

_JOINING = threading.Lock()

LEASE_SECONDS = 120.0
"""A worker not heard of for so long is dead, and what it had on its way is in doubt."""

KEEP_SECONDS = 90.0 * SECONDS_PER_DAY
"""How long answers are kept, unless told otherwise."""
_SLICES, _SLICES_PER_TRY = 256, 16
"""Each try looks for old lines in some slices of the table, so that it never takes long."""


class Ledger:
    """
    The ledger of one worker's work.

    :param store: shared by all workers.
    :param owner: the work, the same for every attempt of it; a long one is kept as its hash.
    :param max_charged: calls all tries of this work may be charged for; None for any number.
    :param reuse_within: seconds for which the answer of another campaign is good.
    :param keep: seconds for which answers are kept.
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
        self._store, self._owner = store, _short(owner)
        self.max_charged, self._reuse_within, self._keep = max_charged, reuse_within, keep
        self._counts = IdentityCounts(store)
        self._attempt = 0
        self.has_earlier_keys = False

    def begin(self, now: float) -> None:
        """
        Start a try; all earlier tries of this work can neither record nor claim from now on.

        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        self._counts.forget(now)
        self._forget(now)
        self._store.run(self._begin, durable=True)
        begun = self._attempt, self.has_earlier_keys
        self._store.process.attempts[os.getpid(), self._owner] = begun

    def join(self, now: float) -> None:
        """
        Go on with the attempt this process has begun for this work, or begin one.

        Threads of one task share their attempt like this: none of them supersedes another.

        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        with _JOINING:
            begun = self._store.process.attempts.get((os.getpid(), self._owner))
            if begun is None:
                self.begin(now)
            else:
                self._attempt, self.has_earlier_keys = begun

    def step(self, records: Sequence[Record], claims: Sequence[Claim]) -> list[Ruling]:
        """
        Write down what became of calls, and claim further ones, in one transaction.

        :param claims: a few hundred at most.
        :return: one ruling for each claim; a call may leave when it says so, not before.
        :raises SupersededError: a later try of this work has begun.
        :raises StateStoreError: the database cannot be used; nothing was written.
        """

        def step(cursor: DBAPICursor) -> list[Ruling]:
            free = sum(record.is_free for record in records)
            now, charged = self._heartbeat(cursor, given_back=free)
            self._record(cursor, records, now)
            return self._claim(cursor, claims, now, charged) if claims else []

        process = self._store.process
        process.begin(claim.key for claim in claims)
        rulings: list[Ruling] = []
        try:
            rulings = self._store.run(step, durable=True)
        finally:
            # Not before it is written: another thread would take the call for one in doubt.
            process.end(record.key for record in records)
            called = [ruling.decision is Decision.CALL for ruling in rulings]
            called = called or [False] * len(claims)  # nothing was written
            process.end(c.key for c, is_ours in zip(claims, called, strict=True) if not is_ours)
        return rulings

    def after_refusal(self, uses: Sequence[Use], now: float) -> float:
        """Return when to call again, see :meth:`IdentityCounts.after_refusal`."""
        return self._counts.after_refusal(uses, now)

    def _begin(self, cursor: DBAPICursor) -> None:
        cursor.execute(
            self._sql(
                "INSERT INTO faceid_tries (owner, number, seen_at) VALUES (?, 1, 0) "
                "ON CONFLICT (owner) DO UPDATE SET number = faceid_tries.number + 1 "
                "RETURNING number"
            ),
            (self._owner,),
        )
        self._attempt = int(cursor.fetchall()[0][0])
        self._heartbeat(cursor, given_back=0)
        cursor.execute(
            self._sql("SELECT EXISTS (SELECT 1 FROM faceid_calls WHERE call_key < ?)"), (VERSION,)
        )
        self.has_earlier_keys = bool(cursor.fetchall()[0][0])

    def _heartbeat(self, cursor: DBAPICursor, given_back: int) -> tuple[float, int]:
        """
        Renew the lease of this attempt, and check its fencing token: the attempt's number.

        :param given_back: calls that turned out to be free.
        :return: the time, and the calls that were or may yet be charged.
        :raises SupersededError: a later attempt has begun.
        """
        here = self._store.moment(None).now
        cursor.execute(
            self._sql(
                f"UPDATE faceid_tries SET seen_at = COALESCE({self._store.now_sql}, ?), "
                "charged = charged - ? WHERE owner = ? AND number = ? RETURNING seen_at, charged"
            ),
            (here, given_back, self._owner, self._attempt),
        )
        found = cursor.fetchall()
        if not found:
            raise SupersededError(
                "Superseded by a newer attempt of this task instance; stopping without sending or "
                "recording"
            )
        seen_at, charged = found[0]
        return float(seen_at), int(charged)

    def _record(self, cursor: DBAPICursor, records: Sequence[Record], now: float) -> None:
        if not records:
            return
        cursor.executemany(
            self._sql(
                "UPDATE faceid_calls SET state = ?, changed_at = ?, answer = ? "
                "WHERE call_key = ? AND owner = ? AND try_number = ?"
            ),
            [
                (
                    record.state.value,
                    now,
                    write_answer(record.verdict) if record.verdict else None,
                    record.key,
                    self._owner,
                    self._attempt,
                )
                for record in records
            ],
        )
        self._counts.uncount(cursor, [record.unused for record in records])

    def _claim(
        self, cursor: DBAPICursor, claims: Sequence[Claim], now: float, charged: int
    ) -> list[Ruling]:
        known = self._known(cursor, sorted({claim.key for claim in claims}))
        known |= self._found_under_earlier_keys(cursor, claims, known)
        rulings: dict[int, Ruling] = {}
        wanted: dict[str, int] = {}
        for number, claim in enumerate(claims):
            call = known.get(claim.key)
            ruling = self._rule(claim, call, now, claims)
            if ruling is None and claim.key in wanted:
                ruling = Ruling(Decision.BUSY)  # two rows ask the same
            if ruling is None:
                wanted[claim.key] = number
            else:
                rulings[number] = ruling
                if ruling.decision is Decision.HOLD and call and call.state is State.SENT:
                    self._doubt(cursor, claim.key)
        fresh = {key: claims[number].answered_since for key, number in wanted.items()}
        for key, ruling in self._reuse(cursor, fresh, now).items():
            rulings[wanted.pop(key)] = ruling
        for key in self._over_budget(wanted, charged):
            rulings[wanted.pop(key)] = Ruling(Decision.STOP)
        waits = self._counts.count(cursor, [claims[number].uses for number in wanted.values()])
        allowed = []
        for number, wait in zip(wanted.values(), waits, strict=True):
            if wait is None:
                allowed.append(claims[number])
            else:
                rulings[number] = Ruling(Decision.WAIT, wait)
        won = self._take(cursor, allowed, known, now)
        lost = [claim for claim in allowed if claim.key not in won]
        self._counts.uncount(cursor, [claim.uses for claim in lost])
        rulings |= {wanted[claim.key]: Ruling(Decision.BUSY) for claim in lost}
        return [rulings.get(n, Ruling(Decision.CALL)) for n in range(len(claims))]

    def _known(self, cursor: DBAPICursor, keys: list[str]) -> dict[str, Call]:
        cursor.execute(
            self._sql(
                "SELECT c.call_key, c.source_key, c.state, c.answer, c.owner, "
                "c.try_number, c.try_number = t.number, t.seen_at, c.changed_at "
                "FROM faceid_calls c JOIN faceid_tries t ON t.owner = c.owner "
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

    def _found_under_earlier_keys(
        self, cursor: DBAPICursor, claims: Sequence[Claim], known: Mapping[str, Call]
    ) -> dict[str, Call]:
        """Return calls of claims that are known under a key of an earlier version, renamed."""
        today = {
            earlier: claim.key
            for claim in claims
            if claim.key not in known
            for earlier in claim.earlier_keys
        }
        found = self._known(cursor, sorted(today)) if today else {}
        for earlier in found:
            cursor.execute(
                self._sql(
                    "INSERT INTO faceid_calls SELECT ?, source_key, owner, try_number, state, "
                    "changed_at, answer FROM faceid_calls WHERE call_key = ? ON CONFLICT DO NOTHING"
                ),
                (today[earlier], earlier),
            )
            cursor.execute(self._sql("DELETE FROM faceid_calls WHERE call_key = ?"), (earlier,))
        return {today[earlier]: call for earlier, call in found.items()}

    def _rule(
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
        if call.state is State.SENT and self._is_on_its_way(claim.key, call, now, claims):
            return Ruling(Decision.BUSY)
        if call.state is State.FREE or claim.retry:
            return None
        return Ruling(Decision.HOLD)

    def _is_on_its_way(self, key: str, call: Call, now: float, claims: Sequence[Claim]) -> bool:
        """Say whether a call that was sent may yet be answered; one of ours is, while we make it."""
        if not call.is_current:
            return False
        if (call.owner, call.attempt) == (self._owner, self._attempt):
            asking = sum(claim.key == key for claim in claims)
            return self._store.process.calling.get(key, 0) > asking  # somebody makes the call
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

    def _take(
        self, cursor: DBAPICursor, claims: Sequence[Claim], known: Mapping[str, Call], now: float
    ) -> set[str]:
        """Write down that calls are sent; return the keys nobody else was faster with."""
        won: set[str] = set()
        new = sorted((claim.key, claim.row) for claim in claims if claim.key not in known)
        if new:
            one = "(?, ?, ?, ?, 'sent', ?, NULL)"
            cursor.execute(
                self._sql(
                    f"INSERT INTO faceid_calls VALUES {', '.join([one] * len(new))} "
                    "ON CONFLICT (call_key) DO NOTHING RETURNING call_key"
                ),
                [
                    value
                    for key, row in new
                    for value in (key, row, self._owner, self._attempt, now)
                ],
            )
            won.update(key for (key,) in cursor.fetchall())
        for key, row in sorted((claim.key, claim.row) for claim in claims if claim.key in known):
            call = known[key]
            cursor.execute(
                self._sql(
                    "UPDATE faceid_calls SET source_key = ?, owner = ?, try_number = ?, "
                    "state = 'sent', changed_at = ? "
                    "WHERE call_key = ? AND state = ? AND owner = ?"
                ),
                (row, self._owner, self._attempt, now, key, call.state.value, call.owner),
            )
            if cursor.rowcount == 1:
                won.add(key)
        if won:
            cursor.execute(
                self._sql("UPDATE faceid_tries SET charged = charged + ? WHERE owner = ?"),
                (len(won), self._owner),
            )
        return won

    def _doubt(self, cursor: DBAPICursor, key: str) -> None:
        cursor.execute(
            self._sql(
                "UPDATE faceid_calls SET state = 'in_doubt' WHERE call_key = ? AND state = 'sent'"
            ),
            (key,),
        )

    def _forget(self, now: float) -> None:
        """Delete old answers in some slices of the table; what is in doubt stays for good."""
        before = now - self._keep
        for number in random.sample(range(_SLICES), _SLICES_PER_TRY):
            for prefix in (VERSION, ""):  # the keys of version 1 had no mark
                start = f"{prefix}{number:02x}"
                self._store.run(partial(self._forget_slice, start=start, before=before))

    def _forget_slice(self, cursor: DBAPICursor, start: str, before: float) -> None:
        cursor.execute(
            self._sql(
                "DELETE FROM faceid_calls WHERE call_key >= ? AND call_key < ? "
                "AND state IN ('done', 'free') AND changed_at < ?"
            ),
            (start, f"{start}g", before),
        )

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)


def _short(owner: str) -> str:
    """Return an owner as the table has room for it: two long ones must not be cut to the same."""
    return owner if len(owner) <= LONGEST_OWNER else hashlib.sha256(owner.encode()).hexdigest()
