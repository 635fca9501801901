"""``pause`` and ``resume``: a person stops an Action for all workers of an account, and lets them go on."""

from __future__ import annotations

import socket
from argparse import Namespace
from getpass import getuser
from typing import TYPE_CHECKING, Any

from ._common import FACEID_CONNECTION, OUTPUT, STATE_CONNECTION, hook_of, known_action, moment
from .definition import Answer, Argument, Command

if TYPE_CHECKING:
    from ..state.pauses import Pause

ALL = "all"
WHAT = Argument(
    "action", metavar="ACTION", help=f"API Action, such as IdCardVerification; {ALL} for every one"
)
REASON = Argument(
    "--reason",
    required=True,
    metavar="TEXT",
    help="why, for everybody who finds calls paused; without personal data",
)


def pause(arguments: Namespace) -> Answer:
    """Pause the Action."""
    done = hook_of(arguments).pauses().pause(_named(arguments), by=_who(), reason=arguments.reason)
    return Answer(
        _data(done),
        f"{done.line()}. Workers send nothing more within 2 s; calls in flight are recorded, and all "
        f"other rows stay due. 'airflow faceid resume {arguments.action}' ends the pause",
    )


def resume(arguments: Namespace) -> Answer:
    """Resume the Action."""
    done = hook_of(arguments).pauses().resume(_named(arguments), by=_who())
    return Answer(
        _data(done),
        f"Resumed by {done.resumed_by}. {done.line()}. Runs that wait go on within 2 s, tasks that gave "
        "their worker slot back within 5 minutes",
    )


def _named(arguments: Namespace) -> str:
    """
    Return the Action of the arguments.

    :raises ConfigurationError: there is none of that name.
    """
    from ..state.pauses import EVERY_ACTION  # noqa: PLC0415 - keeps Airflow's start cheap

    return EVERY_ACTION if arguments.action == ALL else known_action(arguments.action)


def _who() -> str:
    """Return who runs the command: user and host, as they are known to this machine."""
    try:
        user = getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _data(done: Pause) -> dict[str, Any]:
    return {
        "action": done.action,
        "paused_at": moment(done.paused_at),
        "paused_by": done.paused_by,
        "reason": done.reason,
        "resumed_at": moment(done.resumed_at),
        "resumed_by": done.resumed_by,
    }


_ARGUMENTS = (FACEID_CONNECTION, STATE_CONNECTION, OUTPUT)
PAUSE = Command(
    name="pause",
    help="Stop an Action for all workers of the account, until it is resumed",
    description="Stop an Action for all workers of the connection's account. Calls in flight are recorded, "
    "no row is lost. Runs over tables wait, and give their worker slot back after the connection's outage "
    "timeout; single calls fail and may be retried.",
    run=pause,
    arguments=(WHAT, REASON, *_ARGUMENTS),
)
RESUME = Command(
    name="resume",
    help="End the pause of an Action",
    description="End the pause of an Action, as it was paused: one Action, or all. The state store keeps by "
    "whom it was paused, when and why.",
    run=resume,
    arguments=(WHAT, *_ARGUMENTS),
)
