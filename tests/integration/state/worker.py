"""A worker of test_processes: calls as fast as the pace lets it and writes down when."""

from __future__ import annotations

import sys
import time

from airflow_provider_faceid.state.pace import SlotPace
from airflow_provider_faceid.state.rows import StoredRow
from airflow_provider_faceid.state.store import StateStore

url, rate, seconds, log = sys.argv[1:]
store = StateStore(url)
with store.transaction():
    pass
print("ready", flush=True)  # noqa: T201 - the test waits for it
end = float(sys.stdin.readline()) + float(seconds)
pace = SlotPace(StoredRow(store, "account"), float(rate))
with open(log, "w", buffering=1) as file:  # noqa: PTH123 - a line at a time, should it be killed
    while True:
        pace.wait()
        now = time.time()
        if now >= end:
            break
        file.write(f"{now}\n")
    file.write(f"cpu {time.process_time()}\n")
store.close()
