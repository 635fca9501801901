"""The order of all tests: by chance, but what takes longest begins first; what they all share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres import postgres

__all__ = ["postgres"]

ONE_STORY = "tests/pii_scan/"
"""Folder whose files all look at what one Airflow has left."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no process be left with a long file when the others are done."""
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
