"""What a killed worker, a stopped worker and a quota that changes do to the pace.

Four processes share one SQLite state store. First they only take slots; then they call a simulator
whose quota is halved, and later restored, without telling anybody.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

from table import show

ACTION, QUOTA, RATE, WORKERS = "IdCardVerification", 100, 97.0, 4
HALVED_AT, RESTORED_AT, END = 10.0, 70.0, 140.0
"""Seconds from the start."""
SETTLED_SECONDS = 30.0
WINDOW_SECONDS = 5

Target = Callable[..., None]


def take_slots(folder: Path, number: int, end: float) -> None:
    """Take slots as fast as they come; write down when."""
    from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
    from airflow_provider_faceid.state.rate_rows import StoredRow
    from airflow_provider_faceid.state.store import StateStore

    store = StateStore(f"sqlite:///{folder / 'state.sqlite'}")
    pace = SlotRateLimiter(StoredRow(store, "bench"), RATE)
    with (folder / str(number)).open("w", buffering=1) as log:
        while time.time() < end:
            pace.wait()
            log.write(f"{time.time()}\n")


def call(folder: Path, number: int, end: float, url: str, person: dict[str, object]) -> None:
    """Call the simulator about one person as fast as the pace allows."""
    from airflow_provider_faceid.client.settings import Credentials, Settings
    from airflow_provider_faceid.client.transport_async import AsyncClient
    from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
    from airflow_provider_faceid.state.rate_rows import StoredRow
    from airflow_provider_faceid.state.store import StateStore

    del number
    store = StateStore(f"sqlite:///{folder / 'state.sqlite'}")
    pace = SlotRateLimiter(StoredRow(store, "bench"), RATE)
    settings = Settings(Credentials("simulator-id", "simulator-key"), url=url)

    async def one_after_the_other(client: AsyncClient) -> None:
        while time.time() < end:
            await client.call(ACTION, person)

    async def run() -> None:
        async with AsyncClient(settings, pace) as client:
            await asyncio.gather(*(one_after_the_other(client) for _ in range(50)))

    asyncio.run(run())


@contextmanager
def workers(target: Target, end: float, *args: object) -> Iterator[tuple[Path, list[BaseProcess]]]:
    """Run processes over one store until the end."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started: list[BaseProcess] = [
            context.Process(target=target, args=(folder, number, end, *args))
            for number in range(WORKERS)
        ]
        for worker in started:
            worker.start()
        try:
            yield folder, started
        finally:
            for worker in started:
                worker.join(max(0.0, end + 20 - time.time()))
                worker.kill()
                worker.join()


def slots_taken(disturb: Callable[[int], None], lasts: float) -> list[list[float]]:
    """Disturb the first of four workers three seconds after all have begun; return all moments."""
    end = time.time() + 3 + lasts + 4
    with workers(take_slots, end) as (folder, processes):
        logs = [folder / str(number) for number in range(WORKERS)]
        while not all(log.exists() and log.stat().st_size for log in logs):
            time.sleep(0.05)
            if time.time() > end:
                raise TimeoutError("the workers do not begin")
        time.sleep(2)
        pid = processes[0].pid
        assert pid is not None  # noqa: S101 - it was started
        disturb(pid)
        for process in processes[1:]:
            process.join(end + 10 - time.time())
        if processes[0].is_alive():
            processes[0].join(10)
        return [[float(line) for line in log.read_text().split()] for log in logs]


def busiest(moments: list[float]) -> int:
    """Return the most in one second of the clock, as the service counts."""
    return max(Counter(map(int, moments)).values(), default=0)


def killed() -> Iterator[tuple[str, str, str]]:
    """Kill a worker while it holds slots."""
    when = 0.0

    def kill(pid: int) -> None:
        nonlocal when
        os.kill(pid, signal.SIGKILL)
        when = time.time()

    _, *others = slots_taken(kill, 0)
    after = sorted(moment for one in others for moment in one if moment >= when)
    lost = (after[-1] - when) - len(after) / RATE
    gap = max(late - early for early, late in pairwise([when, *after]))
    yield "worker killed", "pace lost to the others", f"{max(0.0, lost):.2f} s (< 1 s)"
    yield "", "longest silence of the others", f"{gap:.2f} s"


def stopped() -> Iterator[tuple[str, str, str]]:
    """Stop a worker for ten seconds and let it go on."""
    woken = 0.0

    def stop(pid: int) -> None:
        nonlocal woken
        os.kill(pid, signal.SIGSTOP)
        time.sleep(10)
        os.kill(pid, signal.SIGCONT)
        woken = time.time()

    taken = slots_taken(stop, 10)
    every = [moment for one in taken for moment in one]
    after = [moment for moment in every if moment > woken - 1]
    own = [moment for moment in taken[0] if moment > woken]
    yield "worker stopped 10 s", "busiest second", f"{busiest(every)} (<= {QUOTA})"
    yield "", "busiest second after it woke", f"{busiest(after)} (<= {QUOTA})"
    yield "", "its own calls in the second it woke", f"{sum(m < woken + 1 for m in own)}"


def halved() -> Iterator[tuple[str, str, str]]:
    """Halve the quota silently, and restore it."""
    from airflow_provider_faceid.simulator import SimulatorServer

    with SimulatorServer(people=60, identity_limits={}) as server:
        person = next(p for p in server.account.people.listed if not p.persona)
        params = {"IdCard": person.id_card, "Name": person.name}
        start = time.time() + 2
        with workers(call, start + END, server.url, params):
            for moment, quota in ((HALVED_AT, QUOTA // 2), (RESTORED_AT, QUOTA)):
                time.sleep(max(0.0, start + moment - time.time()))
                server.account.windows.quotas[ACTION] = quota
        calls = [
            (moment_of(row) - start, bool(row["error"])) for row in server.account.ledger.rows()
        ]
    settled = [t for at, t in calls if HALVED_AT + SETTLED_SECONDS <= at < RESTORED_AT]
    whole = [t for at, t in calls if HALVED_AT <= at < RESTORED_AT]
    answered = len(settled) - sum(settled)
    used = answered / (RESTORED_AT - HALVED_AT - SETTLED_SECONDS) / (QUOTA / 2)
    share = sum(settled) / len(settled)
    yield "quota halved for 60 s", "throttled after 30 s", f"{share:.2%} (< 2 %)"
    yield "", "throttled in all 60 s", f"{sum(whole) / len(whole):.2%}"
    yield "", "of the halved quota used after 30 s", f"{used:.1%}"
    back = next(
        (
            second
            for second in range(int(END - RESTORED_AT) - WINDOW_SECONDS)
            if sum(
                RESTORED_AT + second <= at < RESTORED_AT + second + WINDOW_SECONDS
                for at, _ in calls
            )
            >= 0.95 * RATE * WINDOW_SECONDS
        ),
        None,
    )
    yield "quota restored", "back at 95 % of the pace after", f"{back} s (<= 60 s)"


def moment_of(row: dict[str, object]) -> float:
    """Return when a request arrived."""
    from datetime import datetime

    return datetime.fromisoformat(str(row["at"])).timestamp()


def rows() -> Iterator[tuple[str, str, str]]:
    """Disturb the pace in each way."""
    yield from killed()
    yield from stopped()
    yield from halved()


if __name__ == "__main__":
    show(("what happens", "what is measured", "result (target)"), rows())
    sys.exit(0)
