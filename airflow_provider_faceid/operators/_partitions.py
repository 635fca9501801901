"""Partitions of asset events: the campaign, or the service's day, as an outlet asks for.

An event with a partition starts only DAGs that are scheduled on partitions (``PartitionedAssetTimetable``,
Airflow 3.3), so that no event has one unless its asset asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..clock import SYSTEM_CLOCK, beijing_date
from ..exceptions import ConfigurationError, nearest

if TYPE_CHECKING:
    from airflow.sdk import Context

PARTITION = "faceid_partition"
"""Key of an asset's extra that says what its events are partitioned by."""
PARTITIONS = ("campaign", "day")
LONGEST = 250
"""Characters of a partition key at most."""


def check_partitions(outlets: Iterable[Any]) -> None:
    """
    Make sure that assets ask for partitions that there are.

    :raises ConfigurationError: one asks for another one.
    """
    for outlet in outlets:
        wanted = _wanted(outlet)
        if wanted is not None and wanted not in PARTITIONS:
            hint = nearest(str(wanted), PARTITIONS)
            raise ConfigurationError(
                f"Asset '{outlet.name}': {PARTITION}={wanted!r} in its extra; it is "
                f"'campaign' or 'day'{f' - did you mean {hint!r}?' if hint else ''}"
            )


def add_partitions(context: Context, outlet: Any, event: Any, facts: Mapping[str, Any]) -> None:
    """
    Give an event the partitions its asset asks for, from Airflow 3.3 on.

    A task that goes on over midnight, of the service's time zone, has a partition for each day.

    :param event: of the outlet, as the context has it.
    :param facts: counts of the task, with its ``campaign`` if it has one.
    """
    wanted = _wanted(outlet)
    if wanted is None or not hasattr(event, "add_partitions"):
        return
    keys = [str(facts.get("campaign") or "")]
    if wanted == "day":
        last = beijing_date(SYSTEM_CLOCK.now())
        began: Any = getattr(context["ti"], "start_date", None)
        first = last if began is None else beijing_date(began.timestamp())
        days = max(0, (last - first).days)
        keys = [(last - timedelta(days=day)).isoformat() for day in range(days + 1)]
    event.add_partitions([key for key in keys if 0 < len(key) <= LONGEST])


def _wanted(outlet: Any) -> Any:
    """Return what an asset asks for; None if it asks for nothing, or is an alias."""
    return (getattr(outlet, "extra", None) or {}).get(PARTITION)
