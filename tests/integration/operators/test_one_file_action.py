"""An Action is one place: one that does not exist works everywhere once it is listed."""

from __future__ import annotations

import importlib.util
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

import airflow_provider_faceid
from airflow_provider_faceid.api.action import Action, IdentityLimits, Output
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import code_table
from airflow_provider_faceid.api.fields import DATE, ENCRYPTION, TEXT, Field
from airflow_provider_faceid.exceptions import ConfigurationError, InvalidInputError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import FaceIdVerifyOperator
from airflow_provider_faceid.operators.verify_batch import FaceIdVerifyTableOperator
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.api import call as simulated_call
from tests.support.encryption import AES, fields_of

from .conftest import Bench

LICENCE = Action(
    name="LicenceVerification",
    title="whether a licence, its holder and its date belong together",
    document="99999",
    quota=50,
    fields=(
        Field("LicenceNumber", TEXT, max_length=12, column="licence_number", encrypted=True),
        Field("Holder", TEXT, max_length=20, column="holder", encrypted=True, invalid_code="-3"),
        Field("IssuedOn", DATE, column="issued_on", invalid_code="-4"),
        ENCRYPTION,
    ),
    identity_limits=IdentityLimits(holder_per_day=2),
    outputs=(Output("LicenceClass", "licence_class", "text", "class of the licence", ("B", "C1")),),
    results=code_table("""
0  match         yes record     number, holder and date belong together
-1 mismatch      yes record     they do not belong together
-2 invalid_input no  quarantine malformed number
-3 invalid_input no  quarantine malformed holder
-4 invalid_input no  quarantine malformed date
-5 not_found     no  record     no record of this licence
-6 limit         no  postpone   this holder was asked about too often today
"""),
)
"""The one place. Nothing else in this file or in the package says anything about it but its name."""

PACKAGE = Path(airflow_provider_faceid.__file__).parent
SOURCE = {
    "source_conn_id": "warehouse",
    "source": "licences",
    "action": LICENCE.name,
    "columns": {"Holder": "owner"},
}


@pytest.fixture
def licensed(monkeypatch, tmp_path):
    """The Action is listed; a table of licences, of which four rows are not as they should be."""
    monkeypatch.setitem(ACTIONS, LICENCE.name, LICENCE)
    with SimulatorServer(people=100, latency_ms=(0, 1)) as server:
        bench = Bench(server, tmp_path / "warehouse.sqlite", monkeypatch)
        bench.faceid(extra={**fields_of(server)[AES], "quotas": {LICENCE.name: 40}})
        number, holder, issued_on = LICENCE.fields[:3]
        people = bench.ordinary[:12]
        rows = [
            [n, p.value(number), p.value(holder), p.value(issued_on)] for n, p in enumerate(people)
        ]
        rows[1][2] = people[2].value(holder)  # another's
        rows[3][1] = "UNHEARD-OF"
        rows[4][2] = None
        rows[5][3] = "2026-02-30"
        rows[6][1] = "X" * 13
        rows += [[n, *rows[7][1:]] for n in (12, 13)]
        with closing(sqlite3.connect(bench.warehouse)) as connection, connection:
            connection.execute(
                "CREATE TABLE licences (id INTEGER, licence_number TEXT, owner TEXT, issued_on TEXT)"
            )
            connection.executemany("INSERT INTO licences VALUES (?, ?, ?, ?)", rows)
        yield bench


@pytest.fixture
def encrypted(monkeypatch) -> list[list[str]]:
    """Return the fields each request brought encrypted."""
    lists: list[list[str]] = []
    decrypt = simulated_call.decrypt

    def noted(keys, action, parameters):
        lists.append(parameters["Encryption"]["EncryptList"])
        return decrypt(keys, action, parameters)

    monkeypatch.setattr(simulated_call, "decrypt", noted)
    return lists


def test_a_table_of_it_is_validated_called_limited_encrypted_and_judged(
    licensed, context, encrypted, great_expectations
):
    del great_expectations
    validated = FaceIdValidateOperator(task_id="v", max_bad_fraction=0.5, **SOURCE).execute(context)
    assert validated["quarantined_rows"] == 3
    assert dict(licensed.query("SELECT source_key, rule FROM faceid_quarantine")) == {
        "4": "text_missing",
        "5": "date_format",
        "6": "text_length",
    }
    manifest = FaceIdVerifyTableOperator(task_id="t", **SOURCE).execute(context)
    assert manifest["outcomes"] == {"match": 9, "mismatch": 1, "not_found": 1}
    assert (manifest["calls"], manifest["reused"]) == (9, 2)  # two rows ask what another one did
    assert manifest["quarantined"] == 3
    found = licensed.query("SELECT source_key, outcome, licence_class FROM faceid_results")
    by_key = {key: (outcome, of_class) for key, outcome, of_class in found}
    assert by_key["1"] == ("mismatch", None)
    assert by_key["3"] == ("not_found", None)
    assert by_key["0"][0] == "match"
    assert {of_class for outcome, of_class in by_key.values() if outcome == "match"} <= {"B", "C1"}
    for table in ("faceid_history", "faceid_latest"):
        kept = licensed.query(f"SELECT licence_class FROM {table} WHERE source_key = '0'")
        assert kept == [(by_key["0"][1],)]
    assert encrypted == [["LicenceNumber", "Holder"]] * licensed.calls
    assert all(not call["error"] for call in licensed.server.account.ledger.rows())
    assert manifest["charged"] == licensed.server.account.ledger.bill[LICENCE.name]


