"""Options of object stores and catalogs from Airflow connections."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.hooks.lakes import catalog_properties, delta_table, place


@pytest.fixture
def connect(monkeypatch):
    def set_it(conn_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return set_it


AWS = {
    "conn_type": "aws",
    "login": "an-id",
    "password": "a-key",
    "extra": {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:9000"},
}


def test_a_local_path_is_a_folder_of_this_machine(tmp_path):
    for path in (str(tmp_path / "lake"), f"file://{tmp_path}/lake/"):
        found = place(path, None)
        assert (found.is_local, found.root) == (True, f"{tmp_path}/lake")
        assert delta_table(path, None)[0].rstrip("/") == f"{tmp_path}/lake"


def test_a_relative_path_is_a_whole_one(tmp_path, monkeypatch):
    """A store of this machine lists its files by their whole path; others of the same look superfluous."""
    monkeypatch.chdir(tmp_path)
    assert place("lake", None).root == f"{tmp_path}/lake"


def test_an_aws_connection_is_translated_for_each_library(connect):
    connect("store", **AWS)
    assert delta_table("s3://store@lake/results", None) == delta_table("s3://lake/results", "store")
    assert delta_table("s3://lake/results", "store") == (
        "s3://lake/results",
        {
            "AWS_ACCESS_KEY_ID": "an-id",
            "AWS_SECRET_ACCESS_KEY": "a-key",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
            "AWS_ALLOW_HTTP": "true",
        },
    )
    assert catalog_properties({"warehouse": "lake"}, None, "store") == {
        "s3.access-key-id": "an-id",
        "s3.secret-access-key": "a-key",
        "s3.region": "eu-west-1",
        "s3.endpoint": "http://127.0.0.1:9000",
        "warehouse": "lake",
    }


def test_other_connections_hold_the_options_by_their_names(connect):
    connect("store", conn_type="generic", extra={"aws_region": "x", "timeout": 5})
    assert delta_table("s3://store@lake/x", None)[1] == {"aws_region": "x", "timeout": "5"}
    assert delta_table("s3://lake/x", None) == ("s3://lake/x", {})


def test_a_connection_says_where_a_catalog_is_and_how_it_is_entered(connect):
    connect("rest", conn_type="http", host="catalog.test", port=8181, login="me", password="hush")
    assert catalog_properties({"warehouse": "lake"}, "rest", None) == {
        "uri": "https://catalog.test:8181",
        "credential": "me:hush",
        "warehouse": "lake",
    }
    connect("sql", conn_type="generic", extra={"uri": "sqlite:///x", "warehouse": "there"})
    assert catalog_properties({"warehouse": "lake"}, "sql", None) == {
        "uri": "sqlite:///x",
        "warehouse": "lake",
    }
