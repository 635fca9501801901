"""Shared parts of the commands: arguments for connections, tables, keys and output, and text tables."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .definition import Argument

if TYPE_CHECKING:
    from ..hooks.faceid import FaceIdHook
    from ..warehouse.names import Names
    from ..warehouse.sql.database import Database


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


OUTPUT = Argument(
    "-o",
    "--output",
    choices=("table", "json"),
    default="table",
    help="form of what is printed (default: table)",
)
FACEID_CONNECTION = Argument(
    "--faceid-conn-id",
    default="faceid_default",
    metavar="ID",
    help="the Face ID connection (default: faceid_default)",
)
STATE_CONNECTION = Argument(
    "--state-conn-id",
    metavar="ID",
    help="connection of the state store; that of the Face ID connection, or of [faceid] "
    "state_conn_id, if not given",
)
WAREHOUSE_CONNECTION = Argument(
    "--warehouse-conn-id", required=True, metavar="ID", help="connection of the result table"
)
RESULT_TABLE = Argument(
    "--result-table", default="faceid_results", metavar="NAME", help="default: faceid_results"
)
QUARANTINE_TABLE = Argument(
    "--quarantine-table",
    default="faceid_quarantine",
    metavar="NAME",
    help="default: faceid_quarantine",
)
RUN_TABLE = Argument(
    "--run-table", default="faceid_runs", metavar="NAME", help="default: faceid_runs"
)
TABLES = (RESULT_TABLE, QUARANTINE_TABLE, RUN_TABLE)
ACTION = Argument(
    "--action", required=True, metavar="ACTION", help="API Action, such as IdCardVerification"
)
CAMPAIGN = Argument(
    "--campaign", required=True, metavar="NAME", help="campaign of the rows: the DAG id by default"
)


def names_of(arguments: Namespace) -> Names:
    """Return the names of our tables, of :data:`TABLES`."""
    from ..warehouse.names import Names  # noqa: PLC0415 - keeps Airflow's start cheap

    return Names(arguments.result_table, arguments.quarantine_table, arguments.run_table)


def known_action(name: str) -> str:
    """
    Return the name of an Action.

    :raises ConfigurationError: there is none of that name.
    """
    from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..exceptions import ConfigurationError, unknown  # noqa: PLC0415 - the same

    if words := unknown([name], ACTIONS):
        raise ConfigurationError(f"--action: unknown Action {words}")
    return name


def hook_of(arguments: Namespace) -> FaceIdHook:
    """Return the hook of :data:`FACEID_CONNECTION` and :data:`STATE_CONNECTION`."""
    from ..hooks.faceid import FaceIdHook  # noqa: PLC0415 - keeps Airflow's start cheap

    return FaceIdHook(arguments.faceid_conn_id, arguments.state_conn_id)


def warehouse_of(arguments: Namespace) -> Database:
    """
    Return the database of :data:`WAREHOUSE_CONNECTION`.

    :raises ConfigurationError: it is of another type, its extra is missing, or it is a SQLite file that
        is not there: opening it would make it.
    """
    from ..hooks.readers import refuse_missing_file  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.warehouses import database  # noqa: PLC0415 - the same

    found = database(arguments.warehouse_conn_id)
    refuse_missing_file(found)
    return found


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """
    Return rows as a text table with a header, numbers to the right; an empty text if there are none.

    :param rows: by column.
    :param columns: which ones, in which order; those of the first row if not given.
    """
    listed = list(rows)
    if not listed:
        return ""
    chosen = list(columns or listed[0])
    cells = [[shown(row.get(name)) for name in chosen] for row in listed]
    is_number = [
        all(isinstance(row.get(name), int | float | None) for row in listed) for name in chosen
    ]
    widths = [max(map(len, column)) for column in zip(chosen, *cells, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in [chosen, *cells]
    ]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Return a value as a cell: nothing as ``-``, thousands with commas, yes and no."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return printable(str(value)).replace("\n", "\\n")


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: each control character becomes its escape."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def moment(seconds: float | None) -> str | None:
    """Return Unix seconds as ISO 8601 in UTC; None for none."""
    from datetime import UTC, datetime  # noqa: PLC0415 - keeps Airflow's start cheap

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def duration(seconds: float | None) -> str | None:
    """Return seconds as ``2 h 05 min``, ``3 min 20 s`` or ``40 s``; None for none."""
    if seconds is None:
        return None
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - of an hour
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"
