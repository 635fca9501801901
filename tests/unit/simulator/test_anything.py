"""Whatever is sent, the service answers with an envelope and goes on."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.simulator.faults.effects import EFFECTS
from airflow_provider_faceid.simulator.people import FACE, ID_CARD

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
SURROGATES = st.text(st.characters(categories=("Cs", "Lo", "Nd")), max_size=20)
NAMES = st.sampled_from(["IdCard", "Name", "ImageBase64", "Extra", "Optional", "Encryption"])
PARAMS = st.dictionaries(NAMES | st.text(max_size=5), JSON | SURROGATES, max_size=6)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "Content-Type",
            "X-TC-Action",
            "X-TC-Content-SHA256",
            "X-TC-Language",
            "X-TC-Region",
            "X-TC-Timestamp",
            "X-TC-Token",
            "X-TC-Version",
        ]
    ),
    st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\0\r\n")).map(bytes.strip),
    max_size=3,
)
FUZZ = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def is_envelope(response: dict) -> bool:
    return str(UUID(response["RequestId"])) == response["RequestId"] and (
        set(response["Error"]) == {"Code", "Message"} if "Error" in response else response["Result"]
    )


@FUZZ
@given(action=st.sampled_from([ID_CARD, FACE]), params=PARAMS)
def test_any_parameters(caller, action, params):
    assert is_envelope(caller.post(action, json.dumps(params).encode()))


@FUZZ
@given(changes=HEADERS)
def test_any_headers(caller, changes):
    body = b"{}"
    headers = caller.headers(ID_CARD, body) | changes
    answer = requests.post(caller.url, data=body, headers=headers, timeout=5)
    if answer.status_code == 400:  # control characters: no HTTP, and no gateway ever sees it
        assert answer.headers["Content-Type"].startswith("text/plain")
        return
    assert is_envelope(answer.json()["Response"])


@FUZZ
@given(body=st.binary(max_size=60))
def test_any_body(caller, body):
    assert is_envelope(caller.post(FACE, body))


RULES = st.dictionaries(
    st.sampled_from(
        ["effect", "action", "nth", "probability", "times", "wait_s", "code", "fields", "quotas"]
    ),
    JSON | st.sampled_from([*EFFECTS, ID_CARD, 1]),
)


@FUZZ
@given(
    path=st.sampled_from(["faults", "clock", "quotas", "account"]),
    document=RULES | st.lists(RULES, max_size=2) | JSON,
)
def test_any_document_for_the_control_plane(caller, path, document):
    posted = requests.post(f"{caller.server.url}/_sim/{path}", data=json.dumps(document), timeout=5)
    assert posted.status_code in {200, 400}
    assert posted.ok or "`" in posted.text
    caller.get(f"/_sim/{path}")
    caller.server.account.reset()


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"IdCard":' * 50_000, b"1" * 5000, b'"\\ud800"', b'{"\\ud800": 1}', b"null"],
    ids=["deep_list", "deep_object", "long_number", "text", "half_a_surrogate", "null"],
)
def test_difficult_json(caller, body):
    assert is_envelope(caller.post(ID_CARD, body))


def test_half_a_surrogate_in_a_number_does_not_spoil_the_ledger(caller):
    assert caller.post(ID_CARD, b'{"IdCard": "\\ud800", "Name": "Li Si"}')["Result"] == "-2"
    assert caller.get("/_sim/ledger")[0]["id_card"] == "?"


def test_header_bytes_that_are_no_text_make_a_wrong_signature(caller):
    changes = {"Content-Type": b"application/json; x=\xff"}
    assert caller.code(ID_CARD, b"{}", changes) == "AuthFailure.SignatureFailure"
