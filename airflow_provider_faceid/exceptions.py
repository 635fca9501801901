"""Every error of this package, grouped by what to do next.

::

    FaceIdError
     |- FatalError            stop: nobody can succeed until a person changes something
     |   |- ConfigurationError    a parameter, connection, table or column is wrong
     |   |- CredentialsError      the key, token, signature or clock is refused
     |   |- AccountError          the account may not call: arrears, not activated, ...
     |   |- SupersededError       a newer attempt of the same task has begun
     |   |- PlanRefusedError      too many answered rows ask something else
     |   |- IncompleteError       rows are left without an answer, which on_incomplete forbids
     |   |- BudgetError           the calls that may be charged are used up
     |   `- RequestRefusedError   the service refuses the shape of our requests
     |- RetryError            nothing was charged: the same call may be made again later
     |   |- NotSentError          the request never left (DNS, connect)
     |   |   `- SlowUploadError       a photo took longer than a signature is good for
     |   |- StateStoreError       the state all workers share is out of reach; nothing was sent
     |   |- PhotoStoreError       folder or object store of the photos; nothing was sent for them
     |   |- ThrottledError        more calls than the quota
     |   |- UnavailableError      the service is there but cannot answer now
     |   `- OutageError           nobody has answered a run for long
     |- DeferError            not now: the same call may be made from a known moment on
     |   `- IdentityLimitError    the person was asked about too often; nothing was sent
     |- QuarantineError       this input can never be answered: set it aside
     |   |- InvalidInputError     one value breaks a documented rule; nothing was sent
     |   `- DataQualityError      too many rows of a table are bad; nothing was sent
     |- WarehouseError        the database of the source or of our tables refuses or fails
     |- UncertainError        sent without an answer: it may have been charged
     `- InternalError         a fault of this package; another try may not meet it

A mismatch, a person who is not found or a limit reached is an *answer*, never an exception.
Messages carry the RequestId and never a person's data.
"""

from __future__ import annotations


class FaceIdError(Exception):
    """
    Root of the tree.

    :param message: the cause and the next step, without personal data.
    :param code: result or error code of the service, empty if there was no answer.
    :param request_id: the RequestId of the answer, empty if there was none.
    :ivar requests: requests made before giving up.
    :ivar throttled: how many of them were refused as too fast.
    :ivar gateway_refusals: how many of them a gateway refused, which does not know what was charged.
    :ivar retry_after: seconds after which the gateway asks to come back, 0 if it does not.
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
    """Stop: no row can succeed until a person changes something."""


class ConfigurationError(FatalError):
    """A parameter, connection field, table or column is wrong. Nothing was sent."""


class CredentialsError(FatalError):
    """The key, token, signature or clock is refused by the service."""


class AccountError(FatalError):
    """The account may not call: arrears, not activated, not permitted."""


class RequestRefusedError(FatalError):
    """The service refuses the shape of our requests, or the endpoint is not Face ID."""


class SupersededError(FatalError):
    """A later try of the same task has begun: this one may neither call nor record."""


class PlanRefusedError(FatalError):
    """More answered rows ask something else than ``max_changed`` allows. Nothing was sent."""


class IncompleteError(FatalError):
    """Rows are held or postponed at the end of a run, and ``on_incomplete`` is ``fail``."""


class BudgetError(FatalError):
    """As many calls as the work may be charged for were made. No further one was sent."""


class RetryError(FaceIdError):
    """Nothing was charged; the same call may be made again later."""


class NotSentError(RetryError):
    """The request never left this machine (DNS, connect, TLS)."""


class SlowUploadError(NotSentError):
    """A photo took longer to upload than a signature is good for; its request was never complete."""


class StateStoreError(RetryError):
    """The database of the state all workers share is out of reach. Nothing was sent."""


class PhotoStoreError(RetryError):
    """
    A folder or object store of photos is out of reach, or refuses. Nothing was sent for its rows.

    :ivar is_refusal: whether it answers and refuses, so that waiting hardly helps.
    :ivar is_outage: whether no photo could be read for so long that a run gives up.
    """

    is_refusal: bool = False
    is_outage: bool = False


class ThrottledError(RetryError):
    """More calls than the quota; the call was not processed."""


class UnavailableError(RetryError):
    """The service answered that it cannot answer now; not charged."""


class OutageError(RetryError):
    """Nobody has answered, or given a key, for so long that a run gives up; a later one goes on."""


class DeferError(FaceIdError):
    """
    The same call may be made from a known moment on.

    :param not_before: that moment, in Unix seconds.
    """

    def __init__(
        self, message: str, *, not_before: float = 0.0, code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.not_before = not_before


class IdentityLimitError(DeferError):
    """The person was asked about as often as the service allows. Nothing was sent."""


class QuarantineError(FaceIdError):
    """This input can never be answered as it is: set it aside."""


class InvalidInputError(QuarantineError):
    """
    One value breaks a documented input rule. Nothing was sent.

    :param rule: name of the rule, as written to the quarantine table.
    :param message: what the rule asks for, never the value.
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

    :param reason: SQLSTATE, result code or error class, without a value of any row.
    :param is_transient: whether the same statement may succeed in a while.
    :param is_about_data: whether a value of some row is the cause, so that other rows may succeed.
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
    A fault of this package, or of a library in it: the message has its type and place.

    Its own words are left out, as they may quote a person. What was sent meanwhile is in the ledger.
    """
