"""Signature version 3 as the service checks it: published vectors, and every bit of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict

from airflow_provider_faceid.simulator.account import AccountStatus, Assumptions
from airflow_provider_faceid.simulator.api import gateway
from airflow_provider_faceid.simulator.api import gateway as signature
from airflow_provider_faceid.simulator.api.call import Call, receive

FILES = sorted((Path(__file__).parents[2] / "contract" / "signing").glob("*.json"))
FACEID = [file for file in FILES if file.stem.startswith("faceid_")]
ACCEPTED_LATER = {"UnsupportedOperation", "MissingParameter", "InvalidParameter"}
"""What may still be wrong with a vector whose signature is right: multipart, half an Encryption."""


class Vector:
    """A published request, ready to be changed."""

    def __init__(self, file: Path) -> None:
        document = json.loads(file.read_text())
        request = document["request"]
        self.method, self.query = request["method"], request["query"]
        self.body = request["body"].encode()
        self.service, self.timestamp = request["service"], request["timestamp"]
        self.keys = {request["secret_id"]: request["secret_key"]}
        self.signed = request["signed_headers"]
        self.headers = {
            "X-TC-Action": "DescribeInstances",
            **request["headers"],
            "X-TC-Timestamp": str(self.timestamp),
            "X-TC-Version": "2018-03-01",
            "Authorization": document["expected"]["authorization"],
        }

    def call(self, headers=None, assumptions=None, **changes) -> Call:
        parts = {"method": self.method, "query": self.query, "body": self.body, **changes}
        return receive(
            parts["method"],
            parts["query"],
            CIMultiDict(self.headers | (headers or {})),
            parts["body"],
            len(parts["body"]),
            arrived=self.timestamp,
            account_state=AccountStatus(keys=self.keys),
            assumptions=assumptions or Assumptions(),
        )

    def accepts(self, call: Call) -> bool:
        """Say whether the gateway lets a call pass, as far as its credentials go."""
        if any(check(call) for check in (gateway.common_parameters, gateway.key, gateway.clock)):
            return False
        (secret_key,) = self.keys.values()
        return signature.fits(call, secret_key, self.service)


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def vector(request) -> Vector:
    return Vector(request.param)


def flips(text: bytes):
    """Yield a text with one bit of each of its bytes changed in turn."""
    for index, byte in enumerate(text):
        for bit in (0, 5):
            yield text[:index] + bytes([byte ^ 1 << bit]) + text[index + 1 :]


def header_flips(value: str):
    """Yield a header's value with each bit changed; as HTTP, bytes that are no text included."""
    for changed in flips(value.encode()):
        yield changed.decode("utf-8", "surrogateescape")


def test_a_published_signature_is_accepted(vector):
    assert vector.accepts(vector.call())


def test_no_bit_of_the_body_may_change(vector):
    unsigned = "X-TC-Content-SHA256" in vector.headers
    accepted = [vector.accepts(vector.call(body=body)) for body in flips(vector.body)]
    assert accepted == [unsigned] * 2 * len(vector.body)


def test_no_bit_of_the_query_may_change(vector):
    queries = [query.decode("utf-8", "surrogateescape") for query in flips(vector.query.encode())]
    assert not any(vector.accepts(vector.call(query=query)) for query in queries)


@pytest.mark.parametrize("name", ["X-TC-Timestamp", "Authorization", "X-TC-Content-SHA256"])
def test_no_bit_of_what_the_signature_hangs_on_may_change(vector, name):
    value = vector.headers.get(name, "")
    assert not any(vector.accepts(vector.call({name: text})) for text in header_flips(value))


def test_no_bit_of_a_signed_header_may_change_but_the_case_of_its_letters(vector):
    """The documents sign values in lower case, so that both spellings are one."""
    for name, value in vector.headers.items():
        if name.lower() in vector.signed:
            for text in header_flips(value):
                same = text.lower() == value.lower()
                assert vector.accepts(vector.call({name: text})) == same, (name, text)


def test_no_bit_of_the_key_may_change(vector):
    ((secret_id, secret_key),) = vector.keys.items()
    call = vector.call()
    for changed in flips(secret_key.encode()):
        other = changed.decode("latin-1")
        assert not signature.fits(call, other, vector.service)
        account_state = AccountStatus(keys={secret_id: other})
        assert gateway.signed(replace(call, account_state=account_state)).code == (
            "AuthFailure.SignatureFailure"
        )


def test_a_method_of_the_other_kind_is_refused(vector):
    other = {"GET": "POST", "POST": "GET"}[vector.method]
    assert not vector.accepts(vector.call(method=other))


@pytest.mark.parametrize("file", FACEID, ids=[file.stem for file in FACEID])
def test_the_whole_gateway_accepts_the_vectors_of_this_service(file):
    vector = Vector(file)
    refusal = gateway.refuse(vector.call({"X-TC-Token": "simulator-token"}))
    assert refusal is None or refusal.code in ACCEPTED_LATER


@pytest.mark.parametrize("file", FACEID, ids=[file.stem for file in FACEID])
def test_a_server_whose_clock_shows_their_time_accepts_them(file, caller_at):
    vector = Vector(file)
    caller = caller_at(vector.timestamp, vector.keys)
    headers = vector.headers | {"X-TC-Token": "simulator-token"}
    query = f"?{vector.query}" if vector.query else ""
    response = caller.send(vector.method, vector.body, headers, query)
    assert response.get("Result") == "0" or response["Error"]["Code"] in ACCEPTED_LATER
    clipped = (
        headers["Authorization"][:-1] + "0123456789abcdef"[headers["Authorization"][-1] == "0"]
    )
    refused = caller.send(vector.method, vector.body, headers | {"Authorization": clipped}, query)
    multipart = "multipart" in headers["Content-Type"]  # which is found before the signature
    code = "UnsupportedOperation" if multipart else "AuthFailure.SignatureFailure"
    assert refused["Error"]["Code"] == code


def test_an_unsigned_payload_may_be_refused():
    """Whether the service knows it is confirmed nowhere."""
    vector = Vector(next(file for file in FILES if "unsigned" in file.stem))
    assert not vector.accepts(vector.call(assumptions=Assumptions(unsigned_payload=False)))
