"""Templates and ``.sql`` files where users put them, rendered to text and to Python objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG

from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import IdCardVerificationOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

NATIVE = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
PARAMS = {
    "conn": "warehouse",
    "least": 3,
    "column": "id_card",
    "budget": 50,
    "days": 30,
    "dry": False,
    "nothing": None,
    "share": 0.25,
    "key": 4,
}
QUERY = """-- Adults who applied until {{ ds }}; the newest come last.
(
  SELECT id, id_card, name FROM people
  WHERE id >= {{ params.least }}  -- not the first ones
);
-- end
"""


@pytest.fixture
def people(bench):
    rows = [(n, person.id_card, person.name) for n, person in enumerate(bench.ordinary[:8])]
    bench.fill(rows)
    return bench


def rendered(tmp_path, native, operator, **given):
    """Return a task as it is just before it is executed."""
    with DAG(
        "dag",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        template_searchpath=str(tmp_path),
        render_template_as_native_obj=native,
    ):
        task = operator(task_id="t", **given)
    task.render_template_fields({"params": PARAMS, "ds": "2026-11-28", "macros": None})
    return task


@NATIVE
def test_a_table_is_verified_as_a_sql_file_and_templates_say(people, context, tmp_path, native):
    (tmp_path / "applicants.sql").write_text(QUERY)
    task = rendered(
        tmp_path,
        native,
        IdCardVerificationBatchOperator,
        source_conn_id="{{ params.conn }}",
        source="applicants.sql",
        id_card_column="{{ params.column }}",
        campaign="{{ params.nothing }}",
        warehouse_conn_id="{{ params.nothing }}",
        max_charged="{{ params.budget }}",
        max_changed="{{ params.share }}",
        min_rows="{{ params.least }}",
        dry_run="{{ params.dry }}",
        valid_for="P{{ params.days }}D",
        reuse_within="{{ params.nothing }}",
        on_incomplete="{{ 'fail' }}",
        skip_rules=["{{ 'name_missing_text' }}"],
    )
    manifest = task.execute(context)
    assert (manifest["rows_in"], manifest["answered"], manifest["charged"]) == (5, 5, 5)
    assert manifest["campaign"] == "dag"
    assert task.valid_for == timedelta(days=30)
    assert (task.max_charged, task.is_dry_run) == (50, False)


@NATIVE
def test_a_template_of_another_kind_fails_before_any_call(people, context, tmp_path, native):
    task = rendered(
        tmp_path,
        native,
        IdCardVerificationBatchOperator,
        source_conn_id="warehouse",
        source="people",
        max_charged="{{ params.column }}",
        dry_run="{{ params.share }}",
    )
    with pytest.raises(AirflowFailException, match="max_charged='id_card': it is a whole number"):
        task.execute(context)
    assert people.calls == 0


@NATIVE
def test_the_other_operators_read_files_and_templates_likewise(people, context, tmp_path, native):
    (tmp_path / "applicants.sql").write_text(QUERY)
    source = {"source_conn_id": "{{ params.conn }}", "source": "applicants.sql"}
    validate = rendered(
        tmp_path, native, FaceIdValidateOperator, max_bad_fraction="{{ params.share }}", **source
    )
    assert validate.execute(context)["rows"] == 5
    plan = rendered(tmp_path, native, FaceIdShardsOperator, shards="{{ params.least }}", **source)
    assert len(plan.execute(context)) == 3
    one = rendered(tmp_path, native, IdCardVerificationOperator, key="{{ params.key }}", **source)
    assert one.execute(context)["outcome"] == "match"


def test_default_args_and_partial_know_every_parameter(people):
    with DAG(
        "dag",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        default_args={"source_conn_id": "warehouse", "max_charged": 7, "faceid_conn_id": "other"},
    ):
        task = IdCardVerificationBatchOperator(task_id="one", source="people")
        mapped = IdCardVerificationBatchOperator.partial(
            task_id="many", source="people", max_in_flight=3
        ).expand(shard=[{"after": None, "until": None}])
        with pytest.raises(TypeError, match="max_chraged"):
            IdCardVerificationBatchOperator.partial(task_id="x", max_chraged=3)
    assert (task.source_conn_id, task.max_charged, task.faceid_conn_id) == ("warehouse", 7, "other")
    assert mapped.partial_kwargs["max_in_flight"] == 3
