"""Doctor: what is misconfigured and how to mend it; a table of checks, each bounded in time.

No check sends what may be charged, changes anything, or shows a secret or a person's data. One that breaks
or hangs does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ...batch.threads import DaemonThreads
from ...clock import SYSTEM_CLOCK
from ...process import safe_message
from .problems import Finding, Severity, found
from .service import check_clock, check_service
from .settings import check_configuration, check_connection, check_versions
from .state import check_state_store
from .subject import Named, NotExaminedError, Subject
from .uplink import check_uplink
from .warehouse import check_no_warehouse, check_warehouse

__all__ = ["CHECKS", "Diagnosis", "Finding", "Named", "Severity", "examine"]


class Check(NamedTuple):
    """
    A check.

    :param name: identifies it.
    :param looks_at: what it examines, for the documentation and for messages.
    :param run: yields findings; raises :class:`NotExaminedError` if it can say nothing.
    """

    name: str
    looks_at: str
    run: Callable[[Subject], Iterable[Finding]]


CHECKS: Sequence[Check] = (
    Check("versions", "installed packages", check_versions),
    Check(
        "configuration",
        "options of section [faceid], folders they name, certificates of the environment",
        check_configuration,
    ),
    Check("connection", "all fields of the Face ID connection", check_connection),
    Check("service", "key and endpoint, by a free call", check_service),
    Check("clock", "this machine's clock beside the service's", check_clock),
    Check(
        "state_store",
        "where the store is, whether it can be written, its version",
        check_state_store,
    ),
    Check(
        "warehouse",
        "rights, tables, views, hash keys and prices of each warehouse",
        check_no_warehouse,  # each has a check of its own, see _jobs
    ),
    Check("uplink", "bandwidth beside the rate of photos", check_uplink),
)
"""In the order in which they are shown."""


@dataclass(frozen=True)
class Diagnosis:
    """
    What the doctor has found.

    :param findings: in the order of the checks.
    :param done: checks that were made, with what they looked at.
    :param skipped: why a check could say nothing, by its name.
    """

    findings: Sequence[Finding]
    done: Sequence[str]
    skipped: dict[str, str]


def examine(named: Named) -> Diagnosis:
    """
    Run all checks at once, each for a limited time.

    :param named: what to examine.
    """
    subject = Subject(named)
    jobs = list(_jobs(subject))
    threads = DaemonThreads(len(jobs), "faceid-doctor")
    running = [threads.submit(_run, check, subject) for _, check in jobs]
    end = SYSTEM_CLOCK.monotonic() + named.seconds
    findings: list[Finding] = []
    done: list[str] = []
    skipped: dict[str, str] = {}
    for (label, check), job in zip(jobs, running, strict=True):
        try:
            findings += _result(check, job, end, named.seconds)
        except NotExaminedError as error:
            skipped[label] = str(error)
        else:
            done.append(label)
    return Diagnosis(findings, done, skipped)


def _jobs(subject: Subject) -> Iterator[tuple[str, Check]]:
    """Return the checks with their labels, the check of a warehouse once for each of them."""
    for check in CHECKS:
        if check.name != "warehouse" or not subject.warehouses:
            yield check.name, check
            continue
        for one in subject.warehouses:
            run = partial(check_warehouse, warehouse=one)
            looks_at = f"the database of connection '{one.conn_id}'"
            yield f"warehouse {one.conn_id}", Check(check.name, looks_at, run)


def _run(check: Check, subject: Subject) -> list[Finding]:
    return list(check.run(subject))


def _result(check: Check, job: Future[list[Finding]], end: float, seconds: float) -> list[Finding]:
    try:
        return job.result(max(0.0, end - SYSTEM_CLOCK.monotonic()))
    except NotExaminedError:
        raise
    except TimeoutError:
        return [found("check_slow", check=check.name, seconds=f"{seconds:g}", asks=check.looks_at)]
    except Exception as error:  # noqa: BLE001 - one broken check must not stop the others
        return [found("check_failed", check=check.name, reason=safe_message(error))]
