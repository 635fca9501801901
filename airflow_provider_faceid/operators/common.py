"""What the operators share: how parameters are read, asset events."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..compat import is_come_back
from ..exceptions import ConfigurationError
from ..frames import told
from ..spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from ..warehouse.records import Work


def work_of(context: Context, campaign: str, action: str, source: str = "") -> Work:
    """
    Return what our tables say of the work of a task.

    :param source: where its rows are.
    """
    from ..warehouse.records import Work  # noqa: PLC0415 - keeps reading a DAG file cheap

    ti: Any = context["ti"]
    map_index = int(getattr(ti, "map_index", -1))
    return Work(campaign, action, str(ti.run_id), map_index, str(ti.dag_id), source)


def shall_retry(on_in_doubt: str) -> bool:
    """
    Say whether calls that may have been charged without an answer are made again.

    :param on_in_doubt: the operator's parameter, rendered.
    :raises ConfigurationError: it is neither ``hold`` nor ``retry``.
    """
    check_choice("on_in_doubt", on_in_doubt, ("hold", "retry"))
    return on_in_doubt == "retry"


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """
    Refuse what is none of a parameter's values: a misspelt one would mean another one.

    :raises ConfigurationError: it is none of them.
    """
    if value not in choices:
        *others, last = map(repr, choices)
        listed = f"{', '.join(others)} or {last}" if others else last
        hint = nearest(str(value), choices)
        near = f"; did you mean '{hint}'?" if hint else ""
        raise ConfigurationError(f"{name}={value!r}: it is {listed}{near}")


def check_bounds(name: str, value: float, low: float, high: float = math.inf) -> None:
    """
    Refuse a number outside of a parameter's bounds.

    :raises ConfigurationError: it is, or it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bounds = f"from {low:g} to {high:g}" if high < math.inf else f"of {low:g} or more"
        raise ConfigurationError(f"{name}={value!r}: it is a number {bounds}")


def check_duration(name: str, value: timedelta | None) -> None:
    """
    Refuse a duration that is none.

    :raises ConfigurationError: it is negative or nothing.
    """
    if value is not None and value <= timedelta(0):
        raise ConfigurationError(f"{name}={value}: it is longer than nothing")


def describe_outlets(context: Context, outlets: Iterable[Any], facts: Mapping[str, Any]) -> None:
    """Attach counts to the asset events of a task's outlets; nothing per row."""
    for outlet in outlets:
        context["outlet_events"][outlet].extra = dict(facts)


@contextmanager
def manifest_on_failure(context: Context, manifest: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """
    Push what a task would have returned, and why it did not, if it fails.

    A task that fails returns nothing; one after it with ``trigger_rule="all_done"`` would meet None.

    :param manifest: returns the counts so far.
    """
    try:
        yield
    except BaseException as error:
        if not is_come_back(error):
            failed = {**manifest(), "success": False, "error": told(error)}
            with suppress(Exception):  # why the task fails says more
                context["ti"].xcom_push(key="return_value", value=failed)
        raise
