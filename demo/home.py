"""The demo's own Airflow: where it is, and its connections, as environment variables."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_faceid.simulator import KEY

PROJECT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("FACEID_DEMO_HOME") or PROJECT / ".demo").resolve()
WAREHOUSE = HOME / "warehouse.sqlite"
REPORT = HOME / "report.html"
LOG = HOME / "demo.log"
UI_LOG = HOME / "ui.log"


def environment(simulator: str) -> dict[str, str]:
    """
    Return the variables under which Airflow runs the example DAGs against a simulator.

    Both connections have a port, because the form's Test button sends 0 for an empty one and is
    refused by some versions of Airflow if the stored connection differs.

    :param simulator: its address.
    """
    address = urlsplit(simulator)
    faceid = {
        "conn_type": "faceid",
        "host": f"{address.scheme}://{address.hostname}",
        "port": address.port,
        **KEY,
    }
    warehouse = {"conn_type": "sqlite", "host": str(WAREHOUSE), "port": 0}
    return {
        "AIRFLOW_HOME": str(HOME / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__FACEID__PAGES_WAREHOUSES": "faceid_warehouse",
        "AIRFLOW__FACEID__REPORT_ROOTS": str(HOME),
        "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(faceid),
        "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(warehouse),
    }


def relative(path: Path) -> str:
    """Return a path as the user of make sees it."""
    inside = path.is_relative_to(PROJECT)
    return str(path.relative_to(PROJECT) if inside else path)
