"""Pages of a source as pandas frames, with photos cut down to their length and first bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError
from ..service import photo
from ..warehouse.database import Dialect
from ..warehouse.source import Source
from .rules import normalised
from .validator import KEY

if TYPE_CHECKING:
    import pandas as pd

HEAD_CHARACTERS = 12


@dataclass(frozen=True)
class Projection:
    """
    What a page holds, by the names the expectations use.

    :param id_card: source column of the ID number.
    :param name: source column of the name.
    :param photo: source column of the photo, empty if there is none.
    :param photo_path: whether that column holds paths.
    :param others: source columns for expectations of your own, under their own names.
    :raises ConfigurationError: (on selecting) another column goes by one of these names.
    """

    id_card: str
    name: str
    photo: str = ""
    photo_path: bool = False
    others: Sequence[str] = ()

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Return every source column that is read."""
        return (self.id_card, self.name, *([self.photo] if self.photo else []), *self.others)

    def select(self, dialect: Dialect) -> dict[str, str]:
        """Return the SQL expression of every page column."""
        quote = dialect.quote
        columns = {"id_card": quote(self.id_card), "name": quote(self.name)}
        if self.photo and self.photo_path:
            columns["photo_path"] = quote(self.photo)
        elif self.photo:
            columns["photo_length"] = dialect.length.format(quote(self.photo))
            columns["photo_head"] = dialect.head.format(quote(self.photo), HEAD_CHARACTERS)
        for column in self.others:
            if columns.setdefault(column, quote(column)) != quote(column):
                raise ConfigurationError(
                    f"other_columns: '{column}' is the page's name for another column. Give yours "
                    "another name, with a SELECT as the source"
                )
        return columns


def frames(source: Source, projection: Projection, size: int) -> Iterator[pd.DataFrame]:
    """
    Read a source as frames with the key in column :data:`~.validator.KEY`.

    ID numbers and names are normalised first, so that what would be sent is what is judged.

    :param size: rows per frame.
    """
    import pandas as pd  # noqa: PLC0415 - heavy, and only validation needs it

    select = projection.select(source.database.dialect)
    for rows in source.pages(list(select.values()), size):
        keys, *columns = zip(*rows, strict=True)
        data = dict(zip(select, map(list, columns), strict=True))
        for column in ("id_card", "name"):
            data[column] = [normalised(column, value) for value in data[column]]
        if "photo_head" in data:
            data |= _photo_text(data["photo_length"], data["photo_head"])
        frame = pd.DataFrame(
            {name: pd.Series(column, dtype=object) for name, column in data.items()}
        )
        # Keys as objects too: a bigint must not become a float because one page has few rows.
        frame[KEY] = pd.Series(list(keys), dtype=object)
        yield frame


def _photo_text(lengths: list[Any], heads: list[Any]) -> dict[str, list[Any]]:
    """Describe pictures stored as bytes by the Base64 text they will be sent as."""
    for row, head in enumerate(heads):
        if isinstance(head, bytes | bytearray | memoryview) and photo.is_picture(bytes(head)):
            lengths[row] = photo.base64_length(int(lengths[row]))
            heads[row] = base64.b64encode(bytes(head)).decode()
        elif isinstance(head, bytes | bytearray | memoryview):
            heads[row] = bytes(head).decode("ascii", errors="replace")
    return {"photo_length": lengths, "photo_head": heads}
