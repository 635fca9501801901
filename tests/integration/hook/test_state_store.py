"""From an Airflow connection to a store that works."""

from __future__ import annotations

import json

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.hooks import state_store as state
from tests.integration.state.conftest import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture
def connection(monkeypatch, request) -> dict[str, object]:
    """An Airflow connection to the server of the tests."""
    url = make_url(request.getfixturevalue("postgres_url"))
    return {
        "conn_type": "postgres",
        "login": url.username,
        "schema": url.database,
        "extra": {
            "sqlalchemy_query": dict(url.query),  # the server listens on a socket only
            "application_name": "of-the-extra",
        },
    }


def test_a_postgresql_connection_leads_to_a_working_store(connection, monkeypatch):
    monkeypatch.setattr(state, "_paces", {})
    monkeypatch.setenv("AIRFLOW_CONN_PACE_STORE", json.dumps(connection))
    pace = state.shared_rate_limiter(
        Settings(Credentials("an-id", "a-key")), "IdCardVerification", "pace_store"
    )
    store = pace._row._store
    try:
        pace.wait()
        with store.transaction() as cursor:
            assert isinstance(cursor, psycopg.Cursor)
            cursor.execute("SELECT name FROM faceid_pace")
            ((name,),) = cursor.fetchall()
            cursor.execute("SHOW application_name")
            assert cursor.fetchall() == [("of-the-extra",)]
        assert "an-id" not in name
    finally:
        store.close()
