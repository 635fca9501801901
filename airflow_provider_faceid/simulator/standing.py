"""How the account stands: whether the service serves it, and which keys and token it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SECRET_ID = "simulator-id"  # noqa: S105 - public, like the key
SECRET_KEY = "simulator-key"  # noqa: S105 - the key pair the service knows unless told others
TOKEN = "simulator-token"  # noqa: S105 - public; the temporary token that is good at first


class State(StrEnum):
    """What may be the matter with an account."""

    OK = "ok"
    ARREARS = "arrears"
    CHARGE_EXCEPTION = "charge_exception"
    NOT_ACTIVATED = "not_activated"
    NOT_AUTHORISED = "not_authorised"
    NO_PERMISSION = "no_permission"
    KEY_DELETED = "key_deleted"


KEY_CODES: dict[State, str] = {State.KEY_DELETED: "AuthFailure.SecretIdNotFound"}
"""What is answered before the signature is looked at, by state."""

ACCOUNT_CODES: dict[State, str] = {
    State.ARREARS: "UnauthorizedOperation.Arrears",
    State.CHARGE_EXCEPTION: "UnauthorizedOperation.ChargeStatusException",
    State.NOT_ACTIVATED: "UnauthorizedOperation.Nonactivated",
    State.NOT_AUTHORISED: "UnauthorizedOperation.NonAuthorize",
    State.NO_PERMISSION: "AuthFailure.UnauthorizedOperation",
}
"""What is answered to a call that is signed well, by state."""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How the account stands at one moment.

    :param state: what is the matter with it.
    :param token: the one temporary token that has not expired.
    :param keys: SecretKey by SecretId; each SecretId is a sub-account with quotas of its own.
    """

    state: State = State.OK
    token: str = TOKEN
    keys: Mapping[str, str] = field(default_factory={SECRET_ID: SECRET_KEY}.copy)
