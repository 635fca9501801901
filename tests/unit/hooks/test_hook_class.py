"""What Airflow asks of the hook class before any connection exists."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.sdk._shared.secrets_masker import secrets_masker

from airflow_provider_faceid.client.connection_schema import form_fields
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.hooks.faceid import FaceIdHook, require_faceid

INFO = get_provider_info()
CONNECTION_TYPE = INFO["connection-types"][0]


def test_the_metadata_leads_to_this_class():
    module, _, name = CONNECTION_TYPE["hook-class-name"].rpartition(".")
    assert getattr(import_module(module), name) is FaceIdHook
    assert FaceIdHook.conn_type == CONNECTION_TYPE["connection-type"]
    assert FaceIdHook.hook_name == CONNECTION_TYPE["hook-name"]


@pytest.mark.parametrize(
    "module",
    [
        name
        for kind in ("hooks", "operators")
        for entry in INFO[kind]
        for name in entry["python-modules"]
    ],
)
def test_every_listed_module_can_be_imported(module):
    assert import_module(module).__doc__


def test_it_is_an_http_hook():
    assert issubclass(FaceIdHook, HttpHook)


def test_airflow_builds_it_from_a_connection_id_alone():
    parameter, *others = inspect.signature(FaceIdHook).parameters.values()
    assert parameter.name == FaceIdHook.conn_name_attr == "faceid_conn_id"
    assert parameter.default == FaceIdHook.default_conn_name == "faceid_default"
    assert all(other.default is None for other in others)


def test_building_it_reads_no_connection():
    assert FaceIdHook("nobody_has_this_connection").faceid_conn_id == "nobody_has_this_connection"


def test_the_labels_for_airflow_3_1_are_those_of_the_metadata():
    behaviour = FaceIdHook.get_ui_field_behaviour()
    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}
    for key, value in CONNECTION_TYPE["ui-field-behaviour"].items():
        assert behaviour[key.replace("-", "_")] == value


SECRET_FIELDS = {"session_token", "hash_secret", "kms_secret", "proxies"}


def test_secret_fields_are_masked_by_their_name():
    """Airflow masks by name; that a field is of format password it does not ask."""
    masked = {name for name in form_fields() if secrets_masker.should_hide_value_for_key(name)}
    assert masked == SECRET_FIELDS


def test_what_is_typed_as_a_password_is_among_the_secret_fields():
    typed = {n for n, field in form_fields().items() if field["schema"].get("format") == "password"}
    assert typed <= SECRET_FIELDS


def test_a_hook_of_another_type_is_not_taken():
    hook = FaceIdHook("kyc")
    assert require_faceid(hook, "kyc") is hook
    for other in (HttpHook(http_conn_id="kyc"), SqliteHook(), None):
        with pytest.raises(ConfigurationError, match=r"^Connection 'kyc' is not of type faceid$"):
            require_faceid(other, "kyc")
