"""A worker of test_processes: calls as fast as the pace lets it and writes down when."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from airflow_provider_faceid.state.rate_rows import StoredRow
from airflow_provider_faceid.state.store import StateStore

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.departures import NotedRateLimiter

url, rate, seconds, log = sys.argv[1:]
store = StateStore(url)
with store.transaction():
    pass
print("ready", flush=True)  # noqa: T201 - the test waits for it
end = float(sys.stdin.readline()) + float(seconds)
with open(log, "w", buffering=1) as file:  # noqa: PTH123 - a line at a time, should it be killed
    row = StoredRow(store, "account")
    pace = NotedRateLimiter(row, float(rate), note=lambda moment: file.write(f"{moment}\n"))
    while time.time() < end:
        pace.wait()
store.close()
