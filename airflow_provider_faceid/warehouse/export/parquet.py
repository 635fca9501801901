"""Parquet files of a campaign, in folders as Hive names them: one file an Action, replaced at once.

A file is written whole beside its place, or on the local disk if the place is in an object store. Then
it takes its place in one step: a rename there, an upload here, which shows an object when it is whole.
So a reader meets the rows of the export before or of this one, whenever the process dies.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from ...clock import SYSTEM_CLOCK, Clock
from .arrow import grouped
from .batches import PARTITION, Exported, ExportReader, export_errors

if TYPE_CHECKING:
    import pyarrow as pa

STALE_SECONDS = 86_400.0
"""Age from which unfinished files of any task are removed."""

GROUP_ROWS = 50_000
"""Rows of a row group, about 20 MB in memory."""

_TO_ESCAPE = frozenset("\"#%'*/:=?\\\x7f{}[]^<>|") | {chr(code) for code in range(32)}


class Place(NamedTuple):
    """
    Where files go.

    :param files: file system, of fsspec.
    :param root: folder in it.
    :param is_local: whether it is one of this machine.
    :param shown: the folder in messages.
    """

    files: Any
    root: str
    is_local: bool
    shown: str


def hive_folder(column: str, value: str) -> str:
    """
    Return the folder of a partition, as Hive and Spark write it and the readers of such folders decode it.

    ASCII characters with a meaning in paths become ``%`` and two digits. Others stay as they are: Hive
    would decode each of their bytes to a character.
    """
    escaped = "".join(f"%{ord(c):02X}" if c in _TO_ESCAPE else c for c in value)
    return f"{column}={escaped}"


def write_parquet(
    reader: ExportReader, place: Place, owner: str, clock: Clock = SYSTEM_CLOCK
) -> Exported:
    """
    Replace the files of a campaign.

    :param owner: the task that exports, the same in all its tries: what an earlier try of it has left
        unfinished is removed.
    :raises ExportError: a file cannot be written or replaced.
    """
    selection = reader.selection
    folder = f"{place.root}/{hive_folder('campaign', selection.campaign)}"
    name = f"{selection.table.name}.parquet"

    def path(action: str) -> str:
        return f"{folder}/{hive_folder('action', action)}/{name}"

    with (
        export_errors(reader, place.shown),
        _spool(Path(folder) if place.is_local else None, name, owner, clock) as unfinished,
    ):
        written = {}
        for action in reader.begin():
            file = unfinished()
            if _write(reader, action, file):
                written[path(action)] = file
        for final, file in written.items():
            _publish(place, file, final)
        asked = set(map(path, selection.actions))
        for other in _files(place, folder, name) - written.keys():
            if not asked or other in asked:
                _remove(place, other)
    return Exported(reader.rows)


def _write(reader: ExportReader, action: str, file: Path) -> int:
    """Write the rows of an Action, and return how many there were."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - comes with the extra export

    schema = _in_files(reader.schema)
    with file.open("wb") as open_file:
        with pq.ParquetWriter(open_file, schema, compression="zstd") as writer:
            for rows in grouped(reader.batches([action]), GROUP_ROWS):
                writer.write_table(rows.select(schema.names))
        open_file.flush()
        os.fsync(open_file.fileno())  # else a power cut may leave the new name and no content
    return reader.rows.get(action, 0)


def _in_files(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a file: readers take the columns of the partition from its folders."""
    for column in PARTITION:
        schema = schema.remove(schema.get_field_index(column))
    return schema


@contextmanager
def _spool(
    folder: Path | None, name: str, owner: str, clock: Clock
) -> Iterator[Callable[[], Path]]:
    """
    Give a function that returns the path of one more unfinished file; remove what is left of them.

    Those of an earlier try of the same task are removed. If it should still run, it cannot publish them.

    :param folder: of the campaign, where its files are renamed from; None for one of this machine.
    """
    parent = folder or Path(tempfile.gettempdir())
    prefix = f"_{name}-{hashlib.sha256(owner.encode()).hexdigest()[:16]}-"
    for file in parent.glob(f"_{name}-*.tmp"):
        with suppress(OSError):  # another process may be removing it, or it is another user's
            age = clock.now() - file.stat().st_mtime
            if file.name.startswith(prefix) or age > STALE_SECONDS:
                file.unlink()
    made: list[Path] = []

    def unfinished() -> Path:
        parent.mkdir(parents=True, exist_ok=True)
        made.append(parent / f"{prefix}{token_hex(8)}.tmp")
        return made[-1]

    try:
        yield unfinished
    finally:
        for file in made:
            with suppress(OSError):  # most have been renamed
                file.unlink()


def _publish(place: Place, file: Path, final: str) -> None:
    if place.is_local:
        Path(final).parent.mkdir(exist_ok=True)
        file.replace(final)
    else:
        place.files.put_file(str(file), final)


def _files(place: Place, folder: str, name: str) -> set[str]:
    """Return the files of a table that a campaign has."""
    place.files.invalidate_cache()
    try:
        found = place.files.find(folder, maxdepth=2)
    except FileNotFoundError:
        return set()
    return {file for file in found if file.endswith(f"/{name}")}


def _remove(place: Place, file: str) -> None:
    place.files.rm_file(file)
    if place.is_local:
        with suppress(OSError):  # it holds files of another table
            Path(file).parent.rmdir()
            Path(file).parent.parent.rmdir()
