"""One call from parameters to verdict, as a flow of effects without any I/O of its own.

Both transports drive the same generator: it yields what should happen next and is sent the result.

::

    turn = TakeSlot -> TakeKey (-> RenewKey -> TakeSlot, if it has none)
    turn -> Send -> Seen -> ((RenewKey ->) Pause -> turn -> Send -> Seen)* -> Verdict or exception
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
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
from .retry import RetryAction, Tries, decide
from .settings import Encrypt, Settings
from .upload import Traffic, Upload


class RateLimiter(Protocol):
    """Hands out the moments at which calls may leave."""

    def wait(self) -> None:
        """Block until the next call may leave."""

    async def wait_async(self) -> None:
        """Wait until the next call may leave."""

    def slow_down(self) -> None:
        """Take note of a throttled answer."""


@dataclass(eq=False)
class Attempt:
    """
    One call on its way through a transport, and how far it got.

    :param traffic: is told of the upload of a photo.
    :param may_leave: says, without waiting, whether a request of it may still be sent.
    :ivar asked: whether an earlier request of it may have reached the service.
    :ivar sending: whether the present one may. Set just before it is sent, and taken back if it
        certainly did not leave.
    :ivar upload_seconds: for how long photos were on their way.
    :ivar ended: whether no further request will follow.
    """

    traffic: Traffic | None = None
    may_leave: Callable[[], bool] = lambda: True
    asked: bool = False
    sending: bool = False
    upload_seconds: float = 0.0
    ended: bool = False

    @property
    def sent(self) -> bool:
        """Say whether any request of it may have reached the service."""
        return self.asked or self.sending

    def uploaded(self, upload: Upload) -> None:
        """Take note of an upload that is over: an incomplete one was not sent."""
        self.sending = not upload.abandon()
        if upload.is_large:
            self.upload_seconds += upload.seconds


@dataclass(frozen=True)
class TakeSlot:
    """Wait for the pace."""


@dataclass(frozen=True)
class TakeKey:
    """Answer with the key to sign with, None if there is none without waiting."""


@dataclass(frozen=True)
class RenewKey:
    """
    Wait for a key and answer with it, or throw why there is none.

    :param refused: the one that will not do any more.
    """

    refused: Credentials | None


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Send:
    """
    Sign and send a body; answer with a :class:`Reply` or throw a :class:`FaceIdError`.

    :param key: what to sign it with.
    :param timeout: seconds the request may take, from DNS to the last byte of the answer. For a photo
        they begin anew with all that the network takes of it.
    :param connect_timeout: seconds of them for DNS, connecting and TLS.
    """

    action: str
    body: Pieces = field(repr=False)
    personal: tuple[str, ...] = field(repr=False)
    key: Credentials
    timeout: float
    connect_timeout: float


@dataclass(frozen=True)
class Seen:
    """
    Take note of how a request has ended; the pace has to hear of a throttled answer.

    :param problem: why it is no answer, and None if it is one. The call may yet get over it.
    """

    problem: FaceIdError | None


_TAKE_SLOT, _TAKE_KEY, _SEEN_ANSWER = TakeSlot(), TakeKey(), Seen(None)

Effect = TakeSlot | TakeKey | RenewKey | Pause | Send | Seen
Answer = Reply | Credentials | None
CallFlow = Generator[Effect, Answer, Verdict]

_PROBLEMS: dict[Outcome, tuple[type[FaceIdError], str]] = {
    Outcome.CREDENTIALS: (
        CredentialsError,
        "Check SecretId, SecretKey and token of the connection, and this machine's clock",
    ),
    Outcome.ACCOUNT: (AccountError, "Check the account and the key's policy in the console"),
    Outcome.REFUSED: (RequestRefusedError, "Check the connection's Endpoint and the parameters"),
    Outcome.THROTTLED: (ThrottledError, "Lower the connection's quota or pace share"),
    Outcome.UNAVAILABLE: (UnavailableError, "Try again later; nothing was charged"),
}
"""Outcomes that are no answer: what to raise and what to do."""

_CHECK_ENCRYPTION = (
    "Check the connection's Encryption and its key: they must be those of the account"
)
_ADVICE = {
    "FailedOperation.DecryptSystemError": _CHECK_ENCRYPTION,
    "InvalidParameter.UnsupportEncryptField": _CHECK_ENCRYPTION,
    **dict.fromkeys(PROOFS, "Try again later; by its own word the gateway did not forward it"),
}
"""What to do about codes of which more is known than of their outcome."""


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
    Make one call, repeating only what was certainly not charged.

    :param action: the API Action.
    :param params: its request fields.
    :param clock: the one requests are signed by; it is put right if the service refuses its time.
    :param encrypt: encrypts the fields of each request; none if they go as they are.
    :param attempt: carries to the caller whether anything was sent.
    :return: through ``StopIteration.value``, the verdict.
    :raises FaceIdError: there is no answer; the type says what to do next.
    """
    if not (action.isascii() and action.isalnum()):
        raise ConfigurationError(f"{action!r} is no API Action; nothing was sent")
    tries, attempt = Tries(settings, clock), attempt or Attempt()
    try:
        build, personal = _builder(params, encrypt), _personal(params)
        return (
            yield from _requests(
                action,
                build,
                personal,
                settings=settings,
                tries=tries,
                clock=clock,
                attempt=attempt,
            )
        )
    except FaceIdError as error:
        error.requests, error.throttled = tries.requests, tries.throttled
        error.gateway_refusals = tries.gateway_refusals
        raise
    finally:
        attempt.ended = True


