from __future__ import annotations

import logging

import pytest

from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.hooks import connection_form

HTTP, UNCHECKED = "uses plain HTTP", "does not verify the TLS certificate"


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    connection_form._warn.cache_clear()
    yield
    connection_form._warn.cache_clear()


def said(caplog, url, *, verify=True, conn_id="kyc"):
    caplog.clear()
    key = Credentials("an-id", "hush")
    connection_form.warn_of(Settings(key, conn_id=conn_id, url=url, verify=verify))
    assert "hush" not in caplog.text
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("url", "verify", "risk"),
    [
        ("http://faceid.example", True, HTTP),
        ("http://10.0.0.7:8899", True, HTTP),
        ("http://127.0.0.1.example.com", True, HTTP),
        ("http://localhost.example.com", False, HTTP),
        ("https://faceid.example", False, UNCHECKED),
        ("https://127.0.0.1:8443", False, UNCHECKED),
    ],
)
def test_what_a_connection_gives_up_is_said_once_for_each(caplog, url, verify, risk):
    (told,) = said(caplog, url, verify=verify)
    assert told.startswith(f"Connection 'kyc' {risk}")
    assert said(caplog, url, verify=verify) == []
    assert len(said(caplog, url, verify=verify, conn_id="another")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://faceid.intl.tencentcloudapi.com",
        "http://127.0.0.1:8899",
        "http://localhost:8899",
        "http://[::1]:8899",
    ],
)
def test_a_connection_that_gives_up_nothing_is_not_warned_of(caplog, url):
    assert said(caplog, url) == []
