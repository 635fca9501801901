"""Runs over a table with encrypted fields."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, RequestRefusedError
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.support.encryption import AES, FORMS, SM4, fields_of, wrong_key

pytestmark = pytest.mark.source

PEOPLE = 250
"""More than one key for SM4 serves."""


@pytest.fixture(scope="module")
def settings_of(running):
    """Return the settings for a form of encryption, with the keys of the service."""
    return fields_of(running)


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_answered_each_person_once(sqlite_bench, settings_of, form):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:PEOPLE])
    manifest = bench.run(settings=settings_of[form])
    assert manifest["outcomes"] == {"match": PEOPLE}
    assert manifest["charged"] == len(bench.calls()) == PEOPLE
    assert set(bench.called().values()) == {1}
    bench.check(manifest)


@pytest.mark.parametrize("form", FORMS)
def test_photos_go_with_encrypted_fields(sqlite_bench, settings_of, form):
    bench = sqlite_bench
    people = bench.ordinary[:20]
    bench.fill([(n, p.id_card, p.name, bench.photo(p)) for n, p in enumerate(people)], "BLOB")
    manifest = bench.run(FACE, settings=settings_of[form])
    assert manifest["outcomes"] == {"match": len(people)}
    bench.check(manifest, FACE)


@pytest.mark.parametrize("form", [AES, SM4])
def test_special_people_get_the_outcomes_they_get_in_the_clear(sqlite_bench, settings_of, form):
    bench = sqlite_bench
    special = [person for person in bench.people if person.persona]
    bench.fill_with(special)
    plain = bench.run(campaign="in the clear")
    bench.server.account.reset()
    bench.server.account.windows.quotas.update({ID_CARD: 0})
    encrypted = bench.run(campaign="encrypted", settings=settings_of[form])
    columns = "status, outcome, code"
    assert bench.results("encrypted", columns) == bench.results("in the clear", columns)
    assert encrypted["outcomes"] == plain["outcomes"]


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_key_stops_at_the_first_row_and_costs_nothing(sqlite_bench, settings_of, form):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:PEOPLE])
    wrong = settings_of[form] | wrong_key(form)
    error, manifest = bench.fail(RequestRefusedError, settings=wrong)
    assert "connection 'faceid_default'" in str(error)
    assert "Check the connection's Encryption" in str(error)
    assert (manifest["calls"], manifest["charged"], len(bench.calls())) == (1, 0, 1)
    assert bench.results() == {}
    assert bench.run(settings=settings_of[form])["answered"] == PEOPLE


def test_a_key_that_is_none_fails_the_run_before_anything_is_sent(sqlite_bench):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:5])
    bench.fail(ConfigurationError, settings={"encryption": SM4, "encryption_public_key": "none"})
    assert bench.calls() == []
    assert bench.runs("state") == [("failed",)]
    assert bench.run()["answered"] == 5


def test_what_was_answered_in_the_clear_is_not_called_again(sqlite_bench, settings_of):
    bench = sqlite_bench
    bench.fill_with(bench.ordinary[:50])
    bench.run()
    for form in FORMS:
        bench.home.run("DELETE FROM faceid_results")  # so that the ledger is what knows
        manifest = bench.run(settings=settings_of[form], owner=form)
        assert (manifest["calls"], manifest["answered"]) == (0, 50)
    assert len(bench.calls()) == 50


def test_descriptions_do_not_tell_who_was_encrypted(sqlite_bench, stub, settings_of):
    bench = sqlite_bench
    person = bench.ordinary[0]
    bench.fill_with([person])
    told = {"Result": "0", "Description": f"{person.name} {person.id_card}", "RequestId": "r"}
    bench.url = stub(json.dumps({"Response": told}).encode()).url
    bench.run(settings=settings_of[SM4])
    columns = bench.home.query("SELECT * FROM faceid_results")
    assert person.name not in repr(columns)
    assert person.id_card not in repr(columns)
