"""Keys of every type: their text is the database's, and pages of them hold each row once."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from itertools import chain

import psycopg
import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.warehouse.records import MAX_KEY, UnusableKey
from airflow_provider_faceid.warehouse.sources.keyset import kind_of
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import MYSQL, POSTGRESQL, SQLITE, Database
from tests.support.homes import HOMES, homes

pytestmark = pytest.mark.source

KEYS = {
    "SMALLINT": ["-3", "7", "300"],
    "BIGINT": ["1", "2", "9007199254740993"],
    "VARCHAR(20)": ["'a'", "'a b'", "'Ünal'", "'张三'"],
    "BOOLEAN": ["false", "true"],
    "UUID": [f"'{digit}fffffff-0000-4000-8000-000000000000'" for digit in "07f"],
    "DATE": ["'1999-12-31'", "'2026-11-21'"],
    "TIME": ["'02:30:00'", "'02:30:00.5'", "'23:59:59.000001'"],
    "TIMESTAMP": ["'2026-03-29 02:30:00'", "'2026-10-25 02:30:00.1'", "'infinity'"],
    "TIMESTAMPTZ": ["'2026-10-25 00:30+00'", "'2026-10-25 01:30:00.1+00'", "'infinity'"],
    "DECIMAL(20, 9)": ["-1.5", "0.000000001", "12345678901.1"],
}
OF_POSTGRESQL = {
    "CHAR(10)": ["'a'", "'a b'", "'abcdefghij'"],
    "NUMERIC": ["0.0000001", "1000000000000000000000000000000", "2.50"],
    "number_of_ours": ["'A1'", "'A2'"],
    "letter": ["'c'", "'B'"],
    "TIMESTAMPTZ(3)": ["'2026-10-25 00:30+00'", "'2026-10-25 01:30:00.12+00'"],
    '"Na""me"': ["'x'", "'y'"],
}
OF_DUCKDB = {
    "HUGEINT": ["-1", "170141183460469231731687303715884105727"],
    "UBIGINT": ["1", "18446744073709551615"],
    "TIMESTAMP_NS": ["'2026-01-01 00:00:00.123456788'", "'2026-01-01 00:00:00.123456789'"],
    "ENUM('c', 'B')": ["'c'", "'B'"],
}
OF_MARIADB = {
    "BIGINT": ["1", "2", "9007199254740993"],
    "BIGINT UNSIGNED": ["1", "18446744073709551615"],
    "INT(5) ZEROFILL": ["7", "42"],
    "VARCHAR(20)": ["'a'", "'a b'", "'Ünal'", "'张三'"],
    "VARCHAR(20) CHARACTER SET gbk": ["'a'", "'张三'"],
    "TEXT": ["'a'", "'a b'"],
    "CHAR(10)": ["'a'", "'a b'", "'abcdefghij'"],
    "BOOLEAN": ["false", "true"],
    "UUID": [f"'{digit}fffffff-0000-4000-8000-000000000000'" for digit in "07f"],
    "DATE": ["'0000-00-00'", "'1999-12-31'", "'2026-11-21'"],
    "TIME(6)": ["'-02:30:00'", "'02:30:00.5'", "'23:59:59.000001'"],
    "DATETIME": ["'2026-03-29 02:30:00'", "'2026-10-25 02:30:00'"],
    "DATETIME(6)": ["'2026-03-29 02:30:00'", "'2026-10-25 02:30:00.1'"],
    "TIMESTAMP(3)": ["'2026-10-25 00:30:00'", "'2026-10-25 01:30:00.1'"],
    "DECIMAL(20, 9)": ["-1.5", "0.000000001", "12345678901.1"],
    "DECIMAL(65, 0)": ["9" * 64, "9" * 65],
    "ENUM('c', 'B')": ["'c'", "'B'"],
}
SESSION = {
    "mysql": ("SET lc_time_names = 'zh_CN'",),
    "postgresql": ("SET timezone TO 'Asia/Shanghai'", "SET datestyle TO 'SQL, DMY'"),
    "duckdb": ("SET TimeZone = 'Asia/Shanghai'",),
}
"""How a session may be set up that writes moments and dates otherwise than usual."""


def types():
    of = {
        "postgresql": KEYS | OF_POSTGRESQL,
        "duckdb": KEYS | OF_DUCKDB,
        "mariadb": OF_MARIADB,
    }
    for home in (home for home in of if home in HOMES):
        for type_, keys in of[home].items():
            yield pytest.param(home, type_, keys, id=f"{home} {type_}")


def fill(home, type_, keys):
    if home.dialect is POSTGRESQL:
        home.run("CREATE TYPE letter AS ENUM ('c', 'B')")
        home.run("CREATE DOMAIN code AS TEXT")
        home.run("CREATE DOMAIN number_of_ours AS code")
        home.run('CREATE DOMAIN "Na""me" AS TEXT')
    home.run(f"CREATE TABLE people (id {type_}, name TEXT)")
    for number, key in enumerate(keys):
        value = key if home.dialect is MYSQL else f"CAST({key} AS {type_})"
        home.run(f"INSERT INTO people VALUES ({value}, 'name {number}')")


def opened(home, settings=()):
    database = home.open()
    connection = database._open()
    for setting in settings:
        connection.execute(setting)
    if database.dialect is POSTGRESQL:
        connection.commit()
    return database


@pytest.mark.parametrize(("home", "type_", "keys"), list(types()), indirect=["home"])
def test_a_key_of_any_type_is_what_your_own_cast_makes_of_it(home, type_, keys):
    fill(home, type_, keys)
    utc = opened(home, [] if home.dialect is MYSQL else ["SET TimeZone = 'UTC'"])
    text = home.dialect.to_text.format("id")
    as_cast = utc.rows(f"SELECT {text}, name FROM people ORDER BY people.id")
    for session in ((), SESSION[home.dialect.name]):
        database = opened(home, session)
        source = Source(database, "people", "id")
        assert source.inspect(["name"]) == len(keys)
        assert [row for page in source.pages(["name"], 1) for row in page] == as_cast
        for key, position, name in source.page(["name"], 10, []):
            assert source.row(position, ["name"]) == (name,), key
    shards = source.cut(len(keys), 2)
    parts = [
        [key for page in Source(database, "people", "id", shard).pages([], 1) for (key,) in page]
        for shard in shards
    ]
    assert list(chain(*parts)) == [key for key, _ in as_cast]
    assert all(parts)


REFUSED = {
    "postgresql": ["REAL", "DOUBLE PRECISION", "BYTEA", "INTERVAL", "MONEY", "JSONB", "INTEGER[]"],
    "duckdb": ["FLOAT", "DOUBLE", "BLOB", "INTERVAL", "JSON", "INTEGER[]"],
    "sqlite": ["REAL", "BLOB"],
    "mariadb": [
        "FLOAT",
        "DOUBLE",
        "BLOB",
        "BINARY(4)",
        "SET('x', 'y')",
        "YEAR",
        "BIT(9)",
        "GEOMETRY",
    ],
}


@pytest.mark.parametrize(
    ("home", "type_"),
    [(home, type_) for home, types in REFUSED.items() if home in HOMES for type_ in types],
    indirect=["home"],
)
def test_a_type_that_cannot_name_rows_safely_is_refused_by_its_name(home, type_):
    home.run(f"CREATE TABLE people (id {type_}, name TEXT)")
    if home.dialect.name == "sqlite":
        key = 1.5 if type_ == "REAL" else b"1"
        home.run("INSERT INTO people VALUES (?, 'x')", [(key,)])
    named = type_.lower().removesuffix("[]").partition("(")[0]
    with pytest.raises(ConfigurationError, match=rf"(?i)'id' .* is of type .*{named}.*cannot name"):
        Source(home.open(), "people", "id").inspect(["name"])


@homes("sqlite")
@pytest.mark.parametrize(("keys", "repeated"), [((1, "1"), 1), ((1, "01", "a"), 0)])
def test_keys_that_differ_but_have_one_text_are_no_keys(home, keys, repeated):
    home.run("CREATE TABLE people (id, name TEXT)")
    home.run("INSERT INTO people VALUES (?, 'x')", [(key,) for key in keys])
    source = Source(home.open(), "people", "id")
    if repeated:
        with pytest.raises(ConfigurationError, match=r"1 rows? repeats? another"):
            source.inspect(["name"])
    else:
        assert source.inspect(["name"]) == len(keys)


@homes("sqlite")
def test_unusable_keys_of_sqlite_have_names_and_the_others_are_read(home):
    home.run("CREATE TABLE people (id, name TEXT)")
    good = [1, 2, "a", "b" * MAX_KEY]
    bad = [2.5, b"\xff", "a\0b", "c" * (MAX_KEY + 1)]
    home.run("INSERT INTO people VALUES (?, 'x')", [(key,) for key in (*good, *bad)])
    home.run("INSERT INTO people VALUES (CAST(x'D5C5C8FD' AS TEXT), 'x')")
    source = Source(home.open(), "people", "id")
    assert source.inspect(["name"]) == 9
    for size in (1, 2, 3, 20):
        keys = [key for page in source.pages(["name"], size) for key, _ in page]
        assert [key for key in keys if not isinstance(key, UnusableKey)] == list(map(str, good))
        unusable = {key.rule: key for key in keys if isinstance(key, UnusableKey)}
        assert unusable.keys() == {"key_type", "key_characters", "key_length", "key_not_text"}
        assert len(keys) == len(set(keys)) == 9
        assert all(
            key.isascii() and key.isprintable() and len(key) < MAX_KEY for key in unusable.values()
        )
    shards = source.cut(9, 9)
    parts = [
        key
        for shard in shards
        for page in Source(source.database, "people", "id", shard).pages([], 2)
        for (key,) in page
    ]
    assert parts == keys


def test_text_that_is_no_utf_8_is_read_as_such_and_the_rest_of_its_page_too(tmp_path):
    path = tmp_path / "x.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO people VALUES (1, '张三'), (2, 'x'), (3, 'Li')")
        connection.execute("UPDATE people SET name = CAST(x'D5C5C8FD' AS TEXT) WHERE id = 2")
    connection.close()
    source = Source(Database(lambda: sqlite3.connect(path), SQLITE, "here"), "people", "id")
    (page,) = source.pages(["name"], 10)
    assert [str(name) for _, name in page] == ["张三", "<unreadable>", "Li"]
    assert bytes(page[1][1]) == b"\xd5\xc5\xc8\xfd"
    assert source.row(2, ["name"])[0].rule == "not_text"
    assert source.row(3, ["name"]) == ("Li",)
    source.database.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_CN"])
def test_a_postgresql_database_of_another_encoding_is_read_as_far_as_it_is_text(postgres, encoding):
    name = f"keys_{encoding.lower()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        )
    address = psycopg.conninfo.make_conninfo(postgres, dbname=name)
    database = Database(lambda: psycopg.connect(address), POSTGRESQL, "here")
    with database.transaction("preparing") as cursor:
        cursor.execute("CREATE TABLE people (id TEXT, name VARCHAR(9), code CHAR(5))")
        cursor.execute("INSERT INTO people VALUES ('1', %s, %s), ('2', 'Li', 'b')", ["张三", "a"])
        broken = "\\xfefe" if encoding == "EUC_CN" else "\\xd5c5"
        raw = f"convert_from('{broken}', '{encoding}')"
        cursor.execute(f"INSERT INTO people VALUES ('3', {raw}, 'c'), ({raw}, 'Wang', 'd')")
    source = Source(database, "people", "id")
    assert source.inspect(["name", "code"]) == 4
    rows = [row for page in source.pages(["name", "code"], 1) for row in page]
    assert rows[:2] == [("1", "张三", "a    "), ("2", "Li", "b    ")]
    assert rows[2][1].rule == "not_text"
    assert (rows[3][0].rule, rows[3][1]) == ("key_not_text", "Wang")
    database.close()


VIEWS = {
    "postgresql": "SELECT id, convert_from(raw, 'UTF8') AS name FROM people",
    "sqlite": "SELECT id, json_extract(raw, '$.name') AS name FROM people",
    "duckdb": "SELECT id, CAST(raw AS INTEGER) AS name FROM people",
    "mysql": "SELECT id, 9223372036854775807 + CAST(raw AS SIGNED) AS name FROM people",
}
GOOD_AND_BAD = {
    "postgresql": ("'Li'::bytea", "'\\xd5c5'::bytea", "not_text"),
    "sqlite": ('\'{"name": "Li"}\'', "'{'", "not_readable"),
    "duckdb": ("'7'", "'440305 not found'", "not_readable"),
    "mysql": ("'-7'", "'440305'", "not_readable"),
}


@pytest.mark.parametrize("bad", [{5}, {0}, {11}, {3, 4, 5}, {0, 7, 11}], ids=repr)
def test_a_page_that_cannot_be_read_costs_only_the_rows_that_are_the_cause(home, bad):
    good_value, bad_value, rule = GOOD_AND_BAD[home.dialect.name]
    type_ = "BYTEA" if home.dialect is POSTGRESQL else "TEXT"
    home.run(f"CREATE TABLE people (id INTEGER, raw {type_})")
    values = ", ".join(f"({n}, {bad_value if n in bad else good_value})" for n in range(12))
    home.run(f"INSERT INTO people VALUES {values}")
    source = Source(home.open(), VIEWS[home.dialect.name], "id")
    assert source.inspect(["name"]) == 12
    for size in (5, 12, 100):
        rows = [row for page in source.pages(["name"], size) for row in page]
        assert [int(key) for key, _ in rows] == list(range(12))
        assert {int(key) for key, name in rows if getattr(name, "rule", None) == rule} == bad
    row = source.row(next(iter(bad)), ["name"])
    assert row[0].rule == rule
    assert source.row(99, ["name"]) is None


class Rounding:
    """A database whose driver gives back less of a key than there is."""

    def __init__(self, database) -> None:
        self.database = database
        self.dialect, self.label = database.dialect, database.label

    def __getattr__(self, name):
        return getattr(self.database, name)

    def rows(self, sql, parameters=()):
        found = self.database.rows(sql, parameters)
        return [(row[0], row[1] - 0.5, *row[2:]) for row in found]


@homes("sqlite")
def test_a_page_that_is_not_behind_the_one_before_ends_the_reading(home):
    home.run("CREATE TABLE people (id INTEGER)")
    home.run("INSERT INTO people VALUES (1), (2), (3)")
    source = Source(Rounding(home.open()), "people", "id")
    with pytest.raises(ConfigurationError, match=r"is not behind the one before: .* 'id'"):
        list(source.pages([], 1))


def test_moments_are_named_alike_by_python_and_the_database():
    """What an earlier version called a key was Python's text of it."""
    moment = datetime.fromisoformat("2026-10-25T02:30:00.100000+02:00")
    kind = kind_of(POSTGRESQL, "timestamp with time zone")
    assert kind.earlier("2026-10-25 00:30:00.1+00", "2026-10-25T02:30:00.1+02:00") == str(moment)
    assert kind.earlier("infinity", "infinity") == "infinity"
    assert kind_of(POSTGRESQL, "boolean").earlier("true", "true") == str(True)
    assert kind_of(POSTGRESQL, "numeric").earlier("0.0000001", "0.0000001") == "1E-7"
    assert kind_of(POSTGRESQL, "date").earlier is None
