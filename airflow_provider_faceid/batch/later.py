"""Rows that may go a little later in the same run."""

from __future__ import annotations

import heapq

from ..clock import Clock
from .inputs import Row

PATIENCE_SECONDS = 90.0
"""How long a run waits for a row; what has to wait longer is left to another run."""

MOST_ROWS = 10_000
"""Rows kept in memory; further ones are left to another run."""


class Later:
    """Rows by the moment from which they may go, on the monotonic clock, which never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: list[tuple[float, int, Row]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row, seconds: float) -> bool:
        """Keep a row that may go in so many seconds, if they are few; say whether it is kept."""
        if seconds > PATIENCE_SECONDS or len(self._rows) >= MOST_ROWS:
            return False
        self._added += 1
        heapq.heappush(self._rows, (self._clock.monotonic() + seconds, self._added, row))
        return True

    def due(self) -> Row | None:
        """Take out a row whose moment has come, None if there is none."""
        if self._rows and self._rows[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._rows)[2]
        return None
