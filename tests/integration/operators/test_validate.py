"""The validation before any money is spent."""

from __future__ import annotations

import json
import sqlite3
from base64 import encodebytes
from collections import Counter
from contextlib import closing

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset

from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}


@pytest.fixture
def table(bench):
    """Ten people, two of them bad: a number too short and no name."""
    bench.fill([(n, p.id_card, p.name) for n, p in enumerate(bench.ordinary[:10])])
    bench.query("UPDATE people SET id_card = SUBSTR(id_card, 2) WHERE id = 3")
    bench.query("UPDATE people SET name = NULL WHERE id = 5")
    return bench


def validate(context, **more):
    return FaceIdValidateOperator(task_id="validate", **(PEOPLE | more)).execute(context)


def quarantine(bench):
    return bench.query("SELECT source_key, rule, stage FROM faceid_quarantine ORDER BY 1, 2")


def test_bad_rows_go_to_quarantine_and_the_batch_skips_them(table, context):
    report = validate(context, max_bad_fraction=0.2)
    assert (report["rows"], report["good_rows"], report["quarantined_rows"]) == (10, 8, 2)
    assert report["success"] is True
    assert quarantine(table) == [
        ("3", "id_card_length", "validate"),
        ("5", "name_missing", "validate"),
    ]
    manifest = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    assert (manifest["calls"], manifest["answered"], manifest["quarantined"]) == (8, 8, 2)
    assert table.calls == 8


def test_rows_that_cannot_be_read_or_named_go_to_quarantine_and_the_batch_skips_them(
    bench, context
):
    people = bench.ordinary[:6]
    keys = ["1", "2", "'3'", "x" * 9000, "a\0b", "6"]
    with closing(sqlite3.connect(bench.warehouse)) as connection, connection:
        connection.execute("CREATE TABLE people (id TEXT, id_card TEXT, name TEXT)")
        rows = [(key, p.id_card, p.name) for key, p in zip(keys, people, strict=True)]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    bench.query("UPDATE people SET name = CAST(x'D5C5C8FD' AS TEXT) WHERE id = '2'")
    report = validate(context, max_bad_fraction=0.5, page_size=2)
    rules = {"not_text": 1, "key_length": 1, "key_characters": 1}
    assert report["unusable_by_rule"] == rules
    assert (report["rows"], report["good_rows"], report["quarantined_rows"]) == (6, 3, 3)
    found = quarantine(bench)
    assert Counter(rule for _, rule, _ in found) == rules
    manifest = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    assert (manifest["answered"], manifest["quarantined_by_rule"]) == (3, rules)
    assert quarantine(bench) == found
    with pytest.raises(AirflowFailException, match=r"3 of 6 rows are bad .* \(1 row\)"):
        validate(context, max_bad_fraction=0.4)


def test_too_many_bad_rows_fail_at_once_after_the_counts_were_pushed(table, context):
    outlet = Asset("people")
    with pytest.raises(
        AirflowFailException, match=r"2 of 10 rows are bad \(20.0%, allowed 19.0%\)"
    ):
        validate(context, max_bad_fraction=0.19, outlets=[outlet])
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["success"], pushed["quarantined_rows"]) == (False, 2)
    assert len(quarantine(table)) == 2
    assert table.calls == 0


def test_a_validation_that_cannot_be_made_leaves_a_report_that_says_why(table, context):
    with pytest.raises(AirflowFailException) as error:
        validate(context, min_rows=11)
    pushed = context["ti"].pushed["return_value"]
    assert (pushed["success"], pushed["rows"], pushed["error"]) == (False, 0, str(error.value))


def test_results_hold_counts_only(table, context, told):
    outlet = Asset("people")
    report = validate(context, max_bad_fraction=1, outlets=[outlet])
    texts = [
        json.dumps(facts, ensure_ascii=False)
        for facts in (report, context["outlet_events"][outlet].extra)
    ]
    assert len(texts[0]) < 2000
    for person in table.ordinary[:10]:
        for text in (*texts, told()):
            assert person.id_card[1:] not in text
            assert person.name not in text


def test_mended_rows_leave_the_quarantine_at_the_next_validation(table, context):
    validate(context, max_bad_fraction=1)
    table.query("UPDATE people SET name = '王小明' WHERE id = 5")
    table.query("UPDATE people SET name = NULL WHERE id = 7")
    validate(context, max_bad_fraction=1)
    assert [(key, rule) for key, rule, _ in quarantine(table)] == [
        ("3", "id_card_length"),
        ("7", "name_missing"),
    ]
    other = validate(context, campaign="other", max_bad_fraction=1)
    assert other["quarantined_rows"] == 2
    assert len(quarantine(table)) == 4


@pytest.mark.parametrize("page_size", [1, 3, 10])
def test_pages_of_any_size_give_the_same_report(table, context, page_size):
    report = validate(context, max_bad_fraction=1, page_size=page_size)
    assert report["quarantined_rows"] == 2
    assert {c["rule"]: c["unexpected"] for c in report["expectations"] if c["unexpected"]} == {
        "id_card_length": 1,
        "name_missing": 1,
    }


