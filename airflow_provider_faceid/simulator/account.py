"""The account: everything the service remembers between two calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..clock import SYSTEM_CLOCK, Clock
from ..service.actions import IdentityLimits
from .gallery import Gallery
from .ledger import Ledger
from .limits import IDENTITY_LIMITS, QUOTAS, IdentityCounter, QuotaWindows
from .people import People, Person


class Account:
    """
    One account and the authority behind it.

    :param people: everybody the authority knows.
    :param quotas: calls per second by Action, over the documented ones; 0 means unlimited.
    :param identity_limits: limits per identity by Action; an empty mapping means none.
    :param clock: the service's clock.
    """

    def __init__(
        self,
        people: People,
        quotas: Mapping[str, int] | None = None,
        identity_limits: Mapping[str, IdentityLimits] = IDENTITY_LIMITS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self.people = people
        self.gallery = Gallery(people.seed)
        self.windows = QuotaWindows(QUOTAS | dict(quotas or {}))
        self.identities = IdentityCounter(identity_limits)
        self.ledger = Ledger()
        self._told: Counter[tuple[str, str]] = Counter()

    def told(self, action: str, person: Person) -> str | None:
        """Return the code the service is told to give a special person now, and count it."""
        if person.special is None:
            return None
        key = (action, person.id_card)
        code = person.special.told(action, self._told[key])
        if code is not None:
            self._told[key] += 1
        return code

    def reset(self) -> None:
        """Forget every call: ledger, bill, quota windows, identity counts, transient codes."""
        for memory in (self.ledger, self.windows, self.identities, self._told):
            memory.clear()
