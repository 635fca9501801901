"""Each parameter can be found: in the signature, with its type and default, and in the class's docs."""

from __future__ import annotations

import inspect
import re
from itertools import combinations

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.lineage import ReportsLineage
from tests.unit.operators.conftest import OPERATORS

PEOPLE = {column for action in ACTIONS.values() for column in action.columns.values()}
CHECKED_AT_ONCE = {"alerts"}
LITERALLY = {*PEOPLE, "photo_path", "values"}
PARAM = re.compile(r"^\s*:param (\w+): (.*?)(?=^\s*:|\Z)", re.MULTILINE | re.DOTALL)


def told(documented: type) -> dict[str, str]:
    """Return what a class says of its parameters."""
    return {name: " ".join(text.split()) for name, text in PARAM.findall(documented.__doc__)}


def parameters(operator: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of its own; Airflow's are one ``**kwargs``."""
    found = dict(inspect.signature(operator).parameters)
    assert found.pop("kwargs").kind is inspect.Parameter.VAR_KEYWORD
    return found


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_parameter_is_in_the_signature_with_its_type(operator):
    for parameter in parameters(operator).values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_parameter_is_documented_in_the_order_of_the_signature(operator):
    assert list(told(operator)) == list(parameters(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_docs_say_truly_whether_it_is_templated(operator):
    templated = {name.removeprefix("is_") for name in operator.template_fields}
    for name, text in told(operator).items():
        said = "(templated" in text
        assert said is (name in templated), name


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_parameter_arrives_under_its_name(operator):
    given = {name: f"the {name}" for name in parameters(operator)}
    given |= {name: f"{{{{ the_{name} }}}}" for name in given if name in CHECKED_AT_ONCE}
    task = operator(task_id="t", **given)
    for name in set(given) - LITERALLY - {"dry_run", "photo_is_path"}:
        arrived = f"is_{name}" if f"is_{name}" in operator.template_fields else name
        assert getattr(task, arrived) == given[name]


def kind(operator):
    """Return the base that operators of a kind share; that of the lineage is shared by most."""
    return next(base for base in operator.__mro__[1:] if base is not ReportsLineage)


SIBLINGS = [
    (one, other)
    for one, other in combinations(OPERATORS, 2)
    if kind(one) is kind(other) is not BaseOperator
]


@pytest.mark.parametrize(("one", "other"), SIBLINGS)
def test_operators_of_a_kind_say_the_same_of_the_same(one, other):
    mine, theirs = told(one), told(other)
    assert {name: mine[name] for name in mine.keys() & theirs} == {
        name: theirs[name] for name in mine.keys() & theirs
    }


def test_the_hook_has_them_too():
    assert list(told(FaceIdHook)) == list(inspect.signature(FaceIdHook).parameters)
