"""``make demo``: real Airflow DAGs verify a table of applicants against the simulator, and report it.

Ends with ``demo: PASS`` if every row is where it belongs and our count of calls and of charged
calls is the simulator's own, in the tables and in the report; otherwise says what differs. The last
line is where the report is.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from applicants import fill, next_morning
from home import HOME, LOG, REPORT, WAREHOUSE, environment, relative

from airflow_provider_faceid.simulator import simulator

DAGS = {"verify_id_cards": "IdCardVerification", "verify_faces": "ImageRecognitionV2"}
LABEL = 24
PROGRESS = re.compile(r"(\w+:? \d+/\d+ rows,[^\[]*[^\[\s])")


class DemoLog(io.TextIOWrapper):
    """The log file; lines on the progress of a table are shown on the terminal too."""

    def write(self, text: str, /) -> int:
        """Write a piece of log."""
        if progress := PROGRESS.search(text):
            say(f"  {progress[1]}")
        return super().write(text)


def main() -> int:
    """Run the demo and return the exit code."""
    began = time.monotonic()
    HOME.mkdir(parents=True, exist_ok=True)
    # Airflow's loggers keep the stream they find first: from here on that is the log file.
    sys.stdout = sys.stderr = DemoLog(LOG.open("wb"), encoding="utf-8", line_buffering=True)
    if kept := keep_earlier():
        say(f"earlier:   the last demo's warehouse and ledger are kept in {relative(kept)}")
    with simulator("--people", "2000", "--seed", "7") as service:
        url = service.url
        say(f"simulator: Face ID on {url}, 2,000 people")
        expected = fill(WAREHOUSE, url)
        say(f"warehouse: {len(expected):,} applicants in {relative(WAREHOUSE)}")
        os.environ |= environment(url)
        say("airflow:   starting (the first time its database is made)")
        run_dag = start_airflow()
        faults: list[str] = []
        day = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        for dag_id, action in DAGS.items():
            say(f"\n{dag_id}: validate -> verify -> check_results -> summarise")
            state = run_dag(dag_id, day)
            print_table(summary(dag_id, action))
            faults += [] if state == "success" else [f"{dag_id}: the DAG run ended as {state}"]
            faults += [f"{dag_id}: {fault}" for fault in differences(url, action, expected)]
        say("\nverify_id_cards, the same day again: no row is new or changed, no call is made")
        again = calls_of(url, lambda: run_dag("verify_id_cards", day))
        print_table({"calls": again})
        faults += [f"the rerun made {again} calls"] if again else []
        due = next_morning(WAREHOUSE, url, expected)
        say("\nverify_id_cards, tomorrow: some people are new, names were corrected, rows mended")
        calls = calls_of(url, lambda: run_dag("verify_id_cards", day + timedelta(days=1)))
        planned = plan("IdCardVerification")
        print_table(planned)
        wanted = sum(due.values()) + planned["due postponed"]  # the latter if midnight has passed
        if calls != wanted:
            faults.append(f"{wanted} rows are due tomorrow, and {calls} calls were made")
        faults += [f"tomorrow: {f}" for f in differences(url, "IdCardVerification", expected)]
        say("\nrolling_report: views -> report, a page about all of it, and its numbers as JSON")
        state = run_dag("rolling_report", day + timedelta(days=1), path=str(REPORT))
        faults += [] if state == "success" else [f"rolling_report: the DAG run ended as {state}"]
        faults += [f"report: {fault}" for fault in misreported(url)]
    say(f"\nwarehouse file: {relative(WAREHOUSE)}   log: {relative(LOG)}")
    say("look around in the Airflow UI: make ui")
    for fault in faults:
        say(f"differs: {fault}")
    say(f"demo: {'FAIL' if faults else 'PASS'} ({time.monotonic() - began:.0f} s)")
    if REPORT.exists():
        say(f"report: {relative(REPORT)} (open it in a browser)")
    return 1 if faults else 0


def keep_earlier() -> Path | None:
    """
    Move what an earlier demo left out of the way, and return where it is; None if there is nothing.

    The ledger goes with the tables: it would answer in place of the service.
    """
    files = (
        *HOME.glob("warehouse.sqlite*"),
        *HOME.glob("report.*"),
        *HOME.glob("airflow/faceid_state.sqlite*"),
    )
    if not files:
        return None
    kept = HOME / "earlier" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    kept.mkdir(parents=True)
    for file in files:
        file.rename(kept / file.name)
    return kept


def start_airflow() -> Any:
    """Import Airflow, make its database if need be, and return a function that runs a DAG."""
    made_by = HOME / "airflow" / "made-by"
    installed = version("apache-airflow")
    if not made_by.exists() or made_by.read_text() != installed:
        shutil.rmtree(HOME / "airflow", ignore_errors=True)
    if not made_by.exists():
        from airflow.utils.db import initdb  # noqa: PLC0415 - reads the environment set above

        initdb()
        made_by.write_text(installed)
    from airflow.models.dagbag import DagBag  # noqa: PLC0415 - the same

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    if bag.import_errors:
        raise SystemExit(f"The example DAGs cannot be imported: {bag.import_errors}")

    def run_dag(dag_id: str, day: datetime, **params: str) -> str:
        dag = bag.dags[dag_id]
        for task in dag.tasks:
            task.retries = 0  # whoever watches wants to see a failure at once
        return str(dag.test(logical_date=day, run_conf=params).state)

    return run_dag


def summary(dag_id: str, action: str) -> dict[str, Any]:
    """Return the numbers of a DAG's table, read from the warehouse as an analyst would."""
    run = query(
        "SELECT rows_in, calls, charged, throttled, calls_per_second, seconds, postponed, held "
        "FROM faceid_runs WHERE action = ? ORDER BY started_at DESC LIMIT 1",
        action,
    )
    outcomes = dict(
        query(
            "SELECT outcome, COUNT(*) FROM faceid_results "
            "WHERE action = ? AND status = 'answered' GROUP BY outcome ORDER BY 1",
            action,
        )
    )
    rules = query(
        "SELECT rule, COUNT(*) FROM faceid_quarantine WHERE action = ? GROUP BY rule ORDER BY 1",
        action,
    )
    bad = query(
        "SELECT COUNT(DISTINCT source_key) FROM faceid_quarantine "
        "WHERE action = ? AND stage = 'validate'",
        action,
    )[0][0]
    if not run:
        return {"no run of": dag_id}
    rows_in, calls, charged, throttled, rate, seconds, postponed, held = run[0]
    return {
        "rows in": rows_in,
        "valid": rows_in - bad,
        **{f"quarantined: {rule}": count for rule, count in rules},
        **{name: outcomes.pop(name, 0) for name in ("match", "mismatch")},
        **{f"other: {name}": count for name, count in outcomes.items()},
        "postponed": postponed,
        "held": held,
        "calls": calls,
        "charged": charged,
        "throttled": throttled,
        "calls/s": f"{rate:.1f}",
        "seconds": f"{seconds:.1f}",
    }


