"""What every result and error code means, whether it is charged, and what to do next.

One row per code. The codes of an Action stand in its file; here are those of the API gateway, which
any Action may answer with (source: the API's page of common error codes), and of gateways in front of
it. ``Charged.UNKNOWN`` marks what no page says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """A verdict in one word, the same for all Actions."""

    MATCH = "match"
    FOUND = "found"
    """A look-up has found what it was asked for; the answer is in its outputs."""
    MISMATCH = "mismatch"
    REVIEW = "review"
    NOT_FOUND = "not_found"
    INVALID_INPUT = "invalid_input"
    UNUSABLE_PHOTO = "unusable_photo"
    LIMIT = "limit"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    CREDENTIALS = "credentials"
    ACCOUNT = "account"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    UNJUDGED = "unjudged"
    """An Action without a row answered: its codes are the caller's to read."""
    ERROR = "error"


class Charged(StrEnum):
    """Whether a code is billed."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def flag(self) -> bool | None:
        """Return the same as True, False or None."""
        return {"yes": True, "no": False}.get(self.value)


class Step(StrEnum):
    """What to do with a row after a code."""

    RECORD = "record"
    """The answer is final."""
    QUARANTINE = "quarantine"
    """The input has to be mended first."""
    RETRY = "retry"
    """The same call again after a pause; it was not charged."""
    POSTPONE = "postpone"
    """Another day."""
    HOLD = "hold"
    """It may have been charged: a person or a policy decides."""
    FATAL = "fatal"
    """Stop the run: every other row would fail alike."""


@dataclass(frozen=True)
class CodeRow:
    """One code: ``meaning`` is our wording, in place of the service's, which may change."""

    code: str
    outcome: Outcome
    charged: Charged
    step: Step
    meaning: str


def code_table(text: str) -> dict[str, CodeRow]:
    """
    Return rows by code.

    :param text: a line each: code, outcome, charged, next step, meaning. Codes hold no blanks.
    """
    rows = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        code, outcome, charged, step, meaning = line.split(maxsplit=4)
        rows[code] = CodeRow(code, Outcome(outcome), Charged(charged), Step(step), meaning)
    return rows


# code, outcome, charged, next step, meaning
COMMON = code_table("""
ActionOffline                                     refused        no      fatal      this API was withdrawn
AuthFailure                                       credentials    no      fatal      the credentials are refused
AuthFailure.InvalidAuthorization                  credentials    no      fatal      the signature header is refused
AuthFailure.InvalidSecretId                       credentials    no      fatal      the SecretId is not that of an API key
AuthFailure.MFAFailure                            credentials    no      fatal      multi-factor authentication failed
AuthFailure.SecretIdNotFound                      credentials    no      fatal      the SecretId is unknown, disabled or has stray spaces
AuthFailure.SignatureExpire                       credentials    no      fatal      this machine's clock is more than 5 minutes off
AuthFailure.SignatureFailure                      credentials    no      fatal      the signature does not fit: the SecretKey is wrong
AuthFailure.TokenFailure                          credentials    no      fatal      the temporary token is wrong or has expired
AuthFailure.UnauthorizedOperation                 account        no      fatal      the key's policy does not allow this API
DryRunOperation                                   error          no      record     a dry run would have succeeded
FailedOperation                                   error          unknown record     the operation failed
FailedOperation.DecryptSystemError                refused        no      fatal      the service cannot decrypt our fields
FailedOperation.StsUnAuthErrError                 account        no      fatal      not authorized by the token service
FailedOperation.UnKnown                           unavailable    no      retry      unknown fault inside the service
FailedOperation.RequestLimitExceeded              throttled      no      retry      more calls per second than the quota
InternalError                                     unavailable    no      retry      fault inside the service
InvalidAction                                     refused        no      fatal      no such Action at this endpoint
InvalidParameter                                  invalid_input  no      quarantine a parameter is malformed
InvalidParameter.UnsupportEncryptField            refused        no      fatal      an encrypted field may not be encrypted
InvalidParameterValue                             invalid_input  no      quarantine a parameter's value is not allowed
InvalidRequest                                    refused        no      fatal      the request's form is refused
IpInBlacklist                                     account        no      fatal      this machine's address is blocked
IpNotInWhitelist                                  account        no      fatal      this machine's address is not allowed
LimitExceeded                                     account        no      fatal      an account limit is used up
MissingParameter                                  refused        no      fatal      a required parameter is missing
NoSuchProduct                                     refused        no      fatal      the endpoint does not know this service
NoSuchVersion                                     refused        no      fatal      the endpoint does not know this version
OperationDenied                                   account        no      fatal      the operation is denied to this account
RequestLimitExceeded                              throttled      no      retry      more calls per second than the quota
RequestLimitExceeded.GlobalRegionUinLimitExceeded throttled      no      retry      more calls per second than the main account may make in all regions
RequestLimitExceeded.IPLimitExceeded              throttled      no      retry      more calls per second than one address may make
RequestLimitExceeded.UinLimitExceeded             throttled      no      retry      more calls per second than the main account may make
RequestSizeLimitExceeded                          invalid_input  no      quarantine the request is larger than 10 MB
ResponseSizeLimitExceeded                         error          unknown record     the answer is too large
ResourceInUse                                     error          no      record     a resource is in use
ResourceInsufficient                              unavailable    no      retry      the service lacks a resource
ResourceNotFound                                  error          no      record     a resource does not exist
ResourceUnavailable                               unavailable    no      retry      a resource is unavailable
ServiceUnavailable                                unavailable    no      retry      the service is unavailable
UnauthorizedOperation                             account        no      fatal      the account may not call this API
UnauthorizedOperation.Arrears                     account        no      fatal      the account is in arrears
UnauthorizedOperation.ChargeStatusException       account        no      fatal      the account's billing status is abnormal
UnauthorizedOperation.NonAuthorize                account        no      fatal      the account itself has not passed identity verification
UnauthorizedOperation.Nonactivated                account        no      fatal      Face ID is not activated for this account
UnknownParameter                                  refused        no      fatal      the API does not know a parameter
UnsupportedOperation                              refused        no      fatal      the operation is not supported
UnsupportedProtocol                               refused        no      fatal      only GET and POST are supported
UnsupportedRegion                                 refused        no      fatal      the API does not support this region
http:301                                          refused        no      fatal      the endpoint sends elsewhere
http:302                                          refused        no      fatal      the endpoint sends elsewhere
http:307                                          refused        no      fatal      the endpoint sends elsewhere
http:308                                          refused        no      fatal      the endpoint sends elsewhere
http:400                                          refused        no      fatal      a gateway refuses the request
http:401                                          refused        no      fatal      a gateway asks for credentials
http:403                                          refused        no      fatal      a proxy or firewall refuses the request
http:404                                          refused        no      fatal      nothing answers at this address
http:405                                          refused        no      fatal      the endpoint takes no POST
http:407                                          refused        no      fatal      the proxy asks for credentials
http:413                                          invalid_input  no      quarantine the request is too large
http:429                                          throttled      no      retry      a gateway asks for fewer requests
""")
"""Codes any Action may answer with, and HTTP statuses that carry no answer (``http:NNN``)."""


