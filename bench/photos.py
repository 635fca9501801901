"""Photos from an object store that is far away: whether the pace holds however long each one takes.

The store is moto's S3 server, behind a relay that keeps what passes for half the latency each way. The
operator, the store with its relay, and the simulator are a process each.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from million import IMPORTED_LATE, PATIENCE, connections
from table import show

from airflow_provider_faceid.simulator import Process, simulator

ACTION = "ImageRecognitionV2"
PHOTOS = 500
LATENCIES = (0.0, 0.1, 0.5)
"""Seconds a request to the store takes longer."""
CALL_MS = "300-500"
"""How long a call of the service takes."""
PACE, TARGET = 0.97 * 20, 0.97
"""Photos per second by the quota, and the share of them that is to be held."""
SPECIAL = 100
"""More of the simulator's people than provoke a code of their own."""
SLOWEST = 2.0
"""Photos per second below which something has gone wrong."""
PART = 2**16

HEAD = ("latency of the store", "photos/s", "of the pace", "GET a photo", "other requests")


def store(pipe: Connection) -> None:
    """Serve as S3, and tell the address; then, for each latency given, that of a relay with it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    pipe.send(f"http://{host}:{port}")
    asyncio.run(relays(pipe, host, port))
    moto.stop()


async def relays(pipe: Connection, host: str, port: int) -> None:
    """Open a relay for each latency that comes, until None does."""
    counts: dict[str, int] = {}
    while (latency := await asyncio.to_thread(pipe.recv)) is not None:
        counts = {"GET": 0, "HEAD": 0}
        pass_on = partial(relay, host=host, port=port, delay=latency / 2, counts=counts)
        server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.to_thread(pipe.recv)  # until it has been used
        server.close()
        pipe.send(counts)


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    host: str,
    port: int,
    delay: float,
    counts: dict[str, int],
) -> None:
    """Pass on what comes, either way, each part a little later."""
    there, to_there = await asyncio.open_connection(host, port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while part := await source.read(PART):
            if source is reader and (method := part.split(b" ", 1)[0].decode()) in counts:
                counts[method] += 1
            loop.call_later(delay, target.write, part)
        await asyncio.sleep(delay)
        target.close()

    with suppress(ConnectionError):
        await asyncio.gather(pump(reader, to_there), pump(there, writer))


def work(pipe: Connection, endpoint: str) -> None:
    """Import everything, run the operator, give its manifest."""
    for module in IMPORTED_LATE:
        import_module(module)
    from airflow_provider_faceid.operators.verify_batch import ImageRecognitionV2BatchOperator

    fields = {"conn_type": "aws", "login": "bench-id", "password": "bench-key"}
    extra = {"region_name": "us-east-1", "endpoint_url": endpoint}
    os.environ["AIRFLOW_CONN_STORE"] = json.dumps({**fields, "extra": extra})
    os.environ["AIRFLOW__FACEID__PHOTO_ROOTS"] = "s3://store@photos/"
    operator = ImageRecognitionV2BatchOperator(
        task_id="verify",
        source_conn_id="warehouse",
        source="applicants",
        campaign=endpoint,
        photo_is_path=True,
    )
    task = SimpleNamespace(
        dag_id="bench", run_id=endpoint, task_id="verify", map_index=-1, try_number=1
    )
    pipe.send(operator.execute({"run_id": endpoint, "ti": task}))


def fill(folder: Path, service: Process, url: str, photos: int) -> None:
    """Make the source table, and an object for each of its rows."""
    put(f"{url}/photos", b"")
    rows = []
    people = service.ask(f"people?photo=1&limit={photos + SPECIAL}")
    ordinary = [person for person in people if not person["special"]][:photos]
    for number, person in enumerate(ordinary):
        put(f"{url}/photos/{number}.jpg", base64.b64decode(person["photo_base64"]))
        rows.append((number, person["id_card"], person["name"], f"s3://store@photos/{number}.jpg"))
    connection = sqlite3.connect(folder / "warehouse.sqlite")
    connection.execute(
        "CREATE TABLE applicants (id INTEGER PRIMARY KEY, id_card TEXT, name TEXT, photo TEXT)"
    )
    connection.executemany("INSERT INTO applicants VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


def put(url: str, content: bytes) -> None:
    """Store an object, or make a bucket."""
    request = urllib.request.Request(url, data=content, method="PUT")  # noqa: S310 - our own
    request.add_header("Content-Type", "image/jpeg")
    request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=bench-id/x/us-east-1/s3/x")
    with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310 - the same
        pass


@contextmanager
def beside(target: Any, *args: Any) -> Iterator[Connection]:
    """Start a process with a pipe, stop it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *args))
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join(PATIENCE)
        process.kill()


def receive(pipe: Connection, seconds: float) -> Any:
    """Return what comes."""
    if not pipe.poll(seconds):
        raise SystemExit("A process takes too long")
    try:
        return pipe.recv()
    except EOFError:
        raise SystemExit("A process has failed") from None


def seen_rate(service: Process, calls: int) -> float:
    """Return how many calls a second the service saw of the last so many."""
    moments = [datetime.fromisoformat(entry["at"]) for entry in service.ask("ledger")[-calls:]]
    return (calls - 1) / (moments[-1] - moments[0]).total_seconds()


def measure(
    service: Process, pipe: Connection, photos: int, faults: list[str]
) -> Iterator[tuple[str, ...]]:
    """Run the operator with each latency."""
    for latency in LATENCIES:
        pipe.send(latency)
        endpoint = receive(pipe, PATIENCE)
        with beside(work, endpoint) as worker:
            manifest = receive(worker, 2 * PATIENCE + photos / SLOWEST)
        pipe.send("used")
        counts = receive(pipe, PATIENCE)
        rate = seen_rate(service, photos)
        yield (
            f"{1000 * latency:.0f} ms",
            f"{rate:.1f}",
            f"{rate / PACE:.1%}",
            f"{counts['GET'] / photos:.2f}",
            f"{counts['HEAD']}",
        )
        if manifest["calls"] != photos:
            faults.append(f"{photos} photos, {manifest['calls']} calls")
        if rate < TARGET * PACE:
            faults.append(f"{latency} s: below {TARGET:.0%} of the pace")


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Photos from a store that is far away")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="default %(default)s")
    photos = parser.parse_args().photos
    faults: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faceid-bench-")))
        options = (
            "--latency-ms",
            CALL_MS,
            "--no-identity-limits",
            "--people",
            str(photos + SPECIAL),
        )
        service = stack.enter_context(simulator(*options))
        connections(folder, service.url)
        pipe = stack.enter_context(beside(store))
        fill(folder, service, receive(pipe, PATIENCE), photos)
        show(HEAD, measure(service, pipe, photos, faults))
        pipe.send(None)
    for fault in faults:
        print(f"differs: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
