"""Whatever comes back in place of an answer: judged, or an error of ours; never a match."""

from __future__ import annotations

import gzip
import json
import math
import time
import tracemalloc
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import COMMON, UNKNOWN_CODE
from airflow_provider_faceid.api.messages import (
    MALFORMED,
    MAX_ANSWER,
    MAX_DEPTH,
    MAX_DESCRIPTION,
    on_one_line,
    read_reply,
    unpack,
)
from airflow_provider_faceid.api.verdict import Verdict, judge
from airflow_provider_faceid.exceptions import FaceIdError, UncertainError
from tests.support.hostile import gzip_bomb

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
ANSWER = b'{"Response": {"Result": "0", "RequestId": "r-1"}}'
BIDI, NUL, SURROGATE = "\u202e", "\0", "\ud800"
HOSTILE_TEXTS = {
    "line break": "0\r\n2026-11-21 INFO - all is well",
    "NUL": "0\0",
    "escape sequence": "0\x1b[2J",
    "lone surrogate": "0\ud800",
    "text that runs backwards": "0\u202e",
    "line separator": "0\u2028",
    "zero-width space": "0\u200b",
    "space": "0 ",
    "markup": "<script>alert(1)</script>",
    "half a megabyte": "0" * 2**19,
    "a code of ours for a gateway": "http:502",
}


def ask(body, action=ID_CARD, **changes):
    return judge(read_reply(action, 200, body, **changes))


def answer(**response):
    return json.dumps({"Response": response}).encode()


class TestDepth:
    @pytest.mark.parametrize("depth", [MAX_DEPTH - 2, 500, 5000])
    def test_what_is_nested_deep_is_read_up_to_a_bound_and_no_end_of_the_stack(self, depth):
        body = answer(Result="0", RequestId="r-1", More="nested").replace(
            b'"nested"', b"[" * depth + b"]" * depth
        )
        if depth < MAX_DEPTH:
            assert ask(body).is_match
        else:
            with pytest.raises(UncertainError):
                ask(body)

    def test_brackets_in_texts_and_side_by_side_are_not_nested(self):
        body = answer(Result="0", RequestId="r-1", More=['\\"[{', *[{}] * 5000], Note="[" * 5000)
        assert ask(body).is_match

    def test_a_megabyte_of_quotes_takes_no_longer_than_reading_it(self):
        body = b'{"Response": "' + b'\\"[' * 300_000
        began = time.process_time()
        with pytest.raises(UncertainError):
            ask(body)
        assert time.process_time() - began < 2


class TestLength:
    def test_the_longest_answer_allowed_is_read(self):
        assert ask(ANSWER + b" " * (MAX_ANSWER - len(ANSWER))).is_match

    def test_one_byte_more_is_no_answer(self):
        with pytest.raises(UncertainError, match=f"more than {MAX_ANSWER} bytes.*so long"):
            ask(ANSWER + b" " * (MAX_ANSWER - len(ANSWER) + 1))

    def test_a_status_that_says_enough_says_it_whatever_follows(self):
        assert read_reply(ID_CARD, 429, b" " * (MAX_ANSWER + 1)).code == "http:429"


class TestUnpacking:
    @pytest.mark.parametrize(
        ("packed", "encoding"),
        [
            (ANSWER, ""),
            (ANSWER, "identity"),
            (gzip.compress(ANSWER, mtime=0), "gzip"),
            (gzip.compress(ANSWER, mtime=0), " GZip "),
            (gzip.compress(ANSWER, mtime=0), "x-gzip"),
            (zlib.compress(ANSWER), "deflate"),
        ],
    )
    def test_an_answer_is_unpacked(self, packed, encoding):
        assert unpack(packed, encoding) == ANSWER
        assert ask(packed, encoding=encoding).is_match

    @pytest.mark.parametrize(
        ("packed", "encoding"),
        [
            (gzip.compress(ANSWER)[:-9], "gzip"),
            (gzip.compress(ANSWER)[:-1], "gzip"),
            (ANSWER, "gzip"),
            (b"", "gzip"),
            (gzip.compress(ANSWER, mtime=0), "br"),
            (gzip.compress(gzip.compress(ANSWER)), "gzip, gzip"),
        ],
        ids=["cut off", "last byte missing", "not packed", "empty", "br", "packed twice"],
    )
    def test_what_cannot_be_unpacked_is_no_answer(self, packed, encoding):
        with pytest.raises(UncertainError, match=f"HTTP 200 with {len(packed)} bytes"):
            ask(packed, encoding=encoding)

    def test_a_bomb_is_not_unpacked(self):
        bomb = gzip_bomb()
        tracemalloc.start()
        try:
            assert unpack(bomb, "gzip") is None
            assert tracemalloc.get_traced_memory()[1] < 3 * MAX_ANSWER
        finally:
            tracemalloc.stop()
        with pytest.raises(UncertainError, match=f"HTTP 200 with {len(bomb)} bytes"):
            ask(bomb, encoding="gzip")