def test_format_only_lets_a_wrong_check_digit_pass(bench, context):
    bench.fill([(1, "440305199505132562", "Li Si")])
    assert validate(context, id_card_check="format")["quarantined_rows"] == 0
    with pytest.raises(AirflowFailException, match="rule 'id_card_check_digit' \\(1 row\\)"):
        validate(context)


def test_the_validation_reads_numbers_as_strictly_as_the_connection_says(bench, context):
    person = bench.ordinary[0]
    bench.fill([(1, "440305199505132562", "Li Si"), (2, person.id_card, person.name)])
    bench.faceid(extra={"id_card_check": "format"})
    assert validate(context)["quarantined_rows"] == 0
    manifest = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    assert manifest["calls"] == 2  # the service refuses the first, at no charge
    strict = validate(context, id_card_check="strict", max_bad_fraction=1)
    assert strict["quarantined_rows"] == 1


def test_a_validation_needs_no_connection_to_the_service(table, context):
    report = validate(context, faceid_conn_id="not_there", max_bad_fraction=1)
    assert report["quarantined_rows"] == 2


def test_somebody_called_null_is_asked_about_once_the_rule_is_switched_off(bench, context):
    people = bench.ordinary[:4]
    called = ["NULL", "nan", people[2].name, "<NA>"]
    bench.fill([(n, p.id_card, called[n]) for n, p in enumerate(people)])
    validate(context, max_bad_fraction=1)
    found = "name_missing_text", "validate"
    assert quarantine(bench) == [("0", *found), ("1", *found), ("3", *found)]
    off = {"skip_rules": ["name_missing_text"]}
    verify = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE)
    assert verify.execute(context)["calls"] == 1
    assert validate(context, max_bad_fraction=1, **off)["quarantined_rows"] == 1
    assert quarantine(bench) == [("3", "name_characters", "validate")]
    verify = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE, **off)
    assert verify.execute(context)["answered"] == 3
    assert bench.calls == 3


def test_a_rule_that_cannot_be_switched_off_is_refused_before_anything_is_read(table, context):
    for operator in (FaceIdValidateOperator, IdCardVerificationBatchOperator):
        with pytest.raises(AirflowFailException, match="'name_length' is no rule that can be"):
            operator(task_id="x", **PEOPLE, skip_rules=["name_length"]).execute(context)
    assert table.calls == 0


