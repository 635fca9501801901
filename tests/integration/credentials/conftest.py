"""A cloud that gives keys, a home without any, and hooks on connections that ask for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_faceid.client.credentials import providers as cvm_role
from airflow_provider_faceid.client.credentials import providers as profile
from airflow_provider_faceid.client.credentials import refresh as keys
from airflow_provider_faceid.client.credentials.providers import VARIABLES
from airflow_provider_faceid.client.credentials.sts import VARIABLES as TKE_VARIABLES
from tests.integration.batch.conftest import running, server, sqlite_bench, state
from tests.integration.hook.conftest import (
    _a_state_store_of_its_own,
    _no_settings_of_this_machine,
    airflow_has_warned,
    client,
    connect,
    ordinary,
    serve,
    simulator,
)
from tests.integration.hook.test_tls import certificate, tls
from tests.support.cloud import METADATA, OIDC_TOKEN, ROLE_ARN, Cloud

__all__ = [
    "_a_state_store_of_its_own",
    "_no_settings_of_this_machine",
    "airflow_has_warned",
    "certificate",
    "client",
    "connect",
    "ordinary",
    "running",
    "serve",
    "server",
    "simulator",
    "sqlite_bench",
    "state",
    "tls",
]

SECRETS = ("hush", "simulator-key", "simulator-token")


@pytest.fixture(autouse=True)
def _nowhere_a_key(monkeypatch, tmp_path):
    """No key of this machine, and none of the test before."""
    for name in (*VARIABLES, *TKE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(profile, "FILES", (profile.FILES[0], str(tmp_path / "etc")))
    monkeypatch.setattr(cvm_role, "METADATA", f"http://127.0.0.1:1{METADATA}")
    monkeypatch.setattr(keys._CACHE, "all", {})


@pytest.fixture
def clouds(simulator) -> Iterator[Callable[..., Cloud]]:
    """Make clouds of one simulator."""
    made: list[Cloud] = []

    def make(*parts) -> Cloud:
        made.append(Cloud(simulator, *parts))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def cloud(clouds) -> Cloud:
    return clouds()


@pytest.fixture
def metadata(cloud, monkeypatch) -> Cloud:
    """The cloud, where an instance finds it."""
    monkeypatch.setattr(cvm_role, "METADATA", cloud.url + METADATA)
    return cloud


@pytest.fixture
def environment(monkeypatch):
    """Put a key into the environment."""

    def set_(*values: str) -> None:
        for name, value in zip(VARIABLES, values, strict=False):
            monkeypatch.setenv(name, value)

    return set_


@pytest.fixture
def file(tmp_path):
    """Put a section into the file of the official tools."""

    def write(section: str = "default", **values: str) -> None:
        path = tmp_path / "home" / ".tencentcloud" / "credentials"
        path.parent.mkdir(exist_ok=True)
        lines = (f"{name} = {value}" for name, value in values.items())
        path.write_text("\n".join((f"[{section}]", *lines, "")))

    return write


@pytest.fixture
def pod(monkeypatch, tmp_path):
    """Run in a TKE pod; return the file of its token."""
    token = tmp_path / "token"
    token.write_text(OIDC_TOKEN)
    values = ("ap-guangzhou", "a-provider", str(token), ROLE_ARN)
    for name, value in zip(TKE_VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)
    return token


@pytest.fixture
def without_key(connect, simulator):
    """Return a hook whose connection has no key of its own; arguments are fields of its Extra."""
    return lambda **extra: connect(simulator.url, login="", password="", **extra)


@pytest.fixture
def serve_proxy(serve):
    """Start proxies that refuse everything."""
    return lambda: serve(lambda line: line.say(b"", "502 Bad Gateway"))


@pytest.fixture
def told(caplog, capfd) -> Iterator[Callable[[object], str]]:
    """Return a text, after a look for secrets in it and in everything logged and printed."""
    caplog.set_level(logging.DEBUG)

    def tell(text: object = "") -> str:
        formatted = (logging.Formatter().format(record) for record in caplog.records)
        everything = "\n".join((str(text), repr(text), *formatted, *capfd.readouterr()))
        assert not [secret for secret in SECRETS if secret in everything]
        return str(text)

    yield tell
    tell()
