"""Exceptions: every error of this package, grouped by recovery, that is by what to do next.

::

    FaceIdError
     |- FatalError            stop: no call can succeed until a person changes something
     |   |- ConfigurationError    a parameter, connection, table or column is wrong
     |   |- CredentialsError      the key, token, signature or clock is refused
     |   |- AccountError          the account may not call: arrears, not activated, ...
     |   |- SupersededError       a newer attempt of the same task has begun
     |   |- PlanRefusedError      the question of too many answered rows has changed
     |   |- IncompleteError       rows are left without an answer, which on_incomplete forbids
     |   |- BudgetError           the calls that may be charged are used up
     |   |- AlertError            a number of a report breaks an alert of severity critical
     |   |- ReconciliationError   the bill and the charges differ, which on_difference forbids
     |   |- ReviewError           a case of the review queue is unknown, or its row has changed
     |   |   |- ClosedReviewError     it is resolved
     |   |   |- NotAReviewerError     this person may not decide it
     |   |   `- ReviewConflictError   another change came first
     |   `- RequestRefusedError   the service refuses the shape of our requests
     |- RetryError            nothing was charged: the same call may be made again later
     |   |- NotSentError          the request never left (DNS, connect)
     |   |   `- SlowUploadError       a photo took longer than a signature is valid
     |   |- StateStoreError       the state all workers share is out of reach; nothing was sent
     |   |- PhotoStoreError       folder or object store of the photos; nothing was sent for them
     |   |- ExportError           files or a lake table could not be written; the next try may
     |   |- ThrottledError        more calls than the quota
     |   |- UnavailableError      the service is there but cannot answer now
     |   |- InFlightError         a row is asked about at this moment: it cannot be erased now
     |   `- OutageError           a run got no answer for longer than the outage timeout
     |- DeferError            not now: the same call may be made from a known time on
     |   |- IdentityLimitError    a limit per identity is reached; nothing was sent
     |   `- PausedError           an Action is paused for all workers; nothing was sent
     |- QuarantineError       this input can never be answered: set it aside
     |   |- InvalidInputError     one value breaks a documented rule; nothing was sent
     |   `- DataQualityError      too many rows of a table are bad; nothing was sent
     |- WarehouseError        the database of the source or of our tables refuses or fails
     |- UncertainError        sent without an answer: it may have been charged
     `- InternalError         a fault of this package; a retry may not meet it

A mismatch, a person who is not found or a limit reached is an *answer*, never an exception.
Messages carry the RequestId and never a person's data.

The functions word messages and log lines: counted nouns, and hints at the name a misspelt one means.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the classes of this module are its errors, and no others
    from collections.abc import Collection, Iterable


class FaceIdError(Exception):
    """
    Base class of all errors of this package.

    :param message: the cause and the next step, without personal data.
    :param code: result or error code of the service, empty if there was no answer.
    :param request_id: the RequestId of the answer, empty if there was none.
    :ivar requests: requests made before the call gave up.
    :ivar throttled: how many of them were refused as too fast.
    :ivar gateway_refusals: how many of them a gateway refused, which does not know what was charged.
    :ivar retry_after: the gateway's ``Retry-After`` in seconds, 0 if it sent none.
    """

    requests: int = 0
    throttled: int = 0
    gateway_refusals: int = 0
    retry_after: float = 0.0

    def __init__(self, message: str, *, code: str = "", request_id: str = "") -> None:
        self.code = code
        self.request_id = request_id
        marks = [f"code {code}"] if code else []
        marks += [f"RequestId {request_id}"] if request_id else []
        super().__init__(f"{message} [{', '.join(marks)}]" if marks else message)


class FatalError(FaceIdError):
    """Stop: no call can succeed until a person changes something."""


class ConfigurationError(FatalError):
    """A parameter, connection field, table or column is wrong. Nothing was sent."""


class CredentialsError(FatalError):
    """The key, token, signature or clock is refused by the service."""


class AccountError(FatalError):
    """The account may not call: arrears, not activated, not permitted."""


class ReconciliationError(FatalError):
    """The vendor's bill and our charges differ by calls that nothing explains. Nothing was sent."""


class ReviewError(FatalError):
    """A case of the review queue is unknown, or its row has changed. Nothing was changed."""


class ClosedReviewError(ReviewError):
    """The case is resolved: no decision can be added. Nothing was changed."""


class NotAReviewerError(ReviewError):
    """This person may not decide the case. Nothing was changed."""


class ReviewConflictError(ReviewError):
    """Somebody else has changed the case meanwhile. Nothing was changed by this decision."""


class RequestRefusedError(FatalError):
    """The service refuses the shape of our requests, or the endpoint is not Face ID."""


class SupersededError(FatalError):
    """A newer attempt of the same task instance has begun: this one may neither call nor record."""


class PlanRefusedError(FatalError):
    """The question of more answered rows has changed than ``max_changed`` allows. Nothing was sent."""


class IncompleteError(FatalError):
    """Rows are held or postponed at the end of a run, and ``on_incomplete`` is ``fail``."""


class BudgetError(FatalError):
    """The budget ``max_charged`` is used up. No further call was sent."""


