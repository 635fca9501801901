"""Check of the uplink: what it carried when photos were uploaded, else what free requests of that size measure."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from typing import NamedTuple

from ...batch.threads import DaemonThreads
from ...clock import SECONDS_PER_HOUR, SYSTEM_CLOCK, OffsetClock
from ...exceptions import FaceIdError
from ...state.uplink import Uplink
from ...state.uplink import read as read_uplink
from ...warehouse.sql.database import Database
from ..free_call import prove_key
from ..readers import state_database
from .problems import Finding, found
from .service import ask
from .state import READ_SECONDS
from .subject import PHOTO_BYTES, NotExaminedError, Subject

FACE = "ImageRecognitionV2"
BODY_BYTES = 192_000
"""Size of a request that measures: large enough to be an upload, and to leave a slow line in seconds."""
ROUNDS = (2, 6, 12)
"""Concurrent requests of each round. A line that latency limits carries more with more of them."""
GAIN = 1.3
"""Least growth of the throughput, from one round to the next, that says that latency was the limit."""
SLOW_SECONDS = 3.0
"""A round that takes longer ends the measurement."""
BASE64 = 4 / 3
RECENT_HOURS = 7 * 24
"""How old a measurement of uploads may be; the line may have changed since."""
TOLERANCE = 0.9
_UPLINKS = "SELECT host, state, seen_hour FROM faceid_uplinks ORDER BY seen_hour DESC LIMIT 5000"


class Wanted(NamedTuple):
    """
    What should leave this host.

    :param rate: photos a second.
    :param size: bytes of one in its request.
    """

    rate: float
    size: float

    @property
    def throughput(self) -> float:
        """Return the bytes a second."""
        return self.rate * self.size


def check_uplink(subject: Subject) -> Iterator[Finding]:
    """Compare what the uplink carries with the rate of photos."""
    named, settings = subject.named, subject.settings
    rate = settings.rate(FACE) if named.photo_rate is None else named.photo_rate
    if not rate:
        return
    latency = _latency(subject)
    uplink, hours = _stored(subject.state_conn_id)
    size = named.photo_bytes * BASE64 if named.photo_bytes else 0
    wanted = Wanted(rate, size or uplink.mean_bytes or PHOTO_BYTES * BASE64)
    carried = carried_by(uplink)
    if carried and hours <= RECENT_HOURS:
        when = f" (measured {hours:.0f} h ago, while photos were uploaded)"
    else:
        carried, when = _measured(subject, wanted, latency), ""
    if carried and carried < TOLERANCE * wanted.throughput:
        yield found(
            "uplink_slow",
            carries="carried" if when else "carries",
            rate=f"{carried / 1e6:.2g}",
            photos=f"{carried / wanted.size:.2g}",
            kilobytes=round(wanted.size / BASE64 / 1000),
            wanted=f"{wanted.rate:.3g}",
            when=when,
        )


def carried_by(uplink: Uplink) -> float:
    """
    Return the bytes a second of an uplink that was the bottleneck; 0 if it was not, or is not known.

    It was where a larger window carried no more, or where the window was kept small.
    """
    if uplink.rate:
        return uplink.rate
    return uplink.proven_rate if uplink.is_found else 0.0


def _stored(conn_id: str) -> tuple[Uplink, float]:
    """Return what uploads of this host have measured, and how many hours ago."""
    try:
        base: Database = state_database(conn_id)
        with base.reading(READ_SECONDS) as query:
            host = socket.gethostname()[:200]
            rows = [row[1:] for row in query(_UPLINKS) if row[0] == host]
    except FaceIdError:  # no store yet, or one that another check reports
        return Uplink(), 0.0
    if not rows:
        return Uplink(), 0.0
    state, hour = rows[0]
    return read_uplink(state), max(0.0, SYSTEM_CLOCK.now() / SECONDS_PER_HOUR - (hour or 0))


def _latency(subject: Subject) -> float:
    """
    Return the seconds that a short free call took.

    :raises NotExaminedError: the service does not answer.
    """
    proof = ask(subject).proof
    if proof is None or not proof.is_free:
        raise NotExaminedError("the service does not answer")
    return proof.verdict.latency_ms / 1000


def _measured(subject: Subject, wanted: Wanted, latency: float) -> float:
    """Return the bytes a second that the line carries; 0 if that is enough, or latency is the limit."""
    threads = DaemonThreads(max(ROUNDS), "faceid-doctor-uplink")
    return throughput(lambda count: _round(subject, threads, count), latency, wanted.throughput)


def throughput(seconds_of: Callable[[int], float], latency: float, wanted: float) -> float:
    """
    Return the bytes a second of the fullest round; 0 if latency is the limit, or it is enough.

    :param seconds_of: makes so many requests at once, and returns how long they took.
    :param latency: seconds of a short request.
    :param wanted: bytes a second that are enough.
    """
    best = 0.0
    for count in ROUNDS:
        rates = []
        for _ in range(2):  # of two, as this machine may have been busy
            seconds = seconds_of(count)
            rates.append(count * BODY_BYTES / max(seconds - latency, 1e-3))
            if rates[-1] >= wanted or seconds > SLOW_SECONDS / 2:
                break
        rate = max(rates)
        if rate >= wanted:
            return 0.0
        if (best and rate < GAIN * best) or seconds > SLOW_SECONDS:
            return max(best, rate)
        best = max(best, rate)
    return 0.0


def _round(subject: Subject, threads: DaemonThreads, count: int) -> float:
    """
    Return the seconds that some free requests took at once.

    :raises NotExaminedError: one was not answered.
    """
    hook, settings = subject.hook, subject.settings

    def send() -> None:
        with hook.get_conn() as session:
            prove_key(settings, session, OffsetClock(), digits=BODY_BYTES)

    began = SYSTEM_CLOCK.monotonic()
    sent = [threads.submit(send) for _ in range(count)]
    wait(sent)
    for one in sent:
        if (error := one.exception()) is not None:
            raise NotExaminedError(f"a request that measures it was not answered: {error}")
    return SYSTEM_CLOCK.monotonic() - began
