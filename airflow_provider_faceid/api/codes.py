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
    """
    One code.

    :param meaning: our wording, in place of the service's, which may change.
    :param meaning_zh: the same in Chinese, our wording too; empty if there is none.
    """

    code: str
    outcome: Outcome
    charged: Charged
    step: Step
    meaning: str
    meaning_zh: str = ""


def code_table(text: str) -> dict[str, CodeRow]:
    """
    Return rows by code.

    :param text: a line each: code, outcome, charged, next step, meaning; behind `` | `` the meaning in
        Chinese, which may be left out. Codes hold no blanks.
    """
    rows = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        code, outcome, charged, step, words = line.split(maxsplit=4)
        meaning, _, chinese = words.partition(" | ")
        known = Outcome(outcome), Charged(charged), Step(step)
        rows[code] = CodeRow(code, *known, meaning.rstrip(), chinese)
    return rows


# code, outcome, charged, next step, meaning | the same in Chinese
COMMON = code_table("""
ActionOffline                                     refused        no      fatal      this API was withdrawn | 该接口已下线
AuthFailure                                       credentials    no      fatal      the credentials are refused | 凭证被拒绝
AuthFailure.InvalidAuthorization                  credentials    no      fatal      the signature header is refused | 签名头被拒绝
AuthFailure.InvalidSecretId                       credentials    no      fatal      the SecretId is not that of an API key | SecretId 不属于 API 密钥
AuthFailure.MFAFailure                            credentials    no      fatal      multi-factor authentication failed | 多因素认证失败
AuthFailure.SecretIdNotFound                      credentials    no      fatal      the SecretId is unknown, disabled or has stray spaces | SecretId 不存在、已禁用或含多余空格
AuthFailure.SignatureExpire                       credentials    no      fatal      this machine's clock is more than 5 minutes off | 本机时钟偏差超过 5 分钟
AuthFailure.SignatureFailure                      credentials    no      fatal      the signature does not fit: the SecretKey is wrong | 签名不符：SecretKey 有误
AuthFailure.TokenFailure                          credentials    no      fatal      the temporary token is wrong or has expired | 临时令牌有误或已过期
AuthFailure.UnauthorizedOperation                 account        no      fatal      the key's policy does not allow this API | 密钥的策略不允许调用该接口
DryRunOperation                                   error          no      record     a dry run would have succeeded | 试运行本会成功
FailedOperation                                   error          unknown record     the operation failed | 操作失败
FailedOperation.DecryptSystemError                refused        no      fatal      the service cannot decrypt our fields | 服务端无法解密字段
FailedOperation.StsUnAuthErrError                 account        no      fatal      not authorized by the token service | 未获令牌服务授权
FailedOperation.UnKnown                           unavailable    no      retry      unknown fault inside the service | 服务内部未知错误
FailedOperation.RequestLimitExceeded              throttled      no      retry      more calls per second than the quota | 超过每秒调用配额
InternalError                                     unavailable    no      retry      fault inside the service | 服务内部错误
InvalidAction                                     refused        no      fatal      no such Action at this endpoint | 该接入点没有此接口
InvalidParameter                                  invalid_input  no      quarantine a parameter is malformed | 参数格式有误
InvalidParameter.UnsupportEncryptField            refused        no      fatal      an encrypted field may not be encrypted | 有字段不支持加密
InvalidParameterValue                             invalid_input  no      quarantine a parameter's value is not allowed | 参数取值不被允许
InvalidRequest                                    refused        no      fatal      the request's form is refused | 请求格式被拒绝
IpInBlacklist                                     account        no      fatal      this machine's address is blocked | 本机地址被封禁
IpNotInWhitelist                                  account        no      fatal      this machine's address is not allowed | 本机地址不在白名单
LimitExceeded                                     account        no      fatal      an account limit is used up | 账号的限额已用尽
MissingParameter                                  refused        no      fatal      a required parameter is missing | 缺少必填参数
NoSuchProduct                                     refused        no      fatal      the endpoint does not know this service | 该接入点没有此服务
NoSuchVersion                                     refused        no      fatal      the endpoint does not know this version | 该接入点没有此版本
OperationDenied                                   account        no      fatal      the operation is denied to this account | 该账号的操作被拒绝
RequestLimitExceeded                              throttled      no      retry      more calls per second than the quota | 超过每秒调用配额
RequestLimitExceeded.GlobalRegionUinLimitExceeded throttled      no      retry      more calls per second than the main account may make in all regions | 超过主账号在所有地域的每秒调用上限
RequestLimitExceeded.IPLimitExceeded              throttled      no      retry      more calls per second than one address may make | 超过单个地址的每秒调用上限
RequestLimitExceeded.UinLimitExceeded             throttled      no      retry      more calls per second than the main account may make | 超过主账号的每秒调用上限
RequestSizeLimitExceeded                          invalid_input  no      quarantine the request is larger than 10 MB | 请求超过 10 MB
ResponseSizeLimitExceeded                         error          unknown record     the answer is too large | 返回内容过大
ResourceInUse                                     error          no      record     a resource is in use | 资源被占用
ResourceInsufficient                              unavailable    no      retry      the service lacks a resource | 服务端资源不足
ResourceNotFound                                  error          no      record     a resource does not exist | 资源不存在
ResourceUnavailable                               unavailable    no      retry      a resource is unavailable | 资源不可用
ServiceUnavailable                                unavailable    no      retry      the service is unavailable | 服务不可用
UnauthorizedOperation                             account        no      fatal      the account may not call this API | 账号无权调用该接口
UnauthorizedOperation.Arrears                     account        no      fatal      the account is in arrears | 账号已欠费
UnauthorizedOperation.ChargeStatusException       account        no      fatal      the account's billing status is abnormal | 账号计费状态异常
UnauthorizedOperation.NonAuthorize                account        no      fatal      the account itself has not passed identity verification | 账号本身未完成实名认证
UnauthorizedOperation.Nonactivated                account        no      fatal      Face ID is not activated for this account | 该账号未开通人脸核身服务
UnknownParameter                                  refused        no      fatal      the API does not know a parameter | 接口不识别某个参数
UnsupportedOperation                              refused        no      fatal      the operation is not supported | 不支持该操作
UnsupportedProtocol                               refused        no      fatal      only GET and POST are supported | 仅支持 GET 和 POST
UnsupportedRegion                                 refused        no      fatal      the API does not support this region | 接口不支持该地域
http:301                                          refused        no      fatal      the endpoint sends elsewhere | 接入点重定向到别处
http:302                                          refused        no      fatal      the endpoint sends elsewhere | 接入点重定向到别处
http:307                                          refused        no      fatal      the endpoint sends elsewhere | 接入点重定向到别处
http:308                                          refused        no      fatal      the endpoint sends elsewhere | 接入点重定向到别处
http:400                                          refused        no      fatal      a gateway refuses the request | 网关拒绝请求
http:401                                          refused        no      fatal      a gateway asks for credentials | 网关要求凭证
http:403                                          refused        no      fatal      a proxy or firewall refuses the request | 代理或防火墙拒绝请求
http:404                                          refused        no      fatal      nothing answers at this address | 该地址没有服务
http:405                                          refused        no      fatal      the endpoint takes no POST | 接入点不接受 POST
http:407                                          refused        no      fatal      the proxy asks for credentials | 代理要求凭证
http:413                                          invalid_input  no      quarantine the request is too large | 请求过大
http:429                                          throttled      no      retry      a gateway asks for fewer requests | 网关要求降低请求频率
""")
"""Codes any Action may answer with, and HTTP statuses that carry no answer (``http:NNN``)."""