class Proof(StrEnum):
    """What proves that a gateway refused a call before the service processed it."""

    RETRY_AFTER = "Retry-After"
    """The header: it says when the call may be made."""
    CONNECTION = "connection"
    """The connection says that its gateway never forwards a call that it fails."""


PROVEN: dict[str, CodeRow] = {
    code: CodeRow(code, Outcome.UNAVAILABLE, Charged.NO, Step.RETRY, meaning)
    for code, meaning in {
        "http:502": "the gateway did not reach the service",
        "http:503": "the gateway has no service to pass it to",
    }.items()
}
"""Statuses that are refusals only with a proof. Otherwise they are no answer, as any status is that
:data:`COMMON` does not list: a gateway answers 502 as well when it lost the service's answer."""

PROOFS: dict[str, frozenset[Proof]] = {
    "http:502": frozenset({Proof.CONNECTION}),
    "http:503": frozenset({Proof.CONNECTION, Proof.RETRY_AFTER}),
}
"""What proves each of them."""


def is_refusal(code: str, *proofs: Proof) -> bool:
    """Say whether a gateway's status means that the service did not process the call."""
    return code in COMMON or not PROOFS.get(code, frozenset()).isdisjoint(proofs)


UNKNOWN_CODE = CodeRow(
    "", Outcome.ERROR, Charged.UNKNOWN, Step.RECORD, "a code this version does not know"
)
NO_ANSWER = CodeRow(
    "no_answer", Outcome.UNCERTAIN, Charged.UNKNOWN, Step.HOLD, "sent without a readable answer"
)
IMPLAUSIBLE = CodeRow(
    "implausible_similarity",
    Outcome.ERROR,
    Charged.YES,
    Step.RECORD,
    "a match without a similarity of 0-100",
)
BELOW_THRESHOLD = CodeRow(
    "below_threshold",
    Outcome.REVIEW,
    Charged.YES,
    Step.RECORD,
    "a match below the connection's own threshold",
)


UNJUDGED = CodeRow(
    "", Outcome.UNJUDGED, Charged.UNKNOWN, Step.RECORD, "an Action whose codes are not listed here"
)


def look_up(own: Mapping[str, CodeRow] | None, code: str) -> CodeRow:
    """
    Return what a code means for an Action.

    Most specific first: the Action's own codes, the common codes, then the family of an unlisted
    member (``AuthFailure.Something`` is read as ``AuthFailure``). ``FailedOperation`` is no family:
    its members have nothing in common, so an unlisted one is an unknown code.

    :param own: the Action's result codes; None for an Action that is not listed, whose own codes are
        ``unjudged``.
    """
    row = (own or {}).get(code) or COMMON.get(code) or PROVEN.get(code)
    if row is None and "." in code and not code.startswith("FailedOperation."):
        row = COMMON.get(code.split(".", 1)[0])
    if row is None and code.startswith("http:"):
        return NO_ANSWER
    return row or (UNJUDGED if own is None else UNKNOWN_CODE)
