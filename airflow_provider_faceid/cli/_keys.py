"""Source keys on the command line: from arguments, from a file, or from standard input."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from .definition import Argument

KEY = Argument(
    "--source-key",
    action="append",
    metavar="KEY",
    help='key of a row, as the result table has it; of several columns as ["t1","17"]. May be repeated',
)
KEYS_FILE = Argument(
    "--source-keys-file", metavar="PATH", help="file with a key in each line; - for standard input"
)


def keys_of(arguments: Namespace) -> list[str] | None:
    """
    Return the keys that are named, None for all.

    :raises ConfigurationError: a file cannot be read, or names none.
    """
    if arguments.source_key is None and arguments.source_keys_file is None:
        return None
    return list(
        dict.fromkeys(
            [
                *(arguments.source_key or ()),
                *lines_of(arguments.source_keys_file, "--source-keys-file"),
            ]
        )
    )


def lines_of(path: str | None, flag: str) -> list[str]:
    """
    Return the lines of a file that have something in them; none if no file is named.

    :param path: ``-`` is standard input.
    :param flag: that named it, for the message.
    :raises ConfigurationError: it cannot be read, or has no such line. No line is quoted.
    """
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap

    if path is None:
        return []
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "it is no UTF-8 text"
        raise ConfigurationError(f"{flag} {path} cannot be read: {cause}") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ConfigurationError(f"{flag} {path} names no key: one in each line")
    return lines
