"""A clock that is moved by hand."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.clock import Clock


class ManualClock(Clock):
    """Stands still until it is moved; chance always takes its middle, or what is set."""

    def __init__(self) -> None:
        self.seconds = 1_780_286_400.0
        self.chance = 0.5
        self.jitters: list[tuple[float, float]] = []

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def jitter(self, low: float, high: float) -> float:
        self.jitters.append((low, high))
        return low + (high - low) * self.chance


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
