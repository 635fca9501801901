"""Thresholds on numbers of a report: what is refused, and how published numbers are judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_faceid.report.sentences import broken_alerts, sentences
from airflow_provider_faceid.report.thresholds import METRICS, hours_since, judge, read_thresholds

HEAD = {
    **dict.fromkeys(("rows_in", "answers", "answered", "requests"), 100),
    **dict.fromkeys(("answered_before", "left", "held", "may_be_charged", "stood_out"), 0),
    "quarantined": 10,
    "postponed": 5,
    "throttled": 20,
    "charged": 80,
    "runs_unfinished": 0,
    "postponed_hours": 50.0,
    "held_hours": 0.0,
    "rates": {
        "match_rate": {"value": 0.75, "part": 60, "whole": 80},
        "hit_rate": {"value": None, "part": None, "whole": None},
        "review_rate": {"value": None, "part": None, "whole": 90, "at_most": 0.1},
    },
}


def total(currency, amount, **more):
    known = {"charged": 1, "may_be_charged": 0, "amount": amount, "amount_at_most": amount}
    return {"currency": currency, **known, "avoided": 0.0, **more}


def doc(*totals, **head):
    return {
        "headline": HEAD | head,
        "speed": [
            {"action": "A", "quota_used": 0.5, "requests_per_second": 10.0},
            {"action": "B", "quota_used": 0.9, "requests_per_second": 2.0},
            {"action": "C", "quota_used": None, "requests_per_second": None},
        ],
        "latency": [
            {"action": "A", "verified_date": "2026-11-01", "p95_ms": 9000},
            {"action": "A", "verified_date": "2026-11-02", "p95_ms": 80},
            {"action": "B", "verified_date": "2026-11-02", "p95_ms": None},
        ],
        "money": {"totals": list(totals), "by_campaign": []},
        "stands_out": [],
        "alerts": [],
    }


def judged(of, **alerts):
    return {one["number"]: one for one in judge(of, read_thresholds(alerts))}


def test_a_number_is_kept_or_broken():
    found = judged(
        doc(),
        match_rate={"min": 0.8},
        throttled_share={"max": 0.2},
        quarantined_share={"min": 0.05, "max": 0.1},
        waiting_share={"max": 0.04, "severity": "critical"},
        postponed_hours={"max": timedelta(days=2)},
        stood_out={"max": 0},
        rows_in={"min": 101},
    )
    broken = {"match_rate", "waiting_share", "postponed_hours", "rows_in"}
    assert {name for name, one in found.items() if one["state"] == "broken"} == broken
    assert {one["state"] for one in found.values()} == {"broken", "kept"}
    assert next(iter(found)) == "waiting_share"  # the critical one is first
    assert found["match_rate"]["value"] == 0.75
    assert found["postponed_hours"]["max"] == 48.0
    assert found["waiting_share"]["value"] == 0.05


def test_the_worst_action_is_judged_and_named():
    found = judged(doc(), quota_used={"max": 0.8}, requests_per_second={"min": 1})
    assert (found["quota_used"]["of"], found["quota_used"]["value"]) == ("B", 0.9)
    assert (found["requests_per_second"]["of"], found["requests_per_second"]["state"]) == (
        "B",
        "kept",
    )
    latency = judged(doc(), p95_ms={"max": 100})["p95_ms"]
    assert (latency["of"], latency["value"], latency["state"]) == ("A", 80, "kept")


def test_without_a_value_nothing_is_judged():
    one = judged(doc(), hit_rate={"min": 0.5})["hit_rate"]
    assert (one["state"], one["reason"], one["value"]) == ("not_judged", "no_value", None)
    empty = doc(rows_in=0, requests=0)
    for name in ("quarantined_share", "throttled_share"):
        assert judged(empty, **{name: {"max": 0.1}})[name]["reason"] == "no_value"
    assert judged(empty, cost_per_match={"max": 1})["cost_per_match"]["reason"] == "no_value"


@pytest.mark.parametrize(
    ("most", "state", "reason"),
    [(0.05, "not_judged", "bound"), (0.1, "kept", None), (0.5, "kept", None)],
)
def test_a_rate_of_a_small_group_is_judged_by_what_is_published(most, state, reason):
    one = judged(doc(), review_rate={"max": most})["review_rate"]
    assert (one["state"], one["reason"], one["at_most"]) == (state, reason, 0.1)
    assert one["value"] is None


def test_a_rate_that_is_at_most_below_its_least_is_broken():
    of = doc()
    one = judged(of, review_rate={"min": 0.2})["review_rate"]
    assert one["state"] == "broken"
    assert broken_alerts([one], "en")[0][0] == "Review rate is ≤ 10.0\xa0%, below 20.0\xa0%."


@pytest.mark.parametrize(
    ("totals", "alert", "state", "reason"),
    [
        ([], {"max": 500}, "kept", None),
        ([total("USD", 501.0)], {"max": 500}, "broken", None),
        ([total("USD", 500.0)], {"max": 500}, "kept", None),
        ([total("USD", 1.0), total(None, None)], {"max": 500}, "not_judged", "no_price"),
        ([total(None, None)], {"max": 500}, "not_judged", "no_price"),
        ([total("USD", 501.0), total(None, None)], {"max": 500}, "broken", None),
        ([total(None, None, charged=0)], {"max": 500}, "kept", None),
        ([total("CNY", 9.0), total("USD", 9.0)], {"max": 5}, "not_judged", "several_currencies"),
        ([total("CNY", 9.0), total("USD", 4.0)], {"max": 5, "currency": "USD"}, "kept", None),
        ([total("CNY", 9.0)], {"max": 5, "currency": "USD"}, "not_judged", "no_value"),
    ],
)
def test_a_budget_is_in_one_currency_and_needs_prices(totals, alert, state, reason):
    one = judged(doc(*totals), amount=alert)["amount"]
    assert (one["state"], one["reason"]) == (state, reason)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "it is a dict such as"),
        ("match_rate", "it is a dict such as"),
        (
            {"match_rat": {"min": 0.8}},
            r"there is no number 'match_rat' \(did you mean 'match_rate'",
        ),
        ({"cost": {"max": 5}}, r"there is no number 'cost'.*known are amount, amount_at_most"),
        ({"match_rate": 0.8}, "match_rate: it is a dict with min, max or both"),
        ({"match_rate": {}}, "match_rate: it needs min, max or both"),
        ({"match_rate": {"severity": "critical"}}, "match_rate: it needs min, max or both"),
        ({"match_rate": {"minimum": 0.8}}, r"match_rate: there is no key 'minimum'"),
        (
            {"match_rate": {"min": 80}},
            "match_rate: min is a share from 0 to 1, such as 0.8 for 80 %",
        ),
        ({"match_rate": {"min": float("nan")}}, "min is a share from 0 to 1"),
        ({"match_rate": {"min": 0.9, "max": 0.8}}, "match_rate: min is above max"),
        ({"match_rate": {"min": True}}, "min is a share"),
        ({"amount": {"max": -1}}, "amount: max is a number from 0"),
        ({"amount": {"max": "many"}}, "amount: max is a number from 0"),
        ({"amount": {"max": [5]}}, "amount: max is a number from 0"),
        ({"amount": {"max": timedelta(1)}}, "amount: max is a number from 0"),
        ({"held_hours": {"max": float("inf")}}, "held_hours: max is hours or a timedelta from 0"),
        ({"rows_in": {"min": 1, "severity": "loud"}}, "severity is 'warning' or 'critical'"),
        ({"rows_in": {"min": 1, "severity": ["critical"]}}, "severity is 'warning' or 'critical'"),
        ({"rows_in": {"min": 1, "currency": "USD"}}, "currency is the code of one"),
        ({"amount": {"max": 1, "currency": 7}}, "currency is the code of one"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        read_thresholds(given)


def test_what_comes_later_is_not_checked_yet():
    def later(value):
        return value == "later"

    (one,) = read_thresholds({"match_rate": {"min": "later", "max": 1}}, later)
    assert (one.least, one.most) == (None, 1.0)
    with pytest.raises(ValueError, match="max is a share"):
        read_thresholds({"match_rate": {"min": "later", "max": 2}}, later)


@pytest.mark.parametrize("number", METRICS)
def test_every_number_can_be_read_of_a_report_without_rows(number):
    empty = doc(**{name: 0 for name, value in HEAD.items() if isinstance(value, int | float)})
    empty |= {"speed": [], "latency": []}
    (one,) = judge(empty, read_thresholds({number: {"min": 0, "max": 1}}))
    assert one["state"] in {"kept", "not_judged", "broken"}
    assert sentences(empty | {"alerts": [one]}, "zh")


def test_hours_are_from_the_oldest_row_on():
    now = "2026-11-29T12:00:00.000+00:00"
    assert hours_since("2026-11-27T09:30:00.000+00:00", now) == 50.5
    assert hours_since("", now) == 0.0
    assert hours_since(now, "2026-11-29T11:00:00.000+00:00") == 0.0


def test_sentences_say_what_is_broken_what_not_judged_and_what_is_kept():
    alerts = {
        "match_rate": {"min": 0.8},
        "amount": {"max": 5},
        "postponed_hours": {"max": 48},
        "quota_used": {"max": 0.95},
        "hit_rate": {"min": 0.5},
        "rows_in": {"max": 100},
    }
    of = doc(total("USD", 9.0))
    of["alerts"] = judge(of, read_thresholds(alerts))
    said = {
        language: [f"{mark} {text}".strip() for text, mark in sentences(of, language)]
        for language in ("en", "zh")
    }
    assert said["en"][2:-1] == [
        "Alert: Match rate is 75.0\xa0%, below 80.0\xa0%.",
        "Alert: Cost is USD\xa09.00, above USD\xa05.00.",
        "Alert: Oldest postponed row (hours) is 50 h, above 48 h.",
        "Hit rate is not judged: it has no value here, or one of too few answers to be shown.",
        "No alert for: Quota used of B, Rows in.",
    ]
    assert said["zh"][2:5] == [
        "告警： 一致率为 75.0\xa0%，低于 80.0\xa0%。",
        "告警： 费用为 USD\xa09.00，高于 USD\xa05.00。",
        "告警： 最早推迟行的时长（小时）为 50 小时，高于 48 小时。",
    ]
