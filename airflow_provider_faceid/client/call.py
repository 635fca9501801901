"""One API call, from parameters to verdict, as a sans-I/O generator with retries.

Both transports drive the same generator: it yields the next effect and is sent its result.

::

    ready = TakeSlot -> GetCredentials (-> RefreshCredentials -> TakeSlot, if there is no valid key)
    ready -> Send -> RequestEnded
        -> ((RefreshCredentials ->) Pause -> ready -> Send -> RequestEnded)*
        -> verdict or exception
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..api.codes import PROOFS, Outcome
from ..api.messages import Pieces, Reply, build_body
from ..api.verdict import Verdict, judge
from ..clock import OffsetClock, skew_text
from ..exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FaceIdError,
    RequestRefusedError,
    ThrottledError,
    UnavailableError,
)
from .credentials import Credentials
from .delivery import Delivery, delivery_of_error
from .retry import RetryAction, RetryState, decide
from .settings import Encrypt, Settings
from .upload import Traffic, Upload


class RateLimiter(Protocol):
    """A rate limiter: assigns time slots to requests."""

    def wait(self) -> None:
        """
        Block until the next request may be sent.

        :raises PausedError: the Action is paused for all workers.
        """

    async def wait_async(self) -> None:
        """
        Wait until the next request may be sent, without blocking the event loop.

        :raises PausedError: the Action is paused for all workers.
        """

    def check(self) -> None:
        """
        Ask whether requests may be sent at all; may block.

        :raises PausedError: the Action is paused for all workers.
        """

    def slow_down(self) -> None:
        """Lower the rate after a throttled answer."""


@dataclass(eq=False)
class Attempt:
    """
    The progress of one call through a transport, shared with the caller.

    :param traffic: receives the progress of a photo's upload.
    :param may_leave: returns, without blocking, whether a request may still be sent.
    :ivar asked: whether an earlier request of the call may have reached the service.
    :ivar sending: whether the present request may have. Set just before it is sent, and reset if it
        was certainly not sent.
    :ivar upload_seconds: duration of its photo uploads, in seconds.
    :ivar ended: whether no further request follows.
    """

    traffic: Traffic | None = None
    may_leave: Callable[[], bool] = lambda: True
    asked: bool = False
    sending: bool = False
    upload_seconds: float = 0.0
    ended: bool = False

    @property
    def sent(self) -> bool:
        """Return whether any request of the call may have reached the service."""
        return self.asked or self.sending

    def uploaded(self, upload: Upload) -> None:
        """Record an upload that has ended: an incomplete one was not sent."""
        self.sending = not upload.abandon()
        if upload.is_large:
            self.upload_seconds += upload.seconds


@dataclass(frozen=True)
class TakeSlot:
    """Wait for a slot of the rate limiter."""


@dataclass(frozen=True)
class GetCredentials:
    """Answer with a valid key, None if there is none without blocking."""


@dataclass(frozen=True)
class RefreshCredentials:
    """
    Wait for a valid key and answer with it, or throw the error.

    :param refused: the key that the service refused, if any.
    """

    refused: Credentials | None


@dataclass(frozen=True)
class Pause:
    """Sleep for so many seconds, between two requests."""

    seconds: float


@dataclass(frozen=True)
class Send:
    """
    Sign and send a body; answer with a :class:`Reply` or throw a :class:`FaceIdError`.

    :param action: the API Action.
    :param body: the request body; left out of ``repr``.
    :param personal: values to redact from descriptions in the answer.
    :param key: the key that signs the request.
    :param timeout: seconds for the request, from DNS to the last byte of the answer. For a photo the
        timeout restarts with each progress of the upload.
    :param connect_timeout: seconds of these for DNS, TCP and TLS.
    """

    action: str
    body: Pieces = field(repr=False)
    personal: tuple[str, ...] = field(repr=False)
    key: Credentials
    timeout: float
    connect_timeout: float


@dataclass(frozen=True)
class RequestEnded:
    """
    Report how a request has ended; the rate limiter slows down after a throttled answer.

    :param problem: the error; None if the request was answered. The call may still retry.
    """

    problem: FaceIdError | None


_TAKE_SLOT, _GET_CREDENTIALS, _ANSWERED = TakeSlot(), GetCredentials(), RequestEnded(None)

Effect = TakeSlot | GetCredentials | RefreshCredentials | Pause | Send | RequestEnded
Answer = Reply | Credentials | None
CallFlow = Generator[Effect, Answer, Verdict]

_ERRORS: dict[Outcome, tuple[type[FaceIdError], str]] = {
    Outcome.CREDENTIALS: (
        CredentialsError,
        "Check SecretId, SecretKey and token of the connection, and this machine's clock",
    ),
    Outcome.ACCOUNT: (AccountError, "Check the account and the key's policy in the console"),
    Outcome.REFUSED: (RequestRefusedError, "Check the connection's Endpoint and the parameters"),
    Outcome.THROTTLED: (ThrottledError, "Lower the connection's quota or pace share"),
    Outcome.UNAVAILABLE: (UnavailableError, "Try again later; nothing was charged"),
}
"""Error class and next step, for outcomes that are no answer."""

_CHECK_ENCRYPTION = (
    "Check the connection's Encryption and its key: they must be those of the account"
)
_ADVICE = {
    "FailedOperation.DecryptSystemError": _CHECK_ENCRYPTION,
    "InvalidParameter.UnsupportEncryptField": _CHECK_ENCRYPTION,
    **dict.fromkeys(PROOFS, "Try again later; by its own word the gateway did not forward it"),
}
"""Next step by code, where it is more specific than that of the outcome."""


def call_flow(
    action: str,
    params: Mapping[str, object],
    settings: Settings,
    clock: OffsetClock,
    encrypt: Encrypt | None = None,
    *,
    attempt: Attempt | None = None,
) -> CallFlow:
    """
    Make one call; retry only requests that were certainly not charged.

    :param action: the API Action.
    :param params: its request fields.
    :param settings: timeouts and retry limits.
    :param clock: the clock that signs requests; corrected if the service refuses its time.
    :param encrypt: encrypts the fields of each request; None for plain text.
    :param attempt: shows the caller whether anything was sent.
    :return: through ``StopIteration.value``, the verdict.
    :raises FaceIdError: there is no answer; its class says what to do next.
    """
    if not (action.isascii() and action.isalnum()):
        raise ConfigurationError(f"{action!r} is no API Action; nothing was sent")
    state, attempt = RetryState(settings, clock), attempt or Attempt()
    try:
        build, personal = _builder(action, params, encrypt), _personal_values(params)
        return (
            yield from _requests(
                action,
                build,
                personal,
                settings=settings,
                state=state,
                clock=clock,
                attempt=attempt,
            )
        )
    except FaceIdError as error:
        error.requests, error.throttled = state.requests, state.throttled
        error.gateway_refusals = state.gateway_refusals
        raise
    finally:
        attempt.ended = True


def _requests(
    action: str,
    build: Callable[[], Pieces],
    personal: tuple[str, ...],
    *,
    settings: Settings,
    state: RetryState,
    clock: OffsetClock,
    attempt: Attempt,
) -> CallFlow:
    ready_at = clock.monotonic()
    key = yield from _slot_and_credentials()
    while True:
        body = build()
        timeout = state.start_request()
        # Connecting gets at most half: a connect timeout proves that the request was not sent.
        connect_timeout = min(settings.connect_timeout, timeout / 2)
        problem: FaceIdError
        attempt.asked, attempt.sending = attempt.sent, True
        uploading = attempt.upload_seconds
        try:
            reply = yield Send(action, body, personal, key, timeout, connect_timeout)
        except FaceIdError as error:
            delivery, outcome = delivery_of_error(error)
            problem, decision = error, decide(delivery, outcome)
            if delivery is Delivery.NOT_SENT:
                attempt.sending = False
        else:
            if not isinstance(reply, Reply):
                raise TypeError("the driver of a call answers Send with a Reply")
            state.gateway_refusals += reply.is_gateways
            verdict = judge(reply, settings.similarity_threshold)
            decision = decide(Delivery.ANSWERED, verdict.outcome, verdict.code)
            if decision is RetryAction.ANSWER:
                latency_ms = round((clock.monotonic() - state.sent_at) * 1000)
                waited_ms = round((state.sent_at - ready_at) * 1000)
                yield _ANSWERED
                clock.warn_of_skew(settings.conn_id)
                return replace(
                    verdict,
                    attempts=state.requests,
                    throttled=state.throttled,
                    gateway_refusals=state.gateway_refusals,
                    latency_ms=latency_ms,
                    waited_ms=waited_ms,
                )
            expired = decision is RetryAction.SIGN_AGAIN
            ahead_s = clock.measure_skew(reply.date) if expired else None
            problem = error_of_verdict(verdict, decision, settings, ahead_s)
            problem.retry_after = reply.retry_after
            decision = state.once_only(decision, ahead_s)
        state.extend_deadline(attempt.upload_seconds - uploading)
        yield RequestEnded(problem)
        pause = state.pause(decision, problem.retry_after)
        if pause is None:
            raise problem
        if decision is RetryAction.REFRESH_CREDENTIALS:
            yield RefreshCredentials(key)
        yield Pause(pause)
        key = yield from _slot_and_credentials()
        if state.is_past_deadline:
            raise problem


def _slot_and_credentials() -> Generator[Effect, Answer, Credentials]:
    """Wait for a slot of the rate limiter; return the key that is valid then."""
    yield _TAKE_SLOT
    key = yield _GET_CREDENTIALS
    if key is None:
        key = yield RefreshCredentials(None)
        yield _TAKE_SLOT  # the first slot has passed meanwhile
    if not isinstance(key, Credentials):
        raise TypeError(
            "the driver of a call answers GetCredentials, or else RefreshCredentials, with a key"
        )
    return key


def error_of_verdict(
    verdict: Verdict, decision: RetryAction, settings: Settings, ahead_s: float | None
) -> FaceIdError:
    """
    Return the exception for a verdict that is no answer.

    :param decision: the retry table's.
    :param ahead_s: measured clock skew: seconds the service is ahead of this machine; None if it is
        unknown.
    """
    if decision is RetryAction.SIGN_AGAIN:
        return clock_skew_error(verdict, settings.conn_id, ahead_s)
    if decision is RetryAction.REFRESH_CREDENTIALS:
        return token_refused_error(verdict, settings)
    error, advice = _ERRORS[verdict.outcome]
    advice = _ADVICE.get(verdict.code, advice)
    return error(
        f"{verdict.action} through connection '{settings.conn_id}': {verdict.meaning}. {advice}",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def clock_skew_error(verdict: Verdict, conn_id: str, ahead_s: float | None) -> CredentialsError:
    """Return the exception for a signature that is refused for its time (clock skew)."""
    measured = "by how much could not be measured" if ahead_s is None else skew_text(ahead_s)
    return CredentialsError(
        f"{verdict.action} through connection '{conn_id}': {verdict.meaning}: {measured}. "
        "Correct this machine's clock (NTP)",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def token_refused_error(verdict: Verdict, settings: Settings) -> CredentialsError:
    """Return the exception for a session token that is refused."""
    advice = (
        "The credential provider's next key was refused as well, or it has none"
        if settings.renewable
        else "Enter SecretId, SecretKey and token of a new one in the connection"
    )
    return CredentialsError(
        f"{verdict.action} through connection '{settings.conn_id}': {verdict.meaning}. {advice}; "
        "with a valid key a run continues where it stopped",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def _builder(
    action: str, params: Mapping[str, object], encrypt: Encrypt | None
) -> Callable[[], Pieces]:
    """Return the function that builds the body of each request: the same body, or encrypted anew."""
    if encrypt is not None:
        return lambda: build_body(encrypt(action, params))
    body = build_body(params)
    return lambda: body


def _personal_values(params: Mapping[str, object]) -> tuple[str, ...]:
    """
    Return the values to redact from answers, numbers as text; single characters would redact ordinary text.

    Values inside objects and lists are among them.
    """
    return tuple(text for value in params.values() for text in _texts_in(value) if len(text) > 1)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    elif isinstance(value, Mapping):
        yield from (text for part in value.values() for text in _texts_in(part))
    elif isinstance(value, list | tuple) and not isinstance(value, Pieces):
        yield from (text for part in value for text in _texts_in(part))
