"""Every provider, from the connection to an answered call, in both clients and by the Test button."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.client.credentials import refresh as keys
from tests.support.cloud import (
    EXTERNAL_ID,
    METADATA,
    ROLE,
    ROLE_ARN,
    WEB_IDENTITY,
)

ID_CARD = "IdCardVerification"
KEY = ("simulator-id", "simulator-key")


@pytest.fixture
def params(ordinary):
    return {"IdCard": ordinary.id_card, "Name": ordinary.name}


@pytest.fixture
def everywhere(environment, file, metadata, pod):
    """Let every provider have a key."""
    environment(*KEY)
    file(secret_id=KEY[0], secret_key=KEY[1])
    return metadata


ORIGINS = {
    "environment": ({}, [], "environment"),
    "profile": ({}, [], "profile 'default'"),
    "cvm_role": ({}, [METADATA, METADATA + ROLE], "cvm_role"),
    "cvm_role by name": (
        {"credentials": "cvm_role", "credentials_name": ROLE},
        [METADATA + ROLE],
        f"cvm_role '{ROLE}'",
    ),
    "tke_oidc": ({}, [WEB_IDENTITY], "tke_oidc"),
    "default": ({}, [], "environment"),
    "role over static": (
        {"credentials": "static", "role_arn": ROLE_ARN},
        ["AssumeRole"],
        f"role '{ROLE_ARN}' assumed with the connection's key",
    ),
    "role over environment": (
        {"credentials": "environment", "role_arn": ROLE_ARN, "role_external_id": EXTERNAL_ID},
        ["AssumeRole"],
        f"role '{ROLE_ARN}' assumed with environment",
    ),
    "role over cvm_role": (
        {"credentials": "cvm_role", "role_arn": ROLE_ARN},
        [METADATA, METADATA + ROLE, "AssumeRole"],
        f"role '{ROLE_ARN}' assumed with cvm_role",
    ),
    "role over tke_oidc": (
        {"credentials": "tke_oidc", "role_arn": ROLE_ARN},
        [WEB_IDENTITY, "AssumeRole"],
        f"role '{ROLE_ARN}' assumed with tke_oidc",
    ),
}


@pytest.fixture(params=ORIGINS)
def provider(request, connect, simulator, everywhere):
    """Return a hook, what it has to ask, and what the provider is called."""
    fields, asked, name = ORIGINS[request.param]
    fields = {"credentials": request.param, **fields}
    if asked and asked[-1].startswith("Assume"):
        fields["sts_endpoint"] = everywhere.url
    own = KEY if fields["credentials"] == "static" else ("", "")
    hook = connect(simulator.url, login=own[0], password=own[1], **fields)
    return hook, asked, name


def test_calls_are_answered_and_the_key_is_fetched_once(client, provider, everywhere, params, told):
    hook, asked, _ = provider
    verdicts = client.ask_all(hook, [(ID_CARD, params)] * 3)
    assert [verdict.outcome for verdict in verdicts] == ["match"] * 3
    assert everywhere.requests == asked
    told(hook.settings)


def test_the_button_fetches_anew_and_names_the_provider(provider, everywhere, told):
    hook, asked, name = provider
    for times in (1, 2):
        works, message = hook.test_connection()
        assert works
        assert told(message).startswith(f"The key from {name} and signature are accepted by 127")
        assert everywhere.requests == asked * times


def test_requests_of_ones_own_are_signed_as_well(provider, params, simulator):
    hook, *_ = provider
    answer = hook.get_conn().post(
        hook.settings.url + "/", json=params, headers={"X-TC-Action": ID_CARD}
    )
    assert answer.json()["Response"]["Result"] == "0"


def test_two_hooks_of_one_connection_share_a_key(without_key, metadata, params):
    for _ in range(3):
        assert without_key(credentials="cvm_role").call(ID_CARD, params).is_match
    assert len(metadata.issued) == 1


def test_an_account_is_named_for_good_by_its_role_or_lasting_key(
    without_key, connect, simulator, everywhere
):
    """All workers of an account meet at one row of the pace, whatever their keys are just now."""

    def row(kind, **fields):
        keys._CACHE.all.clear()
        return without_key(credentials=kind, **fields).rate_limiter(ID_CARD)._row._name

    own = connect(simulator.url).rate_limiter(ID_CARD)._row._name
    assert row("environment") == row("profile") == row("default") == own
    role = row("cvm_role")
    assert row("cvm_role") == role != own
    sts = {"sts_endpoint": everywhere.url}
    of_role = row("tke_oidc", **sts)
    for kind in ("environment", "cvm_role"):
        assert row(kind, role_arn=ROLE_ARN, **sts) == of_role
    assert len({own, role, of_role}) == 3


def test_a_temporary_key_others_renew_is_known_by_the_secret_of_the_hashes(
    without_key, connect, simulator
):
    def row(**fields):
        return connect(simulator.url, **fields).rate_limiter(ID_CARD)._row._name

    first = row(login="tmp-id-1", session_token="token-1")
    assert row(login="tmp-id-2", session_token="token-2") == first
    assert row(login="tmp-id-2", session_token="t", hash_secret="x" * 16) != first
    assert row(login="tmp-id-1") != first
    assert "hush" not in first


def test_a_connection_without_the_secret_of_the_hashes_is_told_so_by_the_button(
    without_key, metadata
):
    works, message = without_key(credentials="cvm_role", hash_secret="").test_connection()
    assert not works
    assert "need the extra field 'hash_secret'" in message
    assert metadata.requests == []


def test_reading_a_connection_asks_nobody(without_key, metadata):
    for kind in ("environment", "profile", "cvm_role", "tke_oidc", "default"):
        assert without_key(credentials=kind).settings.renewable
    assert metadata.requests == []


def test_the_default_goes_by_what_there_is(without_key, metadata, params, file, environment):
    hook = without_key(credentials="default")
    assert hook.call(ID_CARD, params).is_match
    assert len(metadata.issued) == 1
    environment(*KEY)  # which comes first, but not in the middle of a run
    assert without_key(credentials="default").call(ID_CARD, params).is_match


def test_the_default_tells_what_each_origin_lacks(without_key, params, told, environment):
    environment("an-id")
    works, message = without_key(credentials="default").test_connection()
    assert not works
    for part in (
        "no key. environment: TENCENTCLOUD_SECRET_KEY is missing; profile 'default': there is nei",
        "; cvm_role: 127.0.0.1:1 cannot be reached (",
        "; tke_oidc: TKE_REGION is missing in the environment",
    ):
        assert part in told(message)
