"""What each operator tells OpenLineage: datasets, schemas, column lineage, counts, assertions; no values."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("airflow.providers.openlineage")

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import BaseHook
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_new_uuid

from airflow_provider_faceid.operators import _flows
from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
from airflow_provider_faceid.operators.export import FaceIdExportOperator
from airflow_provider_faceid.operators.forget import FaceIdForgetOperator
from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.reconcile import FaceIdReconcileOperator
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.review_queue import (
    FaceIdOpenReviewsOperator,
    FaceIdQueueReviewsOperator,
)
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import IdCardVerificationOperator
from airflow_provider_faceid.operators.verify_batch import (
    BankCard4EVerificationBatchOperator,
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)
from airflow_provider_faceid.operators.views import FaceIdViewsOperator
from airflow_provider_faceid.pii_scan.matcher import Matcher
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.warehouse.tables import RESULTS
from airflow_provider_faceid.warehouse.views.definitions import VIEWS
from tests.integration.operators.conftest import make_context
from tests.support.openlineage_schemas import faults
from tests.unit.operators.conftest import OPERATORS

PEOPLE = 12
SOURCE = {"source_conn_id": "warehouse", "source": "people"}
HERE = {"warehouse_conn_id": "warehouse"}


def event_of(lineage) -> dict:
    """Return the event that Airflow's provider would send, as JSON."""
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime="2026-11-28T08:00:00.000000Z",
        run=Run(str(generate_new_uuid())),
        job=Job("default", "dag.task"),
        producer="https://example.com/tests",
        inputs=lineage.inputs,
        outputs=lineage.outputs,
    )
    return json.loads(Serde.to_json(event))


def _nobody(*_):
    """Stand for Airflow where it must not be asked, as in the forked process of the provider."""
    raise AssertionError


class Told:
    """What an operator told before it ran and after it."""

    def __init__(self, operator, *, fails: bool = False) -> None:
        context = make_context(task=operator)
        operator.render_template_fields(context)  # what Airflow does before the start is told
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseHook, "get_connection", _nobody)
            self.events = [event_of(operator.get_openlineage_facets_on_start())]
        try:
            operator.execute(context)
        except AirflowException:
            assert fails
            tell = operator.get_openlineage_facets_on_failure
        else:
            tell = operator.get_openlineage_facets_on_complete
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseHook, "get_connection", _nobody)
            lineage = tell(None)
        self.events.append(event_of(lineage))
        for event in self.events:
            assert [*faults(event)] == []

    def names(self, side: str, *, at_start: bool = False) -> list[str]:
        return [one["name"] for one in self.events[0 if at_start else 1][side]]

    def dataset(self, side: str, name: str) -> dict:
        return next(one for one in self.events[1][side] if one["name"] == name)

    def rows(self, name: str) -> int:
        return self.dataset("outputs", name)["outputFacets"]["outputStatistics"]["rowCount"]

    def read(self, name: str) -> int:
        return self.dataset("inputs", name)["inputFacets"]["inputStatistics"]["rowCount"]

    def feeds(self, name: str) -> dict[str, list[tuple[str, str, str, bool]]]:
        fields = self.dataset("outputs", name)["facets"]["columnLineage"]["fields"]
        return {
            column: [
                (one["name"], one["field"], how["subtype"], how["masking"])
                for one in field["inputFields"]
                for how in one["transformations"]
            ]
            for column, field in fields.items()
        }

    def assertions(self, name: str) -> dict[str, dict]:
        facets = [one["inputFacets"] for one in self.events[1]["inputs"] if one["name"] == name]
        return {
            one["assertion"]: one
            for facet in facets
            for one in facet.get("dataQualityAssertions", {"assertions": []})["assertions"]
        }


@pytest.fixture
def people(bench):
    people = bench.ordinary[:PEOPLE]
    rows = [(key, one.id_card, one.name) for key, one in enumerate(people)]
    rows[3] = (3, "11010119900307", people[3].name)  # too short
    bench.fill(rows)
    return people


def verify(**changes):
    return IdCardVerificationBatchOperator(
        task_id="verify", **SOURCE | {"on_incomplete": "ignore"} | changes
    )


