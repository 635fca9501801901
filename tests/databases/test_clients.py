"""The three clients of Airflow's MySQL connection: alike in values, names, sessions and errors."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, WarehouseError
from airflow_provider_faceid.hooks.warehouses import MYSQL_CLIENTS, database
from airflow_provider_faceid.warehouse.records import Status, UnusableKey
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.tables import RESULTS, select_by_keys
from tests.integration.warehouse.conftest import create, upsert
from tests.support.mariadb import PASSWORD, USER

SCOPE = {"campaign": "c", "action": "a"}
PLANTED = "阿依古丽 440305199505132561"
EXTRAS = {
    "mysqlclient": {"charset": "latin1", "cursor": "dictcursor"},
    "mysql-connector-python": {},
    "pymysql": {"charset": "latin1", "cursor": "sscursor"},
}
"""What the Extra may say besides: none of it is ours."""


@pytest.fixture(params=MYSQL_CLIENTS)
def client(request):
    return request.param


@pytest.fixture
def connect(client, mariadb, database_name, monkeypatch):
    """Open the database as an operator does."""
    opened = []

    def connect(**changes):
        fields = {
            "conn_type": "mysql",
            "host": "127.0.0.1",
            "port": mariadb.port,
            "login": USER,
            "password": PASSWORD,
            "schema": database_name,
            "extra": {"client": client, **EXTRAS[client]},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields | changes))
        opened.append(database("shop"))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def test_values_come_back_as_they_went(connect):
    shop = connect()
    texts = ["张三 😀", "it's", 'a "b"', "back\\slash", "100%", "%s", "%(x)s", "a\0b", "a\r\nb", ""]
    with shop.transaction("writing") as cursor:
        cursor.execute(
            "CREATE TABLE v (t TEXT, b LONGBLOB, n BIGINT, d DECIMAL(30, 9), y DATE)", ()
        )
        for number, text in enumerate(texts):
            row = (text, bytes(range(256)), number, Decimal("0.000000001"), "2026-11-29")
            cursor.execute("INSERT INTO v VALUES (%s, %s, %s, %s, %s)", row)
    found = shop.rows("SELECT * FROM v ORDER BY n")
    day = date(2026, 11, 29)
    assert found == [
        (text, bytes(range(256)), number, Decimal("0.000000001"), day)
        for number, text in enumerate(texts)
    ]


def test_values_of_our_own_kinds_are_bound_as_text(connect):
    shop = connect()
    key = UnusableKey.named("x" * 600, "key_length")
    assert shop.rows("SELECT %s, %s", [key, Status.HELD]) == [(str(key), "held")]


def test_names_and_percent_signs_are_what_they_are(connect):
    shop, name = connect(), "100%s `%(x)s` %% ?"
    table = shop.dialect.quote(name)
    with shop.transaction("writing") as cursor:
        cursor.execute(f"CREATE TABLE {table} ({table} BIGINT PRIMARY KEY, note VARCHAR(9))", ())
        cursor.execute(f"INSERT INTO {table} VALUES (%s, '5%%')", (1,))
    assert list(Source(shop, name, name).pages(["note"], 5)) == [[("1", "5%")]]
    query = f"SELECT * FROM `{name.replace('`', '``')}` WHERE note LIKE '%\\%'"
    assert list(Source(shop, query, name).pages(["note"], 5)) == [[("1", "5%")]]


def test_the_session_is_ours_whatever_the_extra_says(connect, mariadb):
    mariadb.run("SET GLOBAL time_zone = '+08:00'", "SET GLOBAL sql_mode = 'ANSI'")
    try:
        (row,) = connect().rows(
            "SELECT @@time_zone, @@sql_mode, @@tx_isolation, @@autocommit, @@character_set_client, "
            "@@character_set_results"
        )
    finally:
        mariadb.run("SET GLOBAL time_zone = '+00:00'", "SET GLOBAL sql_mode = DEFAULT")
    zone, mode, isolation, autocommit, *charsets = row
    assert (zone, isolation, autocommit, charsets) == (
        "+00:00",
        "READ-COMMITTED",
        0,
        ["utf8mb4", "utf8mb4"],
    )
    assert "STRICT_ALL_TABLES" in mode
    assert "ANSI" not in mode


def test_results_are_written_replaced_and_found(connect):
    shop = connect()
    create(shop, RESULTS, RESULTS.name)
    moment = "2026-11-29T10:00:00.123+00:00"
    rows = [
        {**SCOPE, "source_key": key, "status": "held", "answered_at": moment, "similarity": 88.5}
        for key in ("a", "A", "a ", "张三")
    ]
    upsert(shop, RESULTS, RESULTS.name, rows)
    upsert(shop, RESULTS, RESULTS.name, [{**rows[1], "status": "answered"}])
    columns = ("source_key", "status", "similarity", "answered_at")
    found = select_by_keys(shop, RESULTS.name, columns, SCOPE, ["a", "A", "a ", "张三", "b"])
    assert sorted((key, status, similarity) for key, status, similarity, _ in found) == [
        ("A", "answered", 88.5),
        ("a", "held", 88.5),
        ("a ", "held", 88.5),
        ("张三", "held", 88.5),
    ]
    assert {at.isoformat(timespec="milliseconds") + "+00:00" for *_, at in found} == {moment}


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("INSERT INTO people VALUES (%s, 'x')", 1366),
        ("INSERT INTO people VALUES (1, REPEAT(%s, 9))", 1406),
        ("INSERT INTO people VALUES (1, %s), (1, 'again')", 1062),
        ("SELECT 9223372036854775807 + LENGTH(%s) FROM people", 1690),
    ],
)
def test_an_error_about_a_value_shows_its_number_and_no_value(connect, statement, number):
    shop = connect()
    with shop.transaction("preparing") as cursor:
        cursor.execute("CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(40))", ())
        cursor.execute("INSERT INTO people VALUES (5, 'x')", ())
    with pytest.raises(WarehouseError) as caught:
        shop.rows(statement, [PLANTED])
    error = caught.value
    assert (error.is_about_data, error.is_transient, error.reason) == (
        True,
        False,
        f"MYSQL_{number}",
    )
    assert PLANTED not in repr(error) + str(error)
    assert "440305" not in str(error)


def test_a_syntax_error_does_not_quote_the_values_behind_it(connect):
    with pytest.raises(WarehouseError, match="SQL syntax") as caught:
        connect().rows("SELECT * FORM people WHERE name = %s", [PLANTED])
    assert "440305" not in str(caught.value)
    assert "at line 1" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"password": "hush-hush"}, r"Access denied .*MYSQL_1045.*Next step: correct login"),
        ({"schema": "nowhere"}, r"Unknown database .*MYSQL_1049.*Next step: correct the name"),
        ({"port": 1}, r"MYSQL_200[23].*Next step: check host and port"),
    ],
    ids=["password", "database", "port"],
)
def test_a_connection_that_cannot_be_opened_says_the_next_step(connect, changes, pattern):
    shop = connect(**changes)
    with pytest.raises(WarehouseError, match=pattern) as caught:
        shop.rows("SELECT 1")
    assert "hush-hush" not in str(caught.value)


def test_a_session_the_server_ended_is_opened_again(connect, mariadb):
    shop = connect()
    for _ in range(2):
        ((number,),) = shop.rows("SELECT CONNECTION_ID()")
        mariadb.run(f"KILL {number}")
        ((other,),) = shop.rows("SELECT CONNECTION_ID()")  # after a pause of a second
        assert other != number


def test_a_client_nobody_knows_is_refused(connect):
    with pytest.raises(
        ConfigurationError, match=r"client 'oracledb' is unknown; it is mysqlclient"
    ):
        connect(extra={"client": "oracledb"})


def test_a_field_that_pymysql_does_not_know_is_refused(connect, client):
    if client != "pymysql":
        return
    shop = connect(extra={"client": client, "unix_sockt": "/x"})
    with pytest.raises(ConfigurationError, match="unknown extra field of client pymysql"):
        shop.rows("SELECT 1")
