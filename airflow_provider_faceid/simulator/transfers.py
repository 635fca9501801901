"""The effects on an answer's way: late, in pieces, broken off, replaced, or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import checked

if TYPE_CHECKING:
    from .wire import Wire


@dataclass(frozen=True)
class Effect(ABC):
    """Something a fault rule does to a call; its fields are what the rule says about it."""

    name: ClassVar[str]


class Transfer(Effect):
    """Sends the answer in its own way, or not at all."""

    processed: ClassVar[bool] = True
    """Whether the call was processed, and billed if it is one to bill."""

    @abstractmethod
    async def send(self, wire: Wire) -> None:
        """Send it."""


@dataclass(frozen=True)
class Delay(Transfer):
    """The call is processed at once and answered late."""

    name: ClassVar[str] = "delay"
    wait_s: float

    def __post_init__(self) -> None:
        checked.number("wait_s", self.wait_s, 0, checked.LONGEST_WAIT_S)

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
        checked.number("over_s", self.over_s, 0, checked.LONGEST_WAIT_S)

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
        checked.number("keep", self.keep, 0, 1)
        checked.flag("close", self.close)

    async def send(self, wire: Wire) -> None:
        """Send the beginning."""
        await wire.part(self.keep, close=self.close)


@dataclass(frozen=True)
class DropAfter(Transfer):
    """The connection is closed in place of an answer."""

    name: ClassVar[str] = "drop_after"
    wait_s: float = 0

    def __post_init__(self) -> None:
        checked.number("wait_s", self.wait_s, 0, checked.LONGEST_WAIT_S)

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
        checked.whole("status", self.status, 300, 599)
        if self.retry_after is not None:
            checked.whole("retry_after", self.retry_after, 0)

    async def send(self, wire: Wire) -> None:
        """Send the gateway's page."""
        await wire.page(self.status, self.retry_after)


class StatusAfter(Status):
    """The same, and the call was processed: the gateway lost the answer."""

    name = "status_after"
    processed = True
