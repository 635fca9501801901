"""The answers of the service: a result or a refusal, their texts, and the body of the response.

Texts are in en-US and zh-CN. English texts of errors are those that users of the service have quoted;
the ones without a known quotation are marked as plausible. A client must not interpret them: a
``Message`` may change at any time.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ...api.actions import ACTIONS, code_row
from ...api.codes import Charged, Outcome
from ..people import FIXED_SIMILARITY

LANGUAGES = ("en-US", "zh-CN")
DEFAULT_LANGUAGE = "en-US"

_NO_SIGNATURE = "The provided credentials could not be validated."

REFUSALS: dict[str, tuple[str, str]] = {
    "AuthFailure.InvalidAuthorization": (  # plausible
        "The format of the header `Authorization` is not valid.",
        "请求头部的 `Authorization` 不符合腾讯云标准。",
    ),
    "AuthFailure.SecretIdNotFound": (
        "The SecretId is not found, please ensure that your SecretId is correct.",
        "SecretId不存在，请输入正确的密钥。",
    ),
    "AuthFailure.SignatureExpire": (
        (
            "Signature expired. Please use local time and enable NTP service for time synchronization "
            "to avoid a deviation between `Timestamp` and the server time {0}."
        ),
        "签名过期。请使用本地时间并开启 NTP 时间同步服务，避免 `Timestamp` 与服务器时间 {0} 偏差过大。",
    ),
    "AuthFailure.SignatureFailure": (
        f"{_NO_SIGNATURE} Please check your signature is correct.",
        "请求签名验证失败，请检查您的签名计算是否正确。",
    ),
    "AuthFailure.SignatureFailure:version_1": (  # its advice was seen with large v1 requests
        f"{_NO_SIGNATURE} Please use the signature method `TC3-HMAC-SHA256`.",
        "请求签名验证失败，请使用签名方法 `TC3-HMAC-SHA256`。",
    ),
    "AuthFailure.TokenFailure": (  # plausible
        "The token is invalid or has expired.",
        "token 错误或已过期。",
    ),
    "AuthFailure.UnauthorizedOperation": (  # plausible
        "You are not authorized to perform this operation.",
        "您没有执行该操作的权限。",
    ),
    "FailedOperation.DecryptSystemError": ("Decryption failed.", "解密失败。"),
    "FailedOperation.StsUnAuthErrError": ("STS unauthorized.", "STS未授权。"),
    "FailedOperation.UnKnown": ("Unknown internal error.", "内部未知错误。"),
    "InvalidAction": (
        "The request action=`{0}` is invalid or not found in service=`{1}` and version=`{2}`.",
        "接口 `{0}` 在服务 `{1}` 版本 `{2}` 中不存在。",
    ),
    "InvalidParameter": ("Invalid parameter.", "参数错误。"),
    "InvalidParameter.UnsupportEncryptField": (
        "Unencrypted fields exist. Refer to the documentation to modify.",
        "存在非加密字段，请参考文档修改。",
    ),
    "InvalidParameter:query": (
        "Url key and value should be splited by `=`.",
        "Url key and value should be splited by `=`.",
    ),
    "InvalidParameter:body": (  # plausible
        "The request body is not a JSON object in UTF-8.",
        "请求体不是 UTF-8 编码的 JSON 对象。",
    ),
    "InvalidParameter:type": (
        "The value type of parameter `{0}` is not valid.",
        "参数 `{0}` 类型错误。",
    ),
    "InvalidParameterValue:common": (
        "A value specified in `X-TC-{0}` (v1: `{0}`) is not valid, is unsupported, or cannot be used.",
        "`X-TC-{0}`（v1：`{0}`）的取值无效、不受支持或无法使用。",
    ),
    "InvalidParameterValue": (
        "A value specified in `{0}` is not valid, is unsupported, or cannot be used.",
        "`{0}` 的取值无效、不受支持或无法使用。",
    ),
    "MissingParameter": (
        "The request is missing a required parameter `{0}`.",
        "请求缺少必要参数 `{0}`。",
    ),
    "NoSuchVersion": (
        "The specified api version=`{0}` does not exist in service=`{1}`.",
        "接口版本 `{0}` 在服务 `{1}` 中不存在。",
    ),
    "RequestLimitExceeded": (
        (
            "Your current request times equals to `{0}` in a second, which exceeds the frequency limit "
            "`{1}` for a second. Please reduce the frequency of calls."
        ),
        "您当前每秒请求 `{0}` 次，超过了每秒频率上限 `{1}` 次，请稍后重试。",
    ),
    "RequestLimitExceeded.UinLimitExceeded": (  # plausible
        "The main account makes more calls in a second than it may.",
        "主账号每秒请求次数超过频率上限。",
    ),
    "RequestSizeLimitExceeded": (  # plausible
        "The request is larger than the limit of `{0}` bytes.",
        "请求包超过限制大小 `{0}` 字节。",
    ),
    "UnauthorizedOperation": ("Unauthorized operation.", "未授权操作。"),
    "UnauthorizedOperation.Arrears": ("The account is in arrears.", "账号已欠费。"),
    "UnauthorizedOperation.ChargeStatusException": (
        "The billing status is abnormal.",
        "计费状态异常。",
    ),
    "UnauthorizedOperation.NonAuthorize": (
        "Identity verification has not been completed for the account.",
        "账号未实名。",
    ),
    "UnauthorizedOperation.Nonactivated": (
        "The service has not been activated.",
        "未开通服务。",
    ),
    "UnknownParameter": (
        "The parameter `{0}` is not recognized.",
        "未知参数 `{0}`。",
    ),
    "UnsupportedOperation": ("Unsupported operation.", "操作不支持。"),
    "UnsupportedOperation:content_type": (  # the wording is known, the code is not
        "The action does not support Content-Type=`{0}`.",
        "接口不支持 Content-Type=`{0}`。",
    ),
    "UnsupportedProtocol": (  # plausible
        "The HTTP method `{0}` is not supported, only GET and POST are.",
        "不支持 HTTP 方法 `{0}`，仅支持 GET 和 POST。",
    ),
}
"""Error texts by code; behind a colon, one of several texts of a code."""

_ID_CARD_DESCRIPTIONS = {
    "0": ("Name and identity card number match", "姓名和身份证号一致"),
    "-1": ("Name and ID card number mismatch", "姓名和身份证号不一致"),
    "-2": ("Invalid ID number", "非法身份证号"),
    "-3": ("Invalid name", "非法姓名"),
    "-4": ("Document library service exception", "证件库服务异常"),
    "-5": ("No ID card record found in the document library", "证件库中无此身份证记录"),
    "-6": (
        "The authoritative comparison system is being upgraded. Try again later.",
        "权威比对系统升级中，请稍后再试",
    ),
    "-7": ("Authentication attempts exceeded the daily limit", "认证次数超过当日限制"),
}
_FACE_DESCRIPTIONS = {
    "Success": ("Success", "成功"),
    "FailedOperation.CompareFail": ("Comparison failed", "比对失败"),
    "FailedOperation.CompareLibServiceUnavailable": (
        "Comparison library source maintaining, temporarily unavailable",
        "比对库源维护中，暂不可用",
    ),
    "FailedOperation.CompareLowSimilarity": (
        "Similarity comparison does not reach the pass standard",
        "比对相似度未达到通过标准",
    ),
    "FailedOperation.CompareSystemError": (
        "Error calling the comparison engine API",
        "调用比对引擎接口出错",
    ),
    "FailedOperation.IdFormatError": (
        "Input identity card number error",
        "输入的身份证号有误",
    ),
    "FailedOperation.IdNameMisMatch": (
        "Name and ID card number mismatch. Please verify and try again after",
        "姓名和身份证号不匹配，请核实后重试",
    ),
    "FailedOperation.IdNoExistSystem": (
        (
            "The number is not found in the database. Please go to the place of household "
            "registration to verify"
        ),
        "库中无此号，请到户籍所在地进行核实",
    ),
    "FailedOperation.IdPhotoNoExist": (
        (
            "The photo of this number is not found in the database. Please go to the place of "
            "household registration to verify"
        ),
        "库中无此号照片，请到户籍所在地进行核实",
    ),
    "FailedOperation.IdPhotoPoorQuality": (
        "Document image is of poor quality. Please update and try again",
        "证件图片质量差，请更新后重试",
    ),
    "FailedOperation.IdPhotoSystemNoanswer": (
        (
            "The customer database, self-built database, or authentication center failed to return "
            "the photo. Try again later"
        ),
        "客户库自建库或认证中心返照失败，请稍后再试",
    ),
    "FailedOperation.IdentityAuthLimitExceeded": (
        (
            "Name/ID card number authentication attempts exceed the daily limit. Please retry the "
            "next day"
        ),
        "姓名/身份证号认证次数超过当日限制，请次日重试",
    ),
    "FailedOperation.LifePhotoDetectFaces": ("Multiple faces are detected", "检测到多张人脸"),
    "FailedOperation.LifePhotoDetectFake": ("Real person comparison failed", "实人比对没通过"),
    "FailedOperation.LifePhotoDetectNoFaces": (
        "Failed to detect a full face",
        "未能检测到完整人脸",
    ),
    "FailedOperation.LifePhotoPoorQuality": (
        "The resolution of the image passed in is too low. Please upload a new one",
        "传入图片分辨率太低，请重新上传",
    ),
    "FailedOperation.LifePhotoSizeError": (
        "The image passed in is too large or too small",
        "传入图片过大或过小",
    ),
    "FailedOperation.NameFormatError": ("Input name error", "输入的姓名有误"),
}

DESCRIPTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "IdCardVerification": _ID_CARD_DESCRIPTIONS,
    "ImageRecognitionV2": _FACE_DESCRIPTIONS,
}
"""Descriptions of results, by Action; the English ones are those of the two API pages."""


def message_of(key: str, values: tuple[object, ...], language: str) -> str:
    """
    Return the text of an error.

    :param key: a key of :data:`REFUSALS`; the text of another code, which only a fault rule
        causes, is its meaning in the outcome table.
    :param values: for the text's placeholders; never a person's data.
    :param language: ``zh-CN``; everything else reads English.
    """
    if key not in REFUSALS:
        return _meaning("", key)
    return REFUSALS[key][language == LANGUAGES[1]].format(*values)


def description_of(action: str, result: str, language: str) -> str:
    """Return the text of a result."""
    described = DESCRIPTIONS.get(action, {}).get(result)
    return described[language == LANGUAGES[1]] if described else _meaning(action, result)


def _meaning(action: str, code: str) -> str:
    return f"{code_row(action, code).meaning.capitalize()}."


ERRORS = frozenset(
    {
        "FailedOperation.DecryptSystemError",
        "FailedOperation.StsUnAuthErrError",
        "FailedOperation.UnKnown",
    }
)
"""Codes of the business that come as ``Error``, as far as is known; all others as ``Result``."""

_NO_VALUES = ("-", "-", "-")
"""Values of a text's placeholders when none are known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A successful envelope; a business failure is one too.

    :param action: the API Action.
    :param result: ``Response.Result``.
    :param fields: further fields of ``Response``.
    """

    action: str
    result: str
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def charged(self) -> bool:
        """Return whether the call is billed, as the outcome table says."""
        return code_row(self.action, self.result).charged is Charged.YES

    def response(self, language: str) -> dict[str, object]:
        """Return the ``Response`` object without its RequestId."""
        described = description_of(self.action, self.result, language)
        return {**self.fields, "Result": self.result, "Description": described}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    An ``Error``; never billed.

    :param key: the code, and behind a colon which of its texts (:data:`REFUSALS`).
    :param values: for the text's placeholders; never a person's data.
    """

    key: str
    values: tuple[object, ...] = ()

    @property
    def charged(self) -> bool:
        """Return whether the call is billed."""
        return False

    @property
    def code(self) -> str:
        """Return ``Error.Code``."""
        return self.key.partition(":")[0]

    def response(self, language: str) -> dict[str, object]:
        """Return the ``Response`` object without its RequestId."""
        message = message_of(self.key, self.values, language)
        return {"Error": {"Code": self.code, "Message": message}}


