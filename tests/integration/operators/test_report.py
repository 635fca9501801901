"""The report of real runs: its numbers are those of the simulator's ledger and bill, and of the rows."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import Outcome, Step
from airflow_provider_faceid.clock import BEIJING
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator
from airflow_provider_faceid.report.verdicts import PLACE_OF
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD

from .conftest import TaskInstance, make_context

pytestmark = pytest.mark.long

MATCHES, MISMATCHES, UNKNOWN, BAD, LIMITED, HELD = 30, 14, 12, 11, 2, 1
ROWS = MATCHES + MISMATCHES + UNKNOWN + BAD + LIMITED + HELD
PRICE = 0.25
PEOPLE = {
    "source_conn_id": "warehouse",
    "source": "people",
    "key_column": "id",
    "warehouse_conn_id": "warehouse",
}
POISON = "<img src=x onerror=alert(1)>\"'&</script>"


def rows(bench) -> list[tuple[int, str, str | None]]:
    """Return people who match, who do not, who are unknown, bad rows, and one asked about too often."""
    ordinary = bench.ordinary
    found = [(ordinary[n].id_card, ordinary[n].name) for n in range(MATCHES + HELD)]
    found += [(ordinary[n].id_card, f"{ordinary[n + 1].name}") for n in range(MISMATCHES)]
    unknown, limited = bench.special("-5"), bench.special("-7")
    found += [
        (unknown.id_card, f"{unknown.name}{'一二三四五六七八九十百千'[n]}") for n in range(UNKNOWN)
    ]
    found += [(ordinary[n].id_card, None) for n in range(BAD)]
    found += [(limited.id_card, limited.name)] * LIMITED
    return [(number, *one) for number, one in enumerate(found)]


def report_task(path, **more):
    given = {"task_id": "report", "warehouse_conn_id": "warehouse", "path": str(path)}
    return FaceIdReportOperator(**(given | more))


def report(context, path, **more):
    return report_task(path, **more).execute(context)


@pytest.fixture
def verified(bench, context):
    """A run of which each place has rows, with prices."""
    bench.fill(rows(bench))
    bench.server.faults.add(FaultRule(DropAfter(), action=ID_CARD, times=1))
    task = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE)
    manifest = task.execute(context)
    prices = [{"action": ID_CARD, "price": str(PRICE), "currency": "USD"}]
    FaceIdViewsOperator(task_id="views", warehouse_conn_id="warehouse", price_list=prices).execute(
        context
    )
    return manifest


@pytest.fixture
def made(bench, verified, context, tmp_path):
    """The numbers of that run's report, small groups shown."""
    report(context, tmp_path / "run.html", smallest_group=1)
    return json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))


def by_place(numbers) -> dict[str, int]:
    return {place: g["answers"] for g in numbers["verdicts"] for place in g["places"]}


def test_where_rows_ended_is_what_the_run_and_the_service_say(bench, verified, made):
    head, (row,) = made["headline"], made["rows"]
    parts = [*by_place(row).values()]
    parts += [row[name] for name in ("answered_before", "quarantined", "postponed", "held", "left")]
    assert sum(parts) == row["rows_in"] == ROWS == verified["rows_in"]
    counted = Counter[str]()
    for outcome, count in verified["outcomes"].items():
        counted[PLACE_OF.get(outcome, "other_answers")] += count
    assert +Counter(by_place(row)) == counted
    for name in ("quarantined", "postponed", "held", "charged", "throttled"):
        assert head[name] == verified[name], name
    assert (head["requests"], head["may_be_charged"]) == (bench.calls, verified["charge_unknown"])
    # The same by what the service itself saw: each question was asked once.
    seen = Counter(e["result"] for e in bench.server.account.ledger.rows() if e["answered"])
    final = {code: n for code, n in seen.items() if code_row(ID_CARD, code).step is Step.RECORD}
    assert {line["codes"][0]: line["answers"] for line in made["codes"]} == final
    assert head["rates"]["match_rate"]["part"] == counted["matched"]
    assert head["rates"]["match_rate"]["value"] == counted["matched"] / (
        counted["matched"] + counted["mismatched"]
    )


