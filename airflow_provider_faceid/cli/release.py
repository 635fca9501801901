"""``release``: held rows are called for again by the next run, on a person's decision."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from ._common import (
    ACTION,
    CAMPAIGN,
    OUTPUT,
    RESULT_TABLE,
    WAREHOUSE_CONNECTION,
    known_action,
    warehouse_of,
)
from .definition import Answer, Argument, Command

KEY = Argument(
    "--source-key",
    action="append",
    metavar="KEY",
    help='key of a row, as the result table has it; of several columns as ["t1","17"]. May be repeated',
)
KEYS_FILE = Argument(
    "--source-keys-file", metavar="PATH", help="file with a key in each line; - for standard input"
)
EVERY = Argument("--all", action="store_true", help="all held rows of the campaign and Action")


def run(arguments: Namespace) -> Answer:
    """Release the rows."""
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..exceptions import ConfigurationError, counted  # noqa: PLC0415 - the same
    from ..warehouse.names import Names  # noqa: PLC0415 - the same
    from ..warehouse.records import RunContext  # noqa: PLC0415 - the same
    from ..warehouse.release import nothing_released, release_held  # noqa: PLC0415 - the same

    keys = _keys(arguments)
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


def _keys(arguments: Namespace) -> list[str] | None:
    """
    Return the keys that are named, None for all.

    :raises ConfigurationError: a file cannot be read, or names none.
    """
    if arguments.source_key is None and arguments.source_keys_file is None:
        return None
    return list(dict.fromkeys([*(arguments.source_key or ()), *_lines(arguments.source_keys_file)]))


def _lines(path: str | None) -> list[str]:
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap

    if path is None:
        return []
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "it is no UTF-8 text"
        raise ConfigurationError(f"--source-keys-file {path} cannot be read: {cause}") from None
    keys = [line for line in text.splitlines() if line.strip()]
    if not keys:
        raise ConfigurationError(f"--source-keys-file {path} names no key: one in each line")
    return keys


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
