"""Marked people: names nobody bears, valid numbers, dates far ahead, photos with a mark."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path

from airflow_provider_faceid.api.actions import code_row
from airflow_provider_faceid.api.codes import Step
from airflow_provider_faceid.api.fields import BANK_CARD, DATE, END_DATE, PHONE, Field, FieldType
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import People, Person, columns, expects

APPLICANTS, PHOTOS = 60, 16
BAD = {
    57: "id_card_missing",
    58: "id_card_length",
    59: "id_card_check_digit",
    60: "name_characters",
}
"""Rules that the ID number or the name of a row breaks, by key."""
BAD_OTHERWISE = {
    51: "bank_card_length",
    52: "bank_card_luhn",
    53: "phone_prefix",
    54: "validity_order",
    55: "end_date_format",
    56: "phone_length",
}
"""Rules that another value of a row breaks, by key; of a card that fails Luhn it is a warning."""

COLUMNS = (
    "name TEXT",
    "id_card TEXT",
    "photo TEXT",
    "phone TEXT",
    "mobile INTEGER",
    "bank_card",
    "validity_begin TEXT",
    "validity_end TEXT",
)
"""Columns of a source table. Numbers are also whole numbers, not text alone."""

CARELESS = ("printed", "returned", "triggered", "logged", "raised", "noted", "exported")
"""People of whom the careless DAG gives something away, by what happens to it."""

MARK_BYTES = 24
FIRST_BEGIN, FIRST_END = 2061, 2081
"""Years of validities, in which no timestamp, certificate or licence is."""
_COMMENT = b"\xff\xfe"
"""What a comment in a JPEG begins with."""


class MarkedPeople(People):
    """The people of the simulator, under names that stand nowhere by chance."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.listed = tuple(_marked(person, n) for n, person in enumerate(self.listed))
        self._by_number = {person.id_card: person for person in self.listed}


@dataclass(frozen=True)
class MarkedPerson(Person):
    """A person whose phone begins like no Unix time, and whose ID card is valid in a far future."""

    def value(self, field: Field) -> str:
        """Return the value to send in a request field."""
        invent = _INVENTED.get(field.type)
        return invent(self) if invent else Person.value(self, field)


def _number_of(person: Person, what: str, below: int) -> int:
    return person.chance(what).randrange(below)


_INVENTED: dict[FieldType, Callable[[Person], str]] = {
    PHONE: lambda person: f"19{_number_of(person, 'phone', 10**9):09}",
    DATE: lambda person: _day_of(person, FIRST_BEGIN, "begin"),
    END_DATE: lambda person: _day_of(person, FIRST_END, "end"),
}
"""What makes a value of a type; a card number is that of every person."""


def _day_of(person: Person, first: int, what: str) -> str:
    days = _number_of(person, what, 12 * 12 * 28)
    return f"{first + days // 336}{1 + days // 28 % 12:02}{1 + days % 28:02}"


def _marked(person: Person, number: int) -> Person:
    name = _name(number)
    known_as = (name,) if person.name in person.known_as else person.known_as
    return MarkedPerson(**{**_fields_of(person), "name": name, "known_as": known_as})


def _fields_of(person: Person) -> dict[str, object]:
    return {field.name: getattr(person, field.name) for field in fields(person)}


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
            connection.execute(f"CREATE TABLE {table} ({key} PRIMARY KEY, {', '.join(COLUMNS)})")
            places = ", ".join("?" * (1 + len(COLUMNS)))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", people)
    return source


def _row(
    server: SimulatorServer, key: int | str, person: Person, markers: dict[str, str | bytes]
) -> tuple[object, ...]:
    name, number, photo = person.name, person.id_card, None
    markers |= {f"name {key}": name, f"number {key}": number}
    if isinstance(key, str) or key <= PHOTOS:
        mark = hashlib.sha256(f"mark of {number}".encode()).digest()[:MARK_BYTES]
        picture = _with_comment(server.photo(person), mark)
        photo = base64.b64encode(picture).decode()
        markers |= {f"photo {key}": picture, f"mark of photo {key}": mark}
    more = _more(person)
    markers |= {f"{column} {key}": value for column, value in more.items()}
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
    changed: dict[str, object] = {**more, **_CHANGES[key](more)} if key in _CHANGES else {**more}
    if key in BAD_OTHERWISE:
        markers |= {
            f"bad {column} {key}": str(value)
            for column, value in changed.items()
            if value not in more.values()
        }
    digits = str(changed["phone"]) if BAD_OTHERWISE.get(key) == "phone_length" else more["phone"]
    mobile = int(digits)
    return key, name, number, photo, changed["phone"], mobile, *list(changed.values())[1:]


def _more(person: Person) -> dict[str, str]:
    """Return phone, card, and the days between which the ID card is valid, by column."""
    by_type = {field.type: person.value(field) for field in columns().values()}
    return {column: by_type[type_] for column, type_ in _COLUMNS_OF.items()}


_COLUMNS_OF = {
    "phone": PHONE,
    "bank_card": BANK_CARD,
    "validity_begin": DATE,
    "validity_end": END_DATE,
}


def _in_fours(number: str, between: str) -> str:
    return between.join(number[at : at + 4] for at in range(0, len(number), 4))


def _with_comment(picture: bytes, text: bytes) -> bytes:
    """Return a JPEG with a comment at its beginning, where a cut-off text still shows it."""
    length = (len(text) + 2).to_bytes(2)
    return picture[:2] + _COMMENT + length + text + picture[2:]


def _stops_a_run(person: Person) -> bool:
    return any(code_row(a, code).step is Step.FATAL for a, code in expects(person).items())


_CHANGES: dict[int | str, Callable[[dict[str, str]], dict[str, object]]] = {
    40: lambda row: {
        "phone": f"{row['phone'][:3]} {row['phone'][3:7]} {row['phone'][7:]}",
        "bank_card": _in_fours(row["bank_card"], " "),
    },
    41: lambda row: {
        "phone": f"+86 {row['phone']}",
        "validity_begin": "-".join(
            (row["validity_begin"][:4], row["validity_begin"][4:6], row["validity_begin"][6:])
        ),
    },
    42: lambda row: {"bank_card": _in_fours(row["bank_card"], "-")},
    43: lambda row: {"bank_card": int(row["bank_card"])},
    44: lambda _: {"validity_end": "长期"},
    51: lambda row: {"bank_card": f"{row['bank_card']}75"},
    52: lambda row: {
        "bank_card": row["bank_card"][:-1] + ("1" if row["bank_card"][-1] != "1" else "2")
    },
    53: lambda row: {"phone": f"12{row['phone'][2:]}"},
    54: lambda row: {
        "validity_begin": row["validity_end"],
        "validity_end": row["validity_begin"],
    },
    55: lambda row: {"validity_end": f"{row['validity_end'][:4]}0230"},
    56: lambda row: {"phone": row["phone"][:-1]},
}
"""Values that a row has in place of those of its person, by key: written otherwise, or wrong."""
