"""Airflow's operators over MySQL connections, with each client: validate, cut, verify, release, count."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.hooks.warehouses import MYSQL_CLIENTS
from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)
from airflow_provider_faceid.operators.verify_one import FaceIdVerifyOperator
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.integration.operators.conftest import Bench as Operators
from tests.integration.operators.conftest import airflow, make_context
from tests.integration.quality.conftest import great_expectations
from tests.support.mariadb import PASSWORD, USER

__all__ = ["airflow", "great_expectations"]

PEOPLE = {"source_conn_id": "shop", "source": "people"}
BAD = 3


@pytest.fixture(params=MYSQL_CLIENTS)
def shop(request, server, mariadb, home, monkeypatch):
    """Thirty people with photos in a column of bytes, three of them without a name."""
    bench = Operators(server, request.getfixturevalue("tmp_path") / "unused.sqlite", monkeypatch)
    fields = {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": mariadb.port,
        "login": USER,
        "password": PASSWORD,
        "schema": json.loads(home.address)["db"],
        "extra": {"client": request.param},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields))
    gallery = server.account.gallery
    home.run("CREATE TABLE people (id BIGINT, id_card TEXT, name TEXT, photo LONGBLOB)")
    rows = [
        (number, one.id_card, one.name if number >= BAD else None, gallery.submitted(one))
        for number, one in enumerate(bench.ordinary[:30])
    ]
    home.run("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    return home


def test_a_table_goes_through_all_operators(shop, server):
    validated = FaceIdValidateOperator(
        task_id="v", action=ID_CARD, max_bad_fraction=0.5, **PEOPLE
    ).execute(make_context())
    assert validated["good_rows"] == 30 - BAD
    shards = FaceIdShardsOperator(task_id="s", shards=4, **PEOPLE).execute(make_context())
    assert len(shards) == 4
    for shard in shards:
        made = IdCardVerificationBatchOperator(task_id="t", shard=shard, **PEOPLE)
        made.execute(make_context())
    assert server.account.ledger.bill[ID_CARD] == 30 - BAD
    again = IdCardVerificationBatchOperator(task_id="t", **PEOPLE).execute(make_context())
    assert (again["calls"], again["answered"], again["quarantined"]) == (0, 30 - BAD, BAD)
    photos = ImageRecognitionV2BatchOperator(task_id="t", **PEOPLE).execute(make_context())
    assert photos["outcomes"] == {"match": 30 - BAD}
    latest = shop.query(
        "SELECT action, COUNT(*) FROM faceid_latest GROUP BY action ORDER BY action"
    )
    assert [count for _, count in latest] == [30 - BAD, 30 - BAD]
    shop.run(
        "UPDATE faceid_results SET status = 'held' WHERE source_key = '5' AND action = ?",
        [(ID_CARD,)],
    )
    released = FaceIdReleaseOperator(task_id="r", action=ID_CARD, warehouse_conn_id="shop")
    assert released.execute(make_context()) == 1
    ((status, moment),) = shop.query(
        f"SELECT status, not_before FROM faceid_results WHERE source_key = '5' AND action = '{ID_CARD}'"
    )
    assert (status, moment[-6:]) == ("postponed", "+00:00")
    steps = FaceIdFunnelOperator(
        task_id="f", steps=[ID_CARD, "ImageRecognitionV2"], warehouse_conn_id="shop"
    ).execute(make_context())
    assert steps["steps"][0]["reached"] == 30


def test_one_row_of_a_table_is_verified(shop):
    found = FaceIdVerifyOperator(task_id="o", action=ID_CARD, key=7, **PEOPLE).execute(
        make_context()
    )
    assert found["outcome"] == "match"