def test_codes_and_charges_are_those_of_the_bill(bench, verified, made):
    ledger = [entry for entry in bench.server.account.ledger.rows() if entry["processed"]]
    billed = bench.server.account.ledger.bill[ID_CARD]
    answered = [entry for entry in ledger if entry["answered"]]
    charged = Counter(entry["result"] for entry in answered if entry["charged"])
    lines = {line["codes"][0]: line for line in made["codes"]}
    assert {code: line["charged"] for code, line in lines.items() if line["charged"]} == charged
    (total,) = made["money"]["totals"]
    assert total["charged"] == sum(charged.values()) == made["headline"]["charged"]
    assert total["charged"] <= billed <= total["charged"] + total["may_be_charged"]
    assert total["amount"] == pytest.approx(PRICE * sum(charged.values()))
    assert total["amount_at_most"] == pytest.approx(
        PRICE * (sum(charged.values()) + total["may_be_charged"])
    )
    avoided = verified["quarantined"] + verified["reused"] + verified["still_valid"]
    assert total["avoided"] == pytest.approx(PRICE * avoided)
    (by,) = made["money"]["avoided_rows"]
    assert sum(by[name] for name in ("quarantined", "reused", "still_valid")) == avoided
    (cost,) = made["money"]["by_campaign"]
    matched = by_place(made["headline"])["matched"]
    assert cost["cost_per_match"] == pytest.approx(total["amount"] / matched)
    days = {day["day"] for day in made["money"]["by_day"]}
    assert days <= {
        datetime.fromisoformat(str(entry["at"])).astimezone(BEIJING).date().isoformat()
        for entry in ledger
    }


