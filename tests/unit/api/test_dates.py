"""Days of the calendar, and the end of a validity."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from airflow_provider_faceid.api.fields import DATE, END_DATE
from airflow_provider_faceid.api.rules import NO_END, date_field, end_date_field
from airflow_provider_faceid.exceptions import InvalidInputError

TODAY = date(2026, 11, 21)
FIELDS = {"date": date_field(True, 0), "end_date": end_date_field(True, 0)}  # noqa: FBT003 - as field types ask it
SAME_DAY = [
    "20461129",
    "2046-11-29",
    "2046/11/29",
    "2046.11.29",
    " 2046-11-29\u200b",
    "2046-11-29 00:00:00",
    "2046-11-29T00:00:00.000",
    20461129,
    date(2046, 11, 29),
    datetime(2046, 11, 29, 12, 30),  # noqa: DTZ001 - as a driver gives it
]


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("value", SAME_DAY, ids=ascii)
def test_a_day_is_sent_as_eight_digits(kind, value):
    assert FIELDS[kind].prepare(value, TODAY) == "20461129"


@pytest.mark.parametrize("type_", [DATE, END_DATE], ids=["date", "end_date"])
@pytest.mark.parametrize("value", SAME_DAY[:-1], ids=ascii)
def test_one_day_is_one_question_however_it_is_written(type_, value):
    assert type_.text_of(value) == "20461129"


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "missing"),
        ("", "missing"),
        ("NaT", "missing"),
        ("20230230", "format"),
        ("20231301", "format"),
        ("2023-2-3", "format"),
        ("29.11.2046", "format"),
        ("2046-11-29 10:00:00", "format"),
        ("00001129", "format"),
        ("２０４６１１２９", "format"),
        (2046.0, "format"),
        (True, "format"),
        (b"20461129", "format"),
        (0, "format"),
    ],
    ids=ascii,
)
def test_what_is_no_day_is_refused_and_not_shown(kind, value, fault):
    with pytest.raises(InvalidInputError) as caught:
        FIELDS[kind].prepare(value, TODAY)
    assert caught.value.rule == f"{kind}_{fault}"
    assert not isinstance(value, str) or not value or value not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["00000000", "0000-00-00", "长期", "長期", " 长期\u200b"], ids=ascii
)
def test_no_end_has_several_spellings_and_is_no_day(value):
    assert FIELDS["end_date"].prepare(value, TODAY) == END_DATE.text_of(value) == NO_END
    with pytest.raises(InvalidInputError, match="day of the calendar"):
        FIELDS["date"].prepare(value, TODAY)
