from __future__ import annotations

import re

import pytest
import requests

from airflow_provider_faceid.simulator.control import PAGE_FILE

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
HTML = PAGE_FILE.read_text(encoding="utf-8")


def test_a_browser_is_led_to_the_page_and_that_is_no_request(server):
    answer = requests.get(server.url, headers=BROWSER, timeout=5)
    assert answer.history[0].status_code == 302
    assert answer.url == f"{server.url}/_sim/"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text == HTML
    assert len(server.account.ledger) == 0


@pytest.mark.parametrize(
    ("method", "query", "headers", "body"),
    [
        ("GET", "", {"Accept": "*/*"}, b""),
        ("GET", "", {"Accept": "application/json"}, b""),
        ("GET", "?Action=IdCardVerification", BROWSER, b""),
        ("GET", "", BROWSER | {"Authorization": "TC3-HMAC-SHA256"}, b""),
        ("GET", "", BROWSER | {"x-tc-action": "IdCardVerification"}, b""),
        ("GET", "", BROWSER, b"{}"),
        ("POST", "", BROWSER, b"{}"),
        ("HEAD", "", BROWSER, b""),
    ],
)
def test_whatever_belongs_to_a_call_makes_it_one(server, method, query, headers, body):
    answer = requests.Request(method, f"{server.url}/", headers=headers, data=body).prepare()
    answer.url = f"{server.url}/{query}"
    with requests.Session() as session:
        got = session.send(answer, timeout=5, allow_redirects=False)
    assert got.status_code == 200
    assert got.headers["Content-Type"] == "application/json"
    assert len(server.account.ledger) == 1


def test_only_its_own_style_and_script_run(server):
    policy = requests.get(f"{server.url}/_sim/", timeout=5).headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["style-src"])
    assert "unsafe" not in policy


def test_it_is_one_file_without_outside_references_and_without_html_from_elsewhere():
    assert re.findall(r"(?:src|href)=\"(.*?)\"", HTML) == [
        "data:,",
        "/_sim/people",
        "/_sim/people?format=csv",
    ]
    assert "//" not in re.sub(r"(?m)^ *// .*$", "", HTML)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|style=", HTML)
