"""Every call and what became of it, written down before it leaves.

A call has a key: a keyed hash of what is asked, for whom, in which campaign. Whoever claims the key
calls; its answer is everybody's. After a crash the calls that were on their way are in doubt, at
most as many as were allowed in flight, and nobody repeats them unasked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..exceptions import StateStoreError, SupersededError
from ..service.envelope import Pieces
from ..service.outcomes import Outcome, Step
from ..service.verdict import Verdict
from .limits import IdentityCounts, Use, purpose_key
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

LEASE_SECONDS = 120.0
"""A worker not heard of for so long is dead, and what it had on its way is in doubt."""

_PURPOSE = b"faceid call ledger"
_KEPT = tuple(
    field.name for field in fields(Verdict) if field.name not in {"fields", "description"}
)
"""Parts of a verdict but for those that may hold what the service said about a person."""


class State(StrEnum):
    """Where a call stands."""

    SENT = "sent"
    """It may be on its way."""
    DONE = "done"
    """It is answered."""
    FREE = "free"
    """It was certainly not charged and may be made."""
    IN_DOUBT = "in_doubt"
    """It was sent, and nobody knows whether it was answered."""


class Decision(StrEnum):
    """What to do about a claim."""

    CALL = "call"
    """It is ours: make the call."""
    USE = "use"
    """It was made before: use the answer."""
    BUSY = "busy"
    """It is on its way, in this run or another."""
    WAIT = "wait"
    """The person was asked about too often."""
    HOLD = "hold"
    """It may have been charged without an answer."""


@dataclass(frozen=True)
class Claim:
    """
    A wish to call.

    :param key: of the call, see :func:`call_key`.
    :param row: key of the source row.
    :param uses: what it uses up of the limits per identity.
    :param retry: whether to call although it may have been charged before.
    """

    key: str
    row: str
    uses: tuple[Use, ...] = ()
    retry: bool = False


@dataclass(frozen=True)
class Ruling:
    """
    The answer to a claim.

    :param not_before: for ``WAIT``, the Unix second to wait for.
    :param verdict: for ``USE``, the answer; not charged if another row's call brought it.
    """

    decision: Decision
    not_before: float = 0.0
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Record:
    """
    What became of a call.

    :param verdict: for ``DONE``, the answer.
    :param unused: what it did not use up of the limits per identity, because it was not sent.
    """

    key: str
    state: State
    verdict: Verdict | None = None
    unused: tuple[Use, ...] = ()


def call_key(secret: str, action: str, campaign: str, params: Mapping[str, object]) -> str:
    """
    Return the key of a call: the same question about the same person in the same campaign.

    :param secret: the account's SecretKey, without which nobody finds the person.
    :param params: the request fields, normalised; a photo is told by its hash.
    """
    parts = [action, campaign]
    for name, value in params.items():
        parts += [name, _hash(value) if isinstance(value, bytes | Pieces) else str(value)]
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.digest(purpose_key(secret, _PURPOSE), text.encode(), "sha256").hex()[:40]


def _hash(photo: bytes | Pieces) -> str:
    digest = hashlib.sha256()
    for piece in (photo,) if isinstance(photo, bytes) else photo:
        digest.update(piece)
    return digest.hexdigest()


class Ledger:
    """
    The ledger of one worker's work.

    :param store: shared by all workers.
    :param owner: the work, the same for every try of it; at most 500 characters.
    """

    def __init__(self, store: StateStore, owner: str) -> None:
        self._store, self._owner = store, owner[:500]
        self._counts = IdentityCounts(store)
        self._try = 0

    def begin(self, now: float) -> None:
        """
        Start a try; all earlier tries of this work can neither record nor claim from now on.

        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        self._counts.forget(now)
        with self._store.transaction() as cursor:
            cursor.execute(
                self._sql(
                    "INSERT INTO faceid_tries VALUES (?, 1, 0) ON CONFLICT (owner) "
                    "DO UPDATE SET number = faceid_tries.number + 1 RETURNING number"
                ),
                (self._owner,),
            )
            self._try = int(cursor.fetchall()[0][0])
            self._stand(cursor)

    def step(self, records: Sequence[Record], claims: Sequence[Claim]) -> list[Ruling]:
        """
        Write down what became of calls, and claim further ones, in one transaction.

        :param claims: a few hundred at most.
        :return: one ruling for each claim; a call may leave when it says so, not before.
        :raises SupersededError: a later try of this work has begun.
        :raises StateStoreError: the database cannot be used; nothing was written.
        """
        with self._store.transaction() as cursor:
            now = self._stand(cursor)
            self._record(cursor, records, now)
            return self._claim(cursor, claims, now) if claims else []

    def after_refusal(self, uses: Sequence[Use], now: float) -> float:
        """Return when to call again, see :meth:`IdentityCounts.after_refusal`."""
        return self._counts.after_refusal(uses, now)

    def _stand(self, cursor: DBAPICursor) -> float:
        """Say that this try is alive; return the time, unless a later try has begun."""
        cursor.execute(f"SELECT {self._store.now_sql}")
        now = self._store.moment(cursor.fetchall()[0][0]).now
        cursor.execute(
            self._sql("UPDATE faceid_tries SET seen_at = ? WHERE owner = ? AND number = ?"),
            (now, self._owner, self._try),
        )
        if cursor.rowcount != 1:
            raise SupersededError(
                "A later try of this task has begun; this one neither calls nor records any more"
            )
        return now

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
                    _answer(record.verdict) if record.verdict else None,
                    record.key,
                    self._owner,
                    self._try,
                )
                for record in records
            ],
        )
        self._counts.uncount(cursor, [record.unused for record in records])

    def _claim(self, cursor: DBAPICursor, claims: Sequence[Claim], now: float) -> list[Ruling]:
        known = self._known(cursor, sorted({claim.key for claim in claims}))
        rulings: dict[int, Ruling] = {}
        wanted: dict[str, int] = {}
        for number, claim in enumerate(claims):
            call = known.get(claim.key)
            ruling = self._rule(claim, call, now) if call is not None else None
            if ruling is None and claim.key in wanted:
                ruling = Ruling(Decision.BUSY)  # two rows ask the same
            if ruling is None:
                wanted[claim.key] = number
            else:
                rulings[number] = ruling
                if ruling.decision is Decision.HOLD and known[claim.key].state is State.SENT:
                    self._doubt(cursor, claim.key)
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

    def _known(self, cursor: DBAPICursor, keys: list[str]) -> dict[str, _Call]:
        cursor.execute(
            self._sql(
                "SELECT c.call_key, c.source_key, c.state, c.answer, c.owner, c.try_number, "
                "t.number, t.seen_at FROM faceid_calls c JOIN faceid_tries t ON t.owner = c.owner "
                f"WHERE c.call_key IN ({', '.join('?' * len(keys))})"
            ),
            keys,
        )
        return {
            key: _Call(row, State(state), answer, owner, number == latest, seen_at)
            for key, row, state, answer, owner, number, latest, seen_at in cursor.fetchall()
        }

    def _rule(self, claim: Claim, call: _Call, now: float) -> Ruling | None:
        """Return what is to be done about a known call, None if it may be claimed."""
        if call.state is State.DONE:
            return Ruling(Decision.USE, verdict=_verdict(call.answer, own=call.row == claim.row))
        if call.state is State.SENT and call.is_current and now - call.seen_at < LEASE_SECONDS:
            return Ruling(Decision.BUSY)
        if call.state is State.FREE or claim.retry:
            return None
        return Ruling(Decision.HOLD)

    def _take(
        self, cursor: DBAPICursor, claims: Sequence[Claim], known: Mapping[str, _Call], now: float
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
                [value for key, row in new for value in (key, row, self._owner, self._try, now)],
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
                (row, self._owner, self._try, now, key, call.state.value, call.owner),
            )
            if cursor.rowcount == 1:
                won.add(key)
        return won

    def _doubt(self, cursor: DBAPICursor, key: str) -> None:
        cursor.execute(
            self._sql(
                "UPDATE faceid_calls SET state = 'in_doubt' WHERE call_key = ? AND state = 'sent'"
            ),
            (key,),
        )

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)


@dataclass(frozen=True)
class _Call:
    """A line of the ledger; ``is_current``: no later try of its work has begun."""

    row: str
    state: State
    answer: str | None
    owner: str
    is_current: bool
    seen_at: float


def _answer(verdict: Verdict) -> str:
    return json.dumps({name: getattr(verdict, name) for name in _KEPT})


def _verdict(answer: str | None, *, own: bool) -> Verdict:
    try:
        kept: dict[str, Any] = json.loads(answer or "")
        if not own:
            kept |= {"charged": False, "attempts": 0, "throttled": 0}
        kept |= {"outcome": Outcome(kept["outcome"]), "step": Step(kept["step"])}
        return Verdict(**kept, description="")
    except (KeyError, TypeError, ValueError):
        raise StateStoreError(
            "An answer in the ledger of the state store cannot be read. Restore the store from a "
            "copy; nothing is sent without it, because nobody would know what was paid"
        ) from None
