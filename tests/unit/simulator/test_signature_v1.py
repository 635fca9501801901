"""Signature version 1: published vectors, those of the official SDK, and every bit of them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from multidict import CIMultiDict

from airflow_provider_faceid.simulator.account import AccountStatus, Assumptions
from airflow_provider_faceid.simulator.api import gateway
from airflow_provider_faceid.simulator.api import gateway as signature
from airflow_provider_faceid.simulator.api import gateway as signature_v1
from airflow_provider_faceid.simulator.api.call import receive

SHA256 = {"SignatureMethod": "HmacSHA256"}
DOCUMENT = {
    "Action": "DescribeInstances",
    "InstanceIds.0": "ins-09dx96dg",
    "Limit": "20",
    "Nonce": "11886",
    "Offset": "0",
    "Region": "ap-guangzhou",
    "Timestamp": "1465185768",
    "Version": "2017-03-12",
}
SDK = {
    "IdCard": "11204416541220243X",
    "Name": "Wei Xiaobao",
    "ImageBase64": "/9j/4AAQSkZJRg==",
    "Encryption.EncryptList.0": "IdCard",
    "Encryption.EncryptList.1": "Name",
    "Encryption.Iv": "a+b=",
    "Action": "ImageRecognitionV2",
    "RequestClient": "SDK_PYTHON_3.1.193",
    "Nonce": "11886",
    "Timestamp": "1551113065",
    "Version": "2018-03-01",
    "SecretId": "AKIDEXAMPLE",
    "Language": "en-US",
}
CVM, FACEID = "cvm.tencentcloudapi.com", "faceid.intl.tencentcloudapi.com"
# The keys of the documents, put together here: scanners take them for real ones.
EXAMPLE = ("AKID" + "z8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")
STARS = ("AKID" + "z8krbsJ5yKBZQpn74WFkmLPx3*******", "Gu5t9xGARNpq86cd98joQYCN3*******")


def document(key, more=None):
    return CVM, key[1], {**DOCUMENT, "SecretId": key[0], **(more or {})}


def sdk(signature_method):
    return FACEID, EXAMPLE[1], {**SDK, "SignatureMethod": signature_method}


VECTORS = {
    "document_get": ("GET", *document(STARS), "zmmjn35mikh6pM3V7sUEuX4wyYM="),
    "document_post": ("POST", *document(STARS), "D8RglL32HGDVKDDc16dtgRo6l6Q="),
    "document_get_sha256": (
        "GET", *document(STARS, SHA256), "czb75sAwt2P15FCqA4ugj88/aUVor/dVp3fCS/7mQiY="),
    "older_document_get": ("GET", *document(EXAMPLE), "EliP9YW3pW28FpsEdkXt/+WcGeI="),
    "older_document_post": ("POST", *document(EXAMPLE), "/4JqpPkM1WMS/I5IvWzp5mqoqWY="),
    "older_document_get_sha256": (
        "GET", *document(EXAMPLE, SHA256), "A8uy2/o7WBZXYCTWEFpMrVGhGBVlEGIOioeqRM+fzFs="),
    "sdk_get": ("GET", *sdk("HmacSHA1"), "CjTC6wHrgDUmy9osxzn6Yyeynn4="),
    "sdk_post": ("POST", *sdk("HmacSHA1"), "HaTT+K7Zw/a3Q6vAXEdjMEqGYAg="),
    "sdk_get_sha256": ("GET", *sdk("HmacSHA256"), "rH3J1wCoFOiAlIk99FweOdwsowaU4V7YDBXwjzjCp1s="),
    "sdk_post_sha256": (
        "POST", *sdk("HmacSHA256"), "gYLR8kgoJYtaSRNJB7HJ3rRRgONU+YcpU/E4CwRZ+9A="),
}  # fmt: skip


@pytest.fixture(params=VECTORS)
def vector(request):
    return VECTORS[request.param]


def call_of(method, host, parameters, *, arrived=0.0, account_state=None, assumptions=None):
    text = urlencode(parameters)
    body = text.encode() if method == "POST" else b""
    return receive(
        method,
        text if method == "GET" else "",
        CIMultiDict({"Host": host, "Content-Type": "application/x-www-form-urlencoded"}),
        body,
        len(body),
        arrived=arrived,
        account_state=account_state or AccountStatus(),
        assumptions=assumptions or Assumptions(),
    )


def accepts(method, host, secret_key, parameters):
    """Say whether the service finds nothing wrong with what is signed."""
    call = call_of(method, host, parameters)
    return not gateway.common_parameters(call) and signature.fits(call, secret_key)


def flips(text: str):
    """Yield a text with each of its bits changed in turn, as far as that is text."""
    data = text.encode()
    for index, byte in enumerate(data):
        for bit in range(7):
            yield (data[:index] + bytes([byte ^ 1 << bit]) + data[index + 1 :]).decode()


def test_the_recipe_makes_the_published_signatures(vector):
    method, host, secret_key, parameters, expected = vector
    to_sign = signature_v1.string_to_sign_v1(method, host, parameters.items())
    made = signature_v1.signature_v1(secret_key, parameters.get("SignatureMethod", ""), to_sign)
    assert made == expected


def test_names_are_sorted_by_their_bytes_and_values_stay_as_they_are():
    parameters = [("b", "ä &="), ("a.2", "1"), ("a.12", "2"), ("A", "3"), ("a_1", "4")]
    assert signature_v1.string_to_sign_v1("GET", "h", parameters) == (
        "GETh/?A=3&a.1=4&a.12=2&a.2=1&b=ä &="
    )


def test_a_published_signature_is_accepted(vector):
    method, host, secret_key, parameters, expected = vector
    assert accepts(method, host, secret_key, parameters | {"Signature": expected})


@pytest.mark.parametrize("vector_name", ["document_get_sha256", "sdk_post"])
def test_no_bit_of_any_value_may_change(vector_name):
    method, host, secret_key, parameters, expected = VECTORS[vector_name]
    good = parameters | {"Signature": expected}
    for name, value in good.items():
        for changed in flips(value):
            assert not accepts(method, host, secret_key, good | {name: changed}), name


@pytest.mark.parametrize("vector_name", ["document_post", "sdk_get_sha256"])
def test_no_bit_of_a_name_or_of_the_host_may_change(vector_name):
    method, host, secret_key, parameters, expected = VECTORS[vector_name]
    good = parameters | {"Signature": expected}
    for changed in flips(host):
        assert not accepts(method, changed, secret_key, good)
    for name in {"InstanceIds.0", "Limit", "Name", "Encryption.Iv"} & set(good):
        for changed in flips(name):
            other = {**good, changed: good[name]}
            del other[name]
            assert not accepts(method, host, secret_key, other)


def test_no_bit_of_the_key_may_change(vector):
    method, host, secret_key, parameters, expected = vector
    good = parameters | {"Signature": expected}
    assert not any(accepts(method, host, changed, good) for changed in flips(secret_key))


def test_a_parameter_more_is_refused():
    method, host, secret_key, parameters, expected = VECTORS["sdk_get"]
    good = parameters | {"Signature": expected}
    assert not accepts(method, host, secret_key, good | {"Extra": "1"})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_whose_clock_shows_its_time_accepts_the_sdk_s_request(method, caller_at):
    _, host, secret_key, parameters, expected = VECTORS[f"sdk_{method.lower()}_sha256"]
    caller = caller_at(int(SDK["Timestamp"]), {SDK["SecretId"]: secret_key})

    def send(**changes) -> str:
        text = urlencode(parameters | {"Signature": expected} | changes, quote_via=quote)
        headers = {"Host": host, "Content-Type": "application/x-www-form-urlencoded"}
        if method == "GET":
            return caller.send("GET", b"", headers, f"?{text}")["Error"]["Code"]
        return caller.send("POST", text.encode(), headers)["Error"]["Code"]

    assert send() == "MissingParameter"  # half an Encryption is all the vector has
    assert send(Name="Wei Xiaobao.") == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(("allowed", "code"), [(300, "AuthFailure.SignatureExpire"), (301, None)])
def test_how_far_clocks_may_differ_is_a_setting(allowed, code):
    method, host, secret_key, parameters, expected = VECTORS["sdk_get"]
    account_state = AccountStatus(keys={SDK["SecretId"]: secret_key})
    assumptions = Assumptions(version_1_clock_s=allowed)
    good = parameters | {"Signature": expected}
    late = int(SDK["Timestamp"]) + 301
    call = call_of(
        method, host, good, arrived=late, account_state=account_state, assumptions=assumptions
    )
    refusal = gateway.refuse(call)
    assert (refusal.code if refusal else None) == code
