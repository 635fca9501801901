"""Bills are read as they are typed in, and as consoles export them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.reconciliation import BillKey, bill_of, lines_of_csv

DAY, ACTION = date(2026, 11, 28), "IdCardVerification"
EXPORTED = (
    '日期\t,接口名称,计费次数,结果码\r\n2026/11/28\t,身份证二要素,"1,234",0\r\n合计,,"1,234",\r\n'
)
COLUMNS = {"day": "日期", "action": "接口名称", "charged": "计费次数", "code": "结果码"}
NAMES = {"身份证二要素": ACTION}


def line(**changed):
    return {"day": "2026-11-28", "action": ACTION, "charged": 1, **changed}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_file_is_read_as_consoles_export_it(encoding, delimiter):
    text = EXPORTED.replace("日期\t", "日期").replace("28\t", "28 ")
    rows = [
        ["日期", "接口名称", "计费次数", "结果码"],
        ["2026/11/28 ", "身份证二要素", '"1,234"', "0"],
    ]
    rows.append(["合计", "", '"1,234"', ""])
    text = "\r\n".join(delimiter.join(row) for row in rows)
    bill = bill_of(lines_of_csv(text.encode(encoding)), COLUMNS, NAMES)
    assert bill == {BillKey(DAY, ACTION, "0"): 1234}


def test_tabs_that_keep_a_spreadsheet_from_changing_a_cell_are_no_part_of_it():
    bill = bill_of(lines_of_csv(EXPORTED.encode("utf-8-sig")), COLUMNS, NAMES)
    assert bill == {BillKey(DAY, ACTION, "0"): 1234}


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-28",
        "2026/11/28",
        "20261128",
        "2026年11月28日",
        "2026-11-28 00:00:00",
        DAY,
        datetime(2026, 11, 28, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_day_may_be_written_in_some_ways(day):
    assert bill_of([line(day=day)]) == {BillKey(DAY, ACTION): 1}


@pytest.mark.parametrize(
    "count", ["1,234", "1，234", "1 234", "1'234", "1234.00", 1234, 1234.0, "１２３４"], ids=repr
)
def test_a_number_may_be_written_in_some_ways(count):
    assert bill_of([line(charged=count)]).total() == 1234


def test_lines_of_one_day_and_action_are_summed():
    assert bill_of([line(charged=2), line(charged=3)]) == {BillKey(DAY, ACTION): 5}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"day": "2026-11-28"}], "no column 'action'; it has day"),
        ([line(), line(day="28.11.")], "Line 2 of the bill: '28.11.' is no day"),
        ([line(action="Face")], "Line 1 of the bill: 'Face' is no API Action"),
        ([line(charged="many")], "'many' is no number"),
        ([line(charged="1.5")], "no number"),
        ([line(charged=-1)], "no number"),
        ([line(charged="inf")], "no number"),
        ([line(charged="")], "no number"),
        ([line(code="0"), line()], "Some lines of the bill have a code"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(lines, message):
    with pytest.raises(ConfigurationError, match=message):
        bill_of(lines)


def test_what_is_no_text_is_refused():
    with pytest.raises(ConfigurationError, match="not text in any of"):
        list(lines_of_csv(b"\xff\xff\xff\x80"))
