"""How many calls one core of the simulator answers: it must never be what limits a benchmark.

Every call is signed on its own and made before the clock starts, so that sending costs little. The
simulator has one core, and what is sent comes from another.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import cycle, islice
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from table import show

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.action import SERVICE, VERSION
from airflow_provider_faceid.simulator import KEY, Process, simulator

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
UNLIMITED = ("--latency-ms", "0", "--quota", f"{ID_CARD}=0,{FACE}=0", "--no-identity-limits")
ROUNDS, AT_ONCE = 7, 8
PHOTO_BYTES = 2_235_000
"""Of a picture; its Base64 text has 2.98 MB of the 3 MB allowed."""
COMMENT = 60_000
SIDE = 2400
NOISE, QUALITY = 30, 75
"""Grain and compression by which a picture of that side has so many bytes."""
HEAD = ("call", "calls/s", "CPU ms", "calls/CPU s", "target")

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """
    One kind of call.

    :param action: the API Action.
    :param match: how it answers a match.
    :param calls: per round.
    :param target: calls per second of CPU, at least; 0 for none.
    :param photo: makes the photo that is sent of the one in the people list.
    """

    action: str
    match: bytes
    calls: int
    target: int = 0
    photo: Callable[[bytes], bytes] | None = None


@cache
def padded(jpeg: bytes) -> bytes:
    """Return a picture grown to :data:`PHOTO_BYTES` by comments; the same for the same picture."""
    comment = _comment(COMMENT)
    count = (PHOTO_BYTES - len(jpeg)) // len(comment)
    return jpeg[:2] + comment * count + jpeg[2:]


@cache
def grainy(jpeg: bytes) -> bytes:
    """Return a picture as large as a camera makes them: every byte has to be decoded."""
    grain = np.random.default_rng(7).normal(0, NOISE, (SIDE, SIDE, 1))
    picture = np.asarray(Image.open(BytesIO(jpeg)).resize((SIDE, SIDE)), dtype=np.float32)
    file = BytesIO()
    Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=QUALITY
    )
    return file.getvalue()


def fresh(jpeg: bytes) -> bytes:
    """Return a picture nobody has sent before."""
    return jpeg[:2] + _comment(64) + jpeg[2:]


def _comment(length: int) -> bytes:
    return b"\xff\xfe" + (length - 2).to_bytes(2, "big") + os.urandom(length - 4)


CASES = {
    "ID number and name": Case(ID_CARD, b'"Result": "0"', 4000, 2000),
    "photo of 3 MB, seen before": Case(FACE, b'"Success"', 48, 60, padded),
    "a new photo, small with comments": Case(
        FACE, b'"Success"', 48, 60, lambda jpeg: fresh(padded(jpeg))
    ),
    "a new photo, as from a camera": Case(
        FACE, b'"Success"', 48, 0, lambda jpeg: fresh(grainy(jpeg))
    ),
}


def requests(case: Case, host: str, people: Sequence[Fields]) -> Iterator[bytes]:
    """Yield a round of signed requests as they go over the wire."""
    for person in islice(cycle(people), case.calls):
        fields = {"IdCard": person["id_card"], "Name": person["name"]}
        if case.photo:
            photo = case.photo(b64decode(person["photo_base64"]))
            fields["ImageBase64"] = b64encode(photo).decode()
        yield request(case.action, host, json.dumps(fields).encode())


def request(action: str, host: str, body: bytes) -> bytes:
    """Return one signed request."""
    now, signed = int(time.time()), {"Content-Type": signing.JSON_TYPE, "Host": host}
    authorization = signing.authorization(
        secret_id=KEY["login"],
        secret_key=KEY["password"],
        timestamp=now,
        service=SERVICE,
        headers=signed,
        hashed_payload=signing.payload_hash(body),
    )
    headers = signed | {
        "Authorization": authorization,
        "Content-Length": str(len(body)),
        "X-TC-Action": action,
        "X-TC-Timestamp": str(now),
        "X-TC-Version": VERSION,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


def call(lines: Sequence[socket.socket], calls: Sequence[bytes], match: bytes) -> None:
    """Make calls, one at a time on every line; all must be answered with a match."""
    for start in range(0, len(calls), len(lines)):
        together = calls[start : start + len(lines)]
        for line, sent in zip(lines, together, strict=False):
            line.sendall(sent)
        for line, _ in zip(lines, together, strict=False):
            # A whole answer is small enough to come in one piece.
            if match not in (answer := line.recv(65536)):
                raise SystemExit(f"Not a match: {answer.decode(errors='replace')}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time another process has used: its clock, as clock_getcpuclockid(3) has it."""
    return time.clock_gettime(~pid << 3 | 2)


def measure(service: Process, case: Case) -> tuple[float, float]:
    """Return seconds and CPU seconds per call, as medians over the rounds."""
    host = service.url.removeprefix("http://")
    listed = service.ask(f"people?limit=100&photo={int(case.photo is not None)}")
    people = [person for person in listed if not person["special"]][: 4 if case.photo else None]
    wall, cpu = [], []
    with ExitStack() as stack:
        address = (host.partition(":")[0], int(host.rpartition(":")[2]))
        lines = [stack.enter_context(socket.create_connection(address)) for _ in range(AT_ONCE)]
        call(lines, list(requests(case, host, people)), case.match)  # draws the people's pictures
        for _ in range(ROUNDS):
            calls = list(requests(case, host, people))
            started, spent = time.perf_counter(), cpu_seconds(service.pid)
            call(lines, calls, case.match)
            wall.append(time.perf_counter() - started)
            cpu.append(cpu_seconds(service.pid) - spent)
    return median(wall) / case.calls, median(cpu) / case.calls


def main() -> int:
    """Print the table; return 1 if a target is missed."""
    met = []

    def rows() -> Iterator[tuple[str, ...]]:
        for title, case in CASES.items():
            wall, cpu = measure(service, case)
            met.append(1 / cpu >= case.target)
            target = f">= {case.target:,}" if case.target else ""
            yield title, f"{1 / wall:,.0f}", f"{cpu * 1000:.2f}", f"{1 / cpu:,.0f}", target

    with simulator(*UNLIMITED) as service:
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(service.pid, {first})
        os.sched_setaffinity(0, others or {first})
        show(HEAD, rows())
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
