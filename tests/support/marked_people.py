"""Marked people: names of characters nobody bears, numbers that are valid, photos with a mark."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import People, Person, expects

APPLICANTS, PHOTOS = 60, 16
BAD = {
    57: "id_card_missing",
    58: "id_card_length",
    59: "id_card_check_digit",
    60: "name_characters",
}
"""Rules that rows of the source break, by key."""

CARELESS = ("printed", "returned", "triggered", "logged", "raised", "noted", "exported")
"""People of whom the careless DAG gives something away, by what happens to it."""

MARK_BYTES = 24
_COMMENT = b"\xff\xfe"
"""What a comment in a JPEG begins with."""


class MarkedPeople(People):
    """The people of the simulator, under names that stand nowhere by chance."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.listed = tuple(_marked(person, n) for n, person in enumerate(self.listed))
        self._by_number = {person.id_card: person for person in self.listed}


def _marked(person: Person, number: int) -> Person:
    name = _name(number)
    known_as = (name,) if person.name in person.known_as else person.known_as
    return replace(person, name=name, known_as=known_as)


def _name(number: int) -> str:
    """Return a name of two or three rare characters, or of letters; every one is different."""
    first, second = chr(0x3405 + 41 * number), chr(0x20021 + 97 * number)
    if number % 5 == 4:
        letters = "".join(chr(ord("a") + digit) for digit in (number // 26, number % 26))
        return f"Qxz{letters} Vjwk{letters}"
    return first + second if number % 2 else first + second + chr(0x4E07 + 53 * number)


@dataclass(repr=False)
class Source:
    """
    The tables with people, the only place that may hold them.

    :ivar people: by key of the table ``applicants``.
    :ivar careless: by what happens to them, in the table ``careless``.
    :ivar markers: everything planted, by label: what nobody may see.
    :ivar careless_markers: what somebody has to see.
    """

    file: Path
    people: dict[int, Person] = field(default_factory=dict)
    careless: dict[str, Person] = field(default_factory=dict)
    markers: dict[str, str | bytes] = field(default_factory=dict)
    careless_markers: dict[str, str | bytes] = field(default_factory=dict)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run a query."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(sql).fetchall()

    def key_of(self, server: SimulatorServer, action: str, code: str) -> int:
        """Return the key of the person the service answers with a code."""
        wanted = server.person(action, code)
        return next(key for key, person in self.people.items() if person == wanted)


def plant(server: SimulatorServer, file: Path) -> Source:
    """Give a simulator marked people, and write some of them into source tables."""
    server.account.people = MarkedPeople(APPLICANTS + 2 * len(CARELESS))
    everybody = sorted(server.account.people.listed, key=lambda person: person.persona is None)
    listed = [person for person in everybody if not _stops_a_run(person)]
    source = Source(file, dict(enumerate(listed[:APPLICANTS], 1)))
    escaped = [person for person in listed[APPLICANTS:] if not person.name.isascii()]
    source.careless = dict(zip(CARELESS, escaped, strict=False))
    rows = [_row(server, key, person, source.markers) for key, person in source.people.items()]
    others = [
        _row(server, what, person, source.careless_markers)
        for what, person in source.careless.items()
    ]
    with closing(sqlite3.connect(file)) as connection, connection:
        for table, key, people in (
            ("applicants", "applicant_id INTEGER", rows),
            ("careless", "what TEXT", others),
        ):
            connection.execute(
                f"CREATE TABLE {table} ({key} PRIMARY KEY, name TEXT, id_card TEXT, photo TEXT)"
            )
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", people)
    return source


def _row(
    server: SimulatorServer, key: int | str, person: Person, markers: dict[str, str | bytes]
) -> tuple[object, ...]:
    name, number, photo = person.name, person.id_card, None
    markers |= {f"name {key}": name, f"number {key}": number}
    if isinstance(key, str) or key <= PHOTOS:
        mark = hashlib.sha256(number.encode()).digest()[:MARK_BYTES]
        picture = _with_comment(server.photo(person), mark)
        photo = base64.b64encode(picture).decode()
        markers |= {f"photo {key}": picture, f"mark of photo {key}": mark}
    match BAD.get(key):
        case "id_card_missing":
            number = None
        case "id_card_length":
            number = markers[f"bad number {key}"] = number[:-1]
        case "id_card_check_digit":
            number = number[:-1] + ("1" if number[-1] != "1" else "2")
            markers[f"bad number {key}"] = number
        case "name_characters":
            name = markers[f"bad name {key}"] = f"{name}2"
    return key, name, number, photo


def _with_comment(picture: bytes, text: bytes) -> bytes:
    """Return a JPEG with a comment at its beginning, where a cut-off text still shows it."""
    length = (len(text) + 2).to_bytes(2)
    return picture[:2] + _COMMENT + length + text + picture[2:]


def _stops_a_run(person: Person) -> bool:
    return any(code_row(a, code).step is Step.FATAL for a, code in expects(person).items())
