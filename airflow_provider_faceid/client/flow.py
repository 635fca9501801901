"""One call from parameters to verdict, as a flow of effects without any I/O of its own.

Both transports drive the same generator: it yields what should happen next and is sent the result.

::

    TakeSlot -> Send -> (Pause -> TakeSlot -> Send)* -> Verdict or exception
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..clock import Clock
from ..exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FaceIdError,
    RequestRefusedError,
    RetryError,
    ThrottledError,
    UnavailableError,
)
from ..service.envelope import Pieces, Reply, build_body
from ..service.outcomes import Outcome, Step
from ..service.verdict import Verdict, judge
from .settings import Settings

BACK_OFF_BASE = 0.5
"""Seconds before the second attempt; doubled for each further one."""
BACK_OFF_CAP = 20.0


class Pace(Protocol):
    """Hands out the moments at which calls may leave."""

    def wait(self) -> None:
        """Block until the next call may leave."""

    async def wait_async(self) -> None:
        """Wait until the next call may leave."""

    def slow_down(self) -> None:
        """Take note of a throttled answer."""


@dataclass(frozen=True)
class TakeSlot:
    """Wait for the pace."""


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Throttled:
    """Tell the pace that the service refused a call as too fast."""


@dataclass(frozen=True)
class Send:
    """Sign and send a body; answer with a :class:`Reply` or throw a :class:`FaceIdError`."""

    action: str
    body: Pieces = field(repr=False)
    personal: tuple[str, ...] = field(repr=False)


Effect = TakeSlot | Pause | Throttled | Send
CallFlow = Generator[Effect, Reply | None, Verdict]

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


def call_flow(
    action: str, params: Mapping[str, object], settings: Settings, clock: Clock
) -> CallFlow:
    """
    Make one call, repeating only what was certainly not charged.

    :param action: the API Action.
    :param params: its request fields.
    :return: through ``StopIteration.value``, the verdict.
    :raises FaceIdError: there is no answer; the type says what to do next.
    """
    if not (action.isascii() and action.isalnum()):
        raise ConfigurationError(f"{action!r} is no API Action; nothing was sent")
    send = Send(action, build_body(params), _personal(params))
    failures = throttled = 0
    while True:
        yield TakeSlot()
        started = clock.monotonic()
        problem: FaceIdError | None
        try:
            reply = yield send
        except FaceIdError as error:
            problem = error
        else:
            if not isinstance(reply, Reply):
                raise TypeError("the driver of a call answers Send with a Reply")
            verdict = judge(reply, settings.similarity_threshold)
            problem = problem_of(verdict, settings.conn_id)
            if problem is None:
                return replace(
                    verdict,
                    attempts=failures + throttled + 1,
                    throttled=throttled,
                    latency_ms=round((clock.monotonic() - started) * 1000),
                )
        if isinstance(problem, ThrottledError):
            throttled += 1
            yield Throttled()
        else:
            failures += 1
        pause = pause_before_retry(problem, failures, throttled, settings, clock)
        if pause is None:
            problem.requests, problem.throttled = failures + throttled, throttled
            raise problem
        yield Pause(pause)


def problem_of(verdict: Verdict, conn_id: str) -> FaceIdError | None:
    """Return the exception for a verdict that is no answer, None for an answer."""
    if verdict.step not in {Step.RETRY, Step.FATAL}:
        return None
    error, advice = _PROBLEMS[verdict.outcome]
    return error(
        f"{verdict.action} through connection '{conn_id}': {verdict.meaning}. {advice}",
        code=verdict.code,
        request_id=verdict.request_id,
    )


def pause_before_retry(
    problem: FaceIdError, failures: int, throttled: int, settings: Settings, clock: Clock
) -> float | None:
    """
    Return the seconds to wait before the next attempt, or None to give up.

    A throttled answer is nobody's failure: it does not use up an attempt.

    :param failures: attempts that failed so far, throttled ones excluded.
    :param throttled: throttled answers so far.
    """
    if isinstance(problem, ThrottledError):
        return clock.jitter(0.5, 1.5) if throttled <= settings.throttle_patience else None
    if not isinstance(problem, RetryError) or failures >= settings.max_attempts:
        return None
    back_off: float = min(BACK_OFF_CAP, BACK_OFF_BASE * 2 ** (failures - 1))
    return back_off * clock.jitter(0.5, 1.5)


def _personal(params: Mapping[str, object]) -> tuple[str, ...]:
    """Values to strike out of descriptions; a single letter would strike out ordinary text."""
    return tuple(v for v in params.values() if isinstance(v, str) and len(v) > 1)