def test_speed_waiting_quarantine_and_history(bench, verified, made):
    (speed,) = made["speed"]
    assert speed["requests"] == verified["calls"] == bench.calls
    assert speed["quota"] == ACTIONS[ID_CARD].quota
    assert speed["seconds"] == verified["seconds"]
    assert speed["quota_used"] == pytest.approx(
        bench.calls / (verified["seconds"] * speed["quota"])
    )
    waiting = Counter[str]()
    for line in made["waiting"]:
        waiting[line["status"]] += line["waiting"]
    assert waiting == {"postponed": verified["postponed"], "held": verified["held"]}
    rules = {rule: line["refusals"] for line in made["quarantine"] for rule in line["rules"]}
    assert rules == dict(bench.query("SELECT rule, COUNT(*) FROM faceid_quarantine GROUP BY rule"))
    (latency,) = made["latency"]
    took = sorted(
        t for (t,) in bench.query("SELECT latency_ms FROM faceid_history WHERE attempts > 0")
    )
    assert latency["p50_ms"] == took[-(-len(took) * 50 // 100) - 1]
    assert latency["calls"] == len(took)
    (run,) = made["runs"]
    assert (run["rows_in"], run["charged"]) == (ROWS, verified["charged"])
    assert made["stands_out"] == [{"campaign": "dag", "action": ID_CARD, "number": None, "runs": 0}]


def test_a_second_run_counts_its_own_answers_and_what_was_answered_before(
    bench, verified, tmp_path
):
    bench.fill([(900, bench.ordinary[-1].id_card, bench.ordinary[-1].name)], "more")
    bench.query("INSERT INTO people SELECT * FROM more")
    context = make_context(run_id="second")
    context["ti"] = TaskInstance()
    context["ti"].run_id = "second"
    manifest = IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    report(context, tmp_path / "second.html", smallest_group=1)
    numbers = json.loads((tmp_path / "second.json").read_text())
    (row,) = numbers["rows"]
    assert (row["rows_in"], row["answers"]) == (ROWS + 1, manifest["calls"])
    assert row["answered_before"] == manifest["answered"] - manifest["calls"]
    assert len(numbers["runs"]) == 2
    report(context, tmp_path / "all.html", days=90, smallest_group=1)
    rolling = json.loads((tmp_path / "all.json").read_text())
    (now,) = rolling["rows"]
    assert (
        now["rows_in"]
        == ROWS + 1
        == sum(by_place(now).values())
        + sum(now[name] for name in ("quarantined", "postponed", "held"))
    )
    assert rolling["headline"]["charged"] == verified["charged"] + manifest["charged"]
    assert (rolling["kind"], rolling["campaign"], rolling["run_id"]) == ("days", None, None)


def test_groups_under_ten_are_not_shown(bench, verified, context, tmp_path):
    report(context, tmp_path / "run.html")
    numbers = json.loads((tmp_path / "run.json").read_text())
    counts = [g["answers"] for g in numbers["headline"]["verdicts"]]
    counts += [line["answers"] for line in numbers["codes"]]
    counts += [line["refusals"] for line in numbers["quarantine"]]
    counts += [n for s in numbers["verdicts_by_day"] for p in s["periods"] for n in p["counts"]]
    assert [count for count in counts if count is not None and 0 < count < 10] == []


def test_the_page_has_no_script_and_nobody_in_it(bench, verified, context, tmp_path):
    bench.query(f"UPDATE faceid_quarantine SET rule = '{POISON.replace(chr(39), chr(39) * 2)}'")
    for language in ("en", "zh"):
        made = report(context, tmp_path / f"{language}.html", language=language)
        page = (tmp_path / f"{language}.html").read_text(encoding="utf-8")
        assert made["bytes"] == len(page.encode()) <= 300_000
        assert re.findall(r"<script|<link|<img|<iframe|<object|url\(|@import", page) == []
        assert re.findall(r"""(?:src|href|srcset|data|action)\s*=\s*["'](?!#)""", page) == []
        assert "https://" not in page
        assert "http://" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        numbers = (tmp_path / f"{language}.json").read_text(encoding="utf-8")
        for _, id_card, name in rows(bench):
            assert id_card not in page + numbers
            assert name is None or name not in page + numbers


def test_charts_need_the_extra_and_bars_do_not(bench, verified, context, tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_provider_faceid.report.charts.find_spec", lambda name: None)
    report(context, tmp_path / "bars.html")
    page = (tmp_path / "bars.html").read_text(encoding="utf-8")
    assert "<svg" not in page
    assert 'class="bar"' in page


def test_files_are_replaced_in_one_step_and_the_event_says_where_they_are(
    bench, verified, context, tmp_path
):
    asset = Asset("report")
    path = tmp_path / "new folder" / "run.html"
    made = report(context, path, outlets=[asset])
    assert context["outlet_events"][asset].extra == made
    assert (made["path"], made["json_path"]) == (str(path), str(path.with_suffix(".json")))
    assert made["amounts"] == {"USD": pytest.approx(PRICE * verified["charged"])}
    assert sorted(file.name for file in path.parent.iterdir()) == ["run.html", "run.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    again = report(context, path.as_uri(), days="30")
    assert (again["kind"], again["rows_in"]) == ("days", ROWS)


def test_checks_of_the_data_are_in_it(bench, verified, context, tmp_path):
    FaceIdValidateOperator(
        task_id="validate", action=ID_CARD, max_bad_fraction=1.0, **PEOPLE
    ).execute(context)
    report(context, tmp_path / "run.html", smallest_group=1)
    checks = json.loads((tmp_path / "run.json").read_text())["checks"]
    stored = bench.query(
        "SELECT rule, SUM(evaluated), SUM(unexpected) FROM faceid_checks GROUP BY rule, severity"
    )
    assert sorted((c["rule"], c["evaluated"], c["unexpected"]) for c in checks) == sorted(stored)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"path": "/tmp/report"}, "ends with .html"),
        ({"days": 30, "run_id": "x"}, "days or run_id"),
        ({"run_id": "nobody's"}, "has no run 'nobody's' of campaign 'dag'"),
        ({"language": "fr"}, "language='fr': it is 'en' or 'zh'"),
        ({"days": 0}, "days=0: it is a whole number from 1"),
    ],
)
@pytest.mark.usefixtures("verified")
def test_what_cannot_be_reported_is_said(context, tmp_path, parameters, said):
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        report(context, **({"path": str(tmp_path / "x.html")} | parameters))


