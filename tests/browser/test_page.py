"""The simulator's page in Chromium: what it shows, what its buttons do, what it does not let in."""

from __future__ import annotations

import json

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.account import State
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code
from airflow_provider_faceid.simulator.people import ID_CARD, expects
from tests.unit.simulator.conftest import Caller

SECONDS = 10
POISON = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


class Page:
    """The page of a server, as somebody looks at it."""

    def __init__(self, browser, server: SimulatorServer) -> None:
        self.browser, self.server = browser, server
        self.browser.get_log("browser")  # what other pages had to say
        self.browser.get(server.url)
        self.wait(lambda: "serving" in self.text("status"))

    def find(self, name: str):
        return self.browser.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.find(name).text

    def rows(self, name: str) -> list[list[str]]:
        """Return the cells of a table, all taken at the same moment."""
        script = (
            "return [...document.getElementById(arguments[0]).rows]"
            ".map(row => [...row.cells].map(cell => cell.textContent))"
        )
        return self.browser.execute_script(script, name)

    def wait(self, look):
        return WebDriverWait(self.browser, SECONDS, 0.05).until(lambda _: look())

    def press(self, title: str) -> None:
        self.browser.find_element(By.XPATH, f"//button[normalize-space()='{title}']").click()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(chromium, server):
    page = Page(chromium, server)
    yield page
    assert page.complaints() == []


@pytest.fixture
def caller(server):
    return Caller(server, server.clock)


def test_it_says_what_it_is_and_who_is_there(page, server):
    assert page.browser.current_url == f"{server.url}/_sim/"
    assert page.browser.title == "Face ID simulator"
    assert page.text("address") == f"{server.url}/"
    page.wait(lambda: len(page.rows("people")) == 24)
    listed = server.account.people.listed
    first, special = listed[0], next(person for person in listed if person.persona)
    rows = page.rows("people")
    for row, person in ((rows[0], first), (rows[6], special)):
        held = person.columns()
        assert row[1:] == [
            person.name,
            person.id_card,
            held["phone"],
            held["bank_card"],
            f"{held['validity_begin']}-{held['validity_end']}",
            *expects(person).values(),
            "",
        ]
    assert "FailedOperation.IdNameMisMatch" in rows[6]
    photos = "return [...document.querySelectorAll('#people img')].every(i => i.naturalWidth > 20)"
    page.wait(lambda: page.browser.execute_script(photos))


def test_requests_appear_masked_and_on_the_bill(page, caller, server):
    assert page.rows("requests") == [["none yet"]]
    person = server.person()
    answer = caller.id_card(person.id_card, person.name)
    page.wait(lambda: len(page.rows("requests")[0]) > 1)
    (row,) = page.rows("requests")
    shown = f"{person.id_card[:2]}{'*' * 14}{person.id_card[-2:]}"
    assert row[1:] == [ID_CARD, shown, "0", "yes", "", answer["RequestId"]]
    nothing = [[name, "0", "0", "0", "0"] for name in ACTIONS if name != ID_CARD]
    assert sorted(page.rows("bill")) == sorted([[ID_CARD, "1", "1", "0", "1"], *nothing])
    assert "1 requests" in page.text("status")


def test_faults_are_put_on_and_off(page, server):
    page.press("Add")
    page.wait(lambda: len(page.rows("faults")[0]) > 1)
    assert page.rows("faults") == [['{"effect":"drop_after","wait_s":0,"times":1}', "0", "0"]]
    page.press("Take all rules away")
    page.wait(lambda: page.rows("faults") == [["none: no fault is injected"]])
    assert list(server.faults.rows()) == []