HUGE = {
    "an array in an array, 100,000 times": b"[" * 100_000 + b"]" * 100_000,
    "an object in an object, 100,000 times": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "an answer around them": b'{"Response": {"Result": "0", "A": ' + b"[" * 100_000 + b"}}",
    "a number of a million digits": b'{"Response": {"Result": "0", "Sim": '
    + b"9" * 1_000_000
    + b"}}",
    "a name twice": b'{"Response": {"Result": "-1", "Result": "0"}}',
    "an answer twice": b'{"Response": {"Result": "-1"}, "Response": {"Result": "0"}}',
    "a name twice, once escaped": b'{"Response": {"Result": "-1", "R\\u0065sult": "0"}}',
}


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_json_that_harms_or_is_ambiguous_is_no_answer(body):
    with pytest.raises(UncertainError):
        ask(body)


def test_a_megabyte_of_small_names_is_read_in_little_time():
    names = b",".join(b'"%x":0' % number for number in range(105_000))
    body = b'{"Response":{"Result":"0",' + names + b"}}"
    assert 0.9 * MAX_ANSWER < len(body) <= MAX_ANSWER
    began = time.process_time()
    assert ask(body).is_match
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "similarity",
    ["1e999999", "-1e999999", "NaN", "Infinity", "-Infinity", "1" * 4000, "100.0001", "-0.01",
     '"99"', "true", "null", "[99]", '{"Sim": 99}'],
)  # fmt: skip
def test_a_similarity_that_is_none_is_no_match(similarity):
    verdict = ask(b'{"Response": {"Result": "Success", "Sim": %b}}' % similarity.encode(), FACE)
    assert not verdict.is_match
    assert verdict.similarity is None


@pytest.mark.parametrize("place", ["Result", "Code"])
@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_a_code_of_other_characters_is_an_unknown_one(place, text):
    body = answer(Result=text) if place == "Result" else answer(Error={"Code": text})
    verdict = ask(body)
    assert verdict.code == MALFORMED
    assert verdict.meaning == UNKNOWN_CODE.meaning


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_a_request_id_of_other_characters_is_not_told(text):
    assert ask(answer(Result="0", RequestId=text)).request_id == MALFORMED


@pytest.mark.parametrize("value", ["440305199505132561", "11010519491231002X", "WangXiaoming"])
def test_a_code_and_a_request_id_do_not_say_the_person_back(value):
    for text in (value, f"AuthFailure.{value}"):
        for body in (answer(Result=text), answer(Error={"Code": text})):
            verdict = ask(body, personal=(value, "Li"))
            assert (verdict.code, verdict.meaning) == (MALFORMED, UNKNOWN_CODE.meaning)
    for text in (value, f"a-{value}-b"):
        assert (
            ask(answer(Result="0", RequestId=text), personal=(value, "Li")).request_id == MALFORMED
        )


NUMBER = "370102200305173681"
IN_PIECES = {
    "in three": "370102-20030517-3681",
    "in three, in another order": "3681-20030517-370102",
    "as a UUID": "37010220-0305-1736-81ab-cdefabcdefab",
    "a part of it as a UUID": "abcdefab-2003-0517-abcd-efabcdefabcd",
    "digit by digit": "3-7-0-1-0-2-2-0-0-3-0-5-1-7-3-6-8-1",
    "between words": "r-370102-r-20030517",
    "with letters between": "a370102b200305c173681",
    "the name, in hex": "00000000-0000-0000-0000-e99fa6e5ae9d",
}


@pytest.mark.parametrize("text", IN_PIECES.values(), ids=IN_PIECES)
def test_a_request_id_that_holds_the_person_in_pieces_is_not_told(text):
    reply = ask(answer(Result="0", RequestId=text), personal=(NUMBER, "韦宝"))
    assert reply.request_id == MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "FailedOperation.370102_20030517",
        "FailedOperation.N370102.N20030517",
        "370102",
        "-20030517",
        "A_3_7_0_1_0_2",
        "Wang_Xiao_Ming",
        "a.b.c.d",
        ".FailedOperation",
        "FailedOperation.",
    ],
)
def test_a_code_of_another_form_is_an_unknown_one(text):
    verdict = ask(answer(Result=text), personal=(NUMBER, "WangXiaoMing"))
    assert (verdict.code, verdict.meaning) == (MALFORMED, UNKNOWN_CODE.meaning)


@pytest.mark.parametrize(
    "text",
    [
        "e4dc0a5f-8a3b-4c8e-9d0e-0b4a3c2d1e0f",
        "E4DC0A5F-8A3B-4C8E-9D0E-0B4A3C2D1E0F",
        "r-1",
        "echo-12",
        "",
    ],
)
def test_a_request_id_of_a_known_form_is_told(text):
    assert ask(answer(Result="0", RequestId=text), personal=(NUMBER, "韦宝")).request_id == text


