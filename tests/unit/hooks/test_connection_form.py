"""The form as Airflow 3.1 makes it: with stand-ins for wtforms and flask_appbuilder."""

from __future__ import annotations

import sys
from unittest.mock import MagicMock

import pytest

from airflow_provider_faceid.client.connection_schema import form_fields
from airflow_provider_faceid.hooks.faceid import FaceIdHook


class Optional:
    """Stands in for the validator: the field may be empty."""


class AnyOf:
    def __init__(self, allowed):
        self.allowed = allowed


class Widget:
    pass


class Field:
    """Takes what the stand-in of Airflow 3.1 takes, and nothing else."""

    type, format = "", None

    def __init__(self, label=None, validators=None, description="", default=None, widget=None):
        self.label, self.description, self.default = label, description, default
        self.optional = any(isinstance(one, Optional) for one in validators or ())
        self.enum = next((one.allowed for one in validators or () if isinstance(one, AnyOf)), None)
        self.widget = widget


class StringField(Field):
    type = "string"


class IntegerField(Field):
    type = "integer"


class BooleanField(Field):
    type = "boolean"


class PasswordField(Field):
    type, format = "string", "password"


STAND_INS = {
    "wtforms": {
        "StringField": StringField,
        "IntegerField": IntegerField,
        "BooleanField": BooleanField,
        "PasswordField": PasswordField,
    },
    "wtforms.validators": {"Optional": Optional, "any_of": AnyOf},
    "flask_appbuilder": {},
    "flask_appbuilder.fieldwidgets": {
        "BS3TextFieldWidget": Widget,
        "BS3PasswordFieldWidget": Widget,
    },
}


@pytest.fixture
def widgets(monkeypatch):
    """Build the form while the stand-ins are in place, as Airflow 3.1 does."""
    for name, members in STAND_INS.items():
        module = MagicMock(**members)
        monkeypatch.setitem(sys.modules, name, module)
    return FaceIdHook.get_connection_form_widgets()


def test_the_form_has_every_field_of_the_metadata_in_its_order(widgets):
    assert list(widgets) == list(form_fields())


def test_every_widget_is_of_a_class_airflow_knows(widgets):
    """Another one is dropped from the form with an error in the log."""
    assert {name for name, one in widgets.items() if not isinstance(one, Field)} == set()


def test_texts_and_defaults_are_those_of_the_metadata(widgets):
    for name, field in form_fields().items():
        assert widgets[name].label == field["label"]
        assert widgets[name].description == field["description"]
        assert widgets[name].default == field["schema"].get("default")


def test_every_field_may_be_left_empty(widgets):
    assert all(one.optional for one in widgets.values())


def test_every_widget_is_an_instance(widgets):
    assert all(isinstance(one.widget, Widget) for one in widgets.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("session_token", PasswordField),
        ("region", StringField),
        ("max_attempts", IntegerField),
        ("timeout", StringField),
        ("id_card_check", StringField),
        ("encryption_public_key", StringField),
        ("kms_secret", PasswordField),
        ("verify", BooleanField),
        ("proxies", StringField),
    ],
)
def test_a_field_has_the_widget_of_its_type(widgets, name, kind):
    """There is no widget for fractions or objects: they are typed as text."""
    assert type(widgets[name]) is kind


def test_choices_are_those_of_the_metadata(widgets):
    for name, field in form_fields().items():
        assert widgets[name].enum == field["schema"].get("enum")


def test_without_wtforms_only_the_form_fails(monkeypatch):
    for name in STAND_INS:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError):
        FaceIdHook.get_connection_form_widgets()
    assert FaceIdHook.get_ui_field_behaviour()["relabeling"]["login"] == "SecretId"
