"""What a signed call costs in CPU: ours beside the official SDK, HttpHook and bare aiohttp.

Each client has a process of its own, and the server another one. The simulator has checked a call
of every client before anything is measured, and every call that is measured has to be answered
with a match. Clients take turns in every round, so that a busy minute of the machine meets them
all; printed are medians over the rounds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import resource
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import clients
from clients import FACE, ID_CARD, MATCH, Client, Work
from table import show

from airflow_provider_faceid.simulator import Process, simulator

ROUNDS = 9
PHOTO_BYTES = 2_200_000
UNLIMITED = ("--latency-ms", "0", "--quota", f"{ID_CARD}=0,{FACE}=0", "--no-identity-limits")
PATIENCE = 120.0
"""Seconds after which a process that says nothing has failed."""

Cost = tuple[float, float]
"""User and system CPU of a call, in ms."""

OURS = "ours"
SMALL: dict[str, tuple[Client, int]] = {
    OURS: (clients.ours, 64),
    "bare aiohttp, signed": (clients.bare_aiohttp, 64),
    "official SDK, 8 threads": (clients.official_sdk, 8),
    "official SDK, 1 thread": (clients.official_sdk, 1),
    "HttpHook, 1 thread": (clients.http_hook, 1),
}
"""Clients by title, and how many calls each makes at a time. Threads make HttpHook dearer, too."""
LARGE: dict[str, Client] = {
    OURS: clients.ours,
    "official SDK": clients.official_sdk,
    "Base64 and SHA-256 alone": clients.floor,
}
PARTS: dict[str, Client] = {
    "of ours: Base64": clients.our_base64,
    "of ours: JSON": clients.our_json,
    "of ours: SHA-256": clients.our_hash,
}
REST = "of ours: sending, and all else"
TARGETS = {
    "official SDK, 8 threads": 0.35,
    "official SDK, 1 thread": 0.35,
    "HttpHook, 1 thread": 0.25,
    "official SDK": 0.45,
    "Base64 and SHA-256 alone": 1.5,
}
"""Our cost as a share of another one, at most."""
HEAD = ("CPU ms per call", "user", "system", "ours / this", "target")


def child(client: Client, work: Work, proof: str, url: str, parent: Connection) -> None:
    """Show that the simulator takes what a client sends, then measure as often as asked to."""
    rows, expected = work.rows(work.calls), MATCH[work.action]
    with client(proof, work) as calls:
        if calls(rows[:1]) != [expected]:
            raise SystemExit("The simulator does not answer with a match")
    with client(url, work) as calls:
        calls(rows)  # opens connections and fills caches
        bytes(PHOTO_BYTES)  # a photo comes and goes, as in any batch: malloc remembers its size
        parent.send("ready")
        while parent.recv() == "go":
            before = resource.getrusage(resource.RUSAGE_SELF)
            codes = calls(rows)
            after = resource.getrusage(resource.RUSAGE_SELF)
            if codes != [expected] * len(rows):
                raise SystemExit("Not every call was answered with a match")
            seconds = (after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)
            parent.send(tuple(spent / len(rows) * 1000 for spent in seconds))


@contextmanager
def process(target: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """Run a function in a process of its own; gives a line to it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    running: BaseProcess = context.Process(target=target, args=(*args, there), daemon=True)
    running.start()
    there.close()  # so that the end of the process is heard here
    try:
        yield here
    finally:
        running.terminate()
        running.join(10)


def hear(line: Connection) -> Any:
    """Return what a process says next."""
    if not line.poll(PATIENCE):
        raise SystemExit(f"A process has said nothing for {PATIENCE:.0f} s")
    try:
        return line.recv()
    except EOFError:
        raise SystemExit("A process has ended early") from None


def race(
    runners: Mapping[str, tuple[Client, int]], work: Work, proof: str, url: str
) -> dict[str, list[Cost]]:
    """Measure every client once per round."""
    with ExitStack() as stack:
        lines = {
            name: stack.enter_context(
                process(child, client, replace(work, at_once=at_once), proof, url)
            )
            for name, (client, at_once) in runners.items()
        }
        for line in lines.values():
            hear(line)
        costs: dict[str, list[Cost]] = {name: [] for name in lines}
        for _ in range(ROUNDS):
            for name, line in lines.items():
                line.send("go")
                costs[name].append(hear(line))
    return costs


