"""Which partitions the event of an asset has."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import Asset

from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.operators._partitions import add_partitions, check_partitions

DAY_SECONDS = 86_400


def partitions(wanted, facts, began=None):
    """Return what an event was given."""
    given = []
    event = SimpleNamespace(add_partitions=given.extend)
    extra = {} if wanted is None else {"faceid_partition": wanted}
    context = {"ti": SimpleNamespace(start_date=began)}
    add_partitions(context, Asset("results", extra=extra), event, facts)
    return given


@pytest.mark.parametrize(
    ("campaign", "keys"),
    [("kyc-2026", ["kyc-2026"]), ("", []), (None, []), ("x" * 250, ["x" * 250]), ("x" * 251, [])],
    ids=str,
)
def test_a_campaign_is_a_partition_if_it_can_be_a_key(campaign, keys):
    assert partitions("campaign", {"campaign": campaign}) == keys


def test_a_task_that_goes_on_over_midnight_has_a_partition_for_each_day():
    now = SYSTEM_CLOCK.now()
    began = SimpleNamespace(timestamp=lambda: now - DAY_SECONDS)
    days = partitions("day", {}, began)
    assert len(days) == 2
    assert days[1] < days[0] == beijing_date(SYSTEM_CLOCK.now()).isoformat()


def test_an_event_has_no_partition_unless_its_asset_asks_for_one():
    assert partitions(None, {"campaign": "kyc"}) == []
    add_partitions(  # Airflow 3.1 knows no partitions
        {}, Asset("results", extra={"faceid_partition": "campaign"}), object(), {"campaign": "kyc"}
    )


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [("dya", "did you mean 'day'"), ("Campaign", "did you mean 'campaign'"), (7, "it is")],
)
def test_another_partition_is_refused_with_the_nearest_known_one(wanted, hint):
    outlet = Asset("results", extra={"faceid_partition": wanted})
    with pytest.raises(ConfigurationError, match=f"Asset 'results'.*{hint}"):
        check_partitions([outlet])
    check_partitions([Asset("results", extra={"faceid_partition": "day"}), Asset("other")])