def plan(action: str) -> dict[str, Any]:
    """Return what the last run of an Action was about to do, and what it cost."""
    names = ("due_new", "due_changed", "due_postponed", "still_valid", "planned_calls")
    (numbers,) = query(
        f"SELECT {', '.join(names)}, calls, charged FROM faceid_runs "  # noqa: S608 - our names
        "WHERE action = ? ORDER BY started_at DESC LIMIT 1",
        action,
    )
    titles = (*(name.replace("_", " ") for name in names), "calls", "charged")
    return dict(zip(titles, numbers, strict=True))


def calls_of(url: str, work: Callable[[], Any]) -> int:
    """Return how many calls the service saw while something was done."""
    before = len(get(f"{url}/_sim/ledger"))
    work()
    return len(get(f"{url}/_sim/ledger")) - before


def differences(url: str, action: str, expected: dict[int, dict[str, str]]) -> list[str]:
    """Compare the warehouse with what the simulator saw, billed and would answer."""
    faults = []
    ledger = [row for row in get(f"{url}/_sim/ledger") if row["action"] == action]
    billed = get(f"{url}/_sim/bill").get(action, 0)
    calls, charged = query(
        "SELECT SUM(calls), SUM(charged) FROM faceid_runs WHERE action = ?", action
    )[0]
    if calls != len(ledger):
        faults.append(f"we counted {calls} calls, the service {len(ledger)}")
    if charged != billed:
        faults.append(f"we counted {charged} charged calls, the service bills {billed}")
    answered = dict(
        query(
            "SELECT CAST(source_key AS INTEGER), code FROM faceid_results WHERE action = ?", action
        )
    )
    bad = {
        row[0]
        for row in query(
            "SELECT CAST(source_key AS INTEGER) FROM faceid_quarantine WHERE action = ?", action
        )
    }
    for key, codes in expected.items():
        code, place = codes.get(action), answered.get(key)
        if code and place != code and key not in bad:
            faults.append(f"applicant {key} should be answered {code}, is {place}")
        if not code and place:
            faults.append(f"applicant {key} should not have been sent, is {place}")
        if key in bad and place:
            faults.append(f"applicant {key} is in two places")
    return faults


def misreported(url: str) -> list[str]:
    """Compare the report with what the simulator saw and billed; print where rows are."""
    if not REPORT.with_suffix(".json").exists():
        return ["it was not written"]
    head = json.loads(REPORT.with_suffix(".json").read_text(encoding="utf-8"))["headline"]
    seen, billed = len(get(f"{url}/_sim/ledger")), sum(get(f"{url}/_sim/bill").values())
    parts = {name: head[name] for name in ("quarantined", "postponed", "held")}
    print_table({"rows in": head["rows_in"], "answered": head["answered"], **parts})
    faults = []
    if head["rows_in"] != head["answered"] + sum(parts.values()):
        faults.append(f"its parts do not sum to {head['rows_in']} rows")
    if head["requests"] != seen:
        faults.append(f"it says {head['requests']} requests, the service {seen}")
    if head["charged"] != billed:
        faults.append(f"it says {head['charged']} charged calls, the service bills {billed}")
    return faults


def query(sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    """Run a query on the warehouse."""
    connection = sqlite3.connect(WAREHOUSE)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def get(url: str) -> Any:
    """Ask the simulator's control plane."""
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def print_table(rows: dict[str, Any]) -> None:
    """Print names and numbers in two columns."""
    width = max(LABEL, *map(len, rows))
    for name, value in rows.items():
        say(f"  {name:<{width}} {value:>8}")


def say(text: str) -> None:
    """Print at once."""
    print(text, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as fault:
        say(f"demo: FAIL: {fault} (details in {relative(LOG)})")
        raise
