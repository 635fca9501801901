"""Named operators and hook methods are what the generator writes from the Actions today."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_faceid.api.action import Action, Output
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import code_table
from airflow_provider_faceid.api.fields import DATE, ENCRYPTION, PHOTO, TEXT, TYPES, Field
from airflow_provider_faceid.hooks.checks import Checks
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators import verify, verify_batch
from airflow_provider_faceid.operators.verify_one import VerifyOnePerson
from airflow_provider_faceid.operators.verify_table import VerifyTable
from tests.support.patience import PATIENCE

PROJECT = Path(__file__).parents[3]
GENERATOR = PROJECT / "codegen" / "generate.py"

LICENCE = Action(
    name="LicenceVerification",
    title="whether a licence and its date belong together",
    document="99999",
    quota=50,
    fields=(
        Field("LicenceNumber", TEXT, max_length=12, column="licence_number"),
        Field("IssuedOn", DATE, column="issued_on"),
        ENCRYPTION,
        Field("Remark", TEXT, required=False, max_length=7, identifies=False),
    ),
    outputs=(Output("LicenceClass", "licence_class", "text", "class of the licence", ("B",)),),
    results=code_table("0 match yes record they belong together"),
)


@pytest.fixture(scope="module")
def generator():
    """The generator's modules, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(GENERATOR.parent))
        names = ("named", "operators", "hook_methods", "generate")
        yield {name: importlib.import_module(name) for name in names}
        for name in names:
            del sys.modules[name]


def test_the_files_are_current():
    done = subprocess.run(
        [sys.executable, GENERATOR, "--check"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run: make docs"


def test_a_difference_is_found_mended_and_a_module_without_an_action_removed(
    generator, monkeypatch, tmp_path, capsys
):
    generate = generator["generate"]
    package = tmp_path / "package"
    for folder in ("operators/actions", "hooks"):
        (package / folder).mkdir(parents=True)
    monkeypatch.setattr(generate, "PACKAGE", package)
    monkeypatch.setattr(generate, "MODULES", package / "operators" / "actions")
    assert generate.main(check=False) == 0
    assert generate.main(check=True) == 0
    orphan = package / "operators" / "actions" / "nobody_asks.py"
    orphan.write_text("")
    changed = package / "hooks" / "checks.py"
    changed.write_text("")
    capsys.readouterr()
    assert generate.main(check=True) == 1
    said = capsys.readouterr().out
    assert "hooks/checks.py" in said
    assert "operators/actions/nobody_asks.py" in said
    assert orphan.exists()
    assert generate.main(check=False) == 0
    assert not orphan.exists()
    assert generate.main(check=True) == 0


def test_every_type_of_field_has_words(generator):
    assert set(generator["named"].WORDS) == set(TYPES)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_each_action_has_a_method_and_two_operators_with_all_its_values(action):
    columns = [field.column for field in action.fields if field.column]
    one = getattr(verify, f"{action.name}Operator")
    table = getattr(verify_batch, f"{action.name}BatchOperator")
    assert (one.__mro__[1], table.__mro__[1]) == (VerifyOnePerson, VerifyTable)
    for operator in (one, table):
        given = inspect.signature(operator).parameters
        assert [name for name in given if name.removesuffix("_column") in columns][
            : len(columns)
        ] == [f"{column}_column" for column in columns]
        assert [given[f"{column}_column"].default for column in columns] == columns
        assert ("photo_is_path" in given) is (action.field_of(PHOTO) is not None)
        assert operator.action == action.name
    assert set(columns) <= inspect.signature(one).parameters.keys()
    assert not set(columns) & inspect.signature(table).parameters.keys()
    task = table(task_id="t", source_conn_id="w", source="people")
    assert task.by_field == {f.name: f.column for f in action.fields if f.column}
    method = getattr(FaceIdHook, one.__module__.rpartition(".")[2])
    needed = [
        name
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "self"
    ]
    assert needed == columns


def test_every_method_of_the_hook_passes_its_values_on():
    asked = []

    class Noted(Checks):
        def verify(self, action, values, *, idempotency, skip_rules, priority):
            asked.append((action, dict(values), idempotency, skip_rules, priority))

    for name, method in inspect.getmembers(Checks, inspect.isfunction):
        if name != "verify":
            given = {
                parameter: f"the {parameter}"
                for parameter in inspect.signature(method).parameters
                if parameter != "self"
            }
            method(Noted(), **given)
    assert {action for action, *_ in asked} == set(ACTIONS)
    for action, values, *named in asked:
        columns = {f.name: f"the {f.column}" for f in ACTIONS[action].fields if f.column}
        notes = values.keys() - columns.keys()
        assert values == {**columns, **{name: f"the {name.lower()}" for name in notes}}
        assert not [name for name in notes if ACTIONS[action].field(name).required]
        assert named == ["the idempotency", "the skip_rules", "the priority"]


def test_an_action_that_does_not_exist_yet_gets_them_too(generator):
    of = generator["named"].Listed("licence_verification", LICENCE)
    source = generator["operators"].module(of)
    space = {
        "__name__": "airflow_provider_faceid.operators.actions.licence_verification",
        "__package__": "airflow_provider_faceid.operators.actions",
    }
    exec(compile(source, "licence_verification.py", "exec"), space)
    table = space["LicenceVerificationBatchOperator"](
        task_id="t", source_conn_id="w", source="licences", issued_on_column="since"
    )
    assert table.by_field == {"LicenceNumber": "licence_number", "IssuedOn": "since"}
    assert "``licence_class``" in type(table).__doc__
    one = space["LicenceVerificationOperator"](task_id="o", licence_number="A1", issued_on="today")
    assert one._values == {"LicenceNumber": "A1", "IssuedOn": "today"}
    hook = generator["hook_methods"].hook([of])
    assert "remark: str | None = None" in hook
    assert "a note of at most 7 characters" in hook
    compile(hook, "checks.py", "exec")
