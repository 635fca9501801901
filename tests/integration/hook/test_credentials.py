"""Keys and tokens the service accepts or refuses."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import CredentialsError

ID_CARD = "IdCardVerification"


@pytest.fixture
def params(ordinary):
    return {"IdCard": ordinary.id_card, "Name": ordinary.name}


@pytest.mark.parametrize(
    ("changes", "code", "meaning"),
    [
        ({"password": "hush-hush"}, "AuthFailure.SignatureFailure", "the SecretKey is wrong"),
        ({"login": "nobody"}, "AuthFailure.SecretIdNotFound", "the SecretId is unknown"),
        ({"session_token": "hush-hush"}, "AuthFailure.TokenFailure", "has expired"),
    ],
)
def test_a_wrong_key_ends_at_once_and_says_what_is_wrong(
    client, connect, simulator, params, ledger, *, changes, code, meaning
):
    with pytest.raises(CredentialsError) as error:
        client.ask(connect(simulator.url, **changes), ID_CARD, params)
    assert error.value.code == code
    assert meaning in str(error.value)
    assert "hush" not in str(error.value)
    assert [row["error"] for row in ledger()] == [code]


def test_a_temporary_key_sends_its_token(client, connect, simulator, params):
    hook = connect(simulator.url, session_token="simulator-token")
    assert client.ask(hook, ID_CARD, params).is_match


def test_a_region_is_sent_if_there_is_one(client, connect, serve, match, params):
    server = serve(lambda line: line.say(match))
    for region in ("", "ap-singapore"):
        client.ask(connect(server.url, region=region), ID_CARD, params)
    without, with_region = server.requests
    assert b"x-tc-region" not in without.lower()
    assert b"\r\nx-tc-region: ap-singapore\r\n" in with_region.lower()


def test_a_netrc_of_this_machine_does_not_touch_the_signature(
    client, connect, simulator, params, *, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password hush-hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.ask(connect(simulator.url), ID_CARD, params).is_match
