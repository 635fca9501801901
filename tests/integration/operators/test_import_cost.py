"""Reading a DAG file stays cheap: what is heavy is imported when a task runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import pytest

MAX_MS = 60
MODULES = ("shards", "validate", "verify", "verify_batch")
HEAVY = {
    "aiohttp",
    "altair",
    "duckdb",
    "great_expectations",
    "numpy",
    "pandas",
    "psycopg",
    "sqlalchemy",
}
# A child of one process, so that all of them start from the same imports.
SCRIPT = """
import importlib, json, os, sys, time
import airflow.sdk
import airflow.providers.common.compat.sdk as compat
compat.AirflowFailException, airflow.sdk.BaseOperator
before = set(sys.modules)
for name in sys.argv[1:] * 3:
    if os.fork() == 0:
        started = time.process_time()
        importlib.import_module(f"airflow_provider_faceid.operators.{name}")
        ms = (time.process_time() - started) * 1000
        print(json.dumps([name, ms, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def measured():
    """Return milliseconds of CPU and newly imported modules by operator module."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *MODULES],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    return {
        module: ([ms for name, ms, _ in lines if name == module], new)
        for module in MODULES
        for new in [next(new for name, _, new in lines if name == module)]
    }


@pytest.mark.parametrize("module", MODULES)
def test_an_operator_costs_little_more_than_airflows_own(measured, module):
    times, _ = measured[module]
    assert len(times) == 3
    assert statistics.median(times) < MAX_MS


@pytest.mark.parametrize("module", MODULES)
def test_importing_an_operator_imports_nothing_heavy(measured, module):
    _, new = measured[module]
    assert f"airflow_provider_faceid.operators.{module}" in new
    assert not {name.split(".")[0] for name in new} & HEAVY
    lazy = (
        "airflow.providers.http",
        "airflow_provider_faceid.hooks",
        "airflow_provider_faceid.batch",
    )
    assert not [name for name in new if name.startswith(lazy)]
