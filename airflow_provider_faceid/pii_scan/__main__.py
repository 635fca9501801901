"""``python -m airflow_provider_faceid.pii_scan``: search one's own Airflow for marked people."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ..exceptions import counted
from . import PiiScan

PHOTO = "file:"
NO_HITS, HITS, NOTHING_PROVEN = 0, 1, 2
MEGABYTE = 1e6

HELP = """\
Search databases, folders and standard input for marked people, in every form they may be written:
clear, JSON, Base64, percent, hex and more; numbers also in groups, in part, reversed, as integers
and floats. Prints places, never values.

The file of markers is UTF-8 text with a name, a number (ID card, phone, bank card) or a date (YYYYMMDD)
in each line, or file:PATH for a photo; a marker is reported by the number of its line.

Exit code: 0 no hits, 1 hits, 2 nothing is proven: something could not be read, or nothing was there.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        pii_scan = PiiScan(_markers(options.markers))
        _search(pii_scan, options)
    except (OSError, ValueError, KeyError, SQLAlchemyError) as error:
        print(f"pii_scan: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return NOTHING_PROVEN
    return _report(pii_scan)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "python -m airflow_provider_faceid.pii_scan",
        description=HELP,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--markers", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="URL",
        help="SQLAlchemy's address, or the name of the environment variable that holds it, "
        "so that no password shows in the list of processes",
    )
    parser.add_argument("--folder", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--stdin", action="store_true", help="search standard input too")
    parser.add_argument(
        "--skip-table", action="append", default=[], metavar="NAME", help="such as the source"
    )
    parser.add_argument("--skip-file", action="append", default=[], type=Path, metavar="PATH")
    return parser


def _markers(file: Path) -> dict[str, str | bytes]:
    markers: dict[str, str | bytes] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        value = line.strip()
        if value.startswith(PHOTO):
            markers[f"line {number}"] = Path(value.removeprefix(PHOTO)).read_bytes()
        elif value:
            markers[f"line {number}"] = value
    if not markers:
        raise ValueError("the file of markers is empty")
    return markers


def _search(pii_scan: PiiScan, options: Namespace) -> None:
    for address in options.database:
        url = address if "://" in address else os.environ[address]
        pii_scan.search_database(url, options.skip_table)
    for folder in options.folder:
        pii_scan.search_folder(folder, [options.markers, *options.skip_file])
    if options.stdin:
        pii_scan.search_stream("standard input", sys.stdin.buffer)


def _report(pii_scan: PiiScan) -> int:
    hits, searched = pii_scan.hits, pii_scan.searched
    for hit in hits:
        print(f"{hit.place}: {hit.marker}, {hit.form}, {hit.times}x")  # noqa: T201 - the result
    for place in searched.missed:
        print(f"not searched: {place}", file=sys.stderr)  # noqa: T201 - the same
    print(  # noqa: T201 - the same
        f"searched {counted(searched.tables, 'table')} with {counted(searched.rows, 'row')}, "
        f"{counted(searched.files, 'file')}, "
        f"{searched.bytes / MEGABYTE:,.1f} MB: {counted(sum(hit.times for hit in hits), 'hit')}"
    )
    if hits:
        return HITS
    return NOTHING_PROVEN if searched.missed or not searched.bytes else NO_HITS


if __name__ == "__main__":
    sys.exit(main())