def test_a_verified_table_feeds_results_history_and_quarantine(bench, people):
    told = Told(verify())
    assert told.names("inputs") == ["main.people", "main.faceid_quarantine"]
    outputs = ["results", "history", "quarantine", "runs"]
    assert told.names("outputs") == [f"main.faceid_{name}" for name in outputs]
    assert told.names("outputs", at_start=True) == told.names("outputs")
    namespaces = {one["namespace"] for one in told.events[1]["inputs"] + told.events[1]["outputs"]}
    assert namespaces == {f"sqlite://{bench.warehouse}"}
    assert told.read("main.people") == PEOPLE
    assert told.rows("main.faceid_results") == told.rows("main.faceid_history") == PEOPLE - 1
    assert told.rows("main.faceid_quarantine") == 1
    for name in outputs:
        ((found,),) = bench.query(f"SELECT COUNT(*) FROM faceid_{name}")
        assert told.rows(f"main.faceid_{name}") == found


def test_only_hashes_masks_and_verdicts_are_made_of_identity_columns(people):
    feeds = Told(verify(key_column="id")).feeds("main.faceid_results")
    assert feeds["source_key"] == [("main.people", "id", "IDENTITY", False)]
    card, name = (("main.people", column, "TRANSFORMATION", True) for column in ("id_card", "name"))
    assert feeds["id_card_hash"] == feeds["id_card_masked"] == [card]
    assert sorted(feeds["question_hash"]) == sorted(feeds["outcome"]) == [card, name]
    assert {
        column
        for column in feeds
        if column != "source_key"
        for *_, masked in feeds[column]
        if not masked
    } == set()


def test_each_action_has_its_own_columns(bench):
    people = bench.ordinary[:3]
    bench.applicants(people)
    told = Told(
        BankCard4EVerificationBatchOperator(task_id="verify", **SOURCE | {"source": "applicants"})
    )
    feeds = told.feeds("main.faceid_results")
    assert feeds["bank_card_hash"] == [("main.applicants", "bank_card", "TRANSFORMATION", True)]
    assert feeds["phone_masked"] == [("main.applicants", "phone", "TRANSFORMATION", True)]
    faces = Told(
        ImageRecognitionV2BatchOperator(task_id="faces", **SOURCE | {"source": "applicants"})
    )
    assert ("main.applicants", "photo", "TRANSFORMATION", True) in faces.feeds(
        "main.faceid_results"
    )["similarity"]


def test_a_second_run_writes_nothing_and_says_so(people):
    verify().execute(make_context())
    told = Told(verify())
    assert told.read("main.people") == PEOPLE
    assert told.rows("main.faceid_results") == told.rows("main.faceid_history") == 0


def test_a_dry_run_writes_its_run_only(people):
    told = Told(verify(dry_run=True))
    assert told.names("outputs") == ["main.faceid_runs"]


def test_a_query_has_the_tables_behind_it_and_no_text(bench, people):
    bench.query("CREATE TABLE branches (branch TEXT, id INTEGER)")
    bench.query("INSERT INTO branches SELECT 'north', id FROM people")
    query = (
        "SELECT p.id AS applicant, p.id_card, upper(p.name) AS name FROM people p "
        f"JOIN branches b ON b.id = p.id WHERE b.branch = 'north' AND p.name <> '{people[5].name}'"
    )
    told = Told(verify(source=query, key_column="applicant"))
    assert sorted(told.names("inputs")) == [
        "main.branches",
        "main.faceid_quarantine",
        "main.people",
    ]
    feeds = told.feeds("main.faceid_results")
    assert feeds["source_key"] == [("main.people", "id", "IDENTITY", False)]
    assert {field for _, field, *_ in feeds["question_hash"]} == {"id_card", "name"}
    assert people[5].name not in json.dumps(told.events, ensure_ascii=False)
    assert "north" not in json.dumps(told.events)
    assert "inputStatistics" not in told.dataset("inputs", "main.people").get("inputFacets", {})


def test_a_query_with_a_star_has_the_columns_of_its_table(people):
    told = Told(verify(source="SELECT * FROM people WHERE id < 5"))
    assert told.feeds("main.faceid_results")["source_key"] == [
        ("main.people", "id", "IDENTITY", False)
    ]
    assert told.read("main.people") == 5


