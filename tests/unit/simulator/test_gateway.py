from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import requests

from airflow_provider_faceid.api import signing

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}


def test_a_signed_call_is_answered(caller):
    response = caller.post(ID_CARD, PARAMS)
    assert response["Result"] == "0"
    assert str(UUID(response["RequestId"])) == response["RequestId"]


def test_the_answer_looks_like_the_services(caller, clock):
    body = b"{}"
    answer = requests.post(caller.url, data=body, headers=caller.headers(ID_CARD, body), timeout=5)
    assert answer.headers["Server"] == "nginx"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Date"] == "Mon, 01 Jun 2026 04:00:00 GMT"


@pytest.mark.parametrize("name", ["Action", "Timestamp", "Version"])
def test_common_parameters_are_required_and_named_without_prefix(caller, name):
    response = caller.post(ID_CARD, PARAMS, {f"X-TC-{name}": None})
    assert response["Error"] == {
        "Code": "MissingParameter",
        "Message": f"The request is missing a required parameter `{name}`.",
    }


def test_without_a_signature_the_secret_id_is_missing(caller):
    message = caller.post(ID_CARD, PARAMS, {"Authorization": None})["Error"]["Message"]
    assert message == "The request is missing a required parameter `SecretId`."


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-TC-Timestamp", "yesterday"),
        ("X-TC-Timestamp", "9" * 5000),
        ("X-TC-Region", ""),
        ("X-TC-Region", "Guangzhou"),
        ("X-TC-Language", "de-DE"),
    ],
)
def test_common_parameters_have_allowed_values(caller, header, value):
    error = caller.post(ID_CARD, PARAMS, {header: value})["Error"]
    name = header.removeprefix("X-TC-")
    assert error == {
        "Code": "InvalidParameterValue",
        "Message": f"A value specified in `X-TC-{name}` (v1: `{name}`) is not valid, "
        "is unsupported, or cannot be used.",
    }


@pytest.mark.parametrize("region", ["ap-singapore", "ap-guangzhou", "na-siliconvalley"])
def test_a_region_has_no_effect(caller, region):
    assert caller.post(ID_CARD, PARAMS, {"X-TC-Region": region})["Result"] == "0"


def test_messages_follow_the_language(caller):
    assert "请求" in caller.post(ID_CARD, {}, {"X-TC-Language": "zh-CN"})["Error"]["Message"]
    described = caller.post(ID_CARD, PARAMS, {"X-TC-Language": "zh-CN"})["Description"]
    assert described == "姓名和身份证号一致"


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3"),
        lambda value: value.replace("Signature=", "Signature"),
        lambda value: value[:-1],
        lambda value: value.replace("content-type;host", "content-type"),
        lambda value: value.replace("content-type;host", "Content-Type;Host"),
        lambda _: "Bearer token",
    ],
)
def test_a_malformed_authorization_is_refused(caller, change):
    value = change(caller.headers(ID_CARD, b"{}")["Authorization"])
    assert caller.code(ID_CARD, b"{}", {"Authorization": value}) == (
        "AuthFailure.InvalidAuthorization"
    )


def test_an_unknown_key_is_refused(caller):
    response = caller.post(ID_CARD, PARAMS, secret_id="somebody")
    assert response["Error"] == {
        "Code": "AuthFailure.SecretIdNotFound",
        "Message": "The SecretId is not found, please ensure that your SecretId is correct.",
    }


def test_a_wrong_key_is_refused(caller):
    response = caller.post(ID_CARD, PARAMS, secret_key="wrong")
    assert response["Error"] == {
        "Code": "AuthFailure.SignatureFailure",
        "Message": "The provided credentials could not be validated. "
        "Please check your signature is correct.",
    }


def test_a_changed_body_is_refused(caller):
    headers = caller.headers(ID_CARD, b"{}")
    assert caller.send("POST", b"{ }", headers)["Error"]["Code"] == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-301, "AuthFailure.SignatureExpire"),
        (301, "AuthFailure.SignatureExpire"),
        (-300, None),
        (300, None),
    ],
)
def test_clocks_may_differ_by_five_minutes(caller, clock, seconds, code):
    response = caller.post(ID_CARD, PARAMS, timestamp=int(clock.now()) + seconds)
    assert response.get("Error", {}).get("Code") == code


def test_the_key_is_of_the_utc_day(caller, clock):
    """The local day of Beijing differs from the UTC day until eight in the morning."""
    clock.seconds = datetime(2026, 6, 1, 20, tzinfo=UTC).timestamp()
    assert caller.post(ID_CARD, PARAMS)["Result"] == "0"
    value = caller.headers(ID_CARD, b"{}")["Authorization"]
    beijing = (datetime.fromtimestamp(clock.seconds, UTC) + timedelta(hours=8)).strftime("%Y-%m-%d")
    value = value.replace("2026-06-01", beijing)
    assert caller.code(ID_CARD, b"{}", {"Authorization": value}) == "AuthFailure.SignatureFailure"


