"""``doctor``: what of a set-up is misconfigured, and how to mend it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._common import FACEID_CONNECTION, OUTPUT, STATE_CONNECTION, TABLES
from .definition import DONE, FAILED, Answer, Argument, Command

if TYPE_CHECKING:
    from ..hooks.doctor import Diagnosis, Finding
    from ..hooks.readers import Warehouse

WAREHOUSES = Argument(
    "--warehouse-conn-id",
    action="append",
    metavar="ID",
    help="connection of a result table; may be repeated. Those of the option pages_warehouses if not given",
)
RATE = Argument(
    "--photo-rate",
    type=float,
    metavar="N",
    help="photos a second that should leave this host, 0 if none do; the quota of the account if not given",
)
SIZE = Argument(
    "--photo-kb",
    type=int,
    metavar="KB",
    help="size of a photo; the mean of those uploaded from this host, else 200, if not given",
)
SECONDS = Argument(
    "--timeout",
    type=float,
    default=20.0,
    metavar="SECONDS",
    help="how long the checks, which run at once, may take (default: 20)",
)


def run(arguments: Namespace) -> Answer:
    """Run the checks."""
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.doctor import Named, examine  # noqa: PLC0415 - the same

    for name, least in (("photo_rate", 0), ("photo_kb", 1), ("timeout", 1)):
        value = getattr(arguments, name)
        if value is not None and not least <= value < float("inf"):
            raise ConfigurationError(f"--{name.replace('_', '-')} is a number from {least}")
    named = Named(
        arguments.faceid_conn_id,
        arguments.state_conn_id or "",
        _warehouses(arguments),
        arguments.photo_rate,
        None if arguments.photo_kb is None else 1000 * arguments.photo_kb,
        arguments.timeout,
    )
    diagnosis = examine(named)
    data = {
        "healthy": not diagnosis.findings,
        "findings": [
            {
                "problem": one.problem,
                "check": one.check,
                "severity": one.severity.value,
                "cause": one.cause,
                "remedy": one.remedy,
            }
            for one in diagnosis.findings
        ],
        "checked": list(diagnosis.done),
        "skipped": diagnosis.skipped,
    }
    return Answer(data, _text(diagnosis), FAILED if diagnosis.findings else DONE)


def _warehouses(arguments: Namespace) -> list[Warehouse] | None:
    from ..hooks.readers import Warehouse  # noqa: PLC0415 - keeps Airflow's start cheap
    from ._common import names_of  # noqa: PLC0415 - the same

    if arguments.warehouse_conn_id is None:
        return None
    names = names_of(arguments)
    return [Warehouse(conn_id, names) for conn_id in dict.fromkeys(arguments.warehouse_conn_id)]


def _text(diagnosis: Diagnosis) -> str:
    from ..exceptions import counted  # noqa: PLC0415 - keeps Airflow's start cheap

    skipped = "; ".join(f"{name}: {why}" for name, why in diagnosis.skipped.items())
    rest = f". Not looked at: {skipped}" if skipped else ""
    done = f"{counted(len(diagnosis.done), 'check')} ({', '.join(diagnosis.done)})"
    if not diagnosis.findings:
        return f"Healthy: nothing was found by {done}{rest}"
    lines = [line for one in diagnosis.findings for line in _lines(one)]
    return "\n".join([*lines, f"{counted(len(diagnosis.findings), 'finding')} by {done}{rest}"])


def _lines(finding: Finding) -> Iterable[str]:
    return (
        f"{finding.severity.upper()} {finding.problem}: {finding.cause}.",
        f"  Next step: {finding.remedy}.",
        "",
    )


COMMAND = Command(
    name="doctor",
    help="Say what is misconfigured, and how to mend it",
    description="Look at packages, configuration, connection, clock, state store, warehouses and uplink of "
    "this host. It changes nothing and makes no call that may be charged: a few with a malformed ID number, "
    "which are free, prove key and bandwidth. Exit code 0: healthy; 1: something was found; 2: wrong usage.",
    run=run,
    arguments=(
        FACEID_CONNECTION,
        STATE_CONNECTION,
        WAREHOUSES,
        *TABLES,
        RATE,
        SIZE,
        SECONDS,
        OUTPUT,
    ),
)
