"""The demo's own Airflow: where it is, and its connections, as environment variables."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_faceid.simulator.process import KEY

PROJECT = Path(__file__).resolve().parent.parent
HOME = PROJECT / ".demo"
WAREHOUSE = HOME / "warehouse.sqlite"
LOG = HOME / "demo.log"


def environment(simulator: str) -> dict[str, str]:
    """
    Return the variables under which Airflow runs the example DAGs against a simulator.

    :param simulator: its address.
    """
    return {
        "AIRFLOW_HOME": str(HOME / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW_CONN_FACEID_DEFAULT": json.dumps(
            {
                "conn_type": "faceid",
                "host": simulator,
                **KEY,
            }
        ),
        "AIRFLOW_CONN_FACEID_WAREHOUSE": json.dumps(
            {"conn_type": "sqlite", "host": str(WAREHOUSE)}
        ),
    }
