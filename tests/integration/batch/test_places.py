"""Every row ends in exactly one place, and the counts are the service's own."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.api.id_card import Check, masked
from airflow_provider_faceid.batch.inputs import Columns
from airflow_provider_faceid.clock import next_beijing_midnight, utc_text
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, expects
from airflow_provider_faceid.warehouse.records import Stage
from airflow_provider_faceid.warehouse.sql.database import MYSQL

pytestmark = pytest.mark.long


@pytest.fixture
def table(bench):
    """Thirty people, all kinds of answers among them, and three bad rows, the last ones."""
    rows = [
        (key, person.id_card, person.name, base64.b64encode(bench.photo(person)).decode())
        for key, person in enumerate(bench.people[:30], 1)
    ]
    good, photo = bench.ordinary[50], rows[-1][3]
    rows += [
        (31, None, good.name, photo),
        (32, good.id_card[:-1], good.name, photo),
        (33, good.id_card, "", photo),
    ]
    bench.fill(rows)
    return bench


@pytest.mark.parametrize("action", [ID_CARD, FACE])
def test_every_row_is_in_one_place_and_a_rerun_calls_nobody(table, action):
    manifest = table.run(action)
    table.check(manifest, action)
    codes = table.results(columns="code")
    rules = {key: rule for key, rule, _ in table.quarantine()}
    for key, person in enumerate(table.people[:30], 1):
        code = expects(person)[action]
        assert codes.get(str(key)) == code or rules[str(key)] == f"service:{code}"
    assert {rules[key] for key in ("31", "32", "33")} == {
        "id_card_missing",
        "id_card_length",
        "name_missing",
    }
    before = len(table.calls())
    again = table.run(action)
    assert len(table.calls()) == before
    counts = ("rows_in", "outcomes", "quarantined_by_rule", "postponed", "held")
    assert {name: again[name] for name in counts} == {name: manifest[name] for name in counts}
    # A photo the service refused may be another one by now: it is read, and the ledger asked.
    looked_at = sum(rule.startswith("service:") for rule in rules.values()) if action == FACE else 0
    assert (again["calls"], again["charged"], again["already"]) == (0, 0, 33 - looked_at)
    assert table.runs("state, calls, rows_in") == [
        ("success", manifest["calls"], 33),
        ("success", 0, 33),
    ]


def test_the_same_person_is_known_again_in_every_action_and_campaign(table):
    table.run(ID_CARD)
    table.run(FACE, campaign="faces")
    cards, faces = (table.results(c, "id_card_hash, id_card_masked") for c in ("c", "faces"))
    both = cards.keys() & faces.keys()
    assert len(both) > 10
    assert {key: cards[key] for key in both} == {key: faces[key] for key in both}
    for key, (digest, shown) in (cards | faces).items():
        person = table.people[int(key) - 1]
        assert shown == masked(person.id_card)
        assert person.id_card not in digest
    assert len({digest for digest, _ in cards.values()}) == len(cards)


def test_a_new_campaign_calls_again(bench):
    bench.fill_with(bench.ordinary[:5])
    bench.run(campaign="monday")
    assert bench.run(campaign="tuesday")["calls"] == 5
    assert len(bench.results("monday")) == len(bench.results("tuesday")) == 5
    assert set(bench.called().values()) == {2}


def test_the_two_actions_do_not_know_of_each_other(bench):
    bench.fill([(1, bench.ordinary[0].id_card, bench.ordinary[0].name)])
    bench.run(ID_CARD)
    manifest = bench.run(FACE)
    assert manifest["quarantined_by_rule"] == {"photo_missing": 1}
    assert bench.run(ID_CARD)["already"] == 1


def test_only_new_rows_are_called(bench):
    bench.fill_with(bench.ordinary[:5])
    bench.run()
    late = bench.ordinary[5]
    bench.source.run("INSERT INTO people VALUES (0, ?, ?, NULL)", [(late.id_card, late.name)])
    manifest = bench.run()
    assert (manifest["calls"], manifest["already"], manifest["answered"]) == (1, 5, 6)
    assert bench.called()[late.id_card] == 1


@pytest.mark.parametrize(
    "fault", [None, "12345", "1" * 18, "x"], ids=["NULL", "short", "check digit", "letter"]
)
def test_a_mended_row_is_called_alone_and_leaves_the_quarantine(bench, fault):
    bench.fill_with(bench.ordinary[:4])
    bench.source.run("UPDATE people SET id_card = ? WHERE id = 2", [(fault,)])
    bench.check(bench.run())
    assert [row[0] for row in bench.quarantine()] == ["2"]
    bench.source.run("UPDATE people SET id_card = ? WHERE id = 2", [(bench.ordinary[1].id_card,)])
    manifest = bench.run()
    assert (manifest["calls"], manifest["answered"], manifest["quarantined"]) == (1, 4, 0)
    assert bench.quarantine() == []
    assert bench.results()["2"] == ("answered", "match")
    assert set(bench.called().values()) == {1}


def test_a_row_that_breaks_another_rule_now_stands_in_quarantine_once(bench):
    bench.fill_with(bench.ordinary[:2])
    for fault, rule in (("12345", "id_card_length"), (None, "id_card_missing")):
        bench.source.run("UPDATE people SET id_card = ? WHERE id = 2", [(fault,)])
        manifest = bench.run()
        assert manifest["quarantined_by_rule"] == {rule: 1}
        assert bench.quarantine() == [("2", rule, "input")]


def test_a_mended_row_the_service_refuses_stands_in_quarantine_once(bench):
    """Its number passes the format only, so it is the service that finds the wrong check digit."""
    person = bench.ordinary[0]
    wrong = person.id_card[:-1] + ("1" if person.id_card[-1] != "1" else "2")
    bench.fill([(1, "12345", person.name), (2, person.id_card, person.name)])
    format_only = {"id_card_check": Check.FORMAT}
    bench.run(settings=format_only)
    bench.source.run("UPDATE people SET id_card = ? WHERE id = 1", [(wrong,)])
    manifest = bench.run(settings=format_only)
    assert bench.quarantine() == [("1", "service:-2", "service")]
    assert manifest["quarantined_by_rule"] == {"service:-2": 1}
    assert manifest["charged"] == 0
    assert bench.run(settings=format_only)["calls"] == 0


def test_rows_the_validation_refused_are_skipped(bench):
    bench.fill_with(bench.ordinary[:4])
    store = bench.store()
    store.open()
    store.replace_validation([("2", "too_young"), ("2", "too_old"), ("3", "too_young")])
    manifest = bench.run()
    bench.check(manifest)
    assert manifest["calls"] == 2
    assert manifest["quarantined_by_rule"] == {"too_old": 1, "too_young": 1}
    assert bench.called()[bench.ordinary[1].id_card] == 0


def test_what_a_validation_no_longer_finds_is_called(bench):
    bench.fill_with(bench.ordinary[:3])
    store = bench.store()
    store.open()
    store.replace_validation([("1", "r"), ("2", "r")])
    bench.run()
    started = bench.clock.now()
    store.replace_validation([("1", "r")])
    store.forget_validation_before(started)
    assert bench.quarantine() == [("1", "r", "validate")]
    assert bench.run()["calls"] == 1


@pytest.mark.parametrize(
    ("action", "code"), [(ID_CARD, "-7"), (FACE, "FailedOperation.IdentityAuthLimitExceeded")]
)
def test_a_limit_postpones_a_row_until_the_service_has_a_new_day(bench, action, code):
    limited, other = bench.special(code, action), bench.ordinary[0]
    rows = [
        (key, person.id_card, person.name, base64.b64encode(bench.photo(person)).decode())
        for key, person in enumerate((limited, other), 1)
    ]
    bench.fill(rows)
    moment = bench.clock.now()
    manifest = bench.run(action)
    bench.check(manifest, action)
    assert (manifest["postponed"], manifest["charged"]) == (1, 1)
    midnight = next_beijing_midnight(moment)
    assert bench.results(columns="status, outcome, code, not_before")["1"] == (
        "postponed",
        "limit",
        code,
        utc_text(midnight),
    )
    assert datetime.fromtimestamp(midnight, UTC).hour == 16
    again = bench.run(action)
    assert (again["calls"], again["postponed"]) == (0, 1)

    class Tomorrow(type(bench.clock)):
        def now(self):
            return super().now() + 86_400

    bench.clock = Tomorrow()
    bench.source.run("UPDATE people SET id_card = ?, name = ? WHERE id = 1", [rows[1][1:3]])
    plan = bench.run(action, dry_run=True)
    assert (plan["due_changed"], plan["still_valid"], plan["planned_calls"]) == (1, 1, 1)
    assert len(bench.calls()) == 2


def make_due(bench):
    bench.home.change("faceid_results", "status = 'postponed'", not_before="'2020-01-01'")


def test_the_day_after_postponed_rows_are_called_and_are_in_their_new_place(bench):
    bench.fill_with([bench.special("-7"), bench.ordinary[0], bench.ordinary[1]])
    bench.run()
    make_due(bench)
    person = bench.ordinary[2]
    bench.source.run(
        "UPDATE people SET id_card = ?, name = ? WHERE id = 1", [(person.id_card, person.name)]
    )
    manifest = bench.run()
    assert (manifest["calls"], manifest["postponed"]) == (1, 0)
    assert bench.results(columns="status, not_before")["1"] == ("answered", None)
    assert len(bench.results()) == 3


def test_a_postponed_row_whose_input_broke_meanwhile_is_quarantined_only(bench):
    bench.fill_with([bench.special("-7"), bench.ordinary[0]])
    bench.run()
    make_due(bench)
    bench.source.run("UPDATE people SET name = '' WHERE id = 1")
    manifest = bench.run()
    assert manifest["quarantined_by_rule"] == {"name_missing": 1}
    assert bench.results().keys() == {"2"}
    assert bench.quarantine() == [("1", "name_missing", "input")]


@pytest.mark.parametrize(
    ("action", "codes"),
    [
        (ID_CARD, ["-4", "-6", "FailedOperation.UnKnown"]),
        (
            FACE,
            ["FailedOperation.CompareLibServiceUnavailable", "FailedOperation.CompareSystemError"],
        ),
    ],
)
def test_codes_that_pass_are_called_until_the_answer_comes(bench, action, codes):
    people = [bench.special(code, action) for code in codes]
    bench.fill(
        [
            (key, person.id_card, person.name, base64.b64encode(bench.photo(person)).decode())
            for key, person in enumerate(people, 1)
        ]
    )
    manifest = bench.run(action, settings={"outage_patience": 60.0})
    bench.check(manifest, action)
    assert manifest["outcomes"] == {"match": len(people)}
    assert (manifest["calls"], manifest["charged"]) == (3 * len(people), len(people))
    assert set(bench.results(columns="attempts").values()) == {3}


def test_a_code_that_does_not_pass_postpones_the_row_by_an_hour(bench):
    bench.fill_with([bench.special("-4"), bench.ordinary[0]])
    moment = bench.clock.now()
    manifest = bench.run(settings={"max_attempts": 2})
    bench.check(manifest)
    assert (manifest["postponed"], manifest["calls"]) == (1, 3)
    status, outcome, code, not_before = bench.results(columns="status, outcome, code, not_before")[
        "1"
    ]
    assert (status, outcome, code) == ("postponed", "unavailable", "-4")
    assert utc_text(moment + 3590) < not_before < utc_text(moment + 3660)


def test_an_expired_verdict_stays_until_its_successor_is_there(bench):
    """The first time its person may not be asked about, the second time nobody knows what came of it."""
    real = type(bench.clock)()
    to_noon = next_beijing_midnight(real.now()) + 43_200 - real.now()

    class Noon(type(bench.clock)):
        """Tomorrow's: the ledger's own clock is the machine's, and nothing it has is of the future."""

        def now(self):
            return super().now() + to_noon

    bench.clock = Noon()
    person = bench.ordinary[0]
    bench.fill_with([person])
    bench.run()
    limited = {"identity_limits": {ID_CARD: IdentityLimits(id_card_per_day=1, name_per_day=0)}}
    manifest = bench.run(valid_for=1e-6, settings=limited)
    assert (manifest["due_expired"], manifest["postponed"]) == (1, 1)
    assert bench.results()["1"] == ("answered", "match")
    bench.server.faults.add(FaultRule(DropAfter(), person=person.id_card))
    assert bench.run(valid_for=1e-6)["held"] == 1
    assert bench.results()["1"] == ("held", "uncertain")
    assert bench.home.query("SELECT outcome FROM faceid_history")[0] == ("match",)


