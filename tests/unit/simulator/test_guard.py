from __future__ import annotations

import pytest
import requests

from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import DropAfter


@pytest.fixture
def port(server):
    return server.url.rpartition(":")[2]


def ask(server, method="POST", path="/_sim/reset", **headers):
    return requests.request(method, server.url + path, headers=headers, timeout=5)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_page_itself_and_programs_may(server, port, name):
    host = f"{name}:{port}"
    assert ask(server, Host=host).ok
    assert ask(server, Host=host, Origin=f"http://{host}").ok


@pytest.mark.parametrize(
    "host", ["example.com", "127.0.0.1.example.com:80", "localhost.example.com", "localhost:x", ""]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/_sim/ledger"), ("POST", "/_sim/reset")])
def test_a_page_whose_name_leads_here_may_not(server, method, path, host):
    answer = ask(server, method, path, Host=host)
    assert answer.status_code == 403
    assert "localhost" in answer.text


@pytest.mark.parametrize(
    "origin", ["https://example.com", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", ""]
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_another_page_sends_is_refused_and_changes_nothing(server, port, method, origin):
    """A form, or a script without asking before, is all a browser sends on its own."""
    server.faults.add(FaultRule(DropAfter()))
    answer = ask(server, method, "/_sim/faults", Origin=origin.format(port=port))
    assert answer.status_code == 403
    assert len(list(server.faults.rows())) == 1


@pytest.mark.parametrize("path", ["/_sim/", "/_sim/people", "/_sim/health", "/_sim/nothing"])
def test_no_other_page_can_read_an_answer(server, path):
    headers = ask(server, "GET", path, Origin="").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert not any(name.startswith("Access-Control") for name in headers)


def test_the_data_plane_answers_under_every_name(caller, ordinary):
    """A client may believe it talks to the real service."""
    caller.host = "faceid.tencentcloudapi.com"
    assert caller.id_card(ordinary.id_card, ordinary.name)["Result"] == "0"
