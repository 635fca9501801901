"""Ask an endpoint that means harm; print the error and by how many MB memory grew at most."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import requests

from airflow_provider_faceid.client import transport_sync as blocking
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.client.transport_async import AsyncClient
from airflow_provider_faceid.clock import OffsetClock
from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow

PARAMS = {"IdCard": "11010519491231002X", "Name": "Li Lei"}


def ask(client: str, url: str) -> None:
    settings = Settings(Credentials("an-id", "a-key"), url=url, timeout=20, max_attempts=1)
    clock = OffsetClock()
    pace = SlotRateLimiter(MemoryRow(clock), 1000)
    if client == "asyncio":

        async def run() -> None:
            async with AsyncClient(settings, pace) as one:
                await one.call("IdCardVerification", PARAMS)

        asyncio.run(run())
    else:
        with requests.Session() as session:
            blocking.call(
                "IdCardVerification",
                PARAMS,
                session=session,
                settings=settings,
                pace=pace,
                clock=clock,
            )


def peak_mb() -> float:
    """Return the peak of this process; that of resource.getrusage would be its parent's, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    client, harmless, harmful = sys.argv[1:]
    ask(client, harmless)  # what a first call needs is no growth
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
    before = peak_mb()
    told = "answered"
    try:
        ask(client, harmful)
    except FaceIdError as error:
        told = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"{told}\n{peak_mb() - before:.1f}\n")
