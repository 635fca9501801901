"""Retries: a decision table by delivery and outcome, with exponential backoff and jitter.

A call is retried only where nothing can have been charged. Throttled answers have a retry budget of
their own: they say that the account's quota is used up, not that the call has failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..api.codes import Outcome
from ..clock import OffsetClock
from .delivery import Delivery
from .settings import Settings

BACKOFF_BASE = 0.5
"""Seconds before the second request; doubled for each further one (exponential backoff)."""
BACKOFF_CAP = 20.0
"""Longest backoff in seconds, before jitter."""
JITTER = (0.5, 1.5)
"""Jitter: each pause is multiplied by a random factor in this range, to keep workers out of step."""

RETRY_AFTER_CAP = 60.0
"""Longest ``Retry-After`` of a gateway that is obeyed, in seconds; a longer one counts as this."""

MIN_SECONDS_LEFT = 1.0
"""Seconds a retry must have left before the deadline; with fewer it would time out, in doubt."""

ANY = "*"


class RetryAction(StrEnum):
    """What a call does after a request has ended."""

    ANSWER = "answer"
    """Return the answer."""
    BACKOFF = "backoff"
    """Retry with exponential backoff; at most ``max_attempts`` requests in all."""
    NEXT_SLOT = "next_slot"
    """Retry in a rate limiter slot about a second later; at most ``throttle_patience`` times, which do
    not count as attempts."""
    SIGN_AGAIN = "sign_again"
    """Retry, signed with the service's time (clock skew); once, which does not count as attempt."""
    REFRESH_CREDENTIALS = "refresh"
    """Retry, signed with the provider's next key; once, which does not count as attempt."""
    GIVE_UP = "give_up"
    """Raise the error."""


@dataclass(frozen=True)
class RetryRule:
    """
    One row of the retry table.

    :param delivery: how far the request got.
    :param outcome: outcome of the request.
    :param code: code of the answer, or :data:`ANY`.
    :param decision: what the call does next.
    :param reason: why, for the documentation.
    """

    delivery: Delivery
    outcome: Outcome
    code: str
    decision: RetryAction
    reason: str


def _table(text: str) -> tuple[RetryRule, ...]:
    rules = []
    for line in filter(None, map(str.strip, text.splitlines())):
        delivery, outcome, code, decision, reason = line.split(maxsplit=4)
        rules.append(
            RetryRule(Delivery(delivery), Outcome(outcome), code, RetryAction(decision), reason)
        )
    return tuple(rules)


# delivery, outcome, code, decision, reason
RULES = _table("""
not_sent  unavailable    *                           backoff    nothing left this machine: DNS, network or proxy may come back
not_sent  refused        *                           give_up    no request can be sent like this: address, proxy or certificate
no_answer uncertain      *                           give_up    it may have been processed and charged: never repeated
answered  throttled      *                           next_slot  refused as too fast: not processed, not charged
answered  unavailable    *                           backoff    the service or a gateway says it could not, and charges nothing
answered  credentials    AuthFailure.SignatureExpire sign_again refused for this machine's clock, at no charge
answered  credentials    AuthFailure.TokenFailure    refresh    refused for its key, at no charge: it may have been revoked before its time
answered  credentials    *                           give_up    every call fails until a person changes the key
answered  account        *                           give_up    every call fails until a person puts the account in order
answered  refused        *                           give_up    every request of this form fails
answered  match          *                           answer     final, and charged
answered  found          *                           answer     final, and charged
answered  mismatch       *                           answer     final, and charged
answered  review         *                           answer     final: a person decides
answered  not_found      *                           answer     final: another call finds no other person
answered  invalid_input  *                           answer     the input has to be corrected first
answered  unusable_photo *                           answer     another photo is needed
answered  limit          *                           answer     not before another day
answered  unjudged       *                           answer     the caller reads the code of an Action that is not listed
answered  error          *                           answer     may have been charged: a person decides
answered  uncertain      *                           answer     may have been charged: the row is held
""")
"""Every way a request can end. A row with a code takes precedence over one with :data:`ANY`."""

