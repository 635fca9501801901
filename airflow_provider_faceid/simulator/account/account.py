"""The account: all state that the service keeps between two calls.

Quotas are fixed one-second windows on arrival time, one for each Action and sub-account: the first
20 of a second pass, the gateway refuses the others, which never reach the business and are not
billed (document 1278/109059). Identity limits are counted per Beijing day and per minute for the
whole account (document 1007/108625).

The account has two virtual clocks. The first shows the right time and can be advanced; clients in the
same process follow it when they are given it. The second is ahead of the first, or behind: it is the
time the service believes, so it decides about signatures, days and the ``Date`` of answers, by which
clients in other processes can follow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, MutableMapping, Sequence

from ...api.action import PER_DAY, PER_MINUTE, IdentityLimits
from ...api.actions import ACTIONS
from ...clock import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    SYSTEM_CLOCK,
    Clock,
    OffsetClock,
)
from ..api.encryption import Keys
from ..faults import FaultRule, Faults
from ..people import People, Person
from ..people.photos import Gallery
from . import LIKELIEST, AccountStatus, Assumptions, Ledger


class VirtualClock(OffsetClock):
    """
    An offset clock whose monotonic time advances with it. Advancing it ends no sleep early.

    :param base: the other clock.
    :param ahead_s: seconds this clock is ahead of it; negative if it is behind.
    """

    def advance(self, seconds: float) -> None:
        """Advance the clock by so many seconds."""
        self.ahead_s += seconds

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, offset included."""
        return self._base.monotonic() + self.ahead_s


BEIJING_UTC_H = 8


def documented_quotas() -> dict[str, int]:
    """Return calls per second by Action."""
    return {name: action.quota for name, action in ACTIONS.items()}


class QuotaWindows:
    """
    Calls per second, by Action and sub-account; remembers every second for :meth:`pace`.

    :param quotas: calls per second by Action; 0 or absent means unlimited.
    """

    def __init__(self, quotas: Mapping[str, int]) -> None:
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
    Calls about one value, for example an ID number or a name, in fixed windows.

    :param limits: the limits by Action; None for the documented ones, an absent Action or a limit of 0
        means unlimited.
    :param day_begins_utc_h: the UTC offset, in hours, at which a day begins; Beijing's by default.
    """

    def __init__(
        self,
        limits: Mapping[str, IdentityLimits] | None = None,
        day_begins_utc_h: int = BEIJING_UTC_H,
    ) -> None:
        documented = {name: action.identity_limits for name, action in ACTIONS.items()}
        self.limits = dict(documented if limits is None else limits)
        self._ahead_s = day_begins_utc_h * SECONDS_PER_HOUR
        self._windows: dict[tuple[str, str], tuple[int, Counter[str]]] = {}

    def exceeded(self, action: str, values: Mapping[str, str], at: float) -> bool:
        """
        Count a call about some values; return whether one is over a limit of the Action.

        :param values: by column of the field, such as ``id_card``.
        :param at: arrival in seconds since 1970.
        """
        if action not in self.limits:
            return False
        windows = {
            PER_DAY: int(at + self._ahead_s) // SECONDS_PER_DAY,
            PER_MINUTE: int(at) // SECONDS_PER_MINUTE,
        }
        over = False
        for (name, value), window in self._limited(action, values):
            count = self._count(action, name, windows[window], value)
            over |= count > self.limits[action].get(name, 0)
        return over

    def take_back(self, action: str, values: Mapping[str, str]) -> None:
        """Undo the last count of some values."""
        for (name, value), _ in self._limited(action, values):
            if counted := self._windows.get((action, name)):
                counted[1][value] -= 1

    def clear(self) -> None:
        """Forget every count."""
        self._windows.clear()

    def _limited(
        self, action: str, values: Mapping[str, str]
    ) -> Iterator[tuple[tuple[str, str], str]]:
        """Yield the name of each limit with the value it counts, and the window it counts in."""
        limits = self.limits.get(action, IdentityLimits())
        for column, value in values.items():
            for window in (PER_DAY, PER_MINUTE):
                if limits.get(column + window):
                    yield (column + window, value), window

    def _count(self, action: str, limit: str, window: int, value: str) -> int:
        """Count a value in the newest window, the only one kept; late calls count there, too."""
        newest, counts = self._windows.get((action, limit), (-1, Counter[str]()))
        if window > newest:
            counts = Counter()
            self._windows[action, limit] = (window, counts)
        counts[value] += 1
        return counts[value]


class Account:
    """
    One account and the authority behind it.

    :param people: all people that the authority knows.
    :param quotas: calls per second by Action, over the documented ones; 0 means unlimited.
    :param identity_limits: limits per identity by Action; None for the documented ones, an empty
        mapping for none.
    :param clock: shows the right time; a virtual clock is used as it is, so that others share it.
    :param faults: the rules at the start.
    :param keys: SecretKey by SecretId; each SecretId is a sub-account with quotas of its own.
    :param assumptions: assumed behaviour of the service where no page confirms it.
    """

    def __init__(
        self,
        people: People,
        quotas: Mapping[str, int] | None = None,
        identity_limits: Mapping[str, IdentityLimits] | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        faults: Sequence[FaultRule] = (),
        keys: Mapping[str, str] | None = None,
        assumptions: Assumptions = LIKELIEST,
    ) -> None:
        self.time = clock if isinstance(clock, VirtualClock) else VirtualClock(clock)
        """The right time; it can be advanced."""
        self.clock = VirtualClock(self.time)
        """The time the service believes; a fault rule can set it wrong."""
        self.faults = Faults(self.time, faults)
        self.account_state = self._account_state_at_start = (
            AccountStatus(keys=dict(keys)) if keys else AccountStatus()
        )
        self.assumptions = assumptions
        self.people = people
        self.gallery = Gallery(people.seed)
        self.encryption_keys = Keys()
        documented = documented_quotas()
        self.windows = QuotaWindows(documented | dict(quotas or {}))
        self.all_keys = QuotaWindows(dict.fromkeys(documented, assumptions.account_quota))
        """Calls of all sub-accounts together."""
        self.identities = IdentityCounter(identity_limits, assumptions.day_begins_utc_h)
        self.ledger = Ledger()
        self._forced: Counter[tuple[str, str]] = Counter()

    @property
    def quotas(self) -> MutableMapping[str, int]:
        """Return calls per second by Action; 0 means unlimited."""
        return self.windows.quotas

    def forced_code(self, action: str, person: Person) -> str | None:
        """Return the code that a persona forces on this call, or None; count it."""
        if person.persona is None:
            return None
        key = (action, person.id_card)
        code = person.persona.forced_code(action, self._forced[key])
        if code is not None:
            self._forced[key] += 1
        return code

    def reset(self) -> None:
        """Forget every call and every change; clocks, quotas and rules are as at the start."""
        for memory in (self.ledger, self.windows, self.all_keys, self.identities, self._forced):
            memory.clear()
        self.time.ahead_s = self.clock.ahead_s = 0.0
        self.account_state = self._account_state_at_start
        self.faults.reset()