def test_alerts_are_judged_by_what_the_service_billed(bench, verified, context, tmp_path, told):
    billed = sum(1 for e in bench.server.account.ledger.rows() if e["answered"] and e["charged"])
    match_rate = MATCHES / (MATCHES + MISMATCHES)
    alerts = {
        "match_rate": {"min": match_rate + 0.01},
        "amount": {"max": PRICE * billed},
        "charged": {"max": "{{ params.budget }}"},
        "throttled_share": {"max": 0.0},
        "quota_used": {"max": 1.0},
        "p95_ms": {"max": 3_600_000},
        "postponed_hours": {"max": timedelta(minutes=10)},
        "stood_out": {"max": 0},
        "cost_per_match": {"max": 1000},
    }
    task = report_task(tmp_path / "run.html", alerts=alerts, smallest_group=1)
    task.render_template_fields({**context, "params": {"budget": billed - 1}})
    made = task.execute(context)
    numbers = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert made["alerts"] == numbers["alerts"]
    by_number = {one["number"]: one for one in made["alerts"]}
    assert by_number.keys() == alerts.keys()
    broken = {name for name, one in by_number.items() if one["state"] == "broken"}
    assert broken == {"match_rate", "charged"}
    assert by_number["match_rate"]["value"] == match_rate
    assert by_number["charged"]["value"] == billed
    assert by_number["amount"]["value"] == pytest.approx(PRICE * billed)
    assert 0 <= numbers["headline"]["postponed_hours"] < 1
    warned = told()
    assert f"Alert: Charged is {billed}, above {billed - 1}." in warned
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert f"<strong>Alert:</strong> Charged is {billed}, above {billed - 1}." in page
    report(context, tmp_path / "zh.html", alerts={"charged": {"max": 1}}, language="zh")
    page = (tmp_path / "zh.html").read_text(encoding="utf-8")
    assert f"<strong>告警：</strong> 计费为 {billed}，高于 1。" in page
    assert '<td class="t">姓名与身份证号一致</td>' in page


def test_a_critical_alert_fails_the_task_once_the_report_is_written(
    verified, context, tmp_path, told
):
    alerts = {"match_rate": {"min": 1, "severity": "critical"}, "rows_in": {"max": 1}}
    with pytest.raises(
        AirflowFailException, match=r"Match rate is 68\.2.*, below 100\.0"
    ) as caught:
        report(context, tmp_path / "run.html", alerts=alerts, smallest_group=1)
    assert "Rows in" not in str(caught.value)
    assert (tmp_path / "run.html").exists()
    pushed = context["ti"].pushed
    assert (pushed["return_value"]["success"], pushed["return_value"]["rows_in"]) == (False, ROWS)
    assert [one["state"] for one in pushed["faceid_report"]["alerts"]] == ["broken", "broken"]
    assert "Alert: Rows in is 70, above 1." in told()


def test_a_number_without_a_value_is_not_judged(bench, context, tmp_path):
    bench.fill([(1, bench.ordinary[0].id_card, None)])
    with pytest.raises(AirflowFailException):  # its only row is in quarantine
        IdCardVerificationBatchOperator(task_id="verify", **PEOPLE).execute(context)
    alerts = {"match_rate": {"min": 0.8, "severity": "critical"}, "throttled_share": {"max": 0.1}}
    made = report(context, tmp_path / "run.html", alerts=alerts)
    assert {one["state"] for one in made["alerts"]} == {"not_judged"}
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Match rate is not judged: it has no value here" in page


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        (
            {"match_rat": {"min": 0.8}},
            "there is no number 'match_rat' (did you mean 'match_rate'?)",
        ),
        (
            {"cost": {"max": 500}},
            "there is no number 'cost'; known are amount, amount_at_most, answered",
        ),
        ({"match_rate": {"min": 80}}, "match_rate: min is a share from 0 to 1"),
        ({"match_rate": {"min": "{{ x }}", "max": "many"}}, "match_rate: max is a share"),
        (["match_rate"], "it is a dict such as"),
        ("match_rate", "it is a dict such as"),
    ],
)
def test_alerts_that_cannot_be_meant_are_refused_when_the_dag_is_parsed(alerts, said):
    with pytest.raises(ConfigurationError, match=re.escape(f"Task 'report': alerts: {said}")):
        report_task("x.html", alerts=alerts)


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"match_rate": {"min": "{{ params.least }}"}}, "match_rate: min is a share from 0 to 1"),
        ("{{ params.alerts }}", "there is no number 'nobody'"),
    ],
)
@pytest.mark.usefixtures("verified")
def test_templates_of_alerts_are_checked_when_they_are_rendered(context, tmp_path, alerts, said):
    task = report_task(tmp_path / "x.html", alerts=alerts)
    params = {"least": 80, "alerts": {"nobody": {"max": 1}}}
    task.render_template_fields({**context, "params": params})
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        task.execute(context)


def test_outcomes_have_a_place():
    assert set(PLACE_OF) < set(Outcome)
