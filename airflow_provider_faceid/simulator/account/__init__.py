"""The account's data: its state, its ledger and request log, and the assumptions about the service.

The account state decides whether the service answers, and which keys and token it accepts. The ledger
has every request received, its answer, and the bill: fault tests read it as the truth about what the
service saw and billed, so it leaves out no request. The request log (``--log-requests``) has a line per
request without personal data. ``docs/simulator.md`` lists each assumption, which no page confirms,
beside the confirmed facts; its default is the likeliest.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from ...api import id_card
from ...api.actions import ACTIONS
from ...api.photo import MAX_PHOTO_BASE64
from ...clock import utc_text
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


LOGGER = logging.getLogger("airflow_provider_faceid.simulator.requests")
_CODE = re.compile(r"[\w.-]{1,80}", re.ASCII)
_NOTHING = "-"


@dataclass(slots=True)
class Entry:
    """
    One request.

    :param at: arrival in seconds since 1970.
    :param action: ``X-TC-Action`` as sent, empty if absent.
    :param id_card: ``IdCard`` as sent, empty if the request was refused before it could be read.
    :param result: ``Response.Result``, empty if there was an error.
    :param error: ``Response.Error.Code``, empty if there was a result.
    :param processed: whether an Action processed the request.
    :param charged: whether the request was billed.
    :param fault: name of the effect a fault rule had on it, empty if there was none.
    :param request_id: ``Response.RequestId``.
    :param answered: whether the whole answer was sent.
    """

    at: float
    action: str
    id_card: str
    result: str
    error: str
    processed: bool
    charged: bool
    fault: str
    request_id: str
    answered: bool = False

    def row(self) -> dict[str, object]:
        """Return the request as the control plane shows it."""
        row = {name: getattr(self, name) for name in _LEDGER_COLUMNS}
        row["at"] = utc_text(self.at)
        return row


_LEDGER_COLUMNS = tuple(column.name for column in fields(Entry))


class Ledger:
    """Every request received since the last reset, in the order of processing."""

    def __init__(self) -> None:
        self.bill: Counter[str] = Counter()
        """Charged calls by Action."""
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Record a request whose answer is not sent yet."""
        # Requests share these texts: a benchmark sends a million.
        entry.action, entry.error = sys.intern(entry.action), sys.intern(entry.error)
        self._entries.append(entry)
        if entry.charged:
            self.bill[entry.action] += 1

    def rows(self, offset: int = 0, limit: int | None = None) -> Iterator[dict[str, object]]:
        """Yield requests as the control plane shows them, oldest first."""
        entries = self._entries  # a reset in between starts a new list
        end = len(entries) if limit is None else min(len(entries), offset + limit)
        for index in range(offset, end):
            yield entries[index].row()

    def clear(self) -> None:
        """Forget every request and the bill."""
        self._entries = []
        self.bill.clear()


def anonymous_row(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of the ledger with a masked number and without unknown texts of the caller."""
    action = str(row["action"])
    known = action if not action or action in ACTIONS else "(unknown)"
    return {**row, "id_card": id_card.masked(str(row["id_card"])), "action": known}


def log_line(row: Mapping[str, object], seconds: float) -> str:
    """
    Return the log line of a request.

    :param row: its row in the ledger.
    :param seconds: from its arrival to the end of its answer.
    """
    shown = anonymous_row(row)
    code = str(row["result"] or row["error"])
    parts = (
        row["at"],
        shown["action"],
        shown["id_card"],
        code if _CODE.fullmatch(code) else _NOTHING,  # a fault rule may have any text as its code
        row["fault"] and f"fault={row['fault']}",
        "charged" if row["charged"] else "free",
        f"{seconds * 1000:.0f} ms",
        row["request_id"],
    )
    return " ".join(str(part) if part else _NOTHING for part in parts)


def log_request(entry: Entry, seconds: float) -> None:
    """Write the line of a request into the log."""
    LOGGER.info(log_line(entry.row(), seconds))


def log_to_stderr() -> None:
    """Send the request log to stderr; stdout carries the address only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


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
