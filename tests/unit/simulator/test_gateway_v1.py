"""The gateway with signature version 1: everything is a parameter of a query or of a form."""

from __future__ import annotations

import random
from base64 import b64encode
from urllib.parse import urlencode

import pytest

from airflow_provider_faceid.simulator.api import gateway as signature_v1
from airflow_provider_faceid.simulator.people.photos import portrait

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WEI = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}
BOTH = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.fixture
def ask(caller, clock):
    """Sign and send; ``changes`` come after signing, None removes."""

    def send(method, own=WEI, changes=None, key="simulator-key", **common):
        parameters = {
            "Action": "IdCardVerification",
            "Version": "2018-03-01",
            "Timestamp": str(int(clock.now())),
            "Nonce": str(random.randint(1, 2**63)),
            "SecretId": "simulator-id",
            **common,
            **own,
        }
        to_sign = signature_v1.string_to_sign_v1(method, caller.host, parameters.items())
        made = signature_v1.signature_v1(key, parameters.get("SignatureMethod", ""), to_sign)
        changed = parameters | {"Signature": made} | (changes or {})
        text = urlencode({name: value for name, value in changed.items() if value is not None})
        if method == "GET":
            return caller.send("GET", b"", FORM, f"?{text}")
        return caller.send(method, text.encode(), FORM)

    return send


def code(response) -> str:
    return response["Error"]["Code"]


@BOTH
@pytest.mark.parametrize("signature_method", ["HmacSHA1", "HmacSHA256", "anything"])
def test_it_is_answered(ask, method, signature_method):
    assert ask(method, SignatureMethod=signature_method)["Result"] == "0"


@BOTH
def test_without_a_signature_method_it_is_sha1(ask, method):
    assert ask(method)["Result"] == "0"


@BOTH
@pytest.mark.parametrize(
    "name", ["Action", "Timestamp", "Nonce", "SecretId", "Signature", "Version"]
)
def test_common_parameters_are_required(ask, method, name):
    assert ask(method, changes={name: None})["Error"] == {
        "Code": "MissingParameter",
        "Message": f"The request is missing a required parameter `{name}`.",
    }


@BOTH
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"changes": {"Name": "Wei Xiaobo"}}, "AuthFailure.SignatureFailure"),
        ({"changes": {"Extra": "1"}}, "AuthFailure.SignatureFailure"),
        ({"changes": {"Signature": "é"}}, "AuthFailure.SignatureFailure"),
        ({"key": "wrong"}, "AuthFailure.SignatureFailure"),
        ({"SecretId": "somebody"}, "AuthFailure.SecretIdNotFound"),
        ({"Timestamp": "1465185768"}, "AuthFailure.SignatureExpire"),
        ({"Token": "expired"}, "AuthFailure.TokenFailure"),
        ({"Version": "2017-03-12"}, "NoSuchVersion"),
        ({"Action": "Describe"}, "InvalidAction"),
        ({"Timestamp": "today"}, "InvalidParameterValue"),
        ({"Nonce": "-1"}, "InvalidParameterValue"),
        ({"Region": ""}, "InvalidParameterValue"),
        ({"Language": "fr-FR"}, "InvalidParameterValue"),
        ({"own": {**WEI, "Phone": "1"}}, "UnknownParameter"),
        ({"own": {"IdCard": "1"}}, "MissingParameter"),
        ({"own": {**WEI, "Encryption": "1"}}, "InvalidParameter"),
        ({"own": {**WEI, "Name.0": "1"}}, "InvalidParameter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(ask, server, method, changes, expected):
    assert code(ask(method, **changes)) == expected
    assert not server.account.ledger.bill


@BOTH
def test_the_known_token_and_the_language_are_understood(ask, method):
    response = ask(method, Token="simulator-token", Language="zh-CN", Region="ap-guangzhou")
    assert response["Description"] == "姓名和身份证号一致"


def test_a_part_without_an_equals_sign_is_malformed(caller):
    error = caller.send("GET", b"", FORM, "?Action=IdCardVerification&Nonce")["Error"]
    assert error == {
        "Code": "InvalidParameter",
        "Message": "Url key and value should be splited by `=`.",
    }


def test_a_photo_fits_into_a_form_but_not_into_a_query(ask, ordinary, server):
    own = {
        "IdCard": ordinary.id_card,
        "Name": ordinary.name,
        "ImageBase64": b64encode(server.account.gallery.submitted(ordinary)).decode(),
    }
    assert len(own["ImageBase64"]) < 32 * 1024
    assert ask("POST", own, Action="ImageRecognitionV2")["Result"] == "Success"
    own["ImageBase64"] = b64encode(portrait("anybody") + bytes(30_000)).decode()
    assert code(ask("GET", own, Action="ImageRecognitionV2")) == "RequestSizeLimitExceeded"


@pytest.mark.parametrize("megabytes", [1, 11])
def test_a_form_of_more_than_a_megabyte_is_told_to_use_version_3(caller, megabytes):
    body = b"a=" + b"1" * megabytes * 1024 * 1024
    error = caller.send("POST", body, FORM)["Error"]
    assert error == {
        "Code": "AuthFailure.SignatureFailure",
        "Message": "The provided credentials could not be validated. "
        "Please use the signature method `TC3-HMAC-SHA256`.",
    }


def test_json_is_not_for_version_1(caller):
    headers = {"Content-Type": "application/json"}
    assert code(caller.send("POST", b"{}", headers)) == "MissingParameter"
