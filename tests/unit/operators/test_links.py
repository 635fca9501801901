"""Links lead from a task to its run and its report; a name in them cannot leave its place."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.operators.links import FaceIdReportLink, FaceIdRunLink, push_link
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

RUN_ID = "manual__2026-11-29T10:00:00+00:00&x=<b>"
TI = SimpleNamespace(dag_id="my_dag", run_id=RUN_ID, task_id="verify", map_index=3)


def operator(**more):
    return IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="source", source="people", **more
    )


@pytest.mark.parametrize("base", ["", "/", "http://airflow.example/below/"])
def test_a_run_is_linked_by_its_task_and_warehouse(monkeypatch, base):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    (link,) = operator().operator_extra_links
    url = urlsplit(link.get_link(operator(warehouse_conn_id="wh"), ti_key=TI))
    assert f"{url.scheme}://{url.netloc}{url.path}".endswith(f"{base.rstrip('/')}/faceid/run")
    assert parse_qs(url.query) == {
        "conn": ["wh"],
        "action": ["IdCardVerification"],
        "dag_id": ["my_dag"],
        "run_id": [RUN_ID],
        "map_index": ["3"],
    }
    assert not url.fragment


def test_without_a_warehouse_of_its_own_it_is_that_of_the_source():
    assert "conn=source&" in FaceIdRunLink().get_link(operator(), ti_key=TI)


def test_a_report_is_linked_by_its_task_and_by_no_path():
    url = FaceIdReportLink().get_link(SimpleNamespace(path="/etc/passwd"), ti_key=TI)
    assert parse_qs(urlsplit(url).query) == {
        "dag_id": ["my_dag"],
        "run_id": [RUN_ID],
        "task_id": ["verify"],
        "map_index": ["3"],
    }


def test_a_link_is_there_while_the_task_runs_and_its_fault_stops_nothing():
    pushed = {}
    ti = SimpleNamespace(**vars(TI), xcom_push=lambda *, key, value: pushed.setdefault(key, value))
    push_link(FaceIdRunLink(), operator(), {"ti": ti})
    assert pushed == {"_link_FaceIdRunLink": FaceIdRunLink().get_link(operator(), ti_key=TI)}
    push_link(FaceIdRunLink(), operator(), {"ti": SimpleNamespace()})


def test_links_are_listed_in_the_provider_info():
    listed = get_provider_info()["extra-links"]
    module = "airflow_provider_faceid.operators.links"
    assert listed == [f"{module}.FaceIdReportLink", f"{module}.FaceIdRunLink"]
