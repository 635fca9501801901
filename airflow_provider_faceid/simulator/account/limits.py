"""What the service counts: calls per second, and calls about one identity per day and minute.

Quotas are fixed one-second windows on arrival time, one for each Action and sub-account: the first
20 of a second pass, the others are refused at the gateway and never reach the business, so they are
not billed (document 1278/109059). Identity limits are counted per Beijing day and per minute for
the whole account (document 1007/108625).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from ...api.actions import ACTIONS, IdentityLimits
from ...clock import SECONDS_PER_MINUTE

QUOTAS: dict[str, int] = {name: action.quota for name, action in ACTIONS.items()}
IDENTITY_LIMITS: dict[str, IdentityLimits] = {
    name: action.identity_limits for name, action in ACTIONS.items()
}
SECONDS_PER_HOUR, SECONDS_PER_DAY = 3_600, 86_400
BEIJING_UTC_H = 8

ID_CARD_PER_DAY, NAME_PER_DAY = "id_card_per_day", "name_per_day"
ID_CARD_PER_MINUTE, NAME_PER_MINUTE = "id_card_per_minute", "name_per_minute"
"""What is counted: the fields of :class:`IdentityLimits`."""


class QuotaWindows:
    """
    Calls per second, by Action and sub-account; remembers every second for :meth:`pace`.

    :param quotas: calls per second, by Action; 0 or absent means unlimited.
    """

    def __init__(self, quotas: Mapping[str, int] = QUOTAS) -> None:
        self.quotas = dict(quotas)
        self._quotas_at_start = dict(quotas)
        self._arrivals: dict[str, dict[str, Counter[int]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        self._throttled: Counter[str] = Counter()

    def arrive(self, action: str, at: float, secret_id: str = "") -> int:
        """
        Count a call; return 0 if it passes, otherwise the running count of its second.

        :param at: arrival in seconds since 1970; windows begin at full seconds.
        :param secret_id: the sub-account that calls.
        """
        seconds, second = self._arrivals[action][secret_id], int(at)
        seconds[second] += 1
        quota = self.quotas.get(action, 0)
        if not quota or seconds[second] <= quota:
            return 0
        self._throttled[action] += 1
        return seconds[second]

    def pace(self) -> dict[str, dict[str, int]]:
        """
        Return how fast calls of all sub-accounts arrived, throttled ones included.

        ``busiest_second``: most arrivals in one window; ``seconds``: from the first arrival to the
        last, both included; ``calls``: all arrivals; ``throttled``: those refused.
        """
        paces = {}
        for action, arrivals in sorted(self._arrivals.items()):
            seconds = sum(arrivals.values(), Counter[int]())
            paces[action] = {
                "busiest_second": max(seconds.values()),
                "throttled": self._throttled[action],
                "seconds": max(seconds) - min(seconds) + 1,
                "calls": seconds.total(),
            }
        return paces

    def clear(self) -> None:
        """Forget every window; the quotas are those of the start again."""
        self.quotas.update(self._quotas_at_start)
        self._arrivals.clear()
        self._throttled.clear()


class IdentityCounter:
    """
    Calls about one ID number and one name.

    :param limits: the limits by Action; an absent Action or a limit of 0 means unlimited.
    :param day_begins_utc_h: how many hours east of UTC a day begins; Beijing's is the default.
    """

    def __init__(
        self,
        limits: Mapping[str, IdentityLimits] = IDENTITY_LIMITS,
        day_begins_utc_h: int = BEIJING_UTC_H,
    ) -> None:
        self.limits = dict(limits)
        self._ahead_s = day_begins_utc_h * SECONDS_PER_HOUR
        self._windows: dict[tuple[str, str], tuple[int, Counter[str]]] = {}

    def exceeded(self, action: str, id_card: str, name: str, at: float) -> bool:
        """Count a call about an identity; say whether it is over one of the Action's limits."""
        limits = self.limits.get(action)
        if limits is None:
            return False
        day, minute = int(at + self._ahead_s) // SECONDS_PER_DAY, int(at) // SECONDS_PER_MINUTE
        counted = (
            (limits.id_card_per_day, self._count(action, ID_CARD_PER_DAY, day, id_card)),
            (limits.name_per_day, self._count(action, NAME_PER_DAY, day, name)),
            (limits.id_card_per_minute, self._count(action, ID_CARD_PER_MINUTE, minute, id_card)),
            (limits.name_per_minute, self._count(action, NAME_PER_MINUTE, minute, name)),
        )
        return any(limit and count > limit for limit, count in counted)

    def take_back(self, action: str, id_card: str, name: str) -> None:
        """Undo the last count of an identity."""
        for limit, value in (
            (ID_CARD_PER_DAY, id_card),
            (NAME_PER_DAY, name),
            (ID_CARD_PER_MINUTE, id_card),
            (NAME_PER_MINUTE, name),
        ):
            if counted := self._windows.get((action, limit)):
                counted[1][value] -= 1

    def clear(self) -> None:
        """Forget every count."""
        self._windows.clear()

    def _count(self, action: str, limit: str, window: int, value: str) -> int:
        """Count a value in the newest window, the only one kept; latecomers count there, too."""
        newest, counts = self._windows.get((action, limit), (-1, Counter[str]()))
        if window > newest:
            counts = Counter()
            self._windows[action, limit] = (window, counts)
        counts[value] += 1
        return counts[value]
