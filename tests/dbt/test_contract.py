"""The data contract keeps to the schema of its standard."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from .warehouses import DBT, PROJECT

CONTRACT = PROJECT / "contracts" / "faceid.odcs.yaml"


@pytest.fixture(scope="module")
def schema() -> dict:
    """Return the schema of the Open Data Contract Standard, as its package has it."""
    (path,) = DBT.parents[1].glob(
        "lib/python*/site-packages/open_data_contract_standard/schema.json"
    )
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def contract() -> dict:
    return yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))


def test_the_contract_keeps_to_the_standard(schema, contract):
    jsonschema.Draft201909Validator(schema).validate(contract)
    assert len(contract["schema"]) > 15


@pytest.mark.parametrize("unknown", ["contract", "table", "column"])
def test_a_key_that_the_standard_has_not_is_found(schema, contract, unknown):
    table = contract["schema"][0]
    where = {"contract": contract, "table": table, "column": table["properties"][0]}[unknown]
    where["kolumn"] = "x"
    with pytest.raises(jsonschema.ValidationError, match="kolumn"):
        jsonschema.Draft201909Validator(schema).validate(contract)
