"""The outcome table against the API pages, the common error codes and its own promises."""

import re
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_faceid.api import actions
from airflow_provider_faceid.api import codes as outcomes
from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import (
    COMMON,
    NO_ANSWER,
    UNKNOWN_CODE,
    Charged,
    Outcome,
    Step,
)
from airflow_provider_faceid.api.messages import read_reply
from airflow_provider_faceid.api.verdict import judge

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


DATA = Path(__file__).with_name("data")
PAGES = {
    "IdCardVerification": (DATA / "id_card_verification.txt").read_text("utf-8"),
    "ImageRecognitionV2": (DATA / "image_recognition_v2.txt").read_text("utf-8"),
}
COMMON_CODES = (DATA / "common_error_codes.txt").read_text("utf-8").split()
CHARGED_CODES = {
    "0",
    "-1",
    "Success",
    "FailedOperation.CompareLowSimilarity",
    "FailedOperation.IdNameMisMatch",
}
ROWS = [row for table in (*OWN_CODES.values(), COMMON) for row in table.values()]


def numbered_results(page):
    """Return the codes the Result cell of a page spells out: -2 to -7, all free."""
    (cell,) = re.findall(r"^\| Result \| String \|.*$", page, re.MULTILINE)
    return set(re.findall(r"(-\d+): ", cell))


def codes_on(page):
    """Return every code a page names: its error table, its Result cell, its samples."""
    _, _, errors = page.partition("| Error Code | Description |")
    listed = re.findall(r"^\| ([A-Z]\w+(?:\.\w+)?) \|", errors, re.MULTILINE)
    samples = re.findall(r'"Result": "([^"]+)"', page)
    return {*listed, *samples, *numbered_results(page)}


def codes_without_a_row(action, page):
    """Return the codes of a page that have no row of their own; a family's row is not enough."""
    return {code for code in codes_on(page) if code_row(action, code).code != code}


def samples_on(page):
    """Return the sample answers of a page, with the comma each of them lacks put in."""
    found = re.findall(r'^\{\n"Response": .*?^\}\n\}$', page, re.MULTILINE | re.DOTALL)
    return [re.sub(r'"\n"', '",\n"', sample).encode() for sample in found]


@pytest.mark.parametrize(
    ("action", "count"), [("IdCardVerification", 19), ("ImageRecognitionV2", 29)]
)
def test_a_page_is_read_to_its_last_code(action, count):
    assert len(codes_on(PAGES[action])) == count


@pytest.mark.parametrize("action", PAGES)
def test_every_code_of_a_page_has_a_row(action):
    assert codes_without_a_row(action, PAGES[action]) == set()


@pytest.mark.parametrize("action", PAGES)
@pytest.mark.parametrize(
    "invented", ["FailedOperation.Invented", "InvalidParameter.Invented", "Invented"]
)
def test_a_new_code_on_a_page_would_be_noticed(action, invented):
    page = PAGES[action].replace(
        "| InvalidParameter |", f"| {invented} | Not yet known. |\n| InvalidParameter |"
    )
    assert codes_without_a_row(action, page) == {invented}


def test_a_new_number_in_the_result_cell_would_be_noticed():
    page = PAGES["IdCardVerification"].replace("-7: ", "-8: Not yet known. -7: ")
    assert codes_without_a_row("IdCardVerification", page) == {"-8"}


def test_a_new_result_in_a_sample_would_be_noticed():
    page = PAGES["ImageRecognitionV2"].replace('"Result": "Success"', '"Result": "Invented"')
    assert codes_without_a_row("ImageRecognitionV2", page) == {"Invented"}


@pytest.mark.parametrize("code", COMMON_CODES)
def test_every_common_code_has_a_row_of_its_own(code):
    assert COMMON[code].code == code


@pytest.mark.parametrize("action", PAGES)
def test_charged_is_what_the_pages_charge(action):
    codes = codes_on(PAGES[action])
    charged = {code for code in codes if code_row(action, code).charged is Charged.YES}
    assert charged == codes & CHARGED_CODES