class Proof(StrEnum):
    """What proves that a gateway refused a call before the service processed it."""

    RETRY_AFTER = "Retry-After"
    """The header: it says when the call may be made."""
    CONNECTION = "connection"
    """The connection says that its gateway never forwards a call that it fails."""


PROVEN: dict[str, CodeRow] = {
    code: CodeRow(code, Outcome.UNAVAILABLE, Charged.NO, Step.RETRY, *meaning)
    for code, meaning in {
        "http:502": ("the gateway did not reach the service", "网关未能连上服务"),
        "http:503": ("the gateway has no service to pass it to", "网关没有可转发的服务"),
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
    "",
    Outcome.ERROR,
    Charged.UNKNOWN,
    Step.RECORD,
    "a code this version does not know",
    "本版本未收录的结果码",
)
NO_ANSWER = CodeRow(
    "no_answer",
    Outcome.UNCERTAIN,
    Charged.UNKNOWN,
    Step.HOLD,
    "sent without a readable answer",
    "已发送，但没有可读的答复",
)
IMPLAUSIBLE = CodeRow(
    "implausible_similarity",
    Outcome.ERROR,
    Charged.YES,
    Step.RECORD,
    "a match without a similarity of 0-100",
    "一致，但没有 0-100 的相似度",
)
BELOW_THRESHOLD = CodeRow(
    "below_threshold",
    Outcome.REVIEW,
    Charged.YES,
    Step.RECORD,
    "a match below the connection's own threshold",
    "一致，但低于连接设定的阈值",
)


UNJUDGED = CodeRow(
    "",
    Outcome.UNJUDGED,
    Charged.UNKNOWN,
    Step.RECORD,
    "an Action whose codes are not listed here",
    "该接口的结果码未收录",
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
