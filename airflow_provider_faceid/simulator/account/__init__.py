"""The account state, and the assumptions about the real service that no page confirms.

The account state decides whether the service answers, and which keys and token it accepts.
``docs/simulator.md`` lists each assumption beside the confirmed facts; its default is the likeliest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ...api.photo import MAX_PHOTO_BASE64
from .. import validation
from ..api import ERRORS

SECRET_ID = "simulator-id"  # noqa: S105 - public, like the key
SECRET_KEY = "simulator-key"  # noqa: S105 - the key pair of the service unless others are given
TOKEN = "simulator-token"  # noqa: S105 - public; the temporary token that is valid at first


class State(StrEnum):
    """The states of an account."""

    OK = "ok"
    ARREARS = "arrears"
    CHARGE_EXCEPTION = "charge_exception"
    NOT_ACTIVATED = "not_activated"
    NOT_AUTHORISED = "not_authorised"
    NO_PERMISSION = "no_permission"
    KEY_DELETED = "key_deleted"


KEY_CODES: dict[State, str] = {State.KEY_DELETED: "AuthFailure.SecretIdNotFound"}
"""Error codes before the signature is verified, by state."""

ACCOUNT_CODES: dict[State, str] = {
    State.ARREARS: "UnauthorizedOperation.Arrears",
    State.CHARGE_EXCEPTION: "UnauthorizedOperation.ChargeStatusException",
    State.NOT_ACTIVATED: "UnauthorizedOperation.Nonactivated",
    State.NOT_AUTHORISED: "UnauthorizedOperation.NonAuthorize",
    State.NO_PERMISSION: "AuthFailure.UnauthorizedOperation",
}
"""Error codes of a call with a valid signature, by state."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """
    The account at one moment.

    :param state: one of :class:`State`.
    :param token: the one valid temporary token.
    :param keys: SecretKey by SecretId; each SecretId is a sub-account with quotas of its own.
    """

    state: State = State.OK
    token: str = TOKEN
    keys: Mapping[str, str] = field(default_factory={SECRET_ID: SECRET_KEY}.copy)


LAST_ZONE_H = 14
"""The largest UTC offset of a time zone, in hours."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """
    Assumed behaviour of the service where no page confirms it.

    :param action_first: version and Action are looked at before the credentials.
    :param unsigned_payload: ``UNSIGNED-PAYLOAD`` waives the signature of the body.
    :param version_1_clock_s: seconds a clock may differ with signature version 1.
    :param account_quota: calls per second and Action all keys may make together; 0 is unlimited.
    :param extra_limited: an ``Extra`` of more than ten characters is refused.
    :param errors: codes of the business that come as ``Error`` in place of ``Result``.
    :param similarity_without_comparison: ``Sim`` of answers for which no faces were compared; None
        leaves it out.
    :param max_photo_base64: longest ``ImageBase64`` in characters: "3M" may be 3,000,000.
    :param free_calls_counted: answers that cost nothing count for the identity limits, too.
    :param day_begins_utc_h: how many hours east of UTC the day of the identity limits begins.
    """

    action_first: bool = False
    unsigned_payload: bool = True
    version_1_clock_s: int = 300
    account_quota: int = 0
    extra_limited: bool = True
    errors: Sequence[str] = tuple(sorted(ERRORS))
    similarity_without_comparison: float | None = 0.0
    max_photo_base64: int = MAX_PHOTO_BASE64
    free_calls_counted: bool = True
    day_begins_utc_h: int = 8

    def __post_init__(self) -> None:
        for name in ("action_first", "unsigned_payload", "extra_limited", "free_calls_counted"):
            validation.flag(name, getattr(self, name))
        if isinstance(self.errors, str) or not isinstance(self.errors, Sequence):
            raise validation.FieldError("`errors` must be a list")
        for code in self.errors:
            validation.text("errors", code)
        if self.similarity_without_comparison is not None:
            sim = self.similarity_without_comparison
            validation.number("similarity_without_comparison", sim, 0, 100)
        validation.whole("version_1_clock_s", self.version_1_clock_s, 0)
        validation.whole("account_quota", self.account_quota, 0)
        validation.whole("max_photo_base64", self.max_photo_base64, 1)
        validation.whole("day_begins_utc_h", self.day_begins_utc_h, -12, LAST_ZONE_H)


LIKELIEST = Assumptions()


def read_assumptions(document: object) -> Assumptions:
    """
    Read the settings from JSON: any of the fields of :class:`Assumptions`.

    :raises FieldError: one of them is unknown or wrong.
    """
    return validation.build(
        Assumptions, validation.mapping("assumptions", document), "the assumptions"
    )