def _requests(
    action: str,
    build: Callable[[], Pieces],
    personal: tuple[str, ...],
    *,
    settings: Settings,
    tries: Tries,
    clock: OffsetClock,
    attempt: Attempt,
) -> CallFlow:
    key = yield from _turn()
    while True:
        body = build()
        timeout = tries.start()
        # At most half of it for connecting: what could not connect is known not to be sent.
        connect_timeout = min(settings.connect_timeout, timeout / 2)
        problem: FaceIdError
        attempt.asked, attempt.sending = attempt.sent, True
        uploading = attempt.upload_seconds
        try:
            reply = yield Send(action, body, personal, key, timeout, connect_timeout)
        except FaceIdError as error:
            fate, outcome = delivery_of_error(error)
            problem, decision = error, decide(fate, outcome)
            if fate is Delivery.NOT_SENT:
                attempt.sending = False
        else:
            if not isinstance(reply, Reply):
                raise TypeError("the driver of a call answers Send with a Reply")
            tries.gateway_refusals += reply.is_gateways
            verdict = judge(reply, settings.similarity_threshold)
            decision = decide(Delivery.ANSWERED, verdict.outcome, verdict.code)
            if decision is RetryAction.ANSWER:
                latency_ms = round((clock.monotonic() - tries.sent_at) * 1000)
                yield _SEEN_ANSWER
                clock.warn_of_skew(settings.conn_id)
                return replace(
                    verdict,
                    attempts=tries.requests,
                    throttled=tries.throttled,
                    gateway_refusals=tries.gateway_refusals,
                    latency_ms=latency_ms,
                )
            expired = decision is RetryAction.SIGN_AGAIN
            ahead_s = clock.measure_skew(reply.date) if expired else None
            problem = problem_of(verdict, decision, settings, ahead_s)
            problem.retry_after = reply.retry_after
            decision = tries.mend(decision, ahead_s)
        tries.allow(attempt.upload_seconds - uploading)
        yield Seen(problem)
        pause = tries.pause(decision, problem.retry_after)
        if pause is None:
            raise problem
        if decision is RetryAction.RENEW_KEY:
            yield RenewKey(key)
        yield Pause(pause)
        key = yield from _turn()
        if tries.too_late:
            raise problem


def _turn() -> Generator[Effect, Answer, Credentials]:
    """Wait for a slot; return the key that is good then."""
    yield _TAKE_SLOT
    key = yield _TAKE_KEY
    if key is None:
        key = yield RenewKey(None)
        yield _TAKE_SLOT  # the first one has passed meanwhile
    if not isinstance(key, Credentials):
        raise TypeError("the driver of a call answers TakeKey, or else RenewKey, with a key")
    return key


def problem_of(
    verdict: Verdict, decision: RetryAction, settings: Settings, ahead_s: float | None
) -> FaceIdError:
    """
    Return the exception for a verdict that is no answer.

    :param decision: what the table says to it.
    :param ahead_s: seconds the service is ahead of this machine, None if nobody knows.
    """
    if decision is RetryAction.SIGN_AGAIN:
        return clock_refused(verdict, settings.conn_id, ahead_s)
    if decision is RetryAction.RENEW_KEY:
        return token_refused(verdict, settings)
    error, advice = _PROBLEMS[verdict.outcome]
    advice = _ADVICE.get(verdict.code, advice)
    return error(
        f"{verdict.action} through connection '{settings.conn_id}': {verdict.meaning}. {advice}",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def clock_refused(verdict: Verdict, conn_id: str, ahead_s: float | None) -> CredentialsError:
    """Return the exception for a signature that is refused for its time."""
    measured = "by how much could not be measured" if ahead_s is None else skew_text(ahead_s)
    return CredentialsError(
        f"{verdict.action} through connection '{conn_id}': {verdict.meaning}: {measured}. "
        "Correct this machine's clock (NTP)",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def token_refused(verdict: Verdict, settings: Settings) -> CredentialsError:
    """Return the exception for a token that is refused."""
    advice = (
        "Its origin's next key was refused as well, or there is none"
        if settings.renewable
        else "Enter SecretId, SecretKey and token of a new one in the connection"
    )
    return CredentialsError(
        f"{verdict.action} through connection '{settings.conn_id}': {verdict.meaning}. {advice}; "
        "with a good key a run goes on where it stopped",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def _builder(params: Mapping[str, object], encrypt: Encrypt | None) -> Callable[[], Pieces]:
    """Return what builds the body of each request: the same for all, or encrypted anew."""
    if encrypt is not None:
        return lambda: build_body(encrypt(params))
    body = build_body(params)
    return lambda: body


def _personal(params: Mapping[str, object]) -> tuple[str, ...]:
    """Values to strike out of descriptions; a single letter would strike out ordinary text."""
    return tuple(v for v in params.values() if isinstance(v, str) and len(v) > 1)
