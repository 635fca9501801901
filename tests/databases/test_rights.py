"""Rights of MariaDB: what may be done with which, and what is said without."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, WarehouseError
from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import BACKOFF_SECONDS, MYSQL, Database
from airflow_provider_faceid.warehouse.tables import check_writable
from tests.integration.warehouse.test_database import QuickClock
from tests.support import loader
from tests.support.mariadb import PASSWORD, MariaDB


@pytest.fixture
def as_user(mariadb, database_name):
    """Open the database as a user with some rights."""
    opened = []

    def as_user(rights):
        name = f"u{len(opened)}_{database_name}"
        mariadb.run(
            f"CREATE USER {name}@localhost IDENTIFIED BY '{PASSWORD.replace(chr(39), chr(39) * 2)}'",
            f"GRANT {rights} ON {database_name}.* TO {name}@localhost",
        )
        address = json.dumps({**json.loads(mariadb.address(database_name)), "user": name})
        opened.append(Database(lambda: MariaDB.open(address), MYSQL, "here"))
        return opened[-1]

    yield as_user
    for one in opened:
        one.close()


def test_a_source_takes_the_right_to_read(home, as_user):
    home.table("people", ["id", "name"], [(1, "one")])
    assert list(Source(as_user("SELECT"), "people", "id").pages(["name"], 5)) == [[("1", "one")]]


def test_tables_that_may_not_be_made_name_the_rights(as_user):
    with pytest.raises(
        ConfigurationError,
        match=r"CREATE command denied .*MYSQL_1142.*need SELECT, INSERT, .*CREATE",
    ):
        prepare(as_user("SELECT, INSERT, UPDATE, DELETE"), Names())


def test_the_rights_the_page_names_are_enough(home, as_user):
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, CREATE VIEW"
    database = as_user(rights)
    prepare(database, Names())
    assert database.rows("SELECT COUNT(*) FROM faceid_latest") == [(0,)]


def test_a_warehouse_that_may_only_be_read_is_noticed_before_a_call(home, as_user):
    loader.make_tables(home.address)
    database = as_user("SELECT")
    with pytest.raises(WarehouseError, match="MYSQL_1142"), database.transaction("x") as cursor:
        check_writable(cursor, database, ["faceid_results"])


def test_a_lock_somebody_holds_is_waited_for_and_may_pass(home):
    home.run("CREATE TABLE people (id BIGINT PRIMARY KEY)")
    home.run("INSERT INTO people VALUES (1)")
    holder, clock = home.open(), QuickClock()
    other = Database(lambda: MariaDB.open(home.address), MYSQL, "here", clock)
    with other.transaction("waiting less") as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1", ())
    with holder.transaction("holding") as cursor:
        cursor.execute("UPDATE people SET id = 2", ())
        with pytest.raises(WarehouseError, match="MYSQL_1205") as caught:
            other.run("changing", lambda also: also.execute("UPDATE people SET id = 3", ()))
    assert caught.value.is_transient
    assert clock.pauses == list(BACKOFF_SECONDS)
    other.close()