def test_names_numbers_and_photos_as_they_come_pass_the_validation_and_match(bench, context):
    gallery = bench.server.account.gallery
    people = [p for p in bench.ordinary if "·" in p.name][:2] + bench.ordinary[:2]
    wrapped = encodebytes(gallery.submitted(people[1])).decode()
    bench.fill(
        [
            (0, f"\ufeff{people[0].id_card}", people[0].name.replace("·", "\u1427"), wrapped),
            (1, f"\u202d{people[1].id_card}\u202c", f"\u200b{people[1].name}", f"\n{wrapped}"),
            (2, people[2].id_card, people[2].name, None),
            (3, people[3].id_card, people[3].name, wrapped[: len(wrapped) // 8 * 4]),
        ]
    )
    report = validate(context, action="ImageRecognitionV2", max_bad_fraction=1)
    found = [("2", "photo_missing", "validate"), ("3", "photo_truncated", "validate")]
    assert (report["quarantined_rows"], quarantine(bench)) == (2, found)
    verify = ImageRecognitionV2BatchOperator(task_id="verify", **PEOPLE)
    assert verify.execute(context)["calls"] == 2
    outcomes = bench.query("SELECT source_key, outcome FROM faceid_results ORDER BY 1")
    assert outcomes[1] == ("1", "match")


def test_photos_behind_paths_are_judged_whole_if_asked_for(bench, context, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    people = bench.ordinary[:4]
    good = bench.server.account.gallery.submitted(people[0])
    for name, photo in {"good.jpg": good, "half.jpg": good[: len(good) // 2]}.items():
        (tmp_path / name).write_bytes(photo)
    paths = [f"{tmp_path}/good.jpg", f"{tmp_path}/half.jpg", "/etc/hostname", "NULL"]
    bench.fill([(n, p.id_card, p.name, paths[n]) for n, p in enumerate(people)])
    by_path = {"action": "ImageRecognitionV2", "photo_is_path": True, "max_bad_fraction": 1}
    assert validate(context, **by_path)["quarantined_rows"] == 1
    assert quarantine(bench) == [("3", "photo_missing", "validate")]
    validate(context, **by_path, read_photos=True)
    assert [(key, rule) for key, rule, _ in quarantine(bench)] == [
        ("1", "photo_truncated"),
        ("2", "photo_path"),
        ("3", "photo_missing"),
    ]


def test_expectations_of_your_own_are_asked_too(table, context):
    own = {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "id", "value_set": [0, 1, 2, 3, 4], "mostly": 0.5},
        "meta": {"rule": "late"},
    }
    report = validate(
        context,
        expectations=[own],
        other_columns=["id"],
        use_default_suite=False,
        max_bad_fraction=0.5,
    )
    assert report["quarantined_rows"] == 5
    assert [(c["rule"], c["success"]) for c in report["expectations"]] == [("late", True)]
    assert {rule for _, rule, _ in quarantine(table)} == {"late"}


def test_an_unknown_expectation_or_column_fails_at_once(table, context):
    with pytest.raises(AirflowFailException, match="cannot be built"):
        validate(context, expectations=[{"type": "expect_wonders"}])
    own = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "gender"}}
    with pytest.raises(AirflowFailException, match=r"names column 'gender', which is not there"):
        validate(context, expectations=[own])
    with pytest.raises(AirflowFailException, match="no column 'gender'"):
        validate(context, other_columns=["gender"])


def test_photos_are_judged_where_the_action_has_one(bench, context):
    gallery = bench.server.account.gallery
    people = bench.ordinary[:4]
    photos = [gallery.submitted(people[0]), b"GIF89a\xff", None, b""]
    bench.fill([(n, p.id_card, p.name, photos[n]) for n, p in enumerate(people)])
    report = validate(context, action="ImageRecognitionV2", max_bad_fraction=1)
    assert report["quarantined_rows"] == 3
    assert validate(context)["quarantined_rows"] == 0


def test_too_few_rows_fail_and_an_empty_table_may_be_allowed(bench, context):
    bench.fill([])
    with pytest.raises(AirflowFailException, match="fewer than min_rows=1"):
        validate(context, min_rows=1)
    report = validate(context)
    assert (report["rows"], report["bad_fraction"], report["success"]) == (0, 0.0, True)


def test_each_validation_is_kept_by_expectation(table, context):
    table.query("UPDATE people SET id_card = '' WHERE id IN (7, 8)")
    report = validate(context, max_bad_fraction=1)
    kept = table.query(
        "SELECT rule, checked_column, severity, evaluated, unexpected, success FROM faceid_checks "
        "ORDER BY number"
    )
    assert kept == [
        (c["rule"], c["column"], "critical", c["evaluated"], c["unexpected"], int(c["success"]))
        for c in report["expectations"]
    ]
    assert ("id_card_missing", "id_card", "critical", 10, 2, 0) in kept
    validate(context, max_bad_fraction=1)  # a retry of the same run
    assert len(table.query("SELECT * FROM faceid_checks")) == len(kept)


def test_only_tables_of_the_validation_are_made(table, context):
    validate(context, max_bad_fraction=1, quarantine_table="bad rows")
    assert table.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1") == [
        ("bad rows",),
        ("faceid_checks",),
        ("faceid_versions",),
        ("people",),
    ]


REGEX = {"type": "expect_column_values_to_match_regex"}


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        ({**REGEX, "kwarg": {}}, r"number 1 has the unknown field 'kwarg' \(did you mean 'kwargs'"),
        ({"typ": "x", "kwargs": {}}, r"unknown field 'typ' \(did you mean 'type'"),
        ({"kwargs": {}}, "number 1 has no type"),
        ({**REGEX, "kwargs": {"column": "name", "regex": "x", "mosty": 0.9}}, "cannot be built"),
    ],
)
def test_a_misspelt_expectation_is_refused(table, context, expectation, words):
    with pytest.raises(AirflowFailException, match=words):
        validate(context, expectations=[expectation], use_default_suite=False)


GENDER = {
    "type": "expect_column_values_to_be_in_set",
    "kwargs": {"column": "gender", "value_set": ["M", "F"]},
    "meta": {"rule": "gender"},
}


@pytest.mark.parametrize("way", ["file", "function"])
@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_the_severity_of_a_suite_decides_what_becomes_of_its_rows(
    table, context, tmp_path, severity, way
):
    table.query("ALTER TABLE people ADD COLUMN gender TEXT DEFAULT 'F'")
    table.query("UPDATE people SET gender = 'other' WHERE id IN (1, 2)")
    listed = [{**GENDER, "severity": severity}]
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"name": "own", "expectations": listed}))
    result = tmp_path / "results" / "validation.json"
    report = validate(
        context,
        suite=str(file) if way == "file" else lambda: listed,
        other_columns=["gender"],
        max_bad_fraction=1,
        result_path=str(result),
    )
    assert report["quarantined_rows"] == (4 if severity == "critical" else 2)
    (count,) = [one for one in report["expectations"] if one["rule"] == "gender"]
    assert (count["unexpected"], count["severity"], count["success"]) == (2, severity, False)
    written = json.loads(result.read_text())
    (one,) = [r for r in written["results"] if r["expectation_config"]["meta"]["rule"] == "gender"]
    assert one["result"] == {"element_count": 10, "unexpected_count": 2, "unexpected_percent": 20.0}
    assert written["statistics"]["evaluated_expectations"] == len(report["expectations"])
    assert not any(p.name in result.read_text() for p in table.ordinary[:10])


def test_a_suite_that_cannot_be_read_is_named_before_anything_is_read(table, context, tmp_path):
    with pytest.raises(AirflowFailException, match="suite cannot be read: FileNotFoundError"):
        validate(context, suite=str(tmp_path / "nowhere.json"))
