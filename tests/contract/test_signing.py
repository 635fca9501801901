"""Signatures against vectors: three of the API's page, five made with the official SDK.

The pages and the SDK give hashes and signatures. The values between them in ``signing/*.json`` come
from the recipe below, which shares no line with the package.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.messages import build_body

FILES = sorted(Path(__file__).with_name("signing").glob("*.json"))
UNSIGNED = "UNSIGNED-PAYLOAD"


def load(name):
    vector = json.loads(Path(__file__).with_name("signing").joinpath(f"{name}.json").read_text())
    return vector["request"], vector["expected"]


@pytest.fixture(params=[file.stem for file in FILES])
def vector(request):
    return load(request.param)


def signed(request):
    wanted = request["signed_headers"]
    return {name: text for name, text in request["headers"].items() if name.lower() in wanted}


def payload(request):
    unsigned = request["headers"].get("X-TC-Content-SHA256") == UNSIGNED
    return (UNSIGNED if unsigned else request["body"]).encode()


def recipe(request):
    """Follow the page of signature v3 step by step."""
    headers = {name.lower(): text.lower() for name, text in request["headers"].items()}
    names = request["signed_headers"]
    body_hash = hashlib.sha256(payload(request)).hexdigest()
    canonical = "\n".join((request["method"], "/", request["query"], ""))
    canonical += "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical += "\n" + ";".join(names) + "\n" + body_hash
    canonical_hash = hashlib.sha256(canonical.encode()).hexdigest()
    day = datetime.fromtimestamp(request["timestamp"], UTC).date().isoformat()
    scope = f"{day}/{request['service']}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{request['timestamp']}\n{scope}\n{canonical_hash}"
    key = ("TC3" + request["secret_key"]).encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return {
        "body_hash": body_hash,
        "canonical_request_hash": canonical_hash,
        "string_to_sign": to_sign,
        "signature": key.hex(),
        "authorization": f"TC3-HMAC-SHA256 Credential={request['secret_id']}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={key.hex()}",
    }


def canonical_request(request, body_hash):
    return signing.canonical_request(
        request["method"], request["query"], signed(request), body_hash
    )


def test_the_vectors_are_the_published_ones():
    published = {
        "doc_get": "5da7a33f6993f0614b047e5df4582db9e9bf4672ba50567dba16c6ccf174c474",
        "doc_post": "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        "doc_post_signed_action": "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3",
        "faceid_get": "f9e5c6b7e0d17267e654b12a3400faf581310307c23847f1dafab794a3985b33",
        "faceid_multipart": "5903e971b21d915543d441cf3d35c1e8b594f1bda8331189afc26e35cd3a3c01",
        "faceid_post": "5477fc3b125b20d6d86755c2984dcd37936d23de173b62fa02fae43b7eea2d1c",
        "faceid_post_token_and_region": "5477fc3b125b20d6d86755c2984dcd37936d23de173b62fa02fae43b7eea2d1c",
        "faceid_post_unsigned_payload": "3af2c0ef2016fdd5aa0c85ac157e20e41845540856f582c855047d3903e90580",
    }
    assert {file.stem: load(file.stem)[1]["signature"] for file in FILES} == published


def test_the_recipe_reaches_every_expected_value(vector):
    request, expected = vector
    assert recipe(request) == expected


def test_body_hash(vector):
    request, expected = vector
    assert signing.payload_hash(payload(request)) == expected["body_hash"]


def test_canonical_request(vector):
    request, expected = vector
    canonical = canonical_request(request, expected["body_hash"])
    assert hashlib.sha256(canonical.encode()).hexdigest() == expected["canonical_request_hash"]


def test_string_to_sign(vector):
    request, expected = vector
    canonical = canonical_request(request, expected["body_hash"])
    to_sign = signing.string_to_sign(request["timestamp"], request["service"], canonical)
    assert to_sign == expected["string_to_sign"]


def test_signature(vector):
    request, expected = vector
    made = signing.signature(
        request["secret_key"],
        request["timestamp"],
        request["service"],
        expected["string_to_sign"],
    )
    assert made == expected["signature"]


def test_authorization(vector):
    request, expected = vector
    made = signing.authorization(
        secret_id=request["secret_id"],
        secret_key=request["secret_key"],
        timestamp=request["timestamp"],
        service=request["service"],
        headers=signed(request),
        hashed_payload=expected["body_hash"],
        method=request["method"],
        query=request["query"],
    )
    assert made == expected["authorization"]


def test_a_token_and_a_region_stay_outside_the_signature():
    plain, _ = load("faceid_post")
    extended, _ = load("faceid_post_token_and_region")
    assert set(extended["headers"]) - set(plain["headers"]) == {"X-TC-Token", "X-TC-Region"}
    assert recipe(extended) == recipe(plain)


def test_our_body_is_the_body_the_official_sdk_signs():
    request, _ = load("faceid_post")
    built = build_body({"IdCard": "11204416541220243X", "Name": "韦小宝", "Encryption": None})
    assert bytes(built) == request["body"].encode()
