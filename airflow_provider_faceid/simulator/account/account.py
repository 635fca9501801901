"""The account: everything the service remembers between two calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...api.actions import IdentityLimits
from ...clock import SYSTEM_CLOCK, Clock
from ..faults import Faults
from ..faults.rule import FaultRule
from ..people import People, Person
from ..people.photos import Gallery
from ..virtual_clock import VirtualClock
from .account_state import LIKELIEST, AccountStatus, Assumptions
from .keys import Keys
from .ledger import Ledger
from .limits import IDENTITY_LIMITS, QUOTAS, IdentityCounter, QuotaWindows


class Account:
    """
    One account and the authority behind it.

    :param people: everybody the authority knows.
    :param quotas: calls per second by Action, over the documented ones; 0 means unlimited.
    :param identity_limits: limits per identity by Action; an empty mapping means none.
    :param clock: shows the right time; a virtual clock is used as it is, so that others share it.
    :param faults: rules there are from the start.
    :param keys: SecretKey by SecretId; each SecretId is a sub-account with quotas of its own.
    :param assumptions: what the service is taken to do where nobody outside knows.
    """

    def __init__(
        self,
        people: People,
        quotas: Mapping[str, int] | None = None,
        identity_limits: Mapping[str, IdentityLimits] = IDENTITY_LIMITS,
        *,
        clock: Clock = SYSTEM_CLOCK,
        faults: Sequence[FaultRule] = (),
        keys: Mapping[str, str] | None = None,
        assumptions: Assumptions = LIKELIEST,
    ) -> None:
        self.time = clock if isinstance(clock, VirtualClock) else VirtualClock(clock)
        """The right time; may be put forward."""
        self.clock = VirtualClock(self.time)
        """What the service believes the time is; a fault may put it wrong."""
        self.faults = Faults(self.time, faults)
        self.account_state = self._account_state_at_start = (
            AccountStatus(keys=dict(keys)) if keys else AccountStatus()
        )
        self.assumptions = assumptions
        self.people = people
        self.gallery = Gallery(people.seed)
        self.encryption_keys = Keys()
        self.windows = QuotaWindows(QUOTAS | dict(quotas or {}))
        self.all_keys = QuotaWindows(dict.fromkeys(QUOTAS, assumptions.account_quota))
        """Calls of all sub-accounts together."""
        self.identities = IdentityCounter(identity_limits, assumptions.day_begins_utc_h)
        self.ledger = Ledger()
        self._told: Counter[tuple[str, str]] = Counter()

    def told(self, action: str, person: Person) -> str | None:
        """Return the code the service is told to give a special person now, and count it."""
        if person.persona is None:
            return None
        key = (action, person.id_card)
        code = person.persona.told(action, self._told[key])
        if code is not None:
            self._told[key] += 1
        return code

    def reset(self) -> None:
        """Forget every call and every change; clocks, quotas and rules are as at the start."""
        for memory in (self.ledger, self.windows, self.all_keys, self.identities, self._told):
            memory.clear()
        self.time.ahead_s = self.clock.ahead_s = 0.0
        self.account_state = self._account_state_at_start
        self.faults.reset()