def test_a_validation_asserts_each_rule_with_its_counts(people):
    told = Told(FaceIdValidateOperator(task_id="validate", max_bad_fraction=1, **SOURCE))
    assert told.names("outputs") == ["main.faceid_quarantine", "main.faceid_checks"]
    assert told.rows("main.faceid_quarantine") == 1
    asserted = told.assertions("main.people")
    assert len(asserted) > 5
    broken = {rule for rule, one in asserted.items() if not one["success"]}
    assert broken == {"id_card_length"}
    found = asserted["id_card_length"]
    assert (found["column"], found["severity"], found["actual"]) == (
        "id_card",
        "error",
        "1 rows do not",
    )
    assert told.feeds("main.faceid_quarantine")["source_key"] == [
        ("main.people", "id", "IDENTITY", False)
    ]


def test_a_validation_that_fails_tells_why(people):
    told = Told(
        FaceIdValidateOperator(task_id="validate", max_bad_fraction=0, **SOURCE), fails=True
    )
    assert not told.assertions("main.people")["id_card_length"]["success"]


def test_results_are_asserted_where_they_are_checked(bench, people):
    told = Told(verify(check_results=True))
    assert "main.faceid_checks" in told.names("outputs")
    inside = told.assertions("main.faceid_results")
    own = Told(FaceIdCheckResultsOperator(task_id="check", action=ID_CARD, campaign="dag", **HERE))
    assert own.assertions("main.faceid_results").keys() <= inside.keys()
    assert len(inside) > 5
    assert all(one["success"] for one in inside.values())
    assert own.read("main.faceid_results") == PEOPLE - 1


def test_views_are_made_of_the_columns_behind_them(people):
    verify().execute(make_context())
    prices = [{"action": ID_CARD, "price": 0.1, "currency": "USD"}]
    told = Told(FaceIdViewsOperator(task_id="views", price_list=prices, **HERE))
    assert told.names("outputs") == [f"main.faceid_{view.name}" for view in VIEWS] + [
        "main.faceid_prices"
    ]
    assert told.rows("main.faceid_prices") == 1
    latest = told.feeds("main.faceid_latest")
    assert latest["outcome"] == [("main.faceid_results", "outcome", "IDENTITY", False)]
    assert latest.keys() >= {*RESULTS.columns} - {"status", "not_before"}
    daily = told.feeds("main.faceid_daily")
    assert ("main.faceid_history", "id_card_hash", "TRANSFORMATION", False) in daily["people"]
    for view in VIEWS:
        assert told.feeds(f"main.faceid_{view.name}").keys() <= view.columns.keys()


def test_an_export_copies_each_column(bench, people, tmp_path):
    verify().execute(make_context())
    told = Told(FaceIdExportOperator(task_id="export", path=str(tmp_path / "lake"), **HERE))
    target = str(tmp_path / "lake")
    assert told.dataset("outputs", target)["namespace"] == "file"
    assert told.rows(target) == told.read("main.faceid_results") == PEOPLE - 1
    feeds = told.feeds(target)
    assert feeds["outcome"] == [("main.faceid_results", "outcome", "IDENTITY", False)]
    assert feeds.keys() >= RESULTS.columns.keys()


def test_reports_bills_and_releases_have_their_datasets(bench, people, tmp_path):
    verify().execute(make_context())
    path = str(tmp_path / "report.html")
    told = Told(FaceIdReportOperator(task_id="report", path=path, campaign="dag", **HERE))
    assert told.names("outputs") == [path, path.replace(".html", ".json")]
    assert {"main.faceid_results", "main.faceid_costs"} <= {*told.names("inputs")}
    ((day, charged),) = bench.query(
        "SELECT verified_date, SUM(charged) FROM faceid_history GROUP BY 1"
    )
    bill = [{"day": day, "action": ID_CARD, "charged": charged + 1}]
    told = Told(FaceIdReconcileOperator(task_id="bill", bill=bill, on_difference="ignore", **HERE))
    assert told.names("inputs") == ["main.faceid_charges", "main.faceid_in_doubt"]
    assert told.rows("main.faceid_reconciliation") == 1
    bench.query(
        "UPDATE faceid_results SET status = 'held', outcome = 'uncertain' WHERE source_key IN ('1', '2')"
    )
    told = Told(FaceIdReleaseOperator(task_id="release", action=ID_CARD, campaign="dag", **HERE))
    assert told.rows("main.faceid_results") == 2
    told = Told(FaceIdFunnelOperator(task_id="funnel", steps=[ID_CARD], campaign="dag", **HERE))
    assert told.names("inputs") == [
        f"main.faceid_{name}" for name in ("results", "quarantine", "runs")
    ]
    assert told.names("outputs") == []