_DECISIONS = {(rule.delivery, rule.outcome, rule.code): rule.decision for rule in RULES}


def decide(delivery: Delivery, outcome: Outcome, code: str = ANY) -> RetryAction:
    """Return what a call does after a request with this delivery, outcome and code."""
    return _DECISIONS.get((delivery, outcome, code)) or _DECISIONS[delivery, outcome, ANY]


class RetryState:
    """
    Retry state of one call: requests made, and what is left of its retry budgets and deadline.

    :param settings: limits: ``max_attempts``, ``throttle_patience``, ``timeout``, ``deadline``.
    :param clock: the clock that signs requests.
    :ivar requests: requests made.
    :ivar throttled: requests refused as too fast.
    :ivar gateway_refusals: requests that a gateway refused in the service's place.
    :ivar sent_at: when the last request was sent, on the monotonic clock.
    """

    def __init__(self, settings: Settings, clock: OffsetClock) -> None:
        self.requests = self.throttled = self.gateway_refusals = 0
        self.sent_at = self._deadline = 0.0
        self._failures = 0
        self._signed_again = self._refreshed = False
        self._settings, self._clock = settings, clock

    @property
    def is_past_deadline(self) -> bool:
        """Return whether the deadline leaves too little time for a further request."""
        return self._is_past_deadline_at(self._clock.monotonic())

    def start_request(self) -> float:
        """Count a request that is sent now; return its timeout in seconds."""
        self.sent_at = self._clock.monotonic()
        if not self.requests:  # waiting for the first slot does not count
            self._deadline = self.sent_at + self._settings.deadline
        self.requests += 1
        return min(self._settings.timeout, self._deadline - self.sent_at)

    def extend_deadline(self, seconds: float) -> None:
        """Extend the deadline by the seconds a photo was uploading: they depend on its size."""
        self._deadline += seconds

    def once_only(self, decision: RetryAction, ahead_s: float | None) -> RetryAction:
        """
        Return the decision, or ``GIVE_UP`` for a correction that was made before in this call.

        :param decision: the table's.
        :param ahead_s: measured clock skew: seconds the service is ahead of this machine; None if
            it is unknown.
        """
        match decision:
            case RetryAction.SIGN_AGAIN:
                return self._sign_again(ahead_s)
            case RetryAction.REFRESH_CREDENTIALS:
                return self._refresh_credentials()
        return decision

    def _sign_again(self, ahead_s: float | None) -> RetryAction:
        """Correct the signing clock by the measured clock skew."""
        if ahead_s is None or self._signed_again:
            self._clock.ahead_s = 0.0
            return RetryAction.GIVE_UP
        self._clock.ahead_s = ahead_s
        self._signed_again = True
        return RetryAction.SIGN_AGAIN

    def _refresh_credentials(self) -> RetryAction:
        if self._refreshed or not self._settings.renewable:
            return RetryAction.GIVE_UP
        self._refreshed = True
        return RetryAction.REFRESH_CREDENTIALS

    def pause(self, decision: RetryAction, retry_after: float = 0.0) -> float | None:
        """
        Return the seconds to wait before a retry, None if there may be none.

        :param retry_after: the gateway's ``Retry-After``, in seconds.
        """
        seconds = None
        match decision:
            case RetryAction.NEXT_SLOT:
                self.throttled += 1
                if self.throttled <= self._settings.throttle_patience:
                    seconds = self._clock.jitter(*JITTER)
            case RetryAction.BACKOFF:
                self._failures += 1
                if self._failures < self._settings.max_attempts:
                    backoff = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (self._failures - 1))
                    seconds = backoff * self._clock.jitter(*JITTER)
            case RetryAction.SIGN_AGAIN | RetryAction.REFRESH_CREDENTIALS:
                seconds = 0.0
        if seconds is not None:
            seconds = max(seconds, min(retry_after, RETRY_AFTER_CAP))
        if seconds is None or self._is_past_deadline_at(self._clock.monotonic() + seconds):
            return None
        return seconds

    def _is_past_deadline_at(self, moment: float) -> bool:
        return self._deadline - moment < MIN_SECONDS_LEFT
