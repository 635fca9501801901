"""Fill the demo warehouse: applicants made of the simulator's people, some of them bad; a day later."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.api.id_card import check_character

APPLICANTS = 1000
PHOTOS = 200
BAD_OF_EACH_KIND = 8
WRONG_NAMES = 40
"""Good rows under somebody else's name: the service must say mismatch."""
WRONG_PHOTOS = 20
"""Good photos of somebody else."""

NEW_TOMORROW, CORRECTED, MENDED = 10, 4, 2
"""What happens until tomorrow: people apply, misspelt names are corrected, bad rows are mended."""

GIF = base64.b64encode(b"GIF89a" + bytes(64)).decode()


@dataclass
class Applicant:
    """A row of the table; ``expects`` is the code the service will answer, by Action."""

    name: Any
    id_card: Any
    phone: str
    bank_card: str
    photo: str | None
    expects: dict[str, str]


def _no_number(row: Applicant) -> None:
    row.id_card = None


def _short_number(row: Applicant) -> None:
    row.id_card = row.id_card[:-1]


def _letters_in_number(row: Applicant) -> None:
    row.id_card = "A" + row.id_card[1:]


def _wrong_check_digit(row: Applicant) -> None:
    row.id_card = row.id_card[:-1] + ("1" if row.id_card[-1] != "1" else "2")


def _thirteenth_month(row: Applicant) -> None:
    body = row.id_card[:10] + "13" + row.id_card[12:17]
    row.id_card = body + check_character(list(map(int, body)))


def _no_name(row: Applicant) -> None:
    row.name = None


def _digits_in_name(row: Applicant) -> None:
    row.name += "2"


def _endless_name(row: Applicant) -> None:
    row.name *= 30


def _gif(row: Applicant) -> None:
    row.photo = GIF


def _cut_photo(row: Applicant) -> None:
    row.photo = str(row.photo)[: len(str(row.photo)) // 8 * 4]


FAULTS: tuple[Callable[[Applicant], None], ...] = (
    _no_number,
    _short_number,
    _letters_in_number,
    _wrong_check_digit,
    _thirteenth_month,
    _no_name,
    _digits_in_name,
    _endless_name,
)
"""Eight ways to be bad."""
PHOTO_FAULTS: tuple[Callable[[Applicant], None], ...] = (_gif, _cut_photo)


def fill(warehouse: Path, simulator: str, seed: int = 7) -> dict[int, dict[str, str]]:
    """
    Write the table ``applicants`` and return the codes to expect, by applicant and Action.

    A row without a code for an Action is bad: it must never reach the service.
    """
    rows = _applicants(simulator, random.Random(seed))
    with sqlite3.connect(warehouse) as connection:
        connection.execute(
            "CREATE TABLE applicants "
            "(applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT, phone TEXT, bank_card TEXT, "
            "photo TEXT)"
        )
        connection.executemany(
            "INSERT INTO applicants VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, row.name, row.id_card, row.phone, row.bank_card, row.photo)
                for number, row in enumerate(rows, 1)
            ],
        )
    connection.close()
    return {number: row.expects for number, row in enumerate(rows, 1)}


def next_morning(
    warehouse: Path, simulator: str, expected: dict[int, dict[str, str]]
) -> dict[str, int]:
    """
    Change the table as a day would, and ``expected`` with it.

    :param expected: as :func:`fill` returned it.
    :return: how many rows are due for which reason.
    """
    people = _good_people(simulator)
    misspelt = [n for n, codes in expected.items() if codes.get("IdCardVerification") == "-1"]
    mine = [n for n in misspelt if people[n - 1]["expects"]["IdCardVerification"] == "0"]
    empty = [n for n, codes in expected.items() if not codes]
    connection = sqlite3.connect(warehouse)
    with connection:
        for number in (*mine[:CORRECTED], *empty[:MENDED]):
            person = people[number - 1]
            connection.execute(
                "UPDATE applicants SET name = ?, id_card = ? WHERE applicant_id = ?",
                (person["name"], person["id_card"], number),
            )
            expected[number] = {"IdCardVerification": person["expects"]["IdCardVerification"]}
        for number, person in enumerate(people[APPLICANTS:][:NEW_TOMORROW], APPLICANTS + 1):
            connection.execute(
                "INSERT INTO applicants VALUES (?, ?, ?, ?, ?, NULL)",
                (number, *(person[c] for c in ("name", "id_card", "phone", "bank_card"))),
            )
            expected[number] = {"IdCardVerification": person["expects"]["IdCardVerification"]}
    connection.close()
    return {"new": NEW_TOMORROW + MENDED, "changed": CORRECTED}


def _good_people(simulator: str) -> list[dict[str, Any]]:
    """Return the special people who do not end a run, then the ordinary ones."""
    people = [
        *_get(f"{simulator}/_sim/people?special=1"),
        *_get(f"{simulator}/_sim/people?special=0"),
    ]
    return [person for person in people if not _stops_a_run(person)]


def _applicants(simulator: str, chance: random.Random) -> list[Applicant]:
    people = _good_people(simulator)
    photos = {
        person["id_card"]: person["photo_base64"]
        for kind in ("special=1", f"special=0&limit={PHOTOS * 2}")
        for person in _get(f"{simulator}/_sim/people?photo=1&{kind}")
    }
    rows = [
        Applicant(
            p["name"],
            p["id_card"],
            p["phone"],
            p["bank_card"],
            photos.get(p["id_card"]),
            dict(p["expects"]),
        )
        for p in people[:APPLICANTS]
    ]
    with_photo = [row for row in rows if row.photo][:PHOTOS]
    for row in rows:
        if row not in with_photo:
            row.photo = None
            row.expects.pop("ImageRecognitionV2")
    ordinary = [row for row in rows if row.expects["IdCardVerification"] == "0"]
    chance.shuffle(ordinary)
    for fault in FAULTS:
        for row in _take(ordinary, BAD_OF_EACH_KIND):
            fault(row)
            row.expects.clear()
    for row in _take(ordinary, WRONG_NAMES):
        row.name = ordinary[0].name if ordinary[0].name != row.name else ordinary[1].name
        row.expects["IdCardVerification"] = "-1"
        if row.photo:
            row.expects["ImageRecognitionV2"] = "FailedOperation.IdNameMisMatch"
    good_photos = [row for row in ordinary if row.expects.get("ImageRecognitionV2") == "Success"]
    for fault in PHOTO_FAULTS:
        for row in _take(good_photos, 3):
            fault(row)
            row.expects.pop("ImageRecognitionV2")
    others = _take(good_photos, WRONG_PHOTOS)
    for row, stranger in zip(others, [row.photo for row in good_photos], strict=False):
        row.photo = stranger
        row.expects["ImageRecognitionV2"] = "FailedOperation.CompareLowSimilarity"
    return rows


def _take(rows: list[Applicant], count: int) -> list[Applicant]:
    return [rows.pop() for _ in range(count)]


def _stops_a_run(person: dict[str, Any]) -> bool:
    """Say whether asking about a person answers as a broken account would."""
    return any(code_row(a, code).step is Step.FATAL for a, code in person["expects"].items())


def _get(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url, timeout=60) as response:
        found: list[dict[str, Any]] = json.load(response)
        return found