def test_every_charged_code_stands_on_a_page():
    assert (
        codes_on(PAGES["IdCardVerification"]) | codes_on(PAGES["ImageRecognitionV2"])
        > CHARGED_CODES
    )


def test_what_the_page_calls_free_is_free():
    free = numbered_results(PAGES["IdCardVerification"])
    assert free == {"-2", "-3", "-4", "-5", "-6", "-7"}
    assert {code_row("IdCardVerification", code).charged for code in free} == {Charged.NO}


def test_nothing_common_is_charged():
    assert [row.code for row in COMMON.values() if row.charged is Charged.YES] == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("IdCardVerification", [(Outcome.MATCH, None), (Outcome.MISMATCH, None)]),
        ("ImageRecognitionV2", [(Outcome.MATCH, 89.88), (Outcome.MISMATCH, 26.04)]),
    ],
)
def test_the_sample_answers_are_judged_as_the_page_describes_them(action, expected):
    verdicts = [judge(read_reply(action, 200, sample)) for sample in samples_on(PAGES[action])]
    assert [(verdict.outcome, verdict.similarity) for verdict in verdicts] == expected


@pytest.mark.parametrize("step", [Step.RETRY, Step.POSTPONE, Step.FATAL, Step.QUARANTINE])
def test_only_what_was_not_charged_is_sent_again_mended_or_given_up(step):
    rows = [row for row in ROWS if row.step is step]
    assert rows
    assert [row.code for row in rows if row.charged is not Charged.NO] == []


def test_every_row_says_what_it_means():
    assert [row.code for row in ROWS if len(row.meaning.split()) < 2] == []


def test_every_throttling_code_is_retried():
    throttled = [row for row in ROWS if row.outcome is Outcome.THROTTLED]
    named = {row.code for row in ROWS if "RequestLimitExceeded" in row.code} | {"http:429"}
    assert {row.code for row in throttled} == named
    assert {row.step for row in throttled} == {Step.RETRY}


@pytest.mark.parametrize(
    ("outcome", "steps"),
    [
        (Outcome.MATCH, {Step.RECORD}),
        (Outcome.MISMATCH, {Step.RECORD}),
        (Outcome.NOT_FOUND, {Step.RECORD}),
        (Outcome.LIMIT, {Step.POSTPONE}),
        (Outcome.UNAVAILABLE, {Step.RETRY}),
        (Outcome.INVALID_INPUT, {Step.QUARANTINE}),
        (Outcome.UNUSABLE_PHOTO, {Step.QUARANTINE}),
        (Outcome.CREDENTIALS, {Step.FATAL}),
        (Outcome.ACCOUNT, {Step.FATAL}),
        (Outcome.REFUSED, {Step.FATAL}),
    ],
)
def test_an_outcome_has_one_next_step(outcome, steps):
    assert {row.step for row in ROWS if row.outcome is outcome} == steps


@pytest.mark.parametrize("action", OWN_CODES)
def test_an_action_has_one_code_of_success(action):
    successes = [
        row.code
        for row in OWN_CODES[action].values()
        if row.outcome in {Outcome.MATCH, Outcome.FOUND}
    ]
    assert successes == [ACTIONS[action].success_code]
    assert successes == (["Success"] if action == "ImageRecognitionV2" else ["0"])


def test_no_common_code_is_a_success():
    assert not [row for row in COMMON.values() if row.outcome in {Outcome.MATCH, Outcome.FOUND}]


@pytest.mark.parametrize("action", OWN_CODES)
def test_no_code_of_an_action_is_also_a_common_one(action):
    assert OWN_CODES[action].keys() & COMMON.keys() == set()


def test_every_code_is_written_once():
    files = [Path(outcomes.__file__), *Path(actions.__file__).parent.glob("*.py")]
    source = "\n".join(file.read_text("utf-8") for file in files)
    words = "|".join(Outcome)
    written = Counter(
        re.findall(rf"^(\S+) +(?:{words}) +(?:yes|no|unknown) ", source, re.MULTILINE)
    )
    assert written == Counter(row.code for row in ROWS)