def test_reviews_and_erasures_have_their_datasets(people):
    verify().execute(make_context())
    told = Told(FaceIdQueueReviewsOperator(task_id="queue", action=ID_CARD, campaign="dag", **HERE))
    assert told.names("outputs") == ["main.faceid_reviews", "main.faceid_review_log"]
    assert told.rows("main.faceid_reviews") == 0
    told = Told(FaceIdOpenReviewsOperator(task_id="open", campaign="dag", **HERE))
    assert told.names("inputs") == ["main.faceid_reviews"]
    told = Told(FaceIdForgetOperator(task_id="forget", source_keys=["1"], **HERE))
    assert told.names("outputs")[-1] == "main.faceid_erasures"
    assert '"1"' not in json.dumps(told.events)


def test_every_operator_has_its_lineage():
    for operator in OPERATORS:
        assert callable(getattr(_flows, operator.lineage_kind)), operator


def test_single_calls_and_plans_read_the_source(people):
    one = IdCardVerificationOperator(task_id="one", key=1, **SOURCE)
    assert Told(one).names("inputs") == ["main.people"]
    literal = IdCardVerificationOperator(
        task_id="one", id_card=people[1].id_card, name=people[1].name
    )
    assert Told(literal).events[1]["inputs"] == []
    assert Told(FaceIdShardsOperator(task_id="plan", **SOURCE)).names("inputs") == ["main.people"]


def test_a_parameter_that_cannot_be_read_has_no_lineage(people):
    operator = verify(min_rows="{{ nothing }}")
    assert operator.get_openlineage_facets_on_start() is None


def test_no_value_of_a_row_is_in_any_event(bench, people, tmp_path):
    markers = {
        f"{kind} {n}": value
        for n, one in enumerate(people)
        for kind, value in one.columns().items()
    }
    keys = [f"marked-key-{n}" for n in range(PEOPLE)]
    bench.query("CREATE TABLE keyed (id TEXT, id_card TEXT, name TEXT)")
    for key, one in zip(keys, people, strict=True):
        bench.query(f"INSERT INTO keyed VALUES ('{key}', '{one.id_card}', '{one.name}')")
    source = {"source_conn_id": "warehouse", "source": "keyed"}
    told = [
        Told(FaceIdValidateOperator(task_id="validate", **source)),
        Told(verify(source="keyed", check_results=True)),
        Told(FaceIdViewsOperator(task_id="views", **HERE)),
        Told(
            FaceIdReleaseOperator(
                task_id="release",
                action=ID_CARD,
                campaign="dag",
                source_keys=keys[:1],
                on_nothing_released="ignore",
                **HERE,
            )
        ),
        Told(IdCardVerificationOperator(task_id="one", key=keys[2], **source)),
    ]
    text = json.dumps([one.events for one in told], ensure_ascii=False)
    matcher = Matcher(markers | {key: key for key in keys})
    assert [*matcher.find(text.encode())] == []
    assert [*matcher.find(f"{text}{people[4].id_card}{keys[3]}".encode())]  # it would find them


@pytest.mark.parametrize(
    "source", ["{0}/*.csv", "SELECT * FROM read_csv('{0}/*.csv', all_varchar = true)"]
)
def test_files_are_datasets(bench, people, tmp_path, source):
    bench.connect("files", conn_type="duckdb")
    lines = ["id,id_card,name", *(f"{n},{one.id_card},{one.name}" for n, one in enumerate(people))]
    (tmp_path / "people.csv").write_text("\n".join(lines))
    read = {"source_conn_id": "files", "source": source.format(tmp_path)}
    told = Told(verify(**read, warehouse_conn_id="warehouse"))
    name = f"{tmp_path}/*.csv"
    assert told.dataset("inputs", name)["namespace"] == "file"
    assert told.read(name) == PEOPLE
    assert told.feeds("main.faceid_results")["source_key"] == [(name, "id", "IDENTITY", False)]
