"""Data Docs of a validation: what was found by rule, and nothing of a row."""

from __future__ import annotations

from html import unescape

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.quality.validation_result import site_config

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}
OWN = {
    "type": "expect_column_values_to_match_regex",
    "kwargs": {"column": "name", "regex": "^[A-Z]"},
    "severity": "warning",
    "meta": {"rule": "latin_name"},
}


@pytest.fixture
def table(bench):
    """Ten people, each of whom breaks a rule."""
    bench.fill([(n, p.id_card[:-1], f"{p.name}7") for n, p in enumerate(bench.ordinary[:10])])
    return bench


def pages_of(site):
    """Return the text of each page."""
    return {page.name: unescape(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}


def search(bench):
    """Return a search for the people of the table."""
    people = enumerate(bench.ordinary[:10])
    marked = {n: {f"number {n}": p.id_card, f"name {n}": p.name} for n, p in people}
    return PiiScan({label: text for one in marked.values() for label, text in one.items()})


def test_the_site_of_a_validation_says_what_was_found_and_nothing_of_a_row(
    table, context, tmp_path, caplog
):
    site = tmp_path / "docs" / "site"
    report = FaceIdValidateOperator(
        task_id="validate",
        **PEOPLE,
        max_bad_fraction=1,
        expectations=[OWN],
        data_docs_path=str(site),
    ).execute(context)
    assert report["quarantined_rows"] == 10
    pages = pages_of(site)
    assert {"index.html", "IdCardVerification.html", "faceid.html"} == pages.keys()
    result = pages["faceid.html"]
    assert "an ID number has 18 characters" in result
    assert "10 unexpected values found" in result
    assert "values must match this regular expression" in result
    scan = search(table)
    scan.search_folder(site)
    assert (scan.hits, scan.searched.missed) == ([], [])
    assert scan.searched.files > 10
    assert "rendering" not in caplog.text


def test_the_search_finds_what_great_expectations_itself_would_show(
    table, great_expectations, tmp_path
):
    import pandas as pd  # noqa: PLC0415 - heavy

    gx = great_expectations
    people = table.query("SELECT id_card, name FROM people")
    frame = pd.DataFrame(people, columns=["id_card", "name"])
    context = gx.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_pandas("p")
        .add_dataframe_asset("a")
        .add_batch_definition_whole_dataframe("b")
    )
    length = gx.expectations.ExpectColumnValueLengthsToEqual(column="id_card", value=18)
    suite = context.suites.add(gx.ExpectationSuite(name="s", expectations=[length]))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="v", data=batch, suite=suite)
    )
    context.add_data_docs_site(site_name="theirs", site_config=site_config(tmp_path / "site"))
    definition.run(batch_parameters={"dataframe": frame})
    context.build_data_docs(site_names=["theirs"])
    scan = search(table)
    scan.search_folder(tmp_path / "site")
    assert {hit.marker for hit in scan.hits} >= {"number 0", "number 9"}


def test_the_site_of_a_check_of_results_likewise(table, context, tmp_path):
    table.query("DELETE FROM people")
    people = [(n, p.id_card, p.name) for n, p in enumerate(table.ordinary[:3])]
    for person in people:
        table.query(f"INSERT INTO people VALUES {(*person, '')}")
    IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    table.query("UPDATE faceid_results SET charged = 7, code = 'Nothing.Known'")
    check = FaceIdCheckResultsOperator(
        task_id="check",
        warehouse_conn_id="warehouse",
        action="IdCardVerification",
        data_docs_path=f"file://{tmp_path}/site",
    )
    with pytest.raises(AirflowFailException, match=r"result_charged \(3\)"):
        check.execute(context)
    pages = pages_of(tmp_path / "site")
    assert "charged is what the table of codes says" in pages["faceid.html"]
    hashes = [h for (h,) in table.query("SELECT id_card_hash FROM faceid_results")]
    assert not any(text in page for page in pages.values() for text in hashes)


def test_a_place_that_cannot_be_written_is_named(table, context, tmp_path):
    (tmp_path / "site").write_text("a file")
    operator = FaceIdValidateOperator(
        task_id="validate", **PEOPLE, max_bad_fraction=1, data_docs_path=f"{tmp_path}/site"
    )
    with pytest.raises(AirflowFailException, match="data_docs_path cannot be written: "):
        operator.execute(context)