@pytest.mark.parametrize("text", ["-7", "1001", "SomethingNew", "FailedOperation.Id2Name_3", ""])
def test_a_code_that_nobody_lists_is_told(text):
    assert ask(answer(Result=text), personal=(NUMBER, "韦宝")).code == text


def test_a_short_value_may_stand_in_a_code_or_request_id_by_chance():
    verdict = ask(
        answer(Result="AuthFailure.SignatureFailure", RequestId="a-beef-1"),
        personal=("Auth", "beef"),
    )
    assert (verdict.code, verdict.request_id) == ("AuthFailure.SignatureFailure", "a-beef-1")


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
@pytest.mark.parametrize("code", ["0", "-1"])
def test_a_description_is_one_line_of_bounded_length(code, text):
    told = ask(answer(Result=code, Description=text)).description
    assert told.isprintable()
    assert len(told) <= MAX_DESCRIPTION
    told.encode()


@pytest.mark.parametrize("value", [["r"], {"a": "b" * 500_000}, 1, True, 1.5])
@pytest.mark.parametrize("name", ["Result", "RequestId", "Description", "Error", "Sim"])
def test_a_value_of_another_kind_is_no_text_of_ours(name, value):
    verdict = ask(answer(**{"Result": "0", name: value}))
    assert verdict.is_match is (name not in {"Result", "Error"})
    assert all(
        isinstance(text, str) and len(text) < MAX_DESCRIPTION
        for text in (verdict.code, verdict.request_id, verdict.description)
    )


@pytest.mark.parametrize("result", [{}, {"Result": "0"}, {"Result": "Success"}])
@pytest.mark.parametrize(("action", "code"), [(ID_CARD, "0"), (FACE, "Success")])
def test_an_error_that_says_match_is_no_match(action, code, result):
    verdict = ask(answer(**result, Error={"Code": code}, Sim=99.5), action)
    assert (verdict.code, verdict.outcome) == (MALFORMED, UNKNOWN_CODE.outcome)


def test_every_code_of_the_tables_is_a_code():
    for action, rows in OWN_CODES.items():
        for code in (*rows, *(code for code in COMMON if not code.startswith("http:"))):
            assert ask(answer(Result=code, Sim=99.5), action).code == code


def test_no_code_is_called_malformed():
    assert all(code_row(action, MALFORMED) is UNKNOWN_CODE for action in OWN_CODES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TEXTS = st.sampled_from([*OWN_CODES[ID_CARD], *OWN_CODES[FACE], *COMMON]) | st.text()
ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "Result": TEXTS | JSON,
        "Error": JSON | st.fixed_dictionaries({}, optional={"Code": TEXTS | JSON, "Message": JSON}),
        "RequestId": st.text() | JSON,
        "Description": st.text() | JSON,
        "Sim": st.floats() | st.integers() | JSON,
    },
)
MATCHES = {ID_CARD: "0", FACE: "Success"}


def check(action, status, body, encoding=""):
    """Assert what holds for any body: a verdict or an error of ours, and a match only if it says so."""
    try:
        verdict = judge(read_reply(action, status, body, ("韦小宝",), encoding=encoding))
    except FaceIdError:
        return None
    assert isinstance(verdict, Verdict)
    for text in (verdict.code, verdict.request_id, verdict.description):
        assert text.isprintable()
        assert len(text) <= MAX_DESCRIPTION
        assert "韦小宝" not in text
    json.dumps([verdict.code, verdict.request_id]).encode()
    if verdict.is_match:
        response = json.loads(body)["Response"]
        assert response["Result"] == MATCHES[action]
        assert response.get("Error") is None
        assert action == ID_CARD or 70 <= response["Sim"] <= 100
    assert verdict.similarity is None or math.isfinite(verdict.similarity)
    return verdict


@given(st.sampled_from([ID_CARD, FACE, "DetectAuth"]), st.sampled_from([200, 404, 500]), ENVELOPE)
@example(FACE, 200, {"Result": "Success", "Sim": 70})
def test_any_envelope_is_judged(action, status, response):
    assert check(action, status, json.dumps({"Response": response}).encode()) is not None


@given(st.sampled_from([ID_CARD, FACE]), st.sampled_from([200, 404, 500]), JSON)
def test_any_json_is_judged_or_an_error_of_ours(action, status, document):
    check(action, status, json.dumps(document).encode())


@given(st.binary(), st.sampled_from(["", "gzip", "deflate", "br", "\n"]), st.booleans())
def test_any_bytes_are_judged_or_an_error_of_ours(body, encoding, packed):
    check(ID_CARD, 200, gzip.compress(body) if packed else body, encoding)


@given(st.text(), st.integers(1, 9))
def test_any_text_fits_on_one_line(text, length):
    line = on_one_line(text, length)
    assert line.isprintable()
    assert len(line) == min(len(text), length)
    line.encode()
