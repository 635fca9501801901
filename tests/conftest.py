"""The order of all tests: by chance, but what takes longest begins first; what they all share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.clickhouse import clickhouse
from tests.support.homes import HOMES, USUAL, is_about_homes
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres

__all__ = ["clickhouse", "mariadb", "postgres"]

DATABASES = "tests/databases/"
"""Folder of the tests that ``make test-databases`` runs, beside those of other folders on its databases."""

ONE_STORY = "tests/pii_scan/"
"""Folder whose files all look at what one Airflow has left."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let no process be left with a long file when the others are done."""
    if HOMES != USUAL:
        others = [i for i in items if not (DATABASES in i.nodeid or is_about_homes(i))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


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
