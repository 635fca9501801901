from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import judge
from airflow_provider_faceid.batch.manifest import Manifest

counts = st.integers(0, 10**7)
outcomes = st.dictionaries(st.sampled_from([o.value for o in Outcome]), counts).map(Counter)
rules = st.dictionaries(st.text("abc_", min_size=1), counts).map(Counter)


@given(outcomes, rules, counts, counts)
def test_the_four_places_add_up(answered, quarantined, postponed, held):
    manifest = Manifest(
        outcomes=answered, quarantined=quarantined, postponed=postponed, held=held
    ).as_dict()
    assert manifest["answered"] == sum(manifest["outcomes"].values())
    assert manifest["quarantined"] == sum(manifest["quarantined_by_rule"].values())
    places = ("answered", "quarantined", "postponed", "held")
    whole = Manifest(outcomes=answered, quarantined=quarantined, postponed=postponed, held=held)
    assert whole.done == sum(manifest[place] for place in places)


def test_money_is_counted_from_verdicts():
    manifest = Manifest()
    for code in ("0", "-1", "-5", "99"):
        manifest.add_verdict(judge(Reply("IdCardVerification", code)))
    assert (manifest.calls, manifest.charged, manifest.charge_unknown) == (4, 2, 1)
    assert ACTIONS["IdCardVerification"].results["-1"].charged.flag is True


def test_what_a_gateway_refused_may_be_billed_and_is_counted():
    manifest = Manifest()
    manifest.add_verdict(replace(judge(Reply("IdCardVerification", "0")), gateway_refusals=2))
    manifest.add_requests(6, 0, charge_unknown=6)
    assert (manifest.charged, manifest.charge_unknown) == (1, 8)


def test_refused_requests_count_as_calls():
    manifest = Manifest()
    manifest.add_requests(3, 2)
    manifest.add_requests(1, 0)
    assert (manifest.calls, manifest.throttled) == (4, 2)


def test_the_rate_is_calls_per_second_and_nothing_without_a_call():
    assert Manifest().calls_per_second == 0
    assert Manifest(calls=50, seconds=2.5).as_dict()["calls_per_second"] == 20


def test_a_manifest_is_small_and_plain():
    manifest = Manifest(rows_in=10**6, outcomes=Counter({o.value: 10**6 for o in Outcome}))
    assert len(json.dumps(manifest.as_dict())) < 1000
