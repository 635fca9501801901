"""What Airflow reads on every start. A fault in it breaks ``import airflow`` itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest

from airflow_provider_faceid.get_provider_info import get_provider_info
from tests.support.patience import PATIENCE

INFO = get_provider_info()
CONNECTION_TYPE = INFO["connection-types"][0]
DIST = "airflow-provider-faceid"


def schema(name: str) -> dict:
    """Return a schema Airflow ships, without importing Airflow."""
    return json.loads((Path(find_spec("airflow").origin).parent / name).read_text())


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_fits_the_schema_airflow_checks_at_run_time():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def strict() -> dict:
    return schema("provider.yaml.schema.json")["properties"]["connection-types"]


def test_the_connection_type_fits_the_stricter_schema():
    jsonschema.validate(INFO["connection-types"], strict())


def test_the_stricter_schema_finds_a_typing_error_where_it_knows_the_fields():
    """That of Airflow 3.1 lets them pass unread, as its form does."""
    field = {"lable": "Region", "schema": {"type": "string"}}
    misspelt = [{**CONNECTION_TYPE, "conn-fields": {"region": field}}]
    reads_over_it = metadata.version("apache-airflow").startswith("3.1.")
    assert jsonschema.Draft7Validator(strict()).is_valid(misspelt) is reads_over_it


def test_the_package_is_named_as_it_is_installed():
    assert INFO["package-name"] == DIST == metadata.metadata(DIST)["Name"]


def test_airflow_finds_the_function():
    points = metadata.entry_points(group="apache_airflow_provider")
    (point,) = (point for point in points if point.dist.name == DIST)
    assert point.load() is get_provider_info


def test_each_call_returns_a_dict_of_its_own():
    get_provider_info()["connection-types"].clear()
    assert get_provider_info() == INFO


def listed_modules() -> list[str]:
    return [
        module
        for kind in ("hooks", "operators")
        for entry in INFO[kind]
        for module in entry["python-modules"]
    ]


def test_integrations_are_declared():
    declared = {one["integration-name"] for one in INFO["integrations"]}
    assert {
        entry["integration-name"] for kind in ("hooks", "operators") for entry in INFO[kind]
    } == (declared)


def test_every_operator_is_in_a_module_that_is_listed():
    """Wherever it is written: some modules only export the operators of others."""
    folder = Path(find_spec("airflow_provider_faceid.operators").origin).parent
    written = {
        name
        for file in folder.rglob("*.py")
        for name in re.findall(r"^class ([A-Z]\w*Operator)\(", file.read_text(), re.MULTILINE)
    }
    exported = {
        name
        for module in listed_modules()
        if ".operators." in module
        for name in vars(import_module(module))
    }
    assert len(written) > 20
    assert written <= exported


def test_the_form_starts_with_the_key_in_airflows_own_fields():
    labels = CONNECTION_TYPE["ui-field-behaviour"]["relabeling"]
    assert (labels["login"], labels["password"]) == ("SecretId", "SecretKey")


def test_the_port_stays_visible():
    """A hidden or empty one makes the Test button of Airflow 3.3 fail."""
    behaviour = CONNECTION_TYPE["ui-field-behaviour"]
    assert "port" not in behaviour["hidden-fields"]
    assert behaviour["placeholders"]["port"] == "443"


def test_every_field_may_be_left_empty():
    """Otherwise the form marks it as required, and saving it stores no null."""
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        assert field["schema"]["type"][1:] == ["null"], name


def test_every_field_is_described():
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        assert field["label"], name
        assert field["description"].endswith((".", "}.")), name


def test_no_field_of_a_number_goes_without_limits():
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        if field["schema"]["type"][0] in {"integer", "number"}:
            assert field["schema"]["minimum"] < field["schema"]["maximum"], name


def test_reading_it_imports_neither_airflow_nor_anything_heavy():
    code = (
        "import sys; from airflow_provider_faceid.get_provider_info import get_provider_info; "
        "before = set(sys.modules); get_provider_info(); "
        "print(sorted(set(sys.modules) - before), "
        "sorted({'airflow', 'requests', 'aiohttp', 'json', 'asyncio'} & set(sys.modules)))"
    )
    assert python(code) == "[] []"


def test_reading_it_costs_next_to_nothing():
    """Median of five, in CPU time; the import of the module is part of it."""
    code = (
        "import sys, time, statistics, typing\n"
        "def once():\n"
        "    for name in [n for n in sys.modules if n.startswith('airflow_provider_faceid')]:\n"
        "        del sys.modules[name]\n"
        "    began = time.process_time()\n"
        "    from airflow_provider_faceid.get_provider_info import get_provider_info\n"
        "    get_provider_info()\n"
        "    return time.process_time() - began\n"
        "print(statistics.median(once() for _ in range(5)))"
    )
    assert float(python(code)) < 0.005


@pytest.mark.parametrize("name", [name for name in listed_modules() if ".operators." in name])
def test_every_listed_operator_module_exists(name):
    assert find_spec(name) is not None


def test_the_package_is_typed():
    assert Path(import_module("airflow_provider_faceid").__file__).with_name("py.typed").exists()