def test_the_service_in_the_scope_is_faceid(caller):
    value = caller.headers(ID_CARD, b"{}")["Authorization"].replace("/faceid/", "/cvm/")
    assert caller.code(ID_CARD, b"{}", {"Authorization": value}) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize("token", [None, "simulator-token"])
def test_no_token_or_the_known_one_is_accepted(caller, token):
    assert caller.post(ID_CARD, PARAMS, {"X-TC-Token": token})["Result"] == "0"


def test_a_bad_token_is_found_before_a_bad_parameter(caller):
    assert caller.code(ID_CARD, {"Nonsense": 1}, {"X-TC-Token": "x"}) == "AuthFailure.TokenFailure"


def test_whatever_is_listed_as_signed_is_signed(caller):
    more = {"X-TC-Action": ID_CARD}
    assert caller.post(ID_CARD, PARAMS, signed=more)["Result"] == "0"
    assert caller.code(ID_CARD, PARAMS, {"X-TC-Action": "ImageRecognitionV2"}, signed=more) == (
        "AuthFailure.SignatureFailure"
    )


def test_any_set_of_headers_may_be_signed_that_has_content_type_and_host(caller):
    more = {"X-TC-Region": "ap-singapore", "X-TC-Version": "2018-03-01", "X-Own": "A b"}
    assert caller.post(ID_CARD, PARAMS, signed=more)["Result"] == "0"
    assert caller.code(ID_CARD, PARAMS, {"X-Own": "A c"}, signed=more) == (
        "AuthFailure.SignatureFailure"
    )


def test_a_signed_header_that_is_not_sent_is_refused(caller):
    assert caller.code(ID_CARD, PARAMS, {"X-Custom": None}, signed={"X-Custom": "a"}) == (
        "AuthFailure.SignatureFailure"
    )


def test_header_values_may_be_signed_as_sent(caller, monkeypatch):
    """The official SDK lower-cases no values, the documents do."""
    media_type = {"Content-Type": "application/json; Charset=UTF-8"}
    assert caller.post(ID_CARD, PARAMS, signed=media_type)["Result"] == "0"
    plain = signing.canonical_request

    def as_sent(*parts: object) -> str:
        return plain(*parts).replace("charset=utf-8", "Charset=UTF-8")

    monkeypatch.setattr(signing, "canonical_request", as_sent)
    headers = caller.headers(ID_CARD, b"{}", signed=media_type)
    monkeypatch.undo()
    assert caller.send("POST", b"{}", headers)["Error"]["Code"] == "MissingParameter"


def test_the_payload_may_be_left_unsigned(caller):
    word = "UNSIGNED-PAYLOAD"
    hashed = signing.payload_hash(word.encode())
    header = {"X-TC-Content-SHA256": word}
    assert caller.post(ID_CARD, PARAMS, header, hashed=hashed)["Result"] == "0"
    assert caller.code(ID_CARD, PARAMS, hashed=hashed) == "AuthFailure.SignatureFailure"


def test_a_wrong_version_is_refused(caller):
    response = caller.post(ID_CARD, PARAMS, {"X-TC-Version": "2017-03-12"})
    assert response["Error"] == {
        "Code": "NoSuchVersion",
        "Message": "The specified api version=`2017-03-12` does not exist in service=`faceid`.",
    }


def test_an_unknown_action_is_refused(caller):
    assert caller.post("Describe", PARAMS)["Error"] == {
        "Code": "InvalidAction",
        "Message": "The request action=`Describe` is invalid or not found in service=`faceid` "
        "and version=`2018-03-01`.",
    }


def test_a_get_is_answered_with_the_query_as_sent(caller):
    query = "IdCard=11204416541220243X&Name=Wei+Xiaobao"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = caller.headers(ID_CARD, b"", signed=form, method="GET", query=query)
    assert caller.send("GET", b"", headers, "?" + query)["Result"] == "0"
    other = caller.send("GET", b"", headers, "?" + query.replace("+", "%20"))
    assert other["Error"]["Code"] == "AuthFailure.SignatureFailure"