@pytest.mark.parametrize("code", ["", "0", "-8", "Success", "Invented", "FailedOperation.Invented"])
def test_a_code_of_an_unlisted_action_is_not_judged(code):
    row = code_row("SomeOtherAction", code)
    assert (row.outcome, row.step, row.charged.flag) == (Outcome.UNJUDGED, Step.RECORD, None)


@pytest.mark.parametrize("action", PAGES)
@pytest.mark.parametrize(
    "code", ["", "1", "-8", "Invented", "Invented.Code", "FailedOperation.Invented", "success"]
)
def test_an_unknown_code_is_an_error_on_record_whose_charge_is_unknown(action, code):
    row = code_row(action, code)
    assert row is UNKNOWN_CODE
    assert (row.outcome, row.step, row.charged.flag) == (Outcome.ERROR, Step.RECORD, None)


@pytest.mark.parametrize("action", [*PAGES, "SomeOtherAction"])
@pytest.mark.parametrize(
    "family",
    [
        "AuthFailure",
        "InternalError",
        "InvalidParameter",
        "InvalidParameterValue",
        "LimitExceeded",
        "OperationDenied",
        "RequestLimitExceeded",
        "ResourceUnavailable",
        "UnauthorizedOperation",
        "UnsupportedOperation",
    ],
)
def test_an_unlisted_member_is_read_as_its_family(action, family):
    assert code_row(action, f"{family}.Invented") is COMMON[family]


def test_failed_operation_is_no_family():
    assert code_row("ImageRecognitionV2", "FailedOperation") is COMMON["FailedOperation"]
    assert code_row("ImageRecognitionV2", "FailedOperation.Invented") is UNKNOWN_CODE


@pytest.mark.parametrize(
    ("action", "code", "outcome"),
    [
        ("ImageRecognitionV2", "InternalError.CompareLowSimilarity", Outcome.MISMATCH),
        ("IdCardVerification", "InternalError.CompareLowSimilarity", Outcome.UNAVAILABLE),
        ("ImageRecognitionV2", "0", Outcome.ERROR),
        ("IdCardVerification", "Success", Outcome.ERROR),
        ("SomeOtherAction", "0", Outcome.UNJUDGED),
        ("SomeOtherAction", "Success", Outcome.UNJUDGED),
    ],
)
def test_a_code_of_one_action_says_nothing_about_another(action, code, outcome):
    assert code_row(action, code).outcome is outcome


@pytest.mark.parametrize("status", [200, 204, 418, 500, 504, 520, 599])
def test_a_status_that_may_hide_a_processed_call_is_no_answer(status):
    row = code_row("IdCardVerification", f"http:{status}")
    assert row is NO_ANSWER
    assert (row.outcome, row.step, row.charged.flag) == (Outcome.UNCERTAIN, Step.HOLD, None)


@pytest.mark.parametrize(
    ("charged", "flag"), [(Charged.YES, True), (Charged.NO, False), (Charged.UNKNOWN, None)]
)
def test_charged_as_a_flag(charged, flag):
    assert charged.flag is flag


@pytest.mark.parametrize("row", [*ROWS, *outcomes.PROVEN.values(), NO_ANSWER, UNKNOWN_CODE])
def test_every_meaning_is_there_in_chinese(row):
    assert re.search(r"[\u4e00-\u9fff]", row.meaning_zh), row.code
    assert not re.search(r"[\u4e00-\u9fff]|\|", row.meaning), row.code


def test_one_meaning_is_said_alike_in_chinese():
    said = {(row.meaning, row.meaning_zh) for row in ROWS}
    assert len(said) == len({meaning for meaning, _ in said})


def test_a_table_without_chinese_is_one():
    (row,) = outcomes.code_table("0 match yes record they belong together").values()
    assert (row.meaning, row.meaning_zh) == ("they belong together", "")
