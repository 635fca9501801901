"""The simulator's page names everything there is, and its rules can be posted."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_provider_faceid.simulator.account import State
from airflow_provider_faceid.simulator.control import ControlPlane, ControlSettings
from airflow_provider_faceid.simulator.faults import OWN_FIELDS, read_rule
from airflow_provider_faceid.simulator.faults.effects import EFFECTS

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
RULES = re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", RULES)
def test_its_rules_can_be_posted(text):
    assert read_rule(json.loads(text))


def test_every_effect_is_in_its_table_with_its_parameters():
    for name, kind in EFFECTS.items():
        row = next(line for line in PAGE.splitlines() if re.match(rf"\|[^|]*`{name}`", line))
        assert all(f"`{field.name}`" in row for field in fields(kind)), name


def test_every_field_of_a_rule_and_of_the_ledger_is_explained(caller, ordinary):
    caller.id_card(ordinary.id_card, ordinary.name)
    names = {*OWN_FIELDS, *caller.get("/_sim/ledger")[0]}
    assert all(f"`{name}`" in PAGE for name in names)


def test_every_state_and_address_is_listed(server):
    routes = (*ControlPlane(server.account).routes(), *ControlSettings(server.account).routes())
    assert all(f"`{state}`" in PAGE for state in State)
    assert all(f"`{route.path}`" in PAGE for route in routes)