def test_a_get_may_have_its_common_parameters_in_the_query_as_the_page_s_sample_has(caller, clock):
    query = "Action=IdCardVerification&IdCard=11204416541220243X&Name=Wei%20Xiaobao"
    query += f"&Version=2018-03-01&Timestamp={int(clock.now())}&Language=zh-CN"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = caller.headers("", b"", signed=form, method="GET", query=query)
    for name in ("Action", "Version", "Timestamp"):
        del headers[f"X-TC-{name}"]
    response = caller.send("GET", b"", headers, "?" + query)
    assert (response["Result"], response["Description"]) == ("0", "姓名和身份证号一致")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("IdCard", "InvalidParameter"),
        ("IdCard=1&Name=a&Encryption.Iv=b&Encryption.CiphertextBlob=c&Encryption.EncryptList.0=Name",
         "FailedOperation.DecryptSystemError"),
        ("IdCard=" + "1" * 40_000, "RequestSizeLimitExceeded"),
    ],
    ids=["no_value", "nested", "too_long"],
)  # fmt: skip
def test_a_get_that_is_refused(caller, query, code):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = caller.headers(ID_CARD, b"", signed=form, method="GET", query=query)
    assert caller.send("GET", b"", headers, "?" + query)["Error"]["Code"] == code


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(caller, method):
    headers = caller.headers(ID_CARD, b"{}")
    assert caller.send(method, b"{}", headers)["Error"]["Code"] == "UnsupportedProtocol"


def test_a_body_is_read_as_it_was_signed_whatever_its_content_encoding(caller):
    response = caller.post(ID_CARD, PARAMS, {"Content-Encoding": "gzip"})
    assert response["Result"] == "0"


@pytest.mark.parametrize(
    ("media_type", "code"),
    [
        ("multipart/form-data", "UnsupportedOperation"),
        ("text/plain", "UnsupportedOperation"),
        ("application/x-www-form-urlencoded", "UnsupportedOperation"),
        ("", "UnsupportedOperation"),
    ],
)
def test_version_3_posts_json_only(caller, media_type, code):
    response = caller.post(ID_CARD, PARAMS, signed={"Content-Type": media_type})
    assert response["Error"]["Code"] == code
    assert f"not support Content-Type=`{media_type}`" in response["Error"]["Message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_10_megabytes_is_refused(caller, chunked):
    body = b" " * (10 * 1024 * 1024 + 1)
    data = iter([body]) if chunked else body
    assert caller.send("POST", data, caller.headers(ID_CARD, body))["Error"]["Code"] == (
        "RequestSizeLimitExceeded"
    )


@pytest.mark.parametrize(
    ("params", "code", "word"),
    [
        (b"no json", "InvalidParameter", "JSON"),
        (b"\xff\xfe", "InvalidParameter", "JSON"),
        ([], "InvalidParameter", "JSON"),
        ({**PARAMS, "Phone": "1"}, "UnknownParameter", "`Phone`"),
        ({"Name": "Wei Xiaobao"}, "MissingParameter", "`IdCard`"),
        ({**PARAMS, "Name": None}, "MissingParameter", "`Name`"),
        ({**PARAMS, "IdCard": 112}, "InvalidParameter", "`IdCard`"),
        ({**PARAMS, "Encryption": "x"}, "InvalidParameter", "`Encryption`"),
    ],
)
def test_parameters_are_checked(caller, params, code, word):
    response = caller.post(ID_CARD, params)
    assert response["Error"]["Code"] == code
    assert word in response["Error"]["Message"]


def test_an_absent_optional_parameter_may_be_null(caller):
    assert caller.post(ID_CARD, {**PARAMS, "Encryption": None})["Result"] == "0"


def test_calls_over_the_quota_are_refused_and_not_billed(caller, server):
    server.account.windows.quotas["IdCardVerification"] = 3
    answers = [caller.post(ID_CARD, PARAMS) for _ in range(5)]
    assert [answer.get("Result") for answer in answers] == ["0"] * 3 + [None] * 2
    assert answers[3]["Error"] == {
        "Code": "RequestLimitExceeded",
        "Message": "Your current request times equals to `4` in a second, which exceeds the "
        "frequency limit `3` for a second. Please reduce the frequency of calls.",
    }
    assert server.account.ledger.bill == {ID_CARD: 3}


def test_the_next_second_is_a_new_window(caller, server, clock):
    server.account.windows.quotas["IdCardVerification"] = 1
    assert "Result" in caller.post(ID_CARD, PARAMS)
    assert "Error" in caller.post(ID_CARD, PARAMS)
    clock.seconds += 1
    assert "Result" in caller.post(ID_CARD, PARAMS)


def test_what_the_gateway_refuses_does_not_use_up_the_quota(caller, server):
    server.account.windows.quotas["IdCardVerification"] = 1
    caller.post(ID_CARD, PARAMS, secret_key="wrong")
    assert "Result" in caller.post(ID_CARD, PARAMS)
