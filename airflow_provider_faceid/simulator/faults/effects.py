"""The effects of fault rules: one class each, listed in :data:`EFFECTS`.

They act in three places. A :class:`Setting` changes the service from this call on, :class:`Code`
answers in place of the Action, a :class:`Transfer` sends the answer late, in pieces, cut, replaced, or
not at all; one that is not ``processed`` acts before any check, count or charge.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from ...api.actions import ACTIONS
from ...clock import Clock, OffsetClock
from .. import validation
from ..account import AccountStatus, State
from ..api import Answer, Refusal, force


class Wire(Protocol):
    """The response of one call; the data plane implements it."""

    clock: Clock

    async def whole(self) -> None:
        """Send the whole answer."""

    async def dribble(self, seconds: float) -> None:
        """Send the answer byte by byte over so many seconds."""

    async def part(self, share: float, *, close: bool) -> None:
        """Send the first part of the answer."""

    async def page(self, status: int, retry_after: int | None = None) -> None:
        """Send a page of HTML in place of the answer."""

    def close(self) -> None:
        """Close the connection (FIN)."""

    def reset(self) -> None:
        """Reset the connection (RST)."""


class Settings(Protocol):
    """The settings of an account that an effect changes."""

    account_state: AccountStatus

    @property
    def clock(self) -> OffsetClock:
        """Return the service's clock."""

    @property
    def quotas(self) -> MutableMapping[str, int]:
        """Return calls per second by Action; 0 means unlimited."""


@dataclass(frozen=True)
class Effect(ABC):
    """The effect of a fault rule on a call; its fields are the rule's parameters."""

    name: ClassVar[str]


class Transfer(Effect):
    """Sends the answer in its own way, or not at all."""

    processed: ClassVar[bool] = True
    """Whether the call was processed, and billed if it is one to bill."""

    @abstractmethod
    async def send(self, wire: Wire) -> None:
        """Send the answer."""


@dataclass(frozen=True)
class Delay(Transfer):
    """The call is processed at once and answered late."""

    name: ClassVar[str] = "delay"
    wait_s: float

    def __post_init__(self) -> None:
        validation.number("wait_s", self.wait_s, 0, validation.LONGEST_WAIT_S)

    async def send(self, wire: Wire) -> None:
        """Wait, then send the whole answer."""
        await wire.clock.asleep(self.wait_s)
        await wire.whole()


@dataclass(frozen=True)
class Dribble(Transfer):
    """The answer comes byte by byte."""

    name: ClassVar[str] = "dribble"
    over_s: float

    def __post_init__(self) -> None:
        validation.number("over_s", self.over_s, 0, validation.LONGEST_WAIT_S)

    async def send(self, wire: Wire) -> None:
        """Send one byte after the other."""
        await wire.dribble(self.over_s)


@dataclass(frozen=True)
class Truncate(Transfer):
    """Only the beginning of the body is sent: a 200 with broken JSON, or with nothing."""

    name: ClassVar[str] = "truncate"
    keep: float = 0.5
    """Share of the body that is sent."""
    close: bool = True
    """The head promises the whole body, then the connection closes; otherwise only what comes."""

    def __post_init__(self) -> None:
        validation.number("keep", self.keep, 0, 1)
        validation.flag("close", self.close)

    async def send(self, wire: Wire) -> None:
        """Send the beginning."""
        await wire.part(self.keep, close=self.close)


@dataclass(frozen=True)
class DropAfter(Transfer):
    """The connection is closed in place of an answer."""

    name: ClassVar[str] = "drop_after"
    wait_s: float = 0

    def __post_init__(self) -> None:
        validation.number("wait_s", self.wait_s, 0, validation.LONGEST_WAIT_S)

    async def send(self, wire: Wire) -> None:
        """Wait, then hang up."""
        await wire.clock.asleep(self.wait_s)
        wire.close()


class DropBefore(DropAfter):
    """The same, and the call is never processed."""

    name = "drop_before"
    processed = False


class ResetAfter(DropAfter):
    """The connection is reset (RST) in place of an answer."""

    name = "reset_after"

    async def send(self, wire: Wire) -> None:
        """Wait, then break the connection."""
        await wire.clock.asleep(self.wait_s)
        wire.reset()


class ResetBefore(ResetAfter):
    """The same, and the call is never processed."""

    name = "reset_before"
    processed = False


@dataclass(frozen=True)
class HtmlAfter(Transfer):
    """A page of HTML comes in place of the answer, as from a proxy, with status 200."""

    name: ClassVar[str] = "html_after"

    async def send(self, wire: Wire) -> None:
        """Send the page."""
        await wire.page(200)


class HtmlBefore(HtmlAfter):
    """The same, and the call is never processed."""

    name = "html_before"
    processed = False


