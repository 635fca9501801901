from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.sources.keyset import Shard

ZONES = st.none() | st.sampled_from([UTC, timezone(timedelta(hours=8))])
KEYS = st.one_of(
    st.integers(),
    st.text(),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.decimals(allow_nan=False),
    st.floats(allow_nan=False),
    st.uuids(),
)


COMPOSITE = st.tuples(KEYS, KEYS) | st.tuples(KEYS, KEYS, KEYS)


@given(KEYS | COMPOSITE, KEYS | COMPOSITE)
def test_a_shard_travels_as_json(after, until):
    shard = Shard(after, until)
    read = Shard.from_json(json.loads(json.dumps(shard.as_json(), allow_nan=False)))
    assert read == shard
    assert [type(read.after), type(read.until)] == [type(after), type(until)]


def test_numbers_and_text_travel_as_they_are():
    assert Shard(None, 15).as_json() == {"after": None, "until": 15}
    assert Shard("张", None).as_json() == {"after": "张", "until": None}


def test_every_digit_and_the_zone_of_other_keys_are_kept():
    long, here = Decimal("12345678901234567890.123456789"), timezone(timedelta(hours=8))
    assert Shard(long, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=here)).as_json() == {
        "after": {"decimal": "12345678901234567890.123456789"},
        "until": {"datetime": "2026-01-02 03:04:05.000006+08:00"},
    }


@pytest.mark.parametrize("key", [b"secret", True, time(1), ["secret"]], ids=repr)
def test_keys_of_other_types_are_refused_unseen(key):
    with pytest.raises(ConfigurationError, match="cannot be cut by keys of type") as caught:
        Shard(until=key).as_json()
    assert type(key).__name__ in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_part_of_another_type_is_refused_unseen():
    with pytest.raises(ConfigurationError, match="cannot be cut by keys of type bytes") as caught:
        Shard(after=("x", b"secret")).as_json()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "ends",
    [
        {},
        {"after": 1},
        {"until": 1},
        [1, 2],
        "secret",
        7,
        {"after": None, "until": {}},
        {"after": None, "until": {"secret": "1"}},
        {"after": None, "until": {"uuid": "secret"}},
        {"after": None, "until": {"uuid": 5}},
        {"after": None, "until": ["x", {"uuid": "secret"}]},
        {"after": None, "until": {"decimal": "secret"}},
        {"after": None, "until": {"datetime": "secret"}},
        {"after": None, "until": {"date": "2026-01-01", "uuid": "secret"}},
    ],
    ids=repr,
)
def test_what_is_no_shard_is_refused_unseen(ends):
    with pytest.raises(ConfigurationError, match="'after' and 'until', as FaceIdShards") as caught:
        Shard.from_json(ends)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_shards_meet_at_the_keys_and_are_open_at_the_ends():
    assert Shard.between([]) == [Shard(None, None)]
    assert Shard.between([3]) == [Shard(None, 3), Shard(3, None)]
    assert Shard.between([3, 5]) == [Shard(None, 3), Shard(3, 5), Shard(5, None)]


def test_a_shard_shows_no_keys():
    assert "secret" not in repr(Shard("secret", "secret"))
