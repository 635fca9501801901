"""The counters of a run at a collector of OpenTelemetry: sent by Airflow's exporter, over OTLP/HTTP."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from airflow_provider_faceid.hooks.stats import METRICS
from airflow_provider_faceid.simulator.people import ID_CARD
from tests.support.patience import PATIENCE

PEOPLE = 12
RUN = """
from contextlib import suppress
from types import SimpleNamespace
with suppress(ImportError):  # Airflow 3.1 starts its metrics when they are used
    import airflow.sdk.serde  # which starts them, as in a task's process
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
verify = IdCardVerificationBatchOperator(task_id="verify", source_conn_id="warehouse", source="people")
ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="verify", map_index=-1, try_number=1)
ti.xcom_push = lambda key, value: None
verify.execute({"run_id": "run", "ti": ti})
"""
Sums = dict[tuple[str, ...], int]
"""The last value of each counter, by its name and the values of its labels."""


@pytest.fixture
def collector() -> Iterator[tuple[int, Sums]]:
    """Listen as a collector does; give the port and what has come in."""
    sums: Sums = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportMetricsServiceRequest.FromString(body)
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.sum.data_points:
                            labels = {one.key: one.value.string_value for one in point.attributes}
                            name = metric.name.removeprefix("airflow.")
                            wanted = METRICS[name].labels if name in METRICS else ()
                            assert name not in METRICS or labels.keys() == set(wanted)
                            key = (name, *(labels[label] for label in wanted))
                            sums[key] = point.as_int or round(point.as_double)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportMetricsServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, sums
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collector_gets_what_the_service_saw(bench, collector):
    port, sums = collector
    people = bench.ordinary[:PEOPLE]
    rows = [(key, one.id_card, one.name) for key, one in enumerate(people)]
    rows[2] = (2, people[2].id_card, "王八")
    rows[3] = (3, "11010119900307", people[3].name)  # too short
    bench.fill(rows)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env=os.environ
        | {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__OTEL_PORT": str(port),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sums[("faceid.calls", ID_CARD)] == bench.calls == PEOPLE - 1
    assert sums[("faceid.charged", ID_CARD)] == bench.server.account.ledger.bill[ID_CARD]
    found = {key[2]: count for key, count in sums.items() if key[0] == "faceid.rows"}
    assert found == {"match": PEOPLE - 2, "mismatch": 1, "quarantined": 1}
