"""PII scanner: a search for marked people in databases, files and logs, which shows that none leaks.

    pii_scan = PiiScan({"number": "11010119900307889X", "name": "龘靐齉", "photo": picture})
    pii_scan.search_database("sqlite:////opt/airflow/airflow.db")
    pii_scan.search_folder("/opt/airflow/logs")
    assert pii_scan.hits == []

From a shell: ``python -m airflow_provider_faceid.pii_scan --help``. Imports no Airflow.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .matcher import Matcher

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row
    from sqlalchemy.engine import CursorResult

__all__ = ["Hit", "PiiScan", "Searched"]

CHUNK = 2**20
ROWS_AT_ONCE, ROWS_OF_A_FILE = 100, 10_000
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
_AUTOMATIC = zlib.MAX_WBITS | 32
"""Has zlib read its own format and that of gzip."""
_BETWEEN = b"\x00"
"""Stands between two values that are searched together."""
_SYSTEM = ("information_schema", "pg_catalog", "pg_toast")
_HIDDEN = "***"


class Hit(NamedTuple):
    """
    A place where a marker was found; the value is not part of it.

    :param place: ``database:table.column``, a file, or the name of a text.
    :param marker: the marker's label.
    :param form: how it is written there, see :data:`~.matcher.TEXT_FORMS`; ``part`` of a number.
    :param times: how often.
    """

    place: str
    marker: str
    form: str
    times: int


@dataclass
class Searched:
    """
    What was looked at; a proof is worth no more than this.

    :ivar missed: places that could not be read, and why.
    """

    tables: int = 0
    rows: int = 0
    files: int = 0
    bytes: int = 0
    missed: list[str] = field(default_factory=list)


class PiiScan:
    """
    Marked values, what they were searched in, and where they were found.

    :param markers: by label, names, numbers (ID card, phone, bank card) and dates (``YYYYMMDD``) as
        text, photos as bytes. Take values that stand nowhere else: a hit is then a leak, and the absence
        of hits is evidence.
    :raises ValueError: a value is shorter than 6 bytes, such as two letters or one Chinese character.
    """

    def __init__(self, markers: Mapping[str, str | bytes]) -> None:
        self.searched = Searched()
        self._needles = Matcher(markers)
        self._found: Counter[tuple[str, str, str]] = Counter()

    @property
    def hits(self) -> list[Hit]:
        """Return what was found, sorted by place."""
        return [Hit(*found, times) for found, times in sorted(self._found.items())]

    def search_text(self, place: str, text: str | bytes) -> None:
        """
        Search a text, for example what a command printed.

        :param place: what to call it in a hit.
        """
        self._search(place, [text.encode() if isinstance(text, str) else text])

    def search_stream(self, place: str, stream: BinaryIO) -> None:
        """Search what comes out of an open file or pipe."""
        self._search(place, iter(lambda: stream.read(CHUNK), b""))

    def search_folder(self, folder: str | Path, skip: Collection[str | Path] = ()) -> None:
        """
        Search all files below a folder, packed ones (``.gz``, Parquet) too, and the files' names.

        A Parquet file needs pyarrow; without it the file is among the missed.

        :param skip: files and folders that may hold the values, such as the source's.
        """
        skipped = {Path(path).resolve() for path in skip}
        for path in sorted(_files(Path(folder), skipped)):
            place = self._shown(path)
            self.search_text(f"name of {place}", os.fsencode(path))
            try:
                with path.open("rb") as file:
                    self.search_stream(place, file)
                    file.seek(0)
                    begin = file.read(len(PARQUET))
                if begin.startswith(GZIP):
                    with gzip.open(path) as unpacked:
                        self.search_stream(f"{place} (unpacked)", unpacked)  # type: ignore[arg-type]
                elif begin == PARQUET:
                    self._search(f"{place} (unpacked)", _values_of_parquet(path))
            except FileNotFoundError:
                continue  # a log that was rotated meanwhile, under a name that is searched too
            except (OSError, EOFError, ImportError, ValueError, zlib.error) as error:
                self.searched.missed.append(f"{place}: {type(error).__name__}")
            self.searched.files += 1

    def search_database(self, url: str, skip: Collection[str] = ()) -> None:
        """
        Search all columns of all tables; packed values (zlib, gzip) are unpacked.

        :param url: SQLAlchemy's address of it; needs SQLAlchemy and the database's driver.
        :param skip: tables that may hold the values, such as the source.
        """
        from sqlalchemy import create_engine, inspect, make_url  # noqa: PLC0415 - heavy
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - the same

        name = Path(make_url(url).database or "database").name
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                inspector = inspect(connection)
                usual = inspector.default_schema_name
                tables = [
                    (None if schema == usual else schema, table)
                    for schema in inspector.get_schema_names()
                    if schema not in _SYSTEM
                    for table in inspector.get_table_names(schema)
                ]
            for schema, table in tables:
                shown = f"{schema}.{table}" if schema else table
                if table in skip or shown in skip:
                    continue
                try:
                    with (
                        engine.connect() as connection,
                        closing(_rows(connection, schema, table)) as rows,
                    ):
                        self._search_table(f"{name}:{shown}", rows)
                except SQLAlchemyError as error:
                    self.searched.missed.append(f"{name}:{shown}: {type(error).__name__}")
        finally:
            engine.dispose()

    def _search_table(self, place: str, rows: CursorResult[Any]) -> None:
        columns = list(rows.keys())
        for page in rows.partitions(ROWS_AT_ONCE):
            for column, values in _by_column(columns, page).items():
                self._search(f"{place}.{column}", [_BETWEEN.join(values)])
                for value in values:
                    self._search(f"{place}.{column}", _unpacked(value))
            self.searched.rows += len(page)
        self.searched.tables += 1

    def _search(self, place: str, chunks: Iterable[bytes]) -> None:
        for find in self._needles.find_in(self._counted(chunks)):
            self._found[place, find.marker, find.form] += 1

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.searched.bytes += len(chunk)
            yield chunk

    def _shown(self, path: Path) -> str:
        """Return a path in which no part shows a marker."""
        return str(
            Path(*(_HIDDEN if any(self._needles.find(os.fsencode(p))) else p for p in path.parts))
        )


def _files(folder: Path, skipped: set[Path]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = [name for name in folders if (here / name).resolve() not in skipped]
        for file in (here / name for name in files):
            if file.is_file() and file.resolve() not in skipped:
                yield file


def _rows(connection: Connection, schema: str | None, table: str) -> CursorResult[Any]:
    """Return a table's rows as the driver gives them, as they come."""
    import sqlalchemy  # noqa: PLC0415 - heavy

    if connection.dialect.name == "sqlite":
        # A text that is no UTF-8 is searched too, and not an error.
        connection.connection.driver_connection.text_factory = bytes  # type: ignore[union-attr]
    everything = sqlalchemy.select(sqlalchemy.text("*"))
    streamed = connection.execution_options(stream_results=True)
    return streamed.execute(everything.select_from(sqlalchemy.table(table, schema=schema)))


