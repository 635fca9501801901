"""A customer beside a table of 100,000 rows: how long a single check waits until it reaches the service.

Batch workers verify the table, each its part in a process of its own; in another process single checks come
at random moments, as a customer's would: hook, ledger and rate limiter, all on one SQLite state store.
*Leaves* is the time from the call of the hook until the service has the request, by the service's own
ledger. First without priority, then with. The first check with priority after a minute without one waits a
little longer, so it is also shown by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

from million import ACTION, PATIENCE, connections, fill, strangers
from table import show

from airflow_provider_faceid.simulator import Process, simulator

ROWS, CHECKS = 100_000, 40
CASES = ((100, 1), (100, 4), (20, 4))
"""Quota and batch workers."""
PAUSES = (0.3, 1.5)
"""Seconds between two checks, at least and at most."""
SHARE = 0.97
MEDIAN_MS, MOST_MS = 100, 300
"""Targets with priority: at the median, and at the 95th percentile."""
HEAD = ("", "quota", "workers", "median ms", "95 % ms", "first ms", "busiest s", "held")


def verify(pipe: Connection, part: int, parts: int) -> None:
    """Verify a part of the table when told."""
    from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator

    operator = IdCardVerificationBatchOperator(
        task_id="verify",
        source_conn_id="warehouse",
        source=f"SELECT * FROM applicants WHERE id % {parts} = {part}",  # noqa: S608 - of numbers
        campaign="bench",
        warehouse_conn_id=f"results_{part}",
    )
    pipe.send("ready")
    pipe.recv()
    task = SimpleNamespace(
        dag_id="bench", run_id="bench", task_id="verify", map_index=part, try_number=1
    )
    operator.execute({"run_id": "bench", "ti": task})


def check(pipe: Connection, first: int) -> None:
    """Check single people when told, with priority or without; give key and moment of each."""
    from airflow_provider_faceid.hooks.faceid import FaceIdHook
    from airflow_provider_faceid.hooks.single_call import Idempotency

    people, chance = islice(strangers(), first, None), random.Random(3)  # noqa: S311 - of pauses
    hook = FaceIdHook()
    work = Idempotency(owner="customer", campaign="customers")

    def ask(*, priority: bool) -> tuple[str, float]:
        _, id_card, name = next(people)
        began = time.time()
        values = {"IdCard": id_card, "Name": name}
        hook.verify(ACTION, values, idempotency=work, priority=priority)
        return id_card, began

    ask(priority=False)  # connections and ledger are open then, as in a task's second call
    pipe.send("ready")
    while (priority := pipe.recv()) is not None:
        asked = []
        for _ in range(CHECKS):
            asked.append(ask(priority=priority))
            time.sleep(chance.uniform(*PAUSES))
        pipe.send(asked)


def arrivals(service: Process) -> dict[str, float]:
    """Return when each person was asked about, in Unix seconds."""
    return {
        row["id_card"]: datetime.fromisoformat(row["at"]).timestamp() for row in rows_of(service)
    }


def rows_of(service: Process) -> list[dict[str, Any]]:
    """Return the service's ledger."""
    return list(service.ask("ledger"))


def measure(quota: int, workers: int) -> Iterator[tuple[str, ...]]:
    """Run one case; yield its rows."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        fill(folder / "warehouse.sqlite", ROWS)
        options = ("--quota", f"{ACTION}={quota}", "--no-identity-limits")
        service = stack.enter_context(simulator(*options))
        connections(folder, service.url, quota=quota)
        for part in range(workers):
            path = folder / f"results_{part}.sqlite"
            os.environ[f"AIRFLOW_CONN_RESULTS_{part}"] = (
                f'{{"conn_type": "sqlite", "host": "{path}"}}'
            )

        def start(target: Any, *args: Any) -> Connection:
            here, there = context.Pipe()
            process = context.Process(target=target, args=(there, *args))
            process.start()
            there.close()
            stack.callback(process.join, PATIENCE)
            stack.callback(process.kill)
            if not here.poll(2 * PATIENCE):
                raise SystemExit("A process does not start")
            here.recv()
            return here

        customer = start(check, ROWS)
        for pipe in [start(verify, part, workers) for part in range(workers)]:
            pipe.send("go")
        # The plan reads the whole table first; then every worker must have come to its pace.
        end = time.monotonic() + 2 * PATIENCE
        while len(rows_of(service)) < 5 * quota and time.monotonic() < end:
            time.sleep(1)
        for priority in (False, True):
            began = time.time()
            customer.send(priority)
            asked = customer.recv()
            yield row(service, asked, (began, time.time()), (quota, workers, priority))
        customer.send(None)


def row(
    service: Process,
    asked: list[tuple[str, float]],
    window: tuple[float, float],
    case: tuple[int, int, bool],
) -> tuple[str, ...]:
    """Return a row of the table; stop if a target is missed."""
    (began, ended), (quota, workers, priority) = window, case
    came = arrivals(service)
    waits = [1000 * (came[person] - moment) for person, moment in asked]
    moments = [moment for moment in came.values() if began <= moment < ended]
    most = max(Counter(map(int, moments)).values())
    middle, slow = median(waits), quantiles(waits, n=20)[-1]
    if most > quota or (priority and (middle > MEDIAN_MS or slow > MOST_MS)):
        MISSED.append(f"{case}: {middle:.0f} ms, {slow:.0f} ms, {most} in a second")
    return (
        "with priority" if priority else "without",
        f"{quota}/s",
        str(workers),
        f"{middle:.0f}",
        f"{slow:.0f}",
        f"{waits[0]:.0f}",
        f"{most}/{quota}",
        f"{len(moments) / (ended - began) / (quota * SHARE):.3f}",
    )


MISSED: list[str] = []


def rows() -> Iterator[tuple[str, ...]]:
    """Measure every case."""
    for quota, workers in CASES:
        yield from measure(quota, workers)


def main() -> int:
    """Print the table; return the exit code."""
    show(HEAD, rows())
    for one in MISSED:
        print(f"missed: {one}")
    return 1 if MISSED else 0


if __name__ == "__main__":
    sys.exit(main())