def test_every_prepared_fault_is_a_rule(page, server):
    presets = Select(page.find("preset"))
    for number, option in enumerate(presets.options, 1):
        presets.select_by_visible_text(option.text)
        page.press("Add")
        page.wait(lambda number=number: len(list(server.faults.rows())) == number)
    assert page.text("alert") == ""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{", "the rule is no JSON"),
        ('{"effect": "fire"}', "`effect`"),
        (json.dumps({"effect": "delay", "wait_s": 1, POISON: 1}), "<img src=x"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(chromium, server, rule, said):
    page = Page(chromium, server)
    page.browser.execute_script("document.getElementById('rule').value = arguments[0]", rule)
    page.press("Add")
    page.wait(lambda: said in page.text("alert"))
    assert list(server.faults.rows()) == []
    assert page.browser.title == "Face ID simulator"


def test_clock_quota_and_account_are_changed_and_reset(page, server):
    before = server.clock.now()
    page.press("Advance 1 day")
    page.wait(lambda: server.clock.now() > before + 86_000)
    page.wait(lambda: "advanced by 86400 s" in page.text("clock"))
    Select(page.find("state")).select_by_visible_text("in arrears")
    page.wait(lambda: server.account.account_state.state is State.ARREARS)
    quota = page.find(f"quota-{ID_CARD}")
    quota.clear()
    quota.send_keys("5\t")
    page.wait(lambda: server.account.windows.quotas[ID_CARD] == 5)
    page.press("Forget every call and every change")
    page.wait(lambda: server.account.account_state.state is State.OK)
    page.wait(lambda: Select(page.find("state")).first_selected_option.text == "in good standing")
    page.wait(lambda: page.find(f"quota-{ID_CARD}").get_attribute("value") == "100")


def test_nothing_of_a_request_becomes_html(page, caller, server):
    server.faults.add(FaultRule(Code(code=POISON, envelope="result"), action=ID_CARD, times=1))
    caller.id_card(POISON, POISON)
    caller.post(POISON.replace("\n", ""), {"IdCard": POISON})
    page.wait(lambda: len(page.rows("requests")) == 2)
    assert page.rows("requests")[1][3] == POISON
    assert POISON not in json.dumps(page.rows("requests")[0])
    assert (
        page.browser.execute_script("return document.querySelectorAll('table script').length") == 0
    )
    assert page.browser.title == "Face ID simulator"


def test_every_field_and_section_has_a_name(page):
    script = """
    const named = (field) => field.labels.length || field.getAttribute("aria-labelledby");
    const fields = [...document.querySelectorAll("input, select, textarea")];
    const sections = [...document.querySelectorAll("section")];
    const labels = sections.map((one) => document.getElementById(one.getAttribute("aria-labelledby")));
    return [fields.length, fields.every(named), sections.length, labels.every((one) => one.textContent),
            document.documentElement.lang, document.querySelectorAll("h1").length];
    """
    fields = len(ACTIONS) + 3  # a quota each; the account's state, preset and rule
    assert page.browser.execute_script(script) == [fields, True, 5, True, "en", 1]


CONTRAST = """
const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((value) => {
  const part = value / 255;
  return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
});
const light = (colour) => { const [r, g, b] = channels(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (one) => {
  for (; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const ratio = (one) => {
  const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
return Math.min(...[...document.querySelectorAll("p, th, td, a, code, label, button, h1, h2, select, input, textarea")].map(ratio));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page, caller, scheme):
    """WCAG 2 AA asks for 4.5."""
    caller.post(ID_CARD, {}, secret_key="wrong")
    page.wait(lambda: len(page.rows("requests")[0]) > 1)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        assert page.browser.execute_script(CONTRAST) >= 4.5
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


ATTACK = """
const [url, done] = [arguments[0], arguments[1]];
const tried = [
  fetch(url + "/_sim/reset", {method: "POST", mode: "no-cors"}),
  fetch(url + "/_sim/faults", {method: "POST", mode: "no-cors", body: '{"effect": "drop_after"}'}),
  fetch(url + "/_sim/faults", {method: "DELETE"}),
  fetch(url + "/_sim/people").then((answer) => answer.text()),
];
Promise.allSettled(tried).then((ended) => done(ended.map((one) => one.status)));
"""


def test_a_page_elsewhere_changes_nothing_and_reads_nothing(chromium, server, elsewhere, caller):
    person = server.person()
    caller.id_card(person.id_card, person.name)
    # A page without a policy of its own, on another port.
    chromium.get(f"{elsewhere.url}/_sim/health")
    ended = chromium.execute_async_script(ATTACK, server.url)
    assert ended[2:] == ["rejected", "rejected"]
    assert len(server.account.ledger) == 1
    assert list(server.faults.rows()) == []


def test_another_page_cannot_show_it_in_a_frame(chromium, server, elsewhere):
    chromium.get(f"{elsewhere.url}/_sim/health")
    chromium.get_log("browser")
    chromium.execute_script(
        "const frame = document.createElement('iframe'); frame.src = arguments[0] + '/_sim/';"
        "document.body.append(frame);",
        server.url,
    )

    def refused(_) -> bool:
        return any("frame-ancestors" in entry["message"] for entry in chromium.get_log("browser"))

    assert WebDriverWait(chromium, SECONDS, 0.05).until(refused)


def test_when_the_simulator_has_gone_the_page_says_so(chromium):
    with SimulatorServer(people=20) as short_lived:
        page = Page(chromium, short_lived)
    page.wait(lambda: "does not answer" in page.text("status"))
    with pytest.raises(requests.ConnectionError):
        requests.get(short_lived.url, timeout=5)
