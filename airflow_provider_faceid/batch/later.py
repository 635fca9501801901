"""Rows that may go a little later in the same run."""

from __future__ import annotations

import heapq

from .inputs import Row

PATIENCE_SECONDS = 90.0
"""How long a run waits for a row; what has to wait longer is left to another run."""

MOST_ROWS = 10_000
"""Rows kept in memory; further ones are left to another run."""


class Later:
    """Rows by the moment from which they may go."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, int, Row]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row, not_before: float, now: float) -> bool:
        """Keep a row if its moment is near; say whether it is kept."""
        if not_before - now > PATIENCE_SECONDS or len(self._rows) >= MOST_ROWS:
            return False
        self._added += 1
        heapq.heappush(self._rows, (not_before, self._added, row))
        return True

    def due(self, now: float) -> Row | None:
        """Take out a row whose moment has come, None if there is none."""
        if self._rows and self._rows[0][0] <= now:
            return heapq.heappop(self._rows)[2]
        return None
