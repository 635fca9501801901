"""What a call does after a request has ended: one table, and the patience it is read with.

A call is repeated only where nothing can have been charged. Throttling is the account's business
and no failure of the call: it has a patience of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..api.codes import Outcome
from ..clock import OffsetClock
from .delivery import Delivery
from .settings import Settings

BACK_OFF_BASE = 0.5
"""Seconds before the second attempt; doubled for each further one."""
BACK_OFF_CAP = 20.0
SPREAD = (0.5, 1.5)
"""Pauses are this many times as long, by chance, to keep workers out of step."""

RETRY_AFTER_CAP = 60.0
"""Seconds for which a gateway's ``Retry-After`` is obeyed; for longer ones a later call is tried."""

LEAST_SECONDS = 1.0
"""What a repetition must have left before the deadline; with less it would end in doubt."""

ANY = "*"


class RetryAction(StrEnum):
    """What comes next."""

    ANSWER = "answer"
    """Return the answer."""
    BACK_OFF = "back_off"
    """The same request after a pause, each twice as long; ``max_attempts`` requests in all."""
    NEXT_SLOT = "next_slot"
    """The same request a second or so later; ``throttle_patience`` times, which are no attempts."""
    SIGN_AGAIN = "sign_again"
    """The same request, signed with the service's time; once, which is no attempt."""
    RENEW_KEY = "renew_key"
    """The same request, signed with the next key of its origin; once, which is no attempt."""
    GIVE_UP = "give_up"
    """Raise the problem."""


@dataclass(frozen=True)
class RetryRule:
    """One row: after this fate and outcome, with this code or any, comes that, for a reason."""

    fate: Delivery
    outcome: Outcome
    code: str
    decision: RetryAction
    reason: str


def _table(text: str) -> tuple[RetryRule, ...]:
    rules = []
    for line in filter(None, map(str.strip, text.splitlines())):
        fate, outcome, code, decision, reason = line.split(maxsplit=4)
        rules.append(
            RetryRule(Delivery(fate), Outcome(outcome), code, RetryAction(decision), reason)
        )
    return tuple(rules)


# fate, outcome, code, decision, reason
RULES = _table("""
not_sent  unavailable    *                           back_off   nothing left this machine: DNS, network or proxy may come back
not_sent  refused        *                           give_up    no request can be sent like this: address, proxy or certificate
no_answer uncertain      *                           give_up    it may have been processed and charged: never repeated
answered  throttled      *                           next_slot  refused as too fast: not processed, not charged
answered  unavailable    *                           back_off   the service or a gateway says it could not, and charges nothing
answered  credentials    AuthFailure.SignatureExpire sign_again refused for this machine's clock, at no charge
answered  credentials    AuthFailure.TokenFailure    renew_key  refused for its key, at no charge: it may have been revoked before its time
answered  credentials    *                           give_up    every call fails until somebody changes the key
answered  account        *                           give_up    every call fails until somebody puts the account in order
answered  refused        *                           give_up    every request of this form fails
answered  match          *                           answer     final, and charged
answered  mismatch       *                           answer     final, and charged
answered  review         *                           answer     final: a person decides
answered  not_found      *                           answer     final: asking again finds nobody else
answered  invalid_input  *                           answer     the input has to be mended first
answered  unusable_photo *                           answer     another photo is needed
answered  limit          *                           answer     not before another day
answered  error          *                           answer     may have been charged: a person decides
answered  uncertain      *                           answer     may have been charged: the row is held
""")
"""Every way a request can end. A row with a code comes before one with any."""

_DECISIONS = {(rule.fate, rule.outcome, rule.code): rule.decision for rule in RULES}


def decide(fate: Delivery, outcome: Outcome, code: str = ANY) -> RetryAction:
    """Return what comes next."""
    return _DECISIONS.get((fate, outcome, code)) or _DECISIONS[fate, outcome, ANY]


class Tries:
    """
    The requests of one call: what they have used up of its patience.

    :param clock: the one requests are signed by.
    :ivar requests: all of them.
    :ivar throttled: those refused as too fast.
    :ivar gateway_refusals: those a gateway refused in the service's place.
    :ivar sent_at: when the last of them left, on the monotonic clock.
    """

    def __init__(self, settings: Settings, clock: OffsetClock) -> None:
        self.requests = self.throttled = self.gateway_refusals = 0
        self.sent_at = self._deadline = 0.0
        self._failures = 0
        self._signed_again = self._renewed = False
        self._settings, self._clock = settings, clock

    @property
    def too_late(self) -> bool:
        """Say whether the deadline allows no further request now."""
        return self._too_late_at(self._clock.monotonic())

    def start(self) -> float:
        """Count a request that leaves now; return the seconds it may take."""
        self.sent_at = self._clock.monotonic()
        if not self.requests:  # what came before it, such as waiting for its slot, is free
            self._deadline = self.sent_at + self._settings.deadline
        self.requests += 1
        return min(self._settings.timeout, self._deadline - self.sent_at)

    def allow(self, seconds: float) -> None:
        """Put the deadline off by the time a photo was on its way: its size is no lack of patience."""
        self._deadline += seconds

    def mend(self, decision: RetryAction, ahead_s: float | None) -> RetryAction:
        """
        Return what comes next, given what the table says: some things can be mended only once.

        :param ahead_s: seconds the service is ahead of this machine, None if nobody knows.
        """
        match decision:
            case RetryAction.SIGN_AGAIN:
                return self._sign_again(ahead_s)
            case RetryAction.RENEW_KEY:
                return self._renew_key()
        return decision

    def _sign_again(self, ahead_s: float | None) -> RetryAction:
        """Correct the clock that requests are signed by."""
        if ahead_s is None or self._signed_again:
            self._clock.ahead_s = 0.0
            return RetryAction.GIVE_UP
        self._clock.ahead_s = ahead_s
        self._signed_again = True
        return RetryAction.SIGN_AGAIN

    def _renew_key(self) -> RetryAction:
        if self._renewed or not self._settings.renewable:
            return RetryAction.GIVE_UP
        self._renewed = True
        return RetryAction.RENEW_KEY

    def pause(self, decision: RetryAction, retry_after: float = 0.0) -> float | None:
        """
        Return the seconds to wait before the next request, None if there may not be one.

        :param retry_after: seconds after which the gateway asks to come back.
        """
        seconds = None
        match decision:
            case RetryAction.NEXT_SLOT:
                self.throttled += 1
                if self.throttled <= self._settings.throttle_patience:
                    seconds = self._clock.jitter(*SPREAD)
            case RetryAction.BACK_OFF:
                self._failures += 1
                if self._failures < self._settings.max_attempts:
                    back_off = min(BACK_OFF_CAP, BACK_OFF_BASE * 2 ** (self._failures - 1))
                    seconds = back_off * self._clock.jitter(*SPREAD)
            case RetryAction.SIGN_AGAIN | RetryAction.RENEW_KEY:
                seconds = 0.0
        if seconds is not None:
            seconds = max(seconds, min(retry_after, RETRY_AFTER_CAP))
        if seconds is None or self._too_late_at(self._clock.monotonic() + seconds):
            return None
        return seconds

    def _too_late_at(self, moment: float) -> bool:
        return self._deadline - moment < LEAST_SECONDS
