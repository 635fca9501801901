"""Photos over a slow uplink: whether each row is answered once, and how much of the link is used.

A relay lets so many bits a second pass for all connections of the host together. Runs over a table
are processes of their own, as tasks are; beside them the official SDK calls from eight threads.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sqlite3
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import clients
from client import large
from table import show

from airflow_provider_faceid.simulator import KEY, Process, simulator

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.slow_link import SlowLink, slow_link

ACTION = "ImageRecognitionV2"
PHOTOS, FEW = 60, 6
"""Photos per link, and over the slowest."""
SMALLEST, LARGEST = 1_500_000, 2_200_000
"""Bytes of a photo."""
AFTERWARDS = 60.0
"""Seconds after which the bill is looked at again."""
SMALL_BUFFER = 2**17
"""Bytes of the send buffer that a long path leaves."""
SDK_THREADS = 8
SDK = "official SDK"
AT_ONCE, ALONE_MBIT = 8, 50
"""Links measured at once, unless they are faster than this."""
LEAST_USED = 90
"""Per cent of the link that have to be used."""
CAMPAIGN = "bench"

HEAD = ("link", "answered", "held", "else", "bill", "bill later", "link used", "seconds")


def fill(warehouse: Path, service: Process, photos: int) -> None:
    """Make a table of people with photos of a camera's size."""
    listed = service.ask(f"people?limit={photos + 200}&photo=1")
    people = [person for person in listed if not person["special"]]
    connection = sqlite3.connect(warehouse)
    connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, id_card, name, photo)")
    for number, person in enumerate(people[:photos]):
        size = SMALLEST + (LARGEST - SMALLEST) * (number % 8) // 7
        photo = large(b64decode(person["photo_base64"]), size)
        connection.execute(
            "INSERT INTO people VALUES (?, ?, ?, ?)",
            (number, person["id_card"], person["name"], photo),
        )
    connection.commit()
    connection.close()


def run(shard: int, shards: int, folder: Path, url: str, buffer: int) -> None:
    """Verify a part of the table, as a task does."""
    import logging

    from airflow_provider_faceid.api.actions import ACTIONS
    from airflow_provider_faceid.batch.engine import Batch
    from airflow_provider_faceid.batch.inputs import Columns
    from airflow_provider_faceid.client import upload
    from airflow_provider_faceid.client.settings import Credentials, Settings
    from airflow_provider_faceid.clock import SYSTEM_CLOCK
    from airflow_provider_faceid.state.ledger import Ledger
    from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
    from airflow_provider_faceid.state.rate_rows import StoredRow
    from airflow_provider_faceid.state.store import StateStore
    from airflow_provider_faceid.state.uplink import StoredUplink
    from airflow_provider_faceid.warehouse.records import RunContext
    from airflow_provider_faceid.warehouse.results import ResultsRepository
    from airflow_provider_faceid.warehouse.sources.source import Source
    from airflow_provider_faceid.warehouse.sql.database import SQLITE, Database

    if buffer:
        usual = upload.socket_options
        upload.socket_options = lambda: [*usual(), (socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)]
    logging.basicConfig(filename=folder / f"log.{shard}", level=logging.INFO, format="%(message)s")
    store = StateStore(f"sqlite:///{folder / 'state.sqlite'}")

    def database() -> Database:
        return Database(
            lambda: sqlite3.connect(folder / "warehouse.sqlite", timeout=60), SQLITE, "here"
        )

    part = f"SELECT * FROM people WHERE id % {shards} = {shard}"  # noqa: S608 - numbers
    settings = Settings(Credentials(*KEY.values()), url=url)
    Batch(
        action=ACTIONS[ACTION],
        source=Source(database(), part, "id"),
        columns=Columns({"IdCard": "id_card", "Name": "name"}, photo="photo"),
        store=ResultsRepository(
            database(), RunContext(CAMPAIGN, ACTION, f"run {shard}"), SYSTEM_CLOCK
        ),
        settings=settings,
        pace=SlotRateLimiter(StoredRow(store, "bench"), settings.rate(ACTION)),
        ledger=Ledger(store, f"shard {shard}"),
        uplink=StoredUplink(store, "bench"),
        clock=SYSTEM_CLOCK,
        log=logging.getLogger(),
    ).run()


class Link(NamedTuple):
    """
    What is measured.

    :param mbit: a second, of the link.
    :param delay: seconds each way.
    :param buffer: bytes of the send buffer; 0 for the system's own.
    :param shards: processes that share the table.
    """

    mbit: float
    delay: float
    buffer: int
    shards: int


