"""A whole DAG of 2,000 ID checks: our batch operator beside one mapped HttpOperator task per row.

The same Airflow, with a real scheduler and LocalExecutor, runs both against the same simulator.
What counts is the DAG run from its start to its end, as Airflow has them, and what the simulator
saw: every row called once, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deployment import Deployment, airflow
from table import show

from airflow_provider_faceid.simulator import KEY, Process, simulator

ACTION = "IdCardVerification"
ROWS = 2000
PEER_ROWS = 200
TARGET = 40
"""How many times as many rows per second ours is to make where the account does not limit it."""
QUOTA, LIFTED_QUOTA = 100, 5000
OF_QUOTA = 0.85
"""What a whole DAG run is to make of the quota where the account does."""
PEOPLE = ("--people", "2200", "--seed", "7")
RUN_SECONDS = 900
DAGS = Path(__file__).parent / "dags"
HEAD = ("DAG", "rows", "seconds", "rows/s", "busiest s", "times as fast")


@dataclass(frozen=True)
class Run:
    """
    A finished DAG run.

    :param rows: how many it was about.
    :param seconds: from its start to its end, as Airflow has them.
    :param calling: seconds from the first call to the last.
    :param busiest: most calls in one second of the service's clock.
    :param faults: how it differs from one answered call for each row.
    """

    rows: int
    seconds: float
    calling: float
    busiest: int
    faults: list[str]

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


def measure(
    deployment: Deployment, dag_id: str, service: Process, people: list[dict[str, Any]]
) -> Run:
    """Run a DAG about some people and hold it against what the service saw."""
    before = len(service.ask("ledger"))
    run = deployment.run(dag_id, RUN_SECONDS)
    seen = service.ask(f"ledger?offset={before}")
    return Run(
        rows=len(people),
        seconds=(moment(run["end_date"]) - moment(run["start_date"])).total_seconds(),
        calling=(moment(seen[-1]["at"]) - moment(seen[0]["at"])).total_seconds() if seen else 0.0,
        busiest=max(Counter(call["at"][:19] for call in seen).values(), default=0),
        faults=[f"{dag_id}: {fault}" for fault in differences(run["state"], seen, people)],
    )


def differences(
    state: str, seen: list[dict[str, Any]], people: list[dict[str, Any]]
) -> Iterator[str]:
    """Say what differs from one answered call for each person."""
    if state != "success":
        yield f"the run ended as {state}"
    calls = Counter(call["id_card"] for call in seen)
    wanted = Counter(person["id_card"] for person in people)
    if calls != wanted:
        missing, more = wanted - calls, calls - wanted
        yield f"{missing.total()} calls are missing and {more.total()} are too many"
    if other := [call for call in seen if call["result"] != "0"]:
        yield f"{len(other)} calls were not answered with a match"


def extrapolated(run: Run, rows: int) -> Run:
    """
    Return what more rows would take: the run, and the further rows at the pace of its own calls.

    Getting started counts once, and that Airflow slows down with the number of tasks not at all.
    """
    seconds = run.seconds + (rows - run.rows) * run.calling / (run.rows - 1)
    return Run(rows, seconds, run.calling, run.busiest, [])


def moment(text: str) -> datetime:
    """Read a moment as Airflow and the simulator write it."""
    return datetime.fromisoformat(text)


def fill(warehouse: Path, people: list[dict[str, Any]]) -> None:
    """Make the source table."""
    connection = sqlite3.connect(warehouse)
    connection.execute("CREATE TABLE applicants (id INTEGER PRIMARY KEY, id_card TEXT, name TEXT)")
    rows = [(key, person["id_card"], person["name"]) for key, person in enumerate(people, 1)]
    connection.executemany("INSERT INTO applicants VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()


def variables(folder: Path, documented: Process, lifted: Process) -> dict[str, str]:
    """Return the connections, and where the peer finds its rows."""
    faceid = {"conn_type": "faceid", **KEY}
    quota = {"id_card_verification_quota": LIFTED_QUOTA}
    connections = {
        "warehouse": {"conn_type": "sqlite", "host": str(folder / "warehouse.sqlite")},
        "faceid_documented": {**faceid, "host": documented.url},
        "faceid_lifted": {**faceid, "host": lifted.url, "extra": quota},
        "faceid_http": {"conn_type": "http", **KEY, "host": documented.url},
    }
    made = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(it) for name, it in connections.items()}
    return made | {"BENCH_ROWS": str(folder / "rows.json")}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A whole DAG of ID checks")
    parser.add_argument("--rows", type=int, default=ROWS, help="of ours (default %(default)s)")
    parser.add_argument("--peer-rows", type=int, default=PEER_ROWS, help="default %(default)s")
    return parser.parse_args()


def main() -> int:
    """Print the table; return the exit code."""
    options = parse()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        documented = stack.enter_context(simulator(*PEOPLE))
        lifted = stack.enter_context(simulator(*PEOPLE, "--quota", f"{ACTION}={LIFTED_QUOTA}"))
        ordinary = [person for person in documented.ask("people") if not person["special"]]
        people, few = ordinary[: options.rows], ordinary[: options.peer_rows]
        fill(folder / "warehouse.sqlite", people)
        body = [{"IdCard": person["id_card"], "Name": person["name"]} for person in few]
        (folder / "rows.json").write_text(json.dumps(body))
        home = folder / "airflow"
        home.mkdir(0o700)
        running = stack.enter_context(airflow(home, DAGS, variables(folder, documented, lifted)))
        ids = ("http_operator_per_row", "batch_operator_documented", "batch_operator_lifted")
        running.wait_for(*ids)
        peer = measure(running, ids[0], documented, few)
        ten_times = extrapolated(peer, options.rows)
        ours = [
            measure(running, dag_id, service, people)
            for dag_id, service in zip(ids[1:], (documented, lifted), strict=True)
        ]
    titles = (f"batch operator, quota {QUOTA}/s", "batch operator, quota lifted")
    rows = [row("one HttpOperator task per row", peer), row("the same, extrapolated", ten_times)]
    for title, run in zip(titles, ours, strict=True):
        rows.append(row(title, run, f"{run.rate / ten_times.rate:.1f}x"))
    show(HEAD, rows)
    print(f"With {QUOTA} calls per second {QUOTA / ten_times.rate:.0f}x is the most there can be.")
    faults = [fault for run in (peer, *ours) for fault in run.faults]
    if ours[0].rate < OF_QUOTA * QUOTA:
        faults.append(
            f"the run makes {ours[0].rate / QUOTA:.0%} of the quota, below {OF_QUOTA:.0%}"
        )
    if ours[1].rate < TARGET * ten_times.rate:
        faults.append(f"the run with the quota lifted is below {TARGET}x")
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


def row(title: str, run: Run, faster: str = "") -> tuple[str, ...]:
    """Return a row of the table."""
    numbers = f"{run.rows:,}", f"{run.seconds:.1f}", f"{run.rate:.2f}", str(run.busiest)
    return (title, *numbers, faster)


if __name__ == "__main__":
    sys.exit(main())
