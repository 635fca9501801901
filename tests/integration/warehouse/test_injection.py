"""SQL in names and values stays a name or a value, in every database."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError
from airflow_provider_faceid.warehouse.result_changes import update
from airflow_provider_faceid.warehouse.sources.source import Source
from airflow_provider_faceid.warehouse.sql.database import MYSQL
from airflow_provider_faceid.warehouse.tables import RESULTS, select_by_keys

from .conftest import create, remove, upsert

SCOPE = {"campaign": "c", "action": "IdCardVerification"}
HOSTILE = {
    "end of a name": 'people"; DROP TABLE victims; --',
    "end of a text": "people'; DROP TABLE victims; --",
    "end of a bracket": 'people") AS x; DROP TABLE victims; --',
    "a second table": 'people" UNION SELECT * FROM "victims',
    "a comment": "people -- ",
    "a marker": "people ? %s %(x)s; DROP TABLE victims",
    "a line break": "people\r\n; DROP TABLE victims; --",
    "a backslash": 'people\\"; DROP TABLE victims; --',
    "NUL": 'people"\0; DROP TABLE victims; --',
}


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE)
def hostile(request) -> str:
    return request.param


@pytest.fixture
def people(home):
    home.table("victims", ["id", "name"], [(1, "still here")])
    home.table("people", ["id", "name"], [(1, "one"), (2, "two")])
    yield home
    assert home.query("SELECT name FROM victims") == [("still here",)]
    assert home.query("SELECT COUNT(*) FROM people") == [(2,)]


@pytest.mark.source
@pytest.mark.parametrize("place", ["table", "key", "column"])
def test_a_name_in_a_source_is_one_that_is_not_there(people, hostile, place):
    table, key, column = (
        hostile if place == one else name
        for one, name in (("table", "people"), ("key", "id"), ("column", "name"))
    )
    with pytest.raises(ConfigurationError):
        Source(people.open(), table, key).inspect([column])


@pytest.mark.source
def test_a_key_is_one_nobody_has(people, hostile):
    """Or none at all, where a key is a number."""
    source = Source(people.open(), "people", "name")
    try:
        assert source.row(hostile, ["id"]) is None
    except FaceIdError as error:
        assert "\0" in hostile and people.dialect.name == "postgresql", error  # noqa: PT017, PT018


def test_a_table_of_ours_has_that_name_or_is_refused(people, hostile):
    database = people.open()
    row = {**SCOPE, "source_key": "1", "status": "held"}
    try:
        create(database, RESULTS, hostile)
        upsert(database, RESULTS, hostile, [row])
        assert update(database, hostile, {"status": "x"}, "source_key = ?", ["1"]) == 1
        assert select_by_keys(database, hostile, ("status",), SCOPE, ["1"]) == [("x",)]
        remove(database, hostile, "source_key = ?", ["1"])
    except FaceIdError as error:
        # A name of MySQL ends with no blank.
        is_no_name = people.dialect is MYSQL and hostile.endswith(" ")
        assert "\0" in hostile or is_no_name, error  # noqa: PT017


def test_values_are_kept_as_they_are(people, hostile):
    database = people.open()
    create(database, RESULTS, RESULTS.name)
    scope = {"campaign": hostile, "action": hostile}
    try:
        upsert(database, RESULTS, RESULTS.name, [{**scope, "source_key": hostile}])
    except FaceIdError as error:
        assert "\0" in hostile, error  # noqa: PT017
    else:
        found = select_by_keys(database, RESULTS.name, ("source_key",), scope, [hostile])
        assert found == [(hostile,)]
