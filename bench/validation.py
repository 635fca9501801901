"""A million rows through the validation, and a million results through their check: time, memory, what is found.

Bad rows are planted, and exactly they must be found. Each operator runs in a process of its own. The
peer is what neither can do without, measured in the same process: to read the table in the same pages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from million import PATIENCE, ROWS, connections, fill
from table import show

from airflow_provider_faceid.warehouse.migrations import prepare
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

TARGET_SECONDS, TARGET_MB = 15, 450
SLOWEST = 10_000
"""Rows per second below which something has gone wrong."""
EVERY = 1000
"""Of so many rows one is bad by each rule."""
IMPORTED_LATE = (
    "airflow.providers.sqlite.hooks.sqlite",
    "great_expectations",
    "airflow_provider_faceid.quality.expectations",
    "airflow_provider_faceid.quality.page",
    "airflow_provider_faceid.quality.result_check",
    "airflow_provider_faceid.warehouse.results",
)
"""What the operators import only when they run."""

BAD_ROWS = {
    "id_card_missing": "id_card = NULL",
    "id_card_length": "id_card = SUBSTR(id_card, 2)",
    "id_card_characters": "id_card = 'A' || SUBSTR(id_card, 2)",
    "id_card_province": "id_card = '10' || SUBSTR(id_card, 3)",
    "id_card_birth_date": "id_card = SUBSTR(id_card, 1, 10) || '1345' || SUBSTR(id_card, 15)",
    "id_card_check_digit": "id_card = SUBSTR(id_card, 1, 17) || "
    "CASE SUBSTR(id_card, 18) WHEN '0' THEN '1' ELSE '0' END",
    "name_missing": "name = NULL",
    "name_missing_text": "name = 'nan'",
    "name_length": "name = SUBSTR(HEX(ZEROBLOB(40)), 1, 60)",
    "name_characters": "name = name || '7'",
}
"""Changes that break a rule of the source, by the rule."""
BAD_RESULTS = {
    "result_outcome": "outcome = 'mismatch'",
    "result_charged": "charged = 0",
    "result_similarity": "similarity = 100.01",
    "result_moments": "verified_date = NULL",
    "result_code": "code = 'FailedOperation.New', outcome = 'error', charged = NULL",
    "result_request_id": "request_id = NULL",
}
"""The same of results."""
RESULT_ROWS = """WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO faceid_results (campaign, action, source_key, status, outcome, code, similarity, charged,
  attempts, request_id, answered_at, verified_date, run_id, map_index)
SELECT 'bench', 'ImageRecognitionV2', n, 'answered', 'match', 'Success', 70 + n % 3000 / 100.0, 1, 1,
  'request ' || n, '2026-11-28T02:00:00.000+00:00', '2026-11-28', 'bench', -1 FROM numbers"""


def plant(warehouse: Path, table: str, key: str, changes: dict[str, str]) -> set[tuple[str, str]]:
    """Change some rows of a table; return their keys with the rule each breaks."""
    planted = set()
    with closing(sqlite3.connect(warehouse)) as connection, connection:
        for number, (rule, change) in enumerate(changes.items()):
            which = f"CAST({key} AS INTEGER) % {EVERY} = {number}"
            query = f"SELECT {key} FROM {table} WHERE {which}"  # noqa: S608 - ours
            keys = connection.execute(query).fetchall()
            connection.execute(f"UPDATE {table} SET {change} WHERE {which}")  # noqa: S608 - ours
            planted |= {(str(found), rule) for (found,) in keys}
    return planted


def read_people() -> None:
    """Read the source in the pages of the validation."""
    from airflow_provider_faceid.hooks.warehouses import database
    from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
    from airflow_provider_faceid.warehouse.sources.source import Source

    size = FaceIdValidateOperator(task_id="v", source_conn_id="w", source="s").page_size
    source = Source(database("warehouse"), "applicants", "id")
    for _ in source.pages(['"id_card"', '"name"'], size):
        pass
    source.database.close()


def validate(context: dict[str, Any]) -> dict[str, Any]:
    """Validate the source."""
    from airflow_provider_faceid.operators.validate import FaceIdValidateOperator

    people = {"source_conn_id": "warehouse", "source": "applicants"}
    return FaceIdValidateOperator(task_id="validate", **people).execute(context)


def read_results() -> None:
    """Read the results in the pages of the check."""
    from airflow_provider_faceid.hooks.warehouses import database
    from airflow_provider_faceid.quality.result_check import PAGE_SIZE
    from airflow_provider_faceid.warehouse.records import RunContext
    from airflow_provider_faceid.warehouse.result_rows import result_pages

    warehouse, run = database("warehouse"), RunContext("bench", "ImageRecognitionV2", "bench")
    columns = ("status", "outcome", "code", "attempts", "charged", "similarity", "answered_at")
    columns += ("verified_date", "not_before", "request_id")
    for _ in result_pages(warehouse, Names(), run, columns, PAGE_SIZE):
        pass
    warehouse.close()


def check(context: dict[str, Any]) -> dict[str, Any]:
    """Check the results; they are as many as were counted, and some are bad."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator

    rows = context["rows"]
    operator = FaceIdCheckResultsOperator(
        task_id="check",
        warehouse_conn_id="warehouse",
        action="ImageRecognitionV2",
        campaign="bench",
        manifest={"answered": rows, "postponed": 0, "held": 0, "quarantined": 0},
    )
    try:
        return operator.execute(context)
    except AirflowFailException:  # bad results fail the task
        pushed: dict[str, Any] = context["ti"].pushed
        return pushed


