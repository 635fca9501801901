"""What a connection says about its keys: who is asked, and what is refused before anybody is."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.client.connection_schema import form_fields
from airflow_provider_faceid.client.credentials import Credentials
from airflow_provider_faceid.client.credentials.providers import (
    Environment,
    InstanceRole,
    Profile,
    ProviderChain,
    provider_from_connection,
)
from airflow_provider_faceid.client.credentials.sts import (
    DEFAULT_SECONDS,
    HOST,
    AssumedRole,
    HttpOptions,
    Sts,
    TkeOidc,
)
from airflow_provider_faceid.exceptions import ConfigurationError

ROLE = "qcs::cam::uin/100000000001:roleName/faceid"
OWN = Credentials("an-id", "hush-key")


def choose(login=None, password=None, **given):
    return provider_from_connection("kyc", login, password, given)


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ({"credentials": "environment"}, Environment()),
        ({"credentials": "profile"}, Profile("default")),
        ({"credentials": "profile", "credentials_name": "kyc"}, Profile("kyc")),
        ({"credentials": "cvm_role"}, InstanceRole("")),
        ({"credentials": "cvm_role", "credentials_name": "faceid"}, InstanceRole("faceid")),
        ({"credentials": "tke_oidc"}, TkeOidc()),
        ({"credentials": "tke_oidc", "role_duration": 900}, TkeOidc(900)),
        (
            {"credentials": "default"},
            ProviderChain((Environment(), Profile(), InstanceRole(), TkeOidc())),
        ),
        ({"credentials": "environment", "role_arn": ROLE}, AssumedRole(Environment(), ROLE)),
        (
            {"credentials": "tke_oidc", "role_arn": ROLE, "role_external_id": "a-customer"},
            AssumedRole(TkeOidc(), ROLE, "a-customer"),
        ),
    ],
)
def test_a_form_leads_to_a_provider(fields, provider):
    assert choose(**fields) == provider


def test_the_default_asks_in_the_order_of_the_official_sdk():
    names = [provider.name for provider in choose(credentials="default").providers]
    assert names == ["environment", "profile 'default'", "cvm_role", "tke_oidc"]


def test_the_connections_own_key_may_assume_a_role():
    assert choose("an-id", "hush-key", role_arn=ROLE) == AssumedRole(OWN, ROLE)


def test_sts_is_reached_as_face_id_is():
    fields = {"verify": False, "proxies": {"https": "http://proxy:3128", "http": "http://p"}}
    provider = choose(credentials="tke_oidc", sts_endpoint="sts.example:8443", **fields)
    way = HttpOptions(proxies=(("http", "http://p"), ("https", "http://proxy:3128")), verify=False)
    assert provider.sts == Sts("https://sts.example:8443", way)


def test_sts_is_the_international_one_over_tls_unless_the_form_says_otherwise():
    assert choose(credentials="tke_oidc").sts.url == f"https://{HOST}"
    assert HOST == "sts.intl.tencentcloudapi.com"
    plain = choose(credentials="tke_oidc", sts_endpoint="http://127.0.0.1:80")
    assert plain.sts.url == "http://127.0.0.1"


def test_the_form_tells_the_defaults():
    assert form_fields()["role_duration"]["description"].endswith(f"Empty: {DEFAULT_SECONDS}.")
    assert form_fields()["sts_endpoint"]["description"].endswith(f"Empty: {HOST}.")


def test_what_is_about_keys_is_taken_and_the_rest_is_left():
    given = {"credentials": "environment", "role_arn": ROLE, "timeout": 5}
    provider_from_connection("kyc", None, None, given)
    assert given == {"timeout": 5}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"credentials": "environment", "login": "an-id"}, "SecretId"),
        ({"credentials": "cvm_role", "password": "hush-key"}, "SecretKey"),
        ({"credentials": "profile", "session_token": "hush-token"}, "session_token"),
        ({"credentials": "default", "credentials_name": "kyc"}, "credentials_name"),
        ({"credentials": "environment", "role_external_id": "a-customer"}, "role_external_id"),
        ({"credentials": "profile", "role_duration": 900}, "role_duration"),
        ({"credentials": "cvm_role", "sts_endpoint": "sts.example"}, "sts_endpoint"),
        ({"login": "an-id", "password": "hush-key", "role_duration": 900}, "role_duration"),
    ],
)
def test_a_field_without_a_use_is_refused_by_name(fields, named):
    """Else a connection would seem to call with a key it does not call with."""
    with pytest.raises(ConfigurationError) as error:
        choose(**fields)
    assert str(error.value) == (
        f"Connection 'kyc': {named} has no use with credentials "
        f"'{fields.get('credentials', 'static')}' and no role_arn; empty it, or choose others"
    )


@pytest.mark.parametrize("name", ["../other", "a role", "角色", "x?y=z"])
def test_what_is_no_name_of_a_role_gets_into_no_address(name):
    with pytest.raises(ConfigurationError, match="credentials_name is no name of a role"):
        choose(credentials="cvm_role", credentials_name=name)


def test_a_bad_sts_endpoint_is_named():
    with pytest.raises(ConfigurationError, match="'sts_endpoint' must be a host name such as sts"):
        choose(credentials="tke_oidc", sts_endpoint="sts.example/path")


def test_printing_an_origin_shows_no_secret():
    provider = AssumedRole(
        Credentials("an-id", "hush-key", "hush-token"),
        ROLE,
        "hush-customer",
        sts=Sts(way=HttpOptions(proxies=(("https", "http://me:hush-word@proxy"),))),
    )
    assert "hush" not in repr(provider) + provider.name
    assert ROLE in provider.name
