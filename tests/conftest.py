"""When all tests begin: by chance, what takes longest first, none shortly before midnight; what they share."""

from __future__ import annotations

import atexit
import gc
import time
from collections.abc import Generator
from typing import Any

import hypothesis  # noqa: F401 - before anything is frozen: it looks for what refers to its objects
import pytest

from airflow_provider_faceid.clock import next_beijing_midnight
from tests.support.clickhouse import clickhouse
from tests.support.homes import HOMES, USUAL, is_about_homes
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres

__all__ = ["clickhouse", "mariadb", "postgres"]

DATABASES = "tests/databases/"
"""Folder of the tests that ``make test-databases`` runs, beside those of other folders on its databases."""

DAY_SECONDS, LAST_SECONDS = 86_400, 120.0
"""Of a day, in Beijing or of UTC, the last two minutes."""

ONE_STORY = "tests/pii_scan/"
"""Folder whose files all look at what one Airflow has left."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Look for no garbage among tests and what they import, which is all there until the end.

    A process with all tests would look among a million objects, again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        atexit.register(gc.unfreeze)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let no process be left with a long file when the others are done."""
    if HOMES != USUAL:
        others = [i for i in items if not (DATABASES in i.nodeid or is_about_homes(i))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """
    Wait for a new day that is near: limits, counts and partitions are of one, and would be of two.

    A run waits for a new day of limits that is up to 90 s away.
    """
    now = time.time()
    left = min(next_beijing_midnight(now) - now, DAY_SECONDS - now % DAY_SECONDS)
    if left < LAST_SECONDS:
        time.sleep(left + 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep that folder in one process as well, where files are."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - where it is installed

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ONE_STORY if nodeid.startswith(ONE_STORY) else super()._split_scope(nodeid)

    return Scheduling(config, log)