@dataclass(frozen=True)
class Status(Transfer):
    """A gateway in between answers with an HTTP status and HTML; the call is never processed."""

    name: ClassVar[str] = "status"
    processed: ClassVar[bool] = False
    status: int
    retry_after: int | None = None
    """Seconds of a header ``Retry-After``; None for no such header."""

    def __post_init__(self) -> None:
        validation.whole("status", self.status, 300, 599)
        if self.retry_after is not None:
            validation.whole("retry_after", self.retry_after, 0)

    async def send(self, wire: Wire) -> None:
        """Send the gateway's page."""
        await wire.page(self.status, self.retry_after)


class StatusAfter(Status):
    """The same, and the call was processed: the gateway lost the answer."""

    name = "status_after"
    processed = True


ENVELOPES = ("result", "error")


class Setting(Effect):
    """Changes the service from this call on."""

    @abstractmethod
    def change(self, account: Settings) -> None:
        """Change it."""


@dataclass(frozen=True)
class Code(Effect):
    """The service answers with this code; gateway and quota come first."""

    name: ClassVar[str] = "code"
    code: str
    """A ``Result`` or an ``Error`` code, listed or not."""
    envelope: str | None = None
    """Which of the two; None for the outcome table's choice, ``error`` for an unlisted code."""
    charged: bool | None = None
    """Whether it is billed; None for the outcome table's choice."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Further fields of ``Response``, for example a ``Sim`` of 101; null leaves one out."""

    def __post_init__(self) -> None:
        validation.text("code", self.code)
        if self.envelope is not None:
            validation.one_of("envelope", self.envelope, ENVELOPES)
        if self.charged is not None:
            validation.flag("charged", self.charged)
        validation.mapping("fields", self.fields)

    def say(self, action: str) -> tuple[Answer | Refusal, bool]:
        """Return the answer to a call of an Action, and whether it is billed."""
        said = force(action, self.code, self.fields, self.envelope)
        return said, said.charged if self.charged is None else self.charged


@dataclass(frozen=True)
class Quota(Setting):
    """Other quotas hold, in calls per second; 0 means unlimited."""

    name: ClassVar[str] = "quota"
    quotas: Mapping[str, int]

    def __post_init__(self) -> None:
        validation.known("`quotas`", validation.mapping("quotas", self.quotas), ACTIONS)
        for action, quota in self.quotas.items():
            validation.whole(action, quota, 0)

    def change(self, account: Settings) -> None:
        """Change the named quotas."""
        account.quotas.update(self.quotas)


@dataclass(frozen=True)
class ClockOffset(Setting):
    """The service's clock is so many seconds ahead of the right time; behind if negative."""

    name: ClassVar[str] = "clock_offset"
    offset_s: float

    def __post_init__(self) -> None:
        validation.number(
            "offset_s", self.offset_s, -validation.TEN_YEARS_S, validation.TEN_YEARS_S
        )

    def change(self, account: Settings) -> None:
        """Set the clock wrong."""
        account.clock.ahead_s = self.offset_s


@dataclass(frozen=True)
class AccountState(Setting):
    """The account changes its state, or its temporary token expires."""

    name: ClassVar[str] = "account"
    state: str | None = None
    token: str | None = None
    """The one valid temporary token from now on."""

    def __post_init__(self) -> None:
        if self.state is None and self.token is None:
            raise validation.FieldError("`state` is missing: `account` needs it, or `token`")
        if self.state is not None:
            validation.one_of("state", self.state, tuple(State))
        if self.token is not None:
            validation.text("token", self.token)

    def change(self, account: Settings) -> None:
        """Change the named settings."""
        old = account.account_state
        state = State(self.state or old.state)
        account.account_state = replace(old, state=state, token=self.token or old.token)


EFFECTS: Mapping[str, type[Effect]] = {
    effect.name: effect
    for effect in (
        Delay,
        Dribble,
        DropBefore,
        DropAfter,
        ResetBefore,
        ResetAfter,
        Truncate,
        HtmlBefore,
        HtmlAfter,
        Status,
        StatusAfter,
        Code,
        Quota,
        ClockOffset,
        AccountState,
    )
}
"""Every effect by the name a rule gives it."""


def read(document: Mapping[str, Any]) -> Effect:
    """
    Return an effect.

    :param document: ``effect`` names it, the other fields are its parameters.
    :raises FieldError: one of them is unknown, missing or wrong.
    """
    name = document.get("effect")
    validation.one_of("effect", name, EFFECTS)
    kind = EFFECTS[str(name)]
    given = {key: value for key, value in document.items() if key != "effect"}
    return validation.build(kind, given, f"`{name}`")