class Sink(asyncio.BufferedProtocol):
    """A server that reads requests into one buffer and answers every one with a match."""

    BODY = b'{"Response": {"Result": "Success", "Sim": 99.0}}'
    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

    def __init__(self) -> None:
        self.buffer = bytearray(2**18)
        self.head = b""
        self.left = 0

    def connection_made(self, transport: Any) -> None:
        """Remember where answers go."""
        self.transport = transport

    def get_buffer(self, _: int) -> bytearray:
        """Give the buffer; what was in it is not needed any more."""
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        """Count what came in; answer at the end of a request."""
        if not self.left:
            self.head += self.buffer[:count]
            head, end, start = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            length = re.search(rb"(?i)content-length: (\d+)", head)
            self.left, count, self.head = int(length[1]) if length else 0, len(start), b""
        self.left -= count
        if not self.left:
            self.transport.write(self.ANSWER)


def sink(parent: Connection) -> None:
    """Run :class:`Sink`: it leaves the machine to the client, as a service far away would."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1")
        parent.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()

    asyncio.run(serve())


def people(service: Process, *, photos: bool = False) -> list[dict[str, Any]]:
    """Return request fields of a few people who match."""
    listed = service.ask(f"people?limit=100&photo={int(photos)}")
    return [
        {"IdCard": person["id_card"], "Name": person["name"]}
        | ({"ImageBase64": large(b64decode(person["photo_base64"]))} if photos else {})
        for person in listed
        if not person["special"]
    ]


def large(jpeg: bytes, size: int = PHOTO_BYTES) -> bytes:
    """Return a picture grown to so many bytes by comments, which nobody who looks at it sees."""
    length = 60_000
    comment = b"\xff\xfe" + (length - 2).to_bytes(2, "big")
    count = (size - len(jpeg)) // length
    return b"".join((jpeg[:2], *(comment + os.urandom(length - 4) for _ in range(count)), jpeg[2:]))


def report(title: str, costs: Mapping[str, Sequence[Cost]]) -> bool:
    """Print a table; say whether its targets are met."""
    shares = {name: share(costs[OURS], costs[name]) for name in costs if name in TARGETS}
    rows = []
    for name, cost in costs.items():
        user, system = (f"{median(part):.3f}" for part in zip(*cost, strict=True))
        compared = f"{share(costs[OURS], cost):.2f}" if name not in PARTS else ""
        target = f"<= {TARGETS[name]:.2f}" if name in TARGETS else ""
        rows.append((name, f"{total(cost):.3f}", user, system, compared, target))
    if PARTS.keys() <= costs.keys():
        rest = total(costs[OURS]) - sum(total(costs[name]) for name in PARTS)
        rows.append((REST, f"{rest:.3f}", "", "", "", ""))
    show((title, *HEAD), rows)
    print(flush=True)
    return all(found <= TARGETS[name] for name, found in shares.items())


def total(cost: Sequence[Cost]) -> float:
    """Return the CPU of a call, user and system."""
    return median(map(sum, cost))


def share(cost: Sequence[Cost], other: Sequence[Cost]) -> float:
    """Return a cost as a share of another, compared round by round."""
    pairs = zip(map(sum, cost), map(sum, other), strict=True)
    return median(one / another for one, another in pairs)


def main() -> int:
    """Print the tables; return 1 if a target is missed."""
    with TemporaryDirectory() as home, simulator(*UNLIMITED) as service, process(sink) as line:
        os.environ["AIRFLOW_HOME"] = home
        url, drain = service.url, hear(line)
        work = Work(ID_CARD, people(service), calls=1500, at_once=0)
        met = report("small call", race(SMALL, work, url, url))
        work = Work(FACE, people(service, photos=True)[:4], calls=40, at_once=0)
        for at_once in (1, 8):
            runners = {name: (client, at_once) for name, client in (LARGE | PARTS).items()}
            title = f"photo of 2.2 MB, {at_once} at a time"
            met &= report(title, race(runners, work, url, drain))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