def measure(folder: Path, link: Link, afterwards: float) -> tuple[str, ...]:
    """Run over one link and return a row of the table."""
    mbit, delay, buffer, shards = link
    photos = FEW if mbit <= 1 else PHOTOS
    with (
        simulator("--people", str(photos + 200)) as service,
        link_to(service, mbit, delay) as relay,
    ):
        fill(folder / "warehouse.sqlite", service, photos)
        context = multiprocessing.get_context("spawn")
        began = time.monotonic()
        running = [
            context.Process(target=run, args=(shard, shards, folder, relay.url, buffer))
            for shard in range(shards)
        ]
        for process in running:
            process.start()
        for process in running:
            process.join()
        seconds = time.monotonic() - began
        bill = service.ask("bill")[ACTION]
        time.sleep(afterwards)
        later = service.ask("bill")[ACTION]
        connection = sqlite3.connect(folder / "warehouse.sqlite")
        places = dict(
            connection.execute("SELECT status, COUNT(*) FROM faceid_results GROUP BY 1").fetchall()
        )
        connection.close()
    answered, held = places.pop("answered", 0), places.pop("held", 0)
    title = f"{mbit:g} Mbit/s, {delay * 1000:g} ms" + (", 128 KB" if buffer else "")
    title += f", {shards} shards" if shards > 1 else ""
    return (
        title,
        f"{answered}/{photos}",
        str(held),
        str(sum(places.values())),
        str(bill),
        str(later),
        f"{used(relay, mbit):.0%}",
        f"{seconds:.0f}",
    )


def sdk(folder: Path, url: str) -> None:
    """Ask about everybody with the official SDK, a photo a call, from eight threads."""
    connection = sqlite3.connect(folder / "warehouse.sqlite")
    rows = connection.execute("SELECT id_card, name, photo FROM people").fetchall()
    connection.close()
    people = [{"IdCard": card, "Name": name, "ImageBase64": photo} for card, name, photo in rows]
    call = clients.sdk_call(url, ACTION)

    def ask(person: clients.Row) -> str:
        try:
            return call(person)
        except Exception as error:  # noqa: BLE001 - a time-out, which says nothing of the service
            return type(error).__name__

    with ThreadPoolExecutor(SDK_THREADS) as threads:
        codes = list(threads.map(ask, people))
    (folder / "sdk.json").write_text(json.dumps(codes))


def measure_sdk(folder: Path, mbit: float, delay: float, afterwards: float) -> tuple[str, ...]:
    """Let the official SDK run over one link and return a row of the table."""
    photos = FEW if mbit <= 1 else PHOTOS
    with (
        simulator("--people", str(photos + 200)) as service,
        link_to(service, mbit, delay) as relay,
    ):
        fill(folder / "warehouse.sqlite", service, photos)
        process = multiprocessing.get_context("spawn").Process(target=sdk, args=(folder, relay.url))
        began = time.monotonic()
        process.start()
        process.join()
        seconds = time.monotonic() - began
        bill = service.ask("bill")[ACTION]
        time.sleep(afterwards)
        later = service.ask("bill")[ACTION]
    answered = json.loads((folder / "sdk.json").read_text()).count("Success")
    return (
        f"{mbit:g} Mbit/s, {delay * 1000:g} ms, {SDK}",
        f"{answered}/{photos}",
        "",
        str(photos - answered),
        str(bill),
        str(later),
        f"{used(relay, mbit):.0%}",
        f"{seconds:.0f}",
    )


def link_to(service: Process, mbit: float, delay: float) -> AbstractContextManager[SlowLink]:
    """Return a link to a service."""
    return slow_link(int(service.url.rpartition(":")[2]), mbit * 1e6, delay)


def used(link: SlowLink, mbit: float) -> float:
    """Return the share of what the link could carry from the first byte to the last."""
    return link.line.passed * 8 / (mbit * 1e6 * link.line.busy_seconds)


def holds(row: tuple[str, ...]) -> bool:
    """Say whether every row was answered and paid once, and the link was used."""
    _, answered, held, left, bill, later, share, _ = row
    count, _, photos = answered.partition("/")
    everybody = count == photos == bill == later and held == left == "0"
    return everybody and int(share.rstrip("%")) >= LEAST_USED


def fast(mbits: Sequence[float]) -> list[float]:
    """Return the links that keep the machine busy and are measured alone."""
    return [mbit for mbit in mbits if mbit > ALONE_MBIT]


def slow(mbits: Sequence[float]) -> list[float]:
    """Return the links on which everybody waits: many are measured at once."""
    return [mbit for mbit in mbits if mbit <= ALONE_MBIT]


def runs(
    mbits: Sequence[float], arguments: argparse.Namespace
) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Yield what measures each row of the table."""

    def in_folder(work: Callable[..., tuple[str, ...]], *args: object) -> tuple[str, ...]:
        with tempfile.TemporaryDirectory() as name:
            return work(Path(name), *args, arguments.afterwards)

    for mbit, delay in product(mbits, arguments.delay):
        for buffer, shards in product((0, SMALL_BUFFER), (1, 4)):
            yield partial(in_folder, measure, Link(mbit, delay, buffer, shards))
        yield partial(in_folder, measure_sdk, mbit, delay)


def main() -> int:
    """Measure all links."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mbit", type=float, nargs="+", default=[100, 20, 10, 4, 1])
    parser.add_argument("--delay", type=float, nargs="+", default=[0.0, 0.2])
    parser.add_argument("--afterwards", type=float, default=AFTERWARDS)
    arguments = parser.parse_args()

    failed = []

    def rows() -> Iterator[tuple[str, ...]]:
        for at_once, mbits in ((1, fast(arguments.mbit)), (AT_ONCE, slow(arguments.mbit))):
            with ThreadPoolExecutor(at_once) as threads:
                for row in threads.map(lambda one: one(), runs(mbits, arguments)):
                    failed.extend([row[0]] * (SDK not in row[0] and not holds(row)))
                    yield row

    show(HEAD, rows())
    if failed:
        print(f"Not held: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
