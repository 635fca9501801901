"""A command of ours reads a connection that is in Airflow's database alone, as Airflow's own commands do."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

from tests.support.patience import PATIENCE


def test_a_connection_of_airflows_database_is_read(airflow, tmp_path):
    warehouse = tmp_path / "warehouse.sqlite"
    with closing(sqlite3.connect(warehouse)) as connection, connection:
        connection.execute("CREATE TABLE people (id INTEGER, name TEXT, id_card TEXT)")
        connection.execute("INSERT INTO people VALUES (1, NULL, NULL)")
    fields = json.dumps({"conn_type": "sqlite", "host": str(warehouse)})
    airflow.run("connections", "add", "people_here", "--conn-json", fields)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "airflow_provider_faceid", "estimate", "--output", "json"),
            *("--action", "IdCardVerification", "--campaign", "first"),
            *("--source-conn-id", "people_here", "--source", "people"),
        ],
        env=airflow.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["rows_in"], data["quarantined"], data["calls"]) == (1, 1, 0)
