"""The connection type as a user meets it: in a running api-server and on the command line."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.get_provider_info import get_provider_info

FORM = get_provider_info()["connection-types"][0]
SECRET = "wrong-secret-key"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def form(api_server):
    types = api_server.ask("/ui/connections/hook_meta")
    return next(kind for kind in types if kind["connection_type"] == "faceid")


def test_type_has_its_name_and_hook(form):
    assert form["hook_name"] == "Tencent Cloud Face ID"
    assert form["hook_class_name"] == FORM["hook-class-name"]


@pytest.mark.parametrize(("field", "label"), FORM["ui-field-behaviour"]["relabeling"].items())
def test_standard_fields_carry_the_names_of_the_service(form, field, label):
    assert form["standard_fields"][field]["title"] == label


def test_schema_is_hidden_and_the_endpoint_has_a_placeholder(form):
    assert form["standard_fields"]["url_schema"]["hidden"]
    assert form["standard_fields"]["host"]["placeholder"] == "faceid.intl.tencentcloudapi.com"


def test_every_extra_field_is_shown_with_its_label_and_description(form):
    shown = {name: field["schema"]["title"] for name, field in form["extra_fields"].items()}
    assert shown == {name: field["label"] for name, field in FORM["conn-fields"].items()}
    assert all(field["description"] for field in form["extra_fields"].values())


def test_choices_and_secrets_look_like_it(form):
    fields = form["extra_fields"]
    assert fields["session_token"]["schema"]["format"] == "password"
    assert fields["id_card_check"]["schema"]["enum"] == ["strict", "format"]
    assert fields["verify"]["value"] is True


def test_test_button_accepts_the_key(api_server, airflow):
    answer = _test(api_server, airflow, password="simulator-key")

    assert answer["status"] is True
    assert "code -2" in answer["message"]


def test_test_button_says_what_is_wrong_and_never_a_secret(api_server, airflow):
    answer = _test(api_server, airflow, password=SECRET)

    assert answer["status"] is False
    assert "AuthFailure.SignatureFailure" in answer["message"]
    assert SECRET not in answer["message"]


def test_a_field_out_of_range_is_named(api_server, airflow):
    answer = _test(api_server, airflow, password=SECRET, extra='{"pace_share": 7}')

    assert answer["status"] is False
    assert "pace_share" in answer["message"]


def test_secrets_of_the_form_are_masked_when_read_back(api_server):
    api_server.ask(
        "/api/v2/connections",
        {
            "connection_id": "faceid_masked",
            "conn_type": "faceid",
            "login": "an-id",
            "password": SECRET,
            "extra": '{"session_token": "a-temporary-token", "proxies": {"https": "http://u:pw@p"}}',
        },
    )

    shown = str(api_server.ask("/api/v2/connections/faceid_masked"))

    assert SECRET not in shown
    assert "a-temporary-token" not in shown
    assert "u:pw" not in shown


def test_command_line_knows_the_provider(airflow):
    assert "airflow-provider-faceid" in airflow.run("providers", "get", "airflow-provider-faceid")
    assert "Tencent Cloud Face ID" in airflow.run("providers", "hooks")


def test_command_line_tests_the_connection(airflow):
    assert "Connection success" in airflow.run("connections", "test", "faceid_default")


def _test(api_server, airflow, **fields):
    return api_server.ask(
        "/api/v2/connections/test",
        {
            "connection_id": "faceid_tested",
            "conn_type": "faceid",
            "host": airflow.simulator.url,
            "login": "simulator-id",
            **fields,
        },
    )
