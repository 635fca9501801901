"""Values that break a rule never leave this machine."""

from __future__ import annotations

from base64 import b64encode

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, InvalidInputError

GIF = b"GIF89a" + b"\0" * 100
TOO_LARGE = b"\xff\xd8\xff\xe0" + b"\0" * 4_000_000 + b"\xff\xd9"


@pytest.mark.parametrize(
    ("id_card", "rule"),
    [
        ("1101051949123100", "id_card_length"),
        (110105194912310020, "id_card_not_text"),
        (None, "id_card_missing"),
        ("110105194912310021", "id_card_check_digit"),
    ],
)
def test_a_bad_number_is_not_sent(hook, ledger, id_card, rule, photo):
    for ask in (hook.id_card_verification, lambda *who: hook.image_recognition_v2(*who, photo)):
        with pytest.raises(InvalidInputError) as error:
            ask(id_card, "Li Lei")
        assert error.value.rule == rule
        assert str(id_card) not in str(error.value)
    assert ledger() == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "name_missing"),
        (None, "name_missing"),
        (77, "name_not_text"),
        ("Li 7", "name_characters"),
        ("x" * 51, "name_length"),
    ],
)
def test_a_bad_name_is_not_sent(hook, ordinary, ledger, name, rule):
    with pytest.raises(InvalidInputError) as error:
        hook.id_card_verification(ordinary.id_card, name)
    assert error.value.rule == rule
    assert ledger() == []


@pytest.mark.parametrize(
    ("photo", "rule"),
    [
        (GIF, "photo_base64"),
        (b64encode(GIF).decode(), "photo_format"),
        (TOO_LARGE, "photo_size"),
        (b64encode(TOO_LARGE).decode(), "photo_size"),
        ("/9j/4AAQSkZJRg=", "photo_base64"),
        ("/9j/4AAQSkZJRgA", "photo_base64"),
        (TOO_LARGE[:5000], "photo_truncated"),
        ("data:image/jpeg;base64,/9j/", "photo_data_uri"),
        (b"", "photo_missing"),
        (None, "photo_missing"),
    ],
    ids=[
        *("GIF", "GIF as text", "4 MB", "4 MB as text", "bad padding", "truncated text"),
        *("truncated picture", "data URI", "empty", "none"),
    ],
)
def test_a_bad_photo_is_not_sent(hook, ordinary, ledger, photo, rule):
    with pytest.raises(InvalidInputError) as error:
        hook.image_recognition_v2(ordinary.id_card, ordinary.name, photo)
    assert error.value.rule == rule
    assert ledger() == []


@pytest.mark.parametrize("extra", ["x" * 11, 7.5, True])
def test_a_bad_extra_is_not_sent(hook, ordinary, photo, ledger, extra):
    with pytest.raises(InvalidInputError, match=r"^the value (has at most 10 characters|must be)"):
        hook.image_recognition_v2(ordinary.id_card, ordinary.name, photo, extra=extra)
    assert ledger() == []


@pytest.mark.parametrize(("extra", "sent"), [("", ""), (None, ""), (77, "77"), ("case", "case")])
def test_an_extra_comes_back_as_text(hook, ordinary, photo, extra, sent):
    verdict = hook.image_recognition_v2(ordinary.id_card, ordinary.name, photo, extra=extra)
    assert verdict.fields["Extra"] == sent


def test_values_are_sent_as_the_service_wants_them(hook, ordinary, ledger):
    full_width = ordinary.id_card.lower().translate({ord(str(n)): 0xFF10 + n for n in range(10)})
    assert hook.id_card_verification(f" {full_width} ", f"  {ordinary.name} ").is_match
    assert ledger()[0]["id_card"] == ordinary.id_card


def test_the_connection_decides_how_strictly_a_number_is_read(connect, simulator, ledger):
    wrong_check_digit = "11204416541220243X"
    with pytest.raises(InvalidInputError):
        connect(simulator.url).id_card_verification(wrong_check_digit, "Wei Xiaobao")
    lenient = connect(simulator.url, id_card_check="format")
    assert lenient.id_card_verification(wrong_check_digit, "Wei Xiaobao").is_match
    assert len(ledger()) == 1


def test_a_bad_connection_is_found_before_anything_is_sent(connect, simulator, ordinary, ledger):
    hook = connect(simulator.url, timeout=0)
    with pytest.raises(ConfigurationError, match="'timeout' must be a valid number from 1 to 300"):
        hook.id_card_verification(ordinary.id_card, ordinary.name)
    assert ledger() == []