def say(
    action: str,
    code: str,
    fields: Mapping[str, object] | None = None,
    errors: Collection[str] = ERRORS,
) -> Answer | Refusal:
    """
    Return a code of the business as an error, or as a result with further fields.

    :param errors: codes that come as errors.
    """
    return Refusal(code) if code in errors else Answer(action, code, fields or {})


def force(
    action: str, code: str, fields: Mapping[str, object], envelope: str | None
) -> Answer | Refusal:
    """
    Return any code, as a fault rule requests it.

    :param fields: further fields of ``Response``; None leaves out a usual one.
    :param envelope: ``result`` or ``error``; None for the outcome table's choice.
    """
    listed = code in ACTIONS[action].results and code not in ERRORS
    if envelope == "error" or (envelope is None and not listed):
        return Refusal(code, _NO_VALUES)
    usual: dict[str, object] = {}
    if ACTIONS[action].compares_faces:
        matches = code_row(action, code).outcome is Outcome.MATCH
        usual = {"Sim": FIXED_SIMILARITY if matches else 0.0, "Extra": ""}
    elif code == ACTIONS[action].success_code:
        usual = {out.name: out.samples[0] for out in ACTIONS[action].outputs}
    given = usual | dict(fields)
    return Answer(action, code, {name: value for name, value in given.items() if value is not None})


def envelope(said: Answer | Refusal, request_id: str, language: str) -> bytes:
    """Return the body of an HTTP answer."""
    response = said.response(language) | {"RequestId": request_id}
    # An echoed value may hold a lone surrogate, which UTF-8 cannot encode.
    return json.dumps({"Response": response}, ensure_ascii=False).encode(errors="replace")
