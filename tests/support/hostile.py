"""Answers that no server should give, and that hostile ones do."""

from __future__ import annotations

import gzip
from functools import cache


@cache
def gzip_bomb() -> bytes:
    """Return 100 MB of zeros in 100 KB of gzip."""
    return gzip.compress(bytes(100 * 2**20))
