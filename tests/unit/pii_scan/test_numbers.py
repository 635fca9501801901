"""Phone numbers, card numbers and dates: every way they are written, and what only looks like one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import pickle
import random
import struct
import uuid

import pytest

from airflow_provider_faceid.api import bank_card, phone
from airflow_provider_faceid.pii_scan import PiiScan
from tests.unit.pii_scan.conftest import found

PHONE, CARD, DAY, ID_NUMBER = "19357718264", "6217583920461758393", "20710217", "110101199003078891"
SHORT_CARD = "4929381746502"
MARKERS = {"phone": PHONE, "card": CARD, "day": DAY, "id": ID_NUMBER, "short card": SHORT_CARD}
NUMBERS = {label: value for label, value in MARKERS.items() if label != "day"}


def forms(data):
    """Return the finds among the markers of this file."""
    return found(data, MARKERS)


WRITTEN = {
    "JSON number": (lambda n: json.dumps({"x": int(n)}), "clear"),
    "a float of Python": (lambda n: f"{n}.0", "clear"),
    "with a country's code": (lambda n: f"+86{n}", "clear"),
    "another country's code": (lambda n: f"0086{n}", "clear"),
    "in words": (lambda n: f"phone{n}and", "clear"),
    "commas": (lambda n: f"{int(n):,}", "grouped"),
    "reversed": (lambda n: n[::-1], "reversed"),
    "full width": (lambda n: n.translate({48 + d: 0xFF10 + d for d in range(10)}), "full width"),
    "exponent": (lambda n: f"{float(n):.12e}", "scientific"),
    "short exponent": (lambda n: f"{float(n):.8e}".replace("e+", "E"), "scientific"),
    "hex": (lambda n: n.encode().hex(), "hex"),
    "Base64": (lambda n: base64.b64encode(f"?{n}!".encode()), "Base64"),
    "UTF-16": (lambda n: n.encode("utf-16-le"), "UTF-16"),
    "UTF-16 turned": (lambda n: n.encode("utf-16-be"), "UTF-16"),
    "MD5": (lambda n: hashlib.md5(n.encode()).hexdigest(), "hash"),
    "SHA-1 in capitals": (lambda n: hashlib.sha1(n.encode()).hexdigest().upper(), "hash"),
    "SHA-256": (lambda n: hashlib.sha256(n.encode()).hexdigest(), "hash"),
    "SHA-256 in Base64": (
        lambda n: base64.b64encode(hashlib.sha256(n.encode()).digest()),
        "hash",
    ),
    "pickle": (lambda n: pickle.dumps(int(n)), "integer"),
    "an integer of SQLite": (lambda n: b"\1" + int(n).to_bytes(8, "big") + b"\2", "integer"),
    "an integer of Parquet": (lambda n: b"\1" + int(n).to_bytes(8, "little") + b"\2", "integer"),
    "a double": (lambda n: struct.pack("<d", int(n)), "float"),
}


@pytest.mark.parametrize(("write", "form"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("label", NUMBERS)
def test_a_number_is_found_in_every_form(label, write, form):
    assert (label, form) in forms(write(NUMBERS[label]))


@pytest.mark.parametrize(
    "text",
    [
        "193 5771 8264",
        "193-5771-8264",
        "(193) 5771-8264".replace("(", "").replace(")", ""),
        "193.577.18264",
        "1935 771 8264",
        "193\u00a05771\u00a08264",
        "+86 193 5771 8264",
        base64.b64encode(b"tel 193 5771 8264").decode(),
        json.dumps("193\u00a05771\u00a08264"),
        "193%205771%208264",
        "193+5771+8264",
    ],
)
def test_a_phone_number_is_found_in_groups(text):
    assert {label for label, _ in forms(text)} == {"phone"}


@pytest.mark.parametrize("between", [" ", "-", ".", "\u00a0", "%20", "+"])
def test_a_card_number_is_found_in_fours(between):
    text = between.join(CARD[at : at + 4] for at in range(0, len(CARD), 4))
    assert {label for label, _ in forms(f"pay with {text}, now")} == {"card"}


@pytest.mark.parametrize("text", ["2071-02-17", "2071/02/17", "2071.02.17", DAY, f"[{DAY},"])
def test_a_date_is_found_as_it_is_written(text):
    assert {label for label, _ in forms(text)} == {"day"}


@pytest.mark.parametrize("text", [f"1{DAY}", f"{DAY}0", f"a{DAY}f", "12071-02-17", "2071-02-171"])
def test_a_date_within_a_number_or_a_hash_is_chance(text):
    assert forms(text) == set()


@pytest.mark.parametrize("start", range(12))
@pytest.mark.parametrize("length", [8, 9, 11])
@pytest.mark.parametrize("label", ["phone", "card", "short card"])
def test_eight_digits_in_a_row_of_a_phone_or_a_card_are_found_once(label, start, length):
    number = MARKERS[label]
    piece = number[start : start + length]
    if len(piece) < 8:
        return
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_text("log", f"no {piece}, sorry; seven: {number[:7]}, {number[-7:]}")
    assert [(hit.marker, hit.times) for hit in pii_scan.hits] == [(label, 1)]


@pytest.mark.parametrize(
    "text", ["193 5771 8", "3 5771 8264", "5771 8264", "+86 193 5771 8", "86" + PHONE[:9]]
)
def test_a_cut_off_phone_number_is_found(text):
    assert {label for label, _ in forms(f"[{text}]")} <= {"phone"}
    assert forms(f"[{text}]") or sum(map(str.isdigit, text)) < 8


def test_a_card_that_went_through_a_float_is_found():
    assert {label for label, _ in forms(f"{float(CARD):.0f}")} == {"card"}
    assert {label for label, _ in forms(repr(float(CARD)))} == {"card"}


MASKED = [
    phone.masked(PHONE),
    bank_card.masked(CARD),
    f"card {CARD[-4:]}",
    f"{PHONE[:3]} **** {PHONE[-4:]}",
    f"{CARD[:6]}******{CARD[-4:]}",
    f"{PHONE[:7]}",
    f"{float(PHONE):e}",
]


@pytest.mark.parametrize("text", MASKED)
def test_a_mask_is_no_find(text):
    assert forms(text) == set()


def test_points_in_time_are_no_phone_number():
    markers = {"phone": "17961234567"}
    for text in ("1796123456789", "1796123456789012", "1796123456789012345", "1796123456.789"):
        assert found(f"at {text}.", markers) == ({("phone", "part")} if "." in text else set()), (
            text
        )
    for text in (
        "17961234567",
        "8617961234567",
        "x17961234567.5",
        "01796123456789",
        "17961234567890",
    ):
        assert found(f"at {text}.", markers) == {("phone", "clear")}, text


def test_durations_are_no_phone_number():
    assert forms("took 1.9357718 s, 1.93577182, 1.935771826443") == set()


@pytest.mark.parametrize("at", range(3, 12))
@pytest.mark.parametrize("number", [PHONE, CARD])
def test_seconds_of_a_timestamp_are_no_part_of_a_number(number, at):
    seconds, rest = number[at - 2 : at], number[at : at + 6]
    assert forms(f"2026-11-29T05:48:{seconds}.{rest}Z") == set()
    assert forms(f"took {number[at - 3 : at]}.{number[at : at + 5]} s") == set()


def test_eight_digits_within_a_longer_number_or_a_hash_are_chance():
    assert forms(f"9{PHONE[:8]}0 a{PHONE[2:10]}f 0.7{CARD[3:12]}55 {CARD[5:13]}1") == set()


def test_logs_full_of_digits_hold_nobody():
    chance = random.Random(11)
    lines = []
    for number in range(20_000):
        at = 1_795_900_000 + number * 3.217
        lines.append(
            f"{at:.6f} {int(at * 1e3)} {int(at * 1e6)} {int(at * 1e9)} {chance.random()} "
            f"{hashlib.sha256(str(number).encode()).hexdigest()} {uuid.UUID(int=chance.getrandbits(128))} "
            f"took {chance.random() * 10:.9f} of {chance.randrange(10**6)} id={chance.randrange(10**15)}"
        )
    everybody = {f"phone {n}": phone.sample(random.Random(f"p{n}")) for n in range(60)}
    everybody |= {f"card {n}": bank_card.sample(random.Random(f"c{n}")) for n in range(60)}
    assert found("\n".join(lines), MARKERS | everybody) == set()


def test_a_packed_number_is_found_in_a_file(tmp_path):
    (tmp_path / "log.gz").write_bytes(gzip.compress(f"row 7: {PHONE}".encode()))
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_folder(tmp_path)
    assert [(hit.marker, hit.form) for hit in pii_scan.hits] == [("phone", "clear")]


@pytest.mark.parametrize("label", NUMBERS)
def test_a_whole_number_is_told_as_such_and_counted_once(label):
    pii_scan = PiiScan(MARKERS)
    pii_scan.search_text("log", f"{NUMBERS[label]};{NUMBERS[label]}")
    assert [(hit.marker, hit.form, hit.times) for hit in pii_scan.hits] == [(label, "clear", 2)]
