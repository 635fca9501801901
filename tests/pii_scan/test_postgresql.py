"""The search in PostgreSQL: every schema, and columns that are no text."""

from __future__ import annotations

import base64
import json

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.pii_scan import PiiScan

NUMBER, NAME, PHOTO = "11010119900307889X", "㐅𠀡", bytes(range(256)) * 20
CELLS = {
    "note": ("TEXT", f"asked about {NAME}"),
    "data": ("JSONB", json.dumps({"people": [{"Name": NAME}]})),
    "old": ("JSON", json.dumps(NAME)),
    "photo": ("BYTEA", PHOTO),
    "many": ("TEXT[]", [NUMBER]),
    "body": ("TEXT", base64.b64encode(f'{{"IdCard": "{NUMBER}"}}'.encode()).decode()),
    "masked": ("TEXT", "11**************9X"),
}


@pytest.fixture
def database(postgres: str) -> str:
    """A database of its own with two tables of the same name; gives its address."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE pii_scan")
    url = make_url(postgres).set(database="pii_scan")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute('CREATE SCHEMA "other"')
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in CELLS.items())
        for table in ("xcom", '"other"."xcom"', '"100% of people"'):
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.execute(
                f"INSERT INTO {table.replace('%', '%%')} VALUES ({', '.join(['%s'] * len(CELLS))})",
                [value for _, value in CELLS.values()],
            )
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def test_all_schemas_and_types_are_searched(database):
    pii_scan = PiiScan({"number": NUMBER, "name": NAME, "photo": PHOTO})
    pii_scan.search_database(database, skip=["other.xcom"])
    found = {(hit.place, hit.marker, hit.form) for hit in pii_scan.hits}
    assert found == {
        (f"pii_scan:{table}.{column}", marker, form)
        for table in ("xcom", "100% of people")
        for column, marker, form in (
            ("note", "name", "clear"),
            ("data", "name", "clear"),
            ("old", "name", "clear"),
            ("photo", "photo", "clear"),
            ("many", "number", "clear"),
            ("body", "number", "Base64"),
        )
    }
    assert pii_scan.searched.missed == []
    assert (pii_scan.searched.tables, pii_scan.searched.rows) == (2, 2)
