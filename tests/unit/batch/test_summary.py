from __future__ import annotations

from collections import Counter

from airflow_provider_faceid.batch.manifest import Manifest, Tables, summary

TABLES = Tables("daily", "warehouse", "faceid_results", "faceid_quarantine")


def test_a_complete_run_says_where_its_verdicts_are():
    manifest = Manifest(rows_in=1000, outcomes=Counter(match=990, mismatch=10), calls=1, charged=1)
    assert summary(manifest, TABLES) == [
        "Campaign 'daily': 1,000 of 1,000 rows answered, 1 call and 1 charge in this run",
        "verdicts are in table 'faceid_results' of connection 'warehouse'",
    ]


def test_what_the_rest_is_waiting_for_is_said_by_kind():
    manifest = Manifest(
        rows_in=10,
        outcomes=Counter(match=2),
        quarantined=Counter(name_missing=1),
        postponed=2,
        not_before=1_796_000_000.0,
        held=1,
    )
    said = summary(manifest, TABLES)
    assert said[0].startswith("Campaign 'daily': 2 of 10 rows answered, 0 calls and 0 charges")
    assert said[2:] == [
        "1 row is in quarantine until mended: see rule and key in table 'faceid_quarantine'",
        "2 rows are postponed: the next run asks again from 2026-11-30T00:53:20.000+00:00 on",
        "1 row is held, maybe charged: look it up in the bill, then use FaceIdReleaseOperator",
        "4 rows are left to the next run",
    ]
