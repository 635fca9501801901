"""A warehouse with rows in it, and a dbt project of a user's over it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.clock import utc_text
from airflow_provider_faceid.warehouse.migrations import (
    prepare,
    prepare_checks,
    prepare_reconciliation,
)
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import Database
from airflow_provider_faceid.warehouse.tables import (
    CHECKS,
    HISTORY,
    PRICES,
    QUARANTINE,
    RECONCILIATION,
    RESULTS,
    REVIEWS,
    RUNS,
)
from tests.integration.warehouse.conftest import Home, upsert
from tests.integration.warehouse.test_views import random_tables
from tests.support.patience import PATIENCE

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "dbt"
DBT = PROJECT / ".venv-dbt" / "bin" / "dbt"
OWN = ACTIONS["PhoneVerification"].result_columns
"""Columns of one Action, which its tables have; those of others are not there."""
SEED = 4


@dataclass(frozen=True)
class Warehouse:
    """
    A warehouse and what dbt has to know of it.

    :param home: the database.
    :param names: of our tables.
    :param output: target of a profile.
    :param variables: of the package.
    """

    home: Home
    names: Names
    output: Mapping[str, Any]
    variables: Mapping[str, Any]

    def fill(self, *, with_optional: bool) -> None:
        """Make our tables, and write rows into them."""
        database = self.home.open()
        prepare(database, self.names, own=OWN)
        rows = random_tables(SEED)
        answers = [row for kind in ("results", "history") for row in rows[kind]]
        for number, row in enumerate(answers):
            row["isp"] = ["mobile", "cucc", None][number % 3]
            row["phone_hash"] = f"phone {number % 7}"
        upsert(database, RESULTS.with_columns_of(OWN), self.names.results, rows["results"])
        upsert(database, HISTORY.with_columns_of(OWN), self.names.history, rows["history"])
        upsert(database, QUARANTINE, self.names.quarantine, rows["quarantine"])
        upsert(database, PRICES, self.names.prices, rows["prices"])
        upsert(database, RUNS, self.names.runs, rows["runs"])
        upsert(database, REVIEWS, self.names.reviews, rows["reviews"])
        if with_optional:
            self._fill_optional(database)
        database.close()
        self.run_ends(hours_ago=1)

    def _fill_optional(self, database: Database) -> None:
        ours = {"dag_id": "d", "run_id": "r", "updated_at": "2026-11-29T00:00:00.000+00:00"}
        of_check = {
            "campaign": "spring",
            "action": "IdCardVerification",
            "task_id": "t",
            "map_index": -1,
        }
        check = {**of_check, **ours, "number": 0, "rule": "a", "severity": "info", "success": 1}
        upsert(database, CHECKS, prepare_checks(database, self.names), [{**check, "mostly": 0.9}])
        differences, _ = prepare_reconciliation(database, self.names)
        day = {"verified_date": "2026-11-28", "action": "IdCardVerification", "code": "0"}
        upsert(database, RECONCILIATION, differences, [{**day, **ours, "charged": 1, "billed": 2}])

    def run_ends(self, *, hours_ago: float) -> None:
        """Let the newest row of the run table be of that time."""
        then = utc_text((datetime.now(UTC) - timedelta(hours=hours_ago)).timestamp())
        database = self.home.open()
        runs = database.rows(f"SELECT * FROM {database.dialect.quote_table(self.names.runs)}")
        keys = [dict(zip(RUNS.columns, row, strict=False)) for row in runs]
        upsert(database, RUNS, self.names.runs, [{**row, "updated_at": then} for row in keys])
        database.close()


@dataclass(frozen=True)
class Done:
    """A command of dbt that has ended, with the result of each node by its name."""

    code: int
    printed: str
    results: Mapping[str, str]


class Project:
    """
    A dbt project of a user's that installs the package from a folder.

    :param folder: a new one.
    """

    def __init__(self, folder: Path, warehouse: Warehouse) -> None:
        self._folder = folder
        written = {
            "dbt_project.yml": {
                "name": "analytics",
                "version": "1.0",
                "profile": "analytics",
                "flags": {"send_anonymous_usage_stats": False},
                "vars": dict(warehouse.variables),
            },
            "packages.yml": {"packages": [{"local": str(PACKAGE)}]},
            "profiles.yml": {
                "analytics": {"target": "here", "outputs": {"here": dict(warehouse.output)}}
            },
        }
        for name, content in written.items():
            (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")

    def run(self, *command: str) -> Done:
        """Run dbt; it asks nothing outside this machine."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_VERSION_CHECK": "false",
            "DBT_USE_COLORS": "false",
        }
        results = self._folder / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            [DBT, *command],
            cwd=self._folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        found = json.loads(results.read_text())["results"] if results.exists() else []
        by_name = {one["unique_id"].split(".", 2)[2]: one["status"] for one in found}
        return Done(done.returncode, done.stdout + done.stderr, by_name)