def _by_column(columns: list[str], page: Iterable[Row[Any]]) -> dict[str, list[bytes]]:
    values: dict[str, list[bytes]] = defaultdict(list)
    for row in page:
        for column, value in zip(columns, row, strict=True):
            if value is not None:
                values[column].append(_as_bytes(value))
    return values


def _values_of_parquet(path: Path) -> Iterator[bytes]:
    """Yield the values of a file, column by column."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - comes with the extra export

    with pq.ParquetFile(path) as file:
        for page in file.iter_batches(ROWS_OF_A_FILE):
            for column in page.columns:
                values = [_as_bytes(value) for value in column.to_pylist() if value is not None]
                yield _BETWEEN.join([*values, _BETWEEN])


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):  # JSON, decoded by the driver
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).encode(errors="surrogatepass")


def _unpacked(value: bytes) -> Iterator[bytes]:
    """Yield what a value holds if it is packed, in pieces; nothing if it is not."""
    zipped = value[:1] == b"\x78" and int.from_bytes(value[:2]) % 31 == 0
    if not zipped and not value.startswith(GZIP):
        return
    unpacker = zlib.decompressobj(_AUTOMATIC)
    rest = value
    try:
        while rest and not unpacker.eof:
            yield unpacker.decompress(rest, CHUNK)
            rest = unpacker.unconsumed_tail
    except zlib.error:
        return  # only looked packed; it was searched as it is
