"""Asset events of a task in a context made by a test."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any


class OutletEvents:
    """The events of a task's outlets, by asset. Assets are no keys: in Airflow 3.1 they have no hash."""

    def __init__(self) -> None:
        self._events: defaultdict[str, SimpleNamespace] = defaultdict(SimpleNamespace)

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        return self._events[asset.name]