def test_the_same_person_twice_is_two_rows(bench):
    bench.fill_with([bench.ordinary[0]] * 2)
    manifest = bench.run()
    bench.check(manifest)
    assert manifest["outcomes"] == {"match": 2}


def test_an_empty_table_is_a_run_without_calls_if_that_is_allowed(bench):
    bench.fill([])
    manifest = bench.run(min_rows=0)
    bench.check(manifest)
    assert manifest["calls"] == manifest["rows_in"] == 0
    assert bench.runs("state, rows_in") == [("success", 0)]


@pytest.mark.parametrize("rows", [499, 500, 501, 1001])
def test_page_boundaries_lose_nobody(sqlite_bench, rows):
    bench = sqlite_bench
    people = bench.ordinary
    bench.fill(
        [(key, None if key % 7 else people[key // 7].id_card, "张伟") for key in range(rows)]
    )
    manifest = bench.run()
    bench.check(manifest)
    assert manifest["calls"] == len(range(0, rows, 7))


def test_hostile_column_names_end_to_end(bench):
    # A name of MySQL has characters of the basic plane only, its TEXT 64 KiB.
    is_mysql = bench.home.dialect is MYSQL
    names = ["the %s key", 'card "no"', "姓名?", "photo `影" if is_mysql else "photo 😀"]
    person = bench.ordinary[0]
    photo = base64.b64encode(bench.photo(person)).decode()
    bench.source.table("select", names, [(1, person.id_card, person.name, photo), (2, "", "", "")])
    columns = Columns({"IdCard": names[1], "Name": names[2]}, names[3])
    manifest = bench.run(FACE, source="select", key=names[0], columns=columns)
    assert manifest["outcomes"] == {"match": 1}
    assert manifest["quarantined_by_rule"] == {"id_card_missing": 1}


def test_a_query_is_verified_like_a_table(bench):
    bench.fill_with(bench.ordinary[:6])
    manifest = bench.run(
        source="SELECT id AS n, id_card, name FROM people WHERE id % 2 = 0 AND name LIKE '%'",
        key="n",
    )
    assert manifest["calls"] == manifest["answered"] == 3
    assert bench.results().keys() == {"2", "4", "6"}


def test_no_result_row_holds_a_name_or_number(bench):
    bench.fill_with(bench.people[:30])
    bench.run()
    store = bench.store()
    store.buffer.add_quarantined("99", "rule", Stage.INPUT)
    store.write(*store.buffer.drain())
    markers = {}
    for number, person in enumerate(bench.people[:30]):
        markers |= {f"number {number}": person.id_card, f"name {number}": person.name}
    scan = PiiScan(markers)
    for table in ("faceid_results", "faceid_quarantine", "faceid_runs"):
        scan.search_text(table, repr(bench.home.query(f"SELECT * FROM {table}")))
    assert scan.hits == []
