"""``release``: held rows are called for again by the next run, on a person's decision."""

from __future__ import annotations

from argparse import Namespace

from ._common import (
    ACTION,
    CAMPAIGN,
    KEY,
    KEYS_FILE,
    OUTPUT,
    RESULT_TABLE,
    WAREHOUSE_CONNECTION,
    keys_of,
    known_action,
    warehouse_of,
)
from .definition import Answer, Argument, Command

EVERY = Argument("--all", action="store_true", help="all held rows of the campaign and Action")


def run(arguments: Namespace) -> Answer:
    """Release the rows."""
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..exceptions import ConfigurationError, counted  # noqa: PLC0415 - the same
    from ..warehouse.names import Names  # noqa: PLC0415 - the same
    from ..warehouse.records import RunContext  # noqa: PLC0415 - the same
    from ..warehouse.release import nothing_released, release_held  # noqa: PLC0415 - the same

    keys = keys_of(arguments)
    if (keys is None) is not arguments.all:
        raise ConfigurationError(
            "Give the rows to release: --source-key, --source-keys-file, or --all for all held rows of the "
            "campaign"
        )
    action = known_action(arguments.action)
    work = RunContext(arguments.campaign, action, "")
    names = Names(results=arguments.result_table)
    released = release_held(warehouse_of(arguments), work, SYSTEM_CLOCK, names=names, keys=keys)
    if not released:
        raise ConfigurationError(nothing_released(work, names, keys))
    return Answer(
        {"campaign": work.campaign, "action": action, "released": released},
        f"Released {counted(released, 'held row')} of campaign '{work.campaign}'. Its next run calls for "
        f"{'it' if released == 1 else 'them'} again, and pays again for nearly all that were charged before",
    )


COMMAND = Command(
    name="release",
    help="Let the next run call again for rows that may have been charged",
    description="Release rows that are held because they may have been charged without an answer. It "
    "makes no call: the next run of the campaign calls for them, and pays again for nearly all of them. "
    "Look them up in the bill first if that matters.",
    run=run,
    arguments=(
        ACTION,
        CAMPAIGN,
        WAREHOUSE_CONNECTION,
        KEY,
        KEYS_FILE,
        EVERY,
        RESULT_TABLE,
        OUTPUT,
    ),
)