class AlertError(FatalError):
    """A number of a report breaks an alert of severity ``critical``. The report is written."""


class RetryError(FaceIdError):
    """Nothing was charged; the same call may be made again later."""


class NotSentError(RetryError):
    """The request never left this machine (DNS, connect, TLS)."""


class SlowUploadError(NotSentError):
    """A photo took longer to upload than a signature is valid; its request was never complete."""


class StateStoreError(RetryError):
    """The state store, the database that all workers share, cannot be used. Nothing was sent."""


class PhotoStoreError(RetryError):
    """
    A folder or object store of photos is unreachable or refuses. Nothing was sent for its rows.

    :ivar is_refusal: whether the store answers and refuses, so that a retry hardly helps.
    :ivar is_outage: whether no photo could be read for longer than the outage timeout of a run.
    """

    is_refusal: bool = False
    is_outage: bool = False


class ExportError(RetryError):
    """An export could not be written; the next try replaces what is there. Nothing was sent."""


class ThrottledError(RetryError):
    """More calls than the quota; the call was not processed."""


class UnavailableError(RetryError):
    """The service answered that it is unavailable; not charged."""


class InFlightError(RetryError):
    """A call about the row or person to erase is in flight. Nothing was erased, nothing was sent."""


class OutageError(RetryError):
    """A run got no answer, or no key, for longer than the outage timeout; a later run continues."""


class DeferError(FaceIdError):
    """
    The same call may be made from a known time on.

    :param message: the cause and the next step, without personal data.
    :param not_before: that time, in Unix seconds.
    :param code: as for :class:`FaceIdError`.
    :param request_id: as for :class:`FaceIdError`.
    """

    def __init__(
        self, message: str, *, not_before: float = 0.0, code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.not_before = not_before


class IdentityLimitError(DeferError):
    """A limit per identity is reached: the service allows no further call. Nothing was sent."""


class PausedError(DeferError):
    """
    Somebody has paused the Action for all workers; a later call or run continues. Nothing was sent.

    ``not_before`` is when to look again, in Unix seconds.

    :ivar paused_at: since when, in Unix seconds of the state store.
    """

    paused_at: float = 0.0


class QuarantineError(FaceIdError):
    """This input can never be answered as it is: set it aside."""


class InvalidInputError(QuarantineError):
    """
    One value breaks a documented input rule. Nothing was sent.

    :param rule: name of the rule, as written to the quarantine table.
    :param message: what the rule demands, never the value.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{message} [rule {rule}]")
        self.rule = rule
        self.args = (rule, message)  # so that a copy or a pickle is built as this was

    def __str__(self) -> str:
        return f"{self.args[1]} [rule {self.rule}]"


class DataQualityError(QuarantineError):
    """Too many rows of a table are bad. Nothing was sent."""


class WarehouseError(FaceIdError):
    """
    The database of the source or of our tables refuses a statement, or fails.

    :param message: the cause and the next step, without personal data.
    :param reason: SQLSTATE, result code or error class, without a value of any row.
    :param is_transient: whether the same statement may succeed later.
    :param is_about_data: whether a value of some row is the cause, so that other rows may succeed.
    :param code: as for :class:`FaceIdError`.
    :param request_id: as for :class:`FaceIdError`.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        is_transient: bool = False,
        is_about_data: bool = False,
        code: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.reason, self.is_transient, self.is_about_data = reason, is_transient, is_about_data


class UncertainError(FaceIdError):
    """Sent without a readable answer: it may have been processed and charged."""


class InternalError(FaceIdError):
    """
    A fault of this package or of a library: the message has its class and place.

    The original message is left out, as it may quote a person. Calls that were sent are in the ledger.
    """


def counted(number: int, noun: str, plural: str = "") -> str:
    """
    Return a number with its noun: ``1 call``, ``2 calls``, ``1,000 rows``.

    :param number: the number.
    :param noun: in the singular.
    :param plural: if it is not the noun with an s; may include a verb: ``rows are``.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


NAME_SHOWN = 60
"""Most characters of an unknown name that a message quotes."""


def unknown(given: Iterable[object], known: Collection[str]) -> str:
    """
    Describe unknown names for a message; return an empty text if all names are known.

    Each unknown name is quoted, on one line, with the most similar known name as a hint. All known
    names are listed if one has no similar name.
    """
    names = [str(name) for name in given if name not in known]
    hints = [nearest(name, known) for name in names]
    words = ", ".join(
        repr(name[:NAME_SHOWN]) + (f" (did you mean '{hint}'?)" if hint else "")
        for name, hint in zip(names, hints, strict=True)
    )
    return words if all(hints) else f"{words}; known are {', '.join(sorted(known))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name most similar to a misspelt one, empty if none is similar."""
    by_form = {_form(one): one for one in known}
    found = get_close_matches(_form(name), by_form, n=1)
    return by_form[found[0]] if found else ""


def _form(name: str) -> str:
    """Return a name normalised for comparison: case, blanks and dashes are unified."""
    return name.strip().casefold().replace("-", "_").replace(" ", "_")
