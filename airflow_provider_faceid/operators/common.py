"""What the operators share: what our tables say of a task, asset events, the manifest of a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..compat import is_come_back
from ..frames import told

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
