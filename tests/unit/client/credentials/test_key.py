"""Parts of keys, as they come in, and until when they are good."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.client.credentials import (
    MOST_SECONDS,
    Credentials,
    key_of,
    temporary_key,
)
from airflow_provider_faceid.exceptions import CredentialsError

NOW = 1_780_286_400
SAID = {"TmpSecretId": "an-id", "TmpSecretKey": "hush-key", "Token": "hush-token"}


def test_a_key_without_a_token_lasts():
    assert Credentials("an-id", "hush-key").lasting
    assert not Credentials("an-id", "hush-key", "hush-token").lasting


def test_a_token_may_be_missing_unless_the_key_is_temporary():
    parts = {"id": "an-id", "key": "hush-key", "token": None}
    assert key_of("here", parts) == Credentials("an-id", "hush-key")
    with pytest.raises(CredentialsError, match=r"^here: token is missing$"):
        key_of("here", parts, temporary=True)


BAD = ["hush key", "hush-key\n", "hush-key\r\nX-Evil: 1", "hush-密钥", "\x00", "x" * 8193, 7, ["x"]]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad)[:12])
@pytest.mark.parametrize("name", SAID)
def test_a_part_that_cannot_go_into_a_header_is_named_and_not_shown(name, bad):
    with pytest.raises(CredentialsError) as error:
        temporary_key("there", {**SAID, name: bad}, NOW + 900, NOW)
    assert str(error.value) == f"there: {name} is no text without spaces"


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("empty", [None, "", 0, [], False])
def test_a_part_that_is_missing_is_named(name, empty):
    with pytest.raises(CredentialsError, match=f"^there: {name} is missing$"):
        temporary_key("there", {**SAID, name: empty}, NOW + 900, NOW)


def test_its_time_is_counted_from_when_the_answer_was_written():
    key = Credentials("an-id", "hush-key", "hush-token")
    assert temporary_key("there", SAID, NOW + 900, NOW) == (key, 900)


@pytest.mark.parametrize("time", [None, "1780287300", 1e10, True, {}])
def test_a_time_that_is_no_number_of_seconds_is_refused(time):
    with pytest.raises(CredentialsError, match=r"^there: ExpiredTime is no number of seconds$"):
        temporary_key("there", SAID, time, NOW)


@pytest.mark.parametrize("seconds", [0, -1, -86_400, MOST_SECONDS + 1, 10**300])
def test_a_key_that_has_expired_or_never_does_is_refused(seconds):
    with pytest.raises(CredentialsError, match=r"Check this machine's clock \(NTP\)$"):
        temporary_key("there", SAID, NOW + seconds, NOW)