def test_its_limits_postpone_a_row_before_the_service_refuses_it(licensed, context):
    holder = LICENCE.fields[1]
    person = licensed.ordinary[20]
    with closing(sqlite3.connect(licensed.warehouse)) as connection, connection:
        connection.execute("DELETE FROM licences")
        connection.executemany(
            "INSERT INTO licences VALUES (?, ?, ?, ?)",
            [(n, f"NUMBER-{n}", person.value(holder), "20200101") for n in range(4)],
        )
    manifest = FaceIdVerifyTableOperator(task_id="t", **SOURCE).execute(context)
    assert (manifest["calls"], manifest["postponed"]) == (2, 2)


def test_its_quota_is_the_pace(licensed):
    assert FaceIdHook().settings.rate(LICENCE.name) == pytest.approx(0.97 * 40)
    licensed.faceid()
    assert FaceIdHook().settings.quota(LICENCE.name) == LICENCE.quota


def test_one_person_can_be_asked_about(licensed, context):
    number, holder, issued_on = LICENCE.fields[:3]
    person = licensed.ordinary[30]
    day = date.fromisoformat(person.value(issued_on))
    values = {number.name: person.value(number), holder.name: person.value(holder)}
    verdict = FaceIdHook().verify(LICENCE.name, {**values, issued_on.name: day})
    assert verdict.code == "0", verdict
    assert (verdict.outcome, verdict.outputs["licence_class"]) in {("match", "B"), ("match", "C1")}
    with pytest.raises(InvalidInputError, match="a date is needed"):
        FaceIdHook().verify(LICENCE.name, values)
    with pytest.raises(ConfigurationError, match="did you mean 'Holder'"):
        FaceIdHook().verify(LICENCE.name, {"Holdr": "x"})
    operator = FaceIdVerifyOperator(task_id="one", key=0, **SOURCE)
    found = operator.execute(context)
    assert (found["action"], found["outcome"]) == (LICENCE.name, "match")
    assert found["licence_class"] in {"B", "C1"}


def test_its_pages_of_the_docs_are_made_from_it(licensed):
    del licensed
    path = PACKAGE.parent / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    generate = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        spec.loader.exec_module(generate)
    assert f"| `{LICENCE.name}` | {LICENCE.quota} |" in generate.actions()
    assert "no record of this licence" in generate.TABLES["codes-actions"]()


NAMED = re.compile("|".join(ACTIONS))
OWN = ("api/actions", "operators/actions")
"""Folders of its own file, and of the one that codegen/ writes from it."""
MAY_NAME_AN_ACTION = {
    "api/photo.py": "the source of the photo rules",
    "client/connection_schema.py": "fields of connections made before there was one for all",
    "client/settings.py": "examples in messages",
    "get_provider_info.py": "examples in the form",
    "hooks/checks.py": "written by codegen/: a method with typed parameters for each",
    "hooks/faceid.py": "the free call of the Test button",
    "operators/validate.py": "default of a parameter",
    "operators/verify.py": "written by codegen/: exports of the operators",
    "operators/verify_batch.py": "the same",
    "cli/_common.py": "an example of an argument",
    "cli/pause.py": "the same",
    "hooks/doctor/uplink.py": "the Action whose photos need the uplink",
    "hooks/free_call.py": "the Action of the call that is free",
    "operators/verify_one.py": "an example in a docstring",
    "operators/verify_table.py": "the same",
    "simulator/__main__.py": "an example of an option",
    "simulator/api/__init__.py": "the wording of the two API pages",
    "simulator/people/__init__.py": "people who are answered one code of each",
    "simulator/people/authority.py": "its codes for cards that nobody holds",
    "warehouse/views/charges.py": "queries an analyst would type, for the docs",
    "warehouse/views/definitions.py": "the same",
}


def test_no_other_file_of_the_package_knows_an_action_by_name():
    named = {
        file.relative_to(PACKAGE): set(found)
        for file in PACKAGE.rglob("*.py")
        if (found := NAMED.findall(file.read_text("utf-8")))
    }
    own = {file: names for file, names in named.items() if str(file.parent) in OWN}
    assert {str(file) for file in named.keys() - own.keys()} == set(MAY_NAME_AN_ACTION)
    for folder in OWN:
        each = {file.stem: names for file, names in own.items() if str(file.parent) == folder}
        assert sorted(next(iter(names)) for names in each.values()) == sorted(ACTIONS)
        assert all(len(names) == 1 for names in each.values()), each
