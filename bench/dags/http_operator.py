"""ID checks without this provider: one mapped HttpOperator task per row.

Rows come literally and answers are not kept in a table: reading and writing would only slow it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

from airflow_provider_faceid.client.request import TC3Auth

ROWS = json.loads(Path(os.environ["BENCH_ROWS"]).read_text())

with DAG("http_operator_per_row", schedule=None, max_active_tasks=1000):
    HttpOperator.partial(
        task_id="verify",
        http_conn_id="faceid_http",
        endpoint="/",
        headers={"Content-Type": "application/json", "X-TC-Action": "IdCardVerification"},
        auth_type=TC3Auth,  # HttpHook makes one of login and password, the key
        response_filter=lambda response: response.json()["Response"]["Result"],
    ).expand(data=[json.dumps(row) for row in ROWS])
