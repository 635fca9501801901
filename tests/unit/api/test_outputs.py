"""What else an answer says: it goes to tables and XCom, and says nobody back."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.api.action import LARGEST_OUTPUT, LONGEST_OUTPUT, Output
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.messages import MALFORMED, read_reply
from airflow_provider_faceid.api.verdict import judge

PHONE, CARD, NAME = "13800138000", "6222021234567890128", "韦小宝"
PERSONAL = (PHONE, CARD, NAME)
OUTPUTS = [(action, output) for action in ACTIONS.values() for output in action.outputs]
IDS = [f"{action.name}.{output.name}" for action, output in OUTPUTS]


def verdict_of(action, fields):
    body = json.dumps({"Response": {"Result": action.success_code, **fields}}).encode()
    return judge(read_reply(action.name, 200, body, PERSONAL))


@pytest.mark.parametrize(("action", "output"), OUTPUTS, ids=IDS)
def test_every_sample_reaches_its_column(action, output):
    for value in output.samples:
        assert verdict_of(action, {output.name: value}).outputs[output.column] == value


@pytest.mark.parametrize(("action", "output"), OUTPUTS, ids=IDS)
@pytest.mark.parametrize(
    "said",
    [
        PHONE,
        int(PHONE),
        f"+86 {PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}",
        PHONE[2:],
        PHONE.encode().hex(),
        PHONE.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
        CARD,
        int(CARD),
        float(PHONE),
        "-".join(CARD[at : at + 4] for at in range(0, len(CARD), 4)),
        f"of {NAME}",
        f"[0,3) {CARD[:8]}",
        [PHONE],
    ],
    ids=ascii,
)
def test_a_person_who_is_said_back_is_not_kept(action, output, said):
    verdict = verdict_of(action, {output.name: said})
    shown = f"{verdict.outputs} {verdict!r}"
    assert not any(value in shown for value in (PHONE, PHONE[2:], CARD, CARD[:8], NAME))
    kept = verdict.outputs[output.column]
    assert kept in {None, MALFORMED, "of ***"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Bank of China", "Bank of China"),
        ("a\nb\x00", "a\ufffdb\ufffd"),
        ("x" * 5000, "x" * (LONGEST_OUTPUT - 1) + "…"),
        ("[24,+)", "[24,+)"),
        ("", ""),
        (7, None),
        (None, None),
    ],
    ids=["a bank", "control characters", "long", "months", "empty", "number", "absent"],
)
def test_a_text_is_one_line_of_bounded_length(said, kept):
    assert Output("X", "x", "text", "", ()).read(said, PERSONAL) == kept


@pytest.mark.parametrize(
    ("type_", "said", "kept"),
    [
        ("integer", 99, 99),
        ("integer", -1, -1),
        ("integer", True, None),
        ("integer", 1.5, None),
        ("integer", "1", None),
        ("integer", LARGEST_OUTPUT - 1, LARGEST_OUTPUT - 1),
        ("integer", LARGEST_OUTPUT, None),
        ("integer", 10**40, None),
        ("real", 1, 1.0),
        ("real", 0.25, 0.25),
        ("real", float("nan"), None),
        ("real", float("inf"), None),
    ],
)
def test_a_number_fits_into_its_column_or_is_left_out(type_, said, kept):
    assert Output("X", "x", type_, "", ()).read(said, PERSONAL) == kept
