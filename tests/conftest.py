"""The order of all tests: by chance, but what takes longest begins first."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no process be left with a long file when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
