from __future__ import annotations

import pytest
import requests

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.messages import Pieces
from airflow_provider_faceid.client.request import TC3Auth, signed_headers
from airflow_provider_faceid.client.settings import Credentials
from airflow_provider_faceid.exceptions import ConfigurationError

URL = "http://faceid.example:8899/"
BODY = b'{"IdCard": "1"}'
ACTION = {"X-TC-Action": "IdCardVerification"}
KEY = Credentials("an-id", "hush-hush")


def prepared(method="POST", *, headers=ACTION, data=BODY, url=URL) -> requests.PreparedRequest:
    return requests.Request(method, url, headers=headers, data=data).prepare()


def oracle(timestamp, body=BODY, host="faceid.example:8899"):
    return signing.authorization(
        secret_id="an-id",
        secret_key="hush-hush",
        timestamp=timestamp,
        service="faceid",
        headers={"Content-Type": "application/json", "Host": host},
        hashed_payload=signing.payload_hash(body),
    )


@pytest.fixture
def auth(clock):
    return TC3Auth("an-id", "hush-hush", clock=clock)


def test_a_request_is_signed_as_the_page_says(auth, clock):
    assert dict(auth(prepared()).headers) == {
        **ACTION,
        "Content-Length": str(len(BODY)),
        "Content-Type": "application/json",
        "Host": "faceid.example:8899",
        "X-TC-Timestamp": str(int(clock.now())),
        "X-TC-Version": "2018-03-01",
        "X-TC-Language": "en-US",
        "Authorization": oracle(int(clock.now())),
    }


def test_a_body_of_text_is_signed_as_the_bytes_it_becomes(auth, clock):
    text = '{"Name": "韦小宝"}'
    signed = auth(prepared(data=text))
    assert signed.headers["Authorization"] == oracle(int(clock.now()), text.encode())


def test_json_of_requests_is_signed(auth, clock):
    request = requests.Request("POST", URL, headers=ACTION, json={"IdCard": "1"}).prepare()
    expected = oracle(int(clock.now()), request.body)
    assert auth(request).headers["Authorization"] == expected


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://faceid.example/", "faceid.example"),
        ("https://FACEID.example/", "faceid.example"),
        ("https://faceid.example:8443/?a=b", "faceid.example:8443"),
    ],
)
def test_the_host_is_signed_as_it_goes_on_the_wire(auth, clock, url, host):
    signed = auth(prepared(url=url))
    assert signed.headers["Host"] == host
    assert signed.headers["Authorization"] == oracle(int(clock.now()), host=host)


def test_signing_again_replaces_the_old_signature(auth, clock):
    request = auth(prepared())
    first = request.headers["Authorization"]
    clock.seconds += 86_400
    again = auth(request).headers
    assert again["Authorization"] == oracle(int(clock.now())) != first
    assert again["X-TC-Timestamp"] == str(int(clock.now()))
    assert [name.lower() for name in again].count("authorization") == 1


def test_an_authorization_set_before_is_replaced(auth, clock):
    request = auth(prepared(headers={**ACTION, "authorization": "Basic eA=="}))
    assert request.headers["Authorization"] == oracle(int(clock.now()))


def test_token_region_and_language_go_into_headers_of_their_own(clock):
    auth = TC3Auth(
        "an-id", "hush-hush", token="tok", region="ap-singapore", language="zh-CN", clock=clock
    )
    headers = auth(prepared()).headers
    assert headers["X-TC-Token"] == "tok"
    assert headers["X-TC-Region"] == "ap-singapore"
    assert headers["X-TC-Language"] == "zh-CN"
    assert headers["Authorization"] == oracle(int(clock.now()))


def test_what_is_empty_is_not_sent():
    headers = signed_headers(KEY, host="h", action="A", body=Pieces([b""]), timestamp=0)
    assert not {"X-TC-Token", "X-TC-Region"} & set(headers)


def test_a_body_in_pieces_is_signed_as_the_whole_body():
    pieces = Pieces([BODY[:5], BODY[5:]])
    headers = signed_headers(
        KEY, host="faceid.example:8899", action="IdCardVerification", body=pieces, timestamp=7
    )
    assert headers["Authorization"] == oracle(7)


@pytest.mark.parametrize(
    "request_",
    [
        prepared("GET", data=None),
        prepared("PUT"),
        prepared(headers={}),
        prepared(headers={"X-TC-Action": ""}),
        prepared(data=None),
        prepared(data=iter([BODY])),
    ],
    ids=["GET", "PUT", "no action", "empty action", "no body", "streamed body"],
)
def test_what_cannot_be_signed_is_refused(auth, request_):
    with pytest.raises(ConfigurationError, match="signs POST requests with a JSON body"):
        auth(request_)


def test_the_secret_key_is_on_no_header_and_in_no_repr(auth):
    assert "hush-hush" not in str(auth(prepared()).headers) + repr(vars(auth))
