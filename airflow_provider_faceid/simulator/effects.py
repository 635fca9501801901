"""The effects: what a fault rule does to a call. One class each, listed in :data:`EFFECTS`.

They act in three places. A :class:`Setting` changes the service from this call on, :class:`Code`
answers in the Action's place, a :class:`transfers.Transfer` is done to the answer on its way; one
that is not ``processed`` comes before anything is checked, counted or billed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..service.actions import ACTIONS
from . import checked
from .answers import Answer, Refusal, force
from .standing import State
from .transfers import (
    Delay,
    Dribble,
    DropAfter,
    DropBefore,
    Effect,
    HtmlAfter,
    HtmlBefore,
    ResetAfter,
    ResetBefore,
    Status,
    StatusAfter,
    Truncate,
)

if TYPE_CHECKING:
    from .account import Account

ENVELOPES = ("result", "error")


class Setting(Effect):
    """Changes the service from this call on."""

    @abstractmethod
    def change(self, account: Account) -> None:
        """Change it."""


@dataclass(frozen=True)
class Code(Effect):
    """The service answers with this code, whatever it was asked; gateway and quota come first."""

    name: ClassVar[str] = "code"
    code: str
    """A ``Result`` or an ``Error`` code, listed or not."""
    envelope: str | None = None
    """Which of the two; None for what the outcome table says, ``error`` if it does not know it."""
    charged: bool | None = None
    """Whether it is billed; None for what the outcome table says of a result."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Further fields of ``Response``, for example a ``Sim`` of 101; null leaves one out."""

    def __post_init__(self) -> None:
        checked.text("code", self.code)
        if self.envelope is not None:
            checked.one_of("envelope", self.envelope, ENVELOPES)
        if self.charged is not None:
            checked.flag("charged", self.charged)
        checked.mapping("fields", self.fields)

    def say(self, action: str) -> tuple[Answer | Refusal, bool]:
        """Return what is answered to a call of an Action, and whether it is billed."""
        said = force(action, self.code, self.fields, self.envelope)
        return said, said.charged if self.charged is None else self.charged


@dataclass(frozen=True)
class Quota(Setting):
    """Other quotas hold, in calls per second; 0 means unlimited."""

    name: ClassVar[str] = "quota"
    quotas: Mapping[str, int]

    def __post_init__(self) -> None:
        checked.known("`quotas`", checked.mapping("quotas", self.quotas), ACTIONS)
        for action, quota in self.quotas.items():
            checked.whole(action, quota, 0)

    def change(self, account: Account) -> None:
        """Change the quotas that are named."""
        account.windows.quotas.update(self.quotas)


@dataclass(frozen=True)
class ClockOffset(Setting):
    """The service's clock is so many seconds ahead of the right time; behind if negative."""

    name: ClassVar[str] = "clock_offset"
    offset_s: float

    def __post_init__(self) -> None:
        checked.number("offset_s", self.offset_s, -checked.TEN_YEARS_S, checked.TEN_YEARS_S)

    def change(self, account: Account) -> None:
        """Put the clock wrong."""
        account.clock.ahead_s = self.offset_s


@dataclass(frozen=True)
class AccountState(Setting):
    """Something is the matter with the account, or its temporary token expires."""

    name: ClassVar[str] = "account"
    state: str | None = None
    token: str | None = None
    """The one that is accepted from now on."""

    def __post_init__(self) -> None:
        if self.state is None and self.token is None:
            raise checked.FieldError("`state` is missing: `account` needs it, or `token`")
        if self.state is not None:
            checked.one_of("state", self.state, tuple(State))
        if self.token is not None:
            checked.text("token", self.token)

    def change(self, account: Account) -> None:
        """Change what is named."""
        old = account.standing
        state = State(self.state or old.state)
        account.standing = replace(old, state=state, token=self.token or old.token)


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
    checked.one_of("effect", name, EFFECTS)
    kind = EFFECTS[str(name)]
    told = {key: value for key, value in document.items() if key != "effect"}
    return checked.build(kind, told, f"`{name}`")
