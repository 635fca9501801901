"""Keys that lie on this machine: in its environment and in the file of the official tools."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from airflow_provider_faceid.client.credentials import MAX_BYTES, Credentials, IssuedCredentials
from airflow_provider_faceid.client.credentials import providers as profile
from airflow_provider_faceid.client.credentials.providers import VARIABLES, Environment, Profile
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import CredentialsError

SECTION = "[default]\nsecret_id = an-id\nsecret_key = hush-key\n"
LASTING, TEMPORARY = Credentials("an-id", "hush-key"), Credentials("an-id", "hush-key", "hush-tok")
NOBODY = 65534


@pytest.fixture
def environment(monkeypatch):
    """Set the three variables."""

    def set_(*values):
        for name, value in zip(VARIABLES, values, strict=False):
            monkeypatch.setenv(name, value)

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return set_


@pytest.fixture
def files(monkeypatch, tmp_path):
    """The two places, both empty."""
    home, etc = tmp_path / "home", tmp_path / "etc"
    (home / ".tencentcloud").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(profile, "FILES", (profile.FILES[0], str(etc)))
    return home / ".tencentcloud" / "credentials", etc


def refusal(provider) -> str:
    with pytest.raises(CredentialsError) as error:
        provider.fetch(SYSTEM_CLOCK)
    assert "hush" not in str(error.value)
    return str(error.value)


def test_the_files_are_those_of_the_official_tools():
    assert profile.FILES == ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")


def test_a_lasting_key_of_the_environment_names_its_account(environment):
    environment("an-id", "hush-key")
    assert Environment().fetch(SYSTEM_CLOCK) == IssuedCredentials(LASTING, Environment(), "an-id")


def test_a_temporary_one_does_not_for_its_id_changes(environment):
    environment("an-id", "hush-key", "hush-tok")
    assert Environment().fetch(SYSTEM_CLOCK) == IssuedCredentials(TEMPORARY, Environment(), "")


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ((), VARIABLES[0]),
        (("an-id",), VARIABLES[1]),
        (("an-id", ""), VARIABLES[1]),
        (("", "hush-key"), VARIABLES[0]),
    ],
)
def test_an_environment_half_set_names_what_is_missing(environment, values, missing):
    environment(*values)
    assert refusal(Environment()) == f"environment: {missing} is missing"


def test_a_key_of_the_file(files):
    files[0].write_text(SECTION)
    assert Profile().fetch(SYSTEM_CLOCK) == IssuedCredentials(LASTING, Profile(), "an-id")


def test_a_token_of_the_file_is_read_although_the_sdk_overlooks_it(files):
    files[0].write_text(SECTION + "token = hush-tok\n")
    assert Profile().fetch(SYSTEM_CLOCK) == IssuedCredentials(TEMPORARY, Profile(), "")


def test_the_file_of_the_user_comes_before_that_of_the_machine(files):
    files[1].write_text(SECTION.replace("an-id", "of-the-machine"))
    assert Profile().fetch(SYSTEM_CLOCK).key.secret_id == "of-the-machine"
    files[0].write_text(SECTION)
    assert Profile().fetch(SYSTEM_CLOCK).key.secret_id == "an-id"


def test_another_section_may_be_named_and_lends_nothing(files):
    files[0].write_text(SECTION + "[DEFAULT]\ntoken = hush-tok\n[kyc]\nsecret_id = other\n")
    assert refusal(Profile("kyc")).endswith("secret_key is missing")
    assert Profile().fetch(SYSTEM_CLOCK).key.token == ""


def test_a_percent_sign_is_a_character_as_any(files):
    files[0].write_text(SECTION.replace("hush-key", "%(hush)s%"))
    assert Profile().fetch(SYSTEM_CLOCK).key.secret_key == "%(hush)s%"


def test_without_a_file_both_places_are_named(files):
    assert refusal(Profile()) == (f"profile 'default': there is neither {files[0]} nor {files[1]}")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[kyc]\nsecret_id = an-id\n", "the file has no section [default]"),
        (b"", "the file has no section [default]"),
        (b"hush-key\n", "the file is no INI file"),
        (b"[default]\nsecret_id = hush-key\nsecret_id = hush-key\n", "the file is no INI file"),
        (b"[default]\nsecret_id = an-id\n", "secret_key is missing"),
        (b"[default]\nsecret_id = an-id\nsecret_key =\n", "secret_key is missing"),
        (b"[default]\nsecret_id = an-id\nsecret_key\n", "the file is no INI file"),
        (b"[default]\nsecret_id = hush hush\n", "secret_id is no text without spaces"),
        (b"[default]\nsecret_id = \xff\xfe\n", "the file is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), f"it has more than {MAX_BYTES} bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(files, content, fault):
    files[0].write_bytes(content)
    assert refusal(Profile()) == f"profile 'default' of {files[0]}: {fault}"


@contextmanager
def as_nobody():
    """Lose the rights of the superuser, who may read everything, if these tests have them."""
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)


def test_a_file_of_somebody_else_is_said_to_be(files):
    files[0].write_text(SECTION)
    files[0].chmod(0)
    with as_nobody():
        message = refusal(Profile())
    assert message.endswith("the file cannot be read (Permission denied)")


def test_a_folder_is_no_file(files):
    files[0].mkdir()
    assert refusal(Profile()).endswith("the file cannot be read (Is a directory)")