WORK: dict[str, tuple[Callable[[], None], Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "validation": (read_people, validate),
    "results": (read_results, check),
}


class Task(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value."""
        del key
        self.pushed = value


def work(kind: str, rows: int, pipe: Connection) -> None:
    """Import everything, read the table alone, run the operator; give what each took."""
    for module in IMPORTED_LATE:
        import_module(module)
    read, run = WORK[kind]
    task = Task(dag_id="bench", run_id="bench", task_id=kind, map_index=-1)
    imports = peak()
    began, cpu = time.monotonic(), time.process_time()
    read()
    reading = time.monotonic() - began, time.process_time() - cpu
    began, cpu = time.monotonic(), time.process_time()
    report = run({"run_id": "bench", "ti": task, "rows": rows})
    running = time.monotonic() - began, time.process_time() - cpu
    pipe.send((reading, running, imports, peak(), report))


def peak() -> float:
    """Return the most memory this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(kind: str, rows: int) -> tuple[Any, ...]:
    """Return what the work took in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(kind, rows, there))
    process.start()
    there.close()
    try:
        if not here.poll(PATIENCE + rows / SLOWEST):
            raise SystemExit("The operator takes too long")
        found: tuple[Any, ...] = here.recv()
        return found
    finally:
        here.close()
        process.join(PATIENCE)
        process.kill()


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Many rows through the validation")
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s")
    rows = parser.parse_args().rows
    lines, faults = [], []
    with tempfile.TemporaryDirectory(prefix="faceid-bench-") as home:
        folder = Path(home)
        warehouse = folder / "warehouse.sqlite"
        fill(warehouse, rows)
        fill_results(warehouse, rows)
        planted = {
            "validation": plant(warehouse, "applicants", "id", BAD_ROWS),
            "results": plant(warehouse, "faceid_results", "source_key", BAD_RESULTS),
        }
        connections(folder, "http://127.0.0.1:9")
        for kind in WORK:
            reading, running, imports, most, report = measure(kind, rows)
            titles = {f"{kind}: read the table": reading, f"{kind}: the operator": running}
            for title, (seconds, cpu) in titles.items():
                ratio = cpu / reading[1]
                lines.append((title, f"{seconds:.1f}", f"{cpu:.1f}", f"{ratio:.1f}"))
            faults += [f"{kind}: {fault}" for fault in _faults(rows, running[1], most)]
            found = quarantined(warehouse) if kind == "validation" else broken(report)
            expected = planted[kind] if kind == "validation" else by_rule(planted[kind])
            print(
                f"{kind}: {report['rows']:,} rows, {len(planted[kind]):,} planted, exactly they are "
                f"found: {found == expected}; peak {most:.0f} MB, {most - imports:.0f} MB above imports"
            )
            if found != expected or report["rows"] != rows:
                faults.append(f"{kind}: what is found is not what was planted")
    show(("what", "seconds", "CPU seconds", "x reading"), lines)
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


def fill_results(warehouse: Path, rows: int) -> None:
    """Write results as a run would have."""
    database = Database(lambda: sqlite3.connect(warehouse), SQLITE, "here")
    prepare(database, Names())
    with database.transaction("filling") as cursor:
        cursor.execute(RESULT_ROWS, (rows,))
    database.close()


def quarantined(warehouse: Path) -> set[tuple[str, str]]:
    """Return the keys in quarantine with their rules."""
    with closing(sqlite3.connect(warehouse)) as connection:
        return set(connection.execute("SELECT source_key, rule FROM faceid_quarantine"))


def broken(report: dict[str, Any]) -> dict[str, int]:
    """Return how many results break each rule, by a report; the counts are met."""
    return {rule: times for rules in report["unmet"].values() for rule, times in rules.items()}


def by_rule(planted: set[tuple[str, str]]) -> dict[str, int]:
    """Return how many rows were planted by rule."""
    counts = dict.fromkeys(BAD_RESULTS, 0)
    for _, rule in planted:
        counts[rule] += 1
    return counts


def _faults(rows: int, seconds: float, most: float) -> Iterator[str]:
    if most > TARGET_MB:
        yield f"the peak is above {TARGET_MB} MB"
    if rows == ROWS and seconds > TARGET_SECONDS:
        yield f"it takes more than {TARGET_SECONDS} s of CPU"


if __name__ == "__main__":
    sys.exit(main())
