"""Four Actions at once, each over a table, on two workers: every pace held, every call billed once.

Each worker runs four tasks, one for each Action, over its half of the rows; a task has a process of its
own, as Airflow gives it one. Printed per Action: calls per second at the service against the target (the
quota and the connection's share of it), the busiest second against the quota, requests that were
throttled, and the service's bill beside what the runs counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from million import PATIENCE, connections
from table import show

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.simulator import Process, simulator
from airflow_provider_faceid.simulator.people import People

FOUR = (
    "PhoneVerification",
    "BankCardVerification",
    "CheckIdNameDate",
    "MobileNetworkTimeVerification",
)
ROWS = 10_000
WORKERS = 2
SHARE = 0.97
LEAST = 0.97
"""Of the target, which is the share of the quota that a connection uses."""
SLOWEST = 0.5
HEAD = ("Action", "rows", "held", "busiest s", "throttled", "billed", "counted")


def fill(warehouse: Path, rows: int) -> None:
    """Make one source table with a column for each field of the four Actions."""
    fields = {f.column: f for name in FOUR for f in ACTIONS[name].fields if f.column}
    people = People(rows * 2).listed[:rows]
    with closing(sqlite3.connect(warehouse)) as connection, connection:
        connection.execute(f"CREATE TABLE applicants (id INTEGER PRIMARY KEY, {', '.join(fields)})")
        marks = ", ".join("?" * (1 + len(fields)))
        connection.executemany(
            f"INSERT INTO applicants VALUES ({marks})",  # noqa: S608 - question marks
            (
                (key, *(person.value(f) for f in fields.values()))
                for key, person in enumerate(people, 1)
            ),
        )


def work(pipe: Connection, action: str, worker: int, shard: dict[str, Any]) -> None:
    """Run one task when told, and give its manifest."""
    from airflow_provider_faceid.operators.verify_batch import FaceIdVerifyTableOperator

    operator = FaceIdVerifyTableOperator(
        task_id=action,
        action=action,
        source_conn_id="warehouse",
        source="applicants",
        campaign="bench",
        shard=shard,
    )
    pipe.send("ready")
    pipe.recv()
    task = SimpleNamespace(
        dag_id="bench", run_id="bench", task_id=action, map_index=worker, try_number=1
    )
    pipe.send(operator.execute({"run_id": "bench", "ti": task}))


def run(rows: int) -> dict[str, list[dict[str, Any]]]:
    """Run all tasks at once and return their manifests by Action."""
    context, half = multiprocessing.get_context("spawn"), rows // WORKERS
    shards = [{"after": None, "until": half}, {"after": half, "until": None}]
    tasks = [(action, worker) for action in FOUR for worker in range(WORKERS)]
    pipes: dict[Connection, str] = {}
    with ExitStack() as stack:
        for action, worker in tasks:
            here, there = context.Pipe()
            process = context.Process(target=work, args=(there, action, worker, shards[worker]))
            process.start()
            there.close()
            stack.callback(process.kill)
            pipes[here] = action
        for pipe in pipes:
            if not pipe.poll(PATIENCE * len(tasks)):
                raise SystemExit("A task's process does not start")
            pipe.recv()
        for pipe in pipes:
            pipe.send("go")
        manifests: dict[str, list[dict[str, Any]]] = {action: [] for action in FOUR}
        waiting = set(pipes)
        quota = min(ACTIONS[action].quota for action in FOUR)
        while waiting:
            ready = wait(waiting, timeout=rows / (quota * SLOWEST) + PATIENCE)
            if not ready:
                raise SystemExit("The tasks take too long")
            for pipe in ready:
                manifests[pipes[pipe]].append(pipe.recv())
                waiting.remove(pipe)
        return manifests


def report(
    service: Process, manifests: dict[str, list[dict[str, Any]]], rows: int
) -> Iterator[tuple[str, ...]]:
    """Yield a row for each Action; stop if anything is not as it should be."""
    paces, bill = service.ask("pace"), service.ask("bill")
    wrong = []
    for action, tasks in manifests.items():
        pace, quota = paces[action], ACTIONS[action].quota
        held = pace["calls"] / pace["seconds"] / (quota * SHARE)
        counted = sum(task["charged"] for task in tasks)
        throttled = sum(task["throttled"] for task in tasks) + pace["throttled"]
        yield (
            action,
            f"{rows:,}",
            f"{held:.3f}",
            f"{pace['busiest_second']}/{quota}",
            f"{throttled}",
            f"{bill[action]:,}",
            f"{counted:,}",
        )
        answered = sum(task["answered"] for task in tasks)
        if not answered == pace["calls"] == rows or bill[action] != counted or throttled:
            wrong.append(f"{action}: {json.dumps(tasks)}")
        if held < LEAST:
            wrong.append(f"{action}: {held:.3f} of its target")
    if wrong:
        raise SystemExit("\n".join(wrong))


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Four Actions at once on two workers")
    parser.add_argument("--rows", type=int, default=ROWS, help="of each; default %(default)s")
    rows = parser.parse_args().rows
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        fill(folder / "warehouse.sqlite", rows)
        options = ("--people", str(rows * 2), "--no-identity-limits")
        service = stack.enter_context(simulator(*options))
        connections(folder, service.url)
        show(HEAD, report(service, run(rows), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
