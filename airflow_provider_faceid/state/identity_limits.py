"""Identity limits: rate limits per person, counted for all workers before a call is sent.

The service refuses calls over its limits per identity and day or minute. Fixed-window counters in the
state store predict that, so such a row is postponed in place of a call that is known to fail.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..api.action import PER_DAY, PER_MINUTE, Action, IdentityLimits
from ..api.pseudonyms import purpose_key
from ..clock import SECONDS_PER_MINUTE, beijing_date, next_beijing_midnight
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

_COUNTER_BYTES = 8
_PURPOSE = b"faceid identity counters"


@dataclass(frozen=True)
class Use:
    """
    The use of one identity in one window of time.

    :param counter: key of its counter: a pseudonym (keyed hash), from which the person cannot be found.
    :param limit: calls the service allows in the window.
    :param ends: end of the window, in Unix seconds.
    """

    counter: int
    limit: int
    ends: float


def uses_of(
    action: Action, limits: IdentityLimits, secret: str, params: Mapping[str, object], now: float
) -> tuple[Use, ...]:
    """
    Return the counters that a call increments, the shortest window first.

    :param action: the API Action.
    :param limits: the account's limits; 0 means unlimited and is not counted.
    :param secret: the connection's hash key; another key starts new counters.
    :param params: the request fields, normalised.
    :param now: Unix seconds. Windows are minutes of the clock and days of Beijing (inferred).
    """
    key = purpose_key(secret, _PURPOSE)
    windows = _windows_at(int(now // SECONDS_PER_MINUTE))
    found = []
    for suffix, (number, ends) in windows.items():
        for field in action.fields:
            name = field.column + suffix
            limit = limits.get(name, 0) if field.column else 0
            if limit and field.name in params:
                text = f"{action.name}\n{name}\n{number}\n{params[field.name]}"
                digest = hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")
                # 63 bits: databases have signed integers.
                found.append(Use(int.from_bytes(digest[:_COUNTER_BYTES]) >> 1, limit, ends))
    return tuple(found)


@lru_cache(maxsize=4)
def _windows_at(minute: int) -> dict[str, tuple[int, float]]:
    """Return number and end of a minute and of its day in Beijing, the shorter window first."""
    begins = float(minute * SECONDS_PER_MINUTE)
    return {
        PER_MINUTE: (minute, begins + SECONDS_PER_MINUTE),
        PER_DAY: (beijing_date(begins).toordinal(), next_beijing_midnight(begins)),
    }


class IdentityCounts:
    """
    The counters of all identities, in the state store.

    :param store: shared by all workers.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def reserve(self, calls: Sequence[Sequence[Use]]) -> list[float | None]:
        """
        Count calls in one atomic step, as far as the limits allow.

        :param calls: the uses of each call, a few hundred calls at most.
        :return: for each call None if it may be made, otherwise the Unix second from which it may.
        :raises StateStoreError: the database cannot be used.
        """
        if not any(calls):
            return [None] * len(calls)
        return self._store.run(lambda cursor: self.count(cursor, calls))

    def count(
        self,
        cursor: DBAPICursor,
        calls: Sequence[Sequence[Use]],
        unused: Sequence[Sequence[Use]] = (),
    ) -> list[float | None]:
        """
        Do the same as :meth:`reserve` in the caller's transaction.

        All counters of the transaction are locked here, by their net change and in ascending order,
        so two workers cannot deadlock.

        :param cursor: of the transaction.
        :param calls: the uses of each call.
        :param unused: uses of calls that were counted earlier and not sent.
        """
        wanted = Counter(use.counter for call in calls for use in call)
        if not wanted:
            self.uncount(cursor, unused)
            return [None] * len(calls)
        back = Counter(use.counter for call in unused for use in call)
        ends = {use.counter: use.ends for call in (*calls, *unused) for use in call}
        rows = [(one, wanted[one] - back[one], ends[one]) for one in sorted(ends)]
        cursor.execute(
            f"INSERT INTO faceid_identity_uses VALUES {self._placeholders(rows)} "
            "ON CONFLICT (counter) DO UPDATE SET "
            "used = faceid_identity_uses.used + excluded.used RETURNING counter, used",
            [value for row in rows for value in row],
        )
        before = {counter: used - wanted[counter] for counter, used in cursor.fetchall()}
        waits = _grant(calls, before)
        self.uncount(cursor, [c for c, wait in zip(calls, waits, strict=True) if wait is not None])
        return waits

    def give_back(self, calls: Sequence[Sequence[Use]]) -> None:
        """
        Release the reservations of calls that were not sent, in a transaction of its own.

        :raises StateStoreError: the database cannot be used.
        """
        if any(calls):
            self._store.run(lambda cursor: self.uncount(cursor, calls))

    def uncount(self, cursor: DBAPICursor, calls: Sequence[Sequence[Use]]) -> None:
        """Release the reservations of calls that were not sent, in the caller's transaction."""
        marker = self._store.marker
        unused = Counter(use.counter for call in calls for use in call)
        for counter, count in sorted(unused.items()):
            cursor.execute(
                f"UPDATE faceid_identity_uses SET used = used - {marker} WHERE counter = {marker}",
                (count, counter),
            )

    def after_refusal(self, uses: Sequence[Use], now: float) -> float:
        """
        Return when to call again after the service refused a call as over a limit, in Unix seconds.

        The service does not say over which limit. It is assumed to be the shortest window with an
        earlier call about the identity, or else the day.

        :param uses: the uses of the call.
        :param now: Unix seconds.
        :raises StateStoreError: the database cannot be used.
        """
        counters = sorted({use.counter for use in uses})

        def select(cursor: DBAPICursor) -> dict[int, int]:
            cursor.execute(
                "SELECT counter, used FROM faceid_identity_uses WHERE counter IN "
                f"({', '.join([self._store.marker] * len(counters))})",
                counters,
            )
            return dict(cursor.fetchall())

        used = self._store.run(select) if counters else {}
        repeated = (use.ends for use in uses if used.get(use.counter, 0) > 1)
        return next(repeated, next_beijing_midnight(now))

    def _placeholders(self, rows: Sequence[tuple[object, ...]]) -> str:
        one = f"({', '.join([self._store.marker] * len(rows[0]))})"
        return ", ".join([one] * len(rows))


def _grant(calls: Iterable[Sequence[Use]], used: dict[int, int]) -> list[float | None]:
    """Grant calls in order; return None for each granted one, else the end of its full window."""
    waits: list[float | None] = []
    for call in calls:
        wait = max((use.ends for use in call if used[use.counter] >= use.limit), default=None)
        if wait is None:
            for use in call:
                used[use.counter] += 1
        waits.append(wait)
    return waits
