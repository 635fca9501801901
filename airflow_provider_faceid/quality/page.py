"""Pages of a source as pandas frames; each photo is read, judged and released at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ..api import photo
from ..api.action import Action
from ..api.fields import PHOTO, FieldType
from ..exceptions import ConfigurationError, InvalidInputError
from ..warehouse.records import Unreadable, UnusableKey
from ..warehouse.sources.source import Source
from ..warehouse.sql.database import Dialect
from . import NORMALISED, SeenPhoto
from .validator import KEY

if TYPE_CHECKING:
    import pandas as pd

PHOTOS_AT_ONCE = 16
"""Rows that are read at a time where a row has a photo; all but one line of each photo is let go."""

_NO_TEXT = 0.5
"""Stands for bytes: no type reads a fraction as text either, so it breaks the same rule."""


@dataclass(frozen=True)
class Projection:
    """
    Columns of a page, by the names the expectations use: those of the Action's fields.

    :param action: whose values they are.
    :param columns: source column by API field.
    :param photo_path: whether the photo's column holds paths.
    :param read_photo: turns a path into the picture; None if paths are not followed.
    :param others: source columns for expectations of your own, under their own names.
    :raises ConfigurationError: (on selecting) another column goes by one of these names.
    """

    action: Action
    columns: Mapping[str, str]
    photo_path: bool = False
    others: Sequence[str] = ()
    read_photo: Callable[[Any], bytes] | None = None

    @property
    def photo(self) -> str:
        """Return the source column of the photo, empty if there is none."""
        field = self.action.field_of(PHOTO)
        return self.columns.get(field.name, "") if field is not None else ""

    @property
    def max_base64(self) -> int:
        """Return the longest Base64 text of a photo."""
        field = self.action.field_of(PHOTO)
        return (field.max_length if field is not None else 0) or photo.MAX_PHOTO_BASE64

    @property
    def types(self) -> dict[str, FieldType]:
        """Return the type of each column of the page that is a field, but for the photo."""
        return {
            field.column: field.type
            for field in self.action.fields
            if field.name in self.columns and field.type is not PHOTO
        }

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Return every source column that is read."""
        return (*self.columns.values(), *self.others)

    @property
    def reads_photos(self) -> bool:
        """Say whether each photo is read whole."""
        return bool(self.photo) and (not self.photo_path or self.read_photo is not None)

    @property
    def names(self) -> set[str]:
        """Return the names of the page's columns."""
        fields = self.action.fields
        named = {field.column for field in fields if field.name in self.columns}
        if self.photo:
            named |= {"photo", "photo_length", "photo_head"}
            named |= {"photo_path"} if self.photo_path else set()
        return {*named, *self.others}

    def select(self, dialect: Dialect) -> dict[str, str]:
        """Return the SQL expression of every column that is read, by the page's name for it."""
        quote = dialect.quote
        columns = {
            field.column: quote(self.columns[field.name])
            for field in self.action.fields
            if field.name in self.columns and field.type is not PHOTO
        }
        if self.photo:
            columns["photo_path" if self.photo_path else "photo"] = quote(self.photo)
        taken = {*columns, *(["photo", "photo_length", "photo_head"] if self.photo else [])}
        for column in self.others:
            if column in taken and columns.get(column) != quote(column):
                raise ConfigurationError(
                    f"other_columns: '{column}' is the page's name for another column. Give yours "
                    "another name, with a SELECT as the source"
                )
            columns.setdefault(column, quote(column))
        return columns


class Page(NamedTuple):
    """
    Some rows of a source.

    :param frame: rows to be judged, with the key in column :data:`~.validator.KEY`.
    :param unusable: key and rule of the others, which cannot be read or named.
    """

    frame: pd.DataFrame
    unusable: list[tuple[str, str]]

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return len(self.frame) + len(self.unusable)


def pages(source: Source, projection: Projection, size: int) -> Iterator[Page]:
    """
    Read a source in pages.

    ID numbers and names are normalised first, so that what would be sent is what is judged. Photos are
    read whole, a few at a time, and judged at once: a frame of them would not fit into memory.

    :param size: rows per page.
    """
    select = projection.select(source.database.dialect)
    expressions, look = list(select.values()), _looks_at_photos(projection, list(select))
    names = [KEY, *select, *(["photo"] if projection.photo_path else [])]
    rows: list[tuple[Any, ...]] = []
    unusable: list[tuple[str, str]] = []
    at_once = min(size, PHOTOS_AT_ONCE) if projection.reads_photos else size
    for read in source.pages(expressions, at_once):
        rules = _broken_rules(read)
        usable = [row for row in read if row[0] not in rules] if rules else read
        unusable += rules.items()
        rows += map(look, usable) if look else usable
        if len(rows) + len(unusable) >= size:
            some = size - len(unusable)
            page = Page(_frame(names, rows[:some], projection.types), unusable)
            del rows[:some]
            unusable = []
            yield page
    if rows or unusable:
        yield Page(_frame(names, rows, projection.types), unusable)


def _looks_at_photos(
    projection: Projection, selected: list[str]
) -> Callable[[tuple[Any, ...]], tuple[Any, ...]] | None:
    """Return what puts a look at its photo into a row; None if there are no photos."""
    if not projection.photo:
        return None
    if projection.photo_path:
        at = 1 + selected.index("photo_path")
        return lambda row: (*row, _seen_behind(row[at], projection))
    at = 1 + selected.index("photo")
    return lambda row: (*row[:at], _seen(row[at], projection.max_base64), *row[at + 1 :])


def _seen_behind(path: Any, projection: Projection) -> SeenPhoto:
    """Look at the photo behind a path, as far as paths are followed."""
    try:
        if projection.read_photo is None:
            photo.path_of(path)
            return SeenPhoto("")
        # As in the batch: what has no path at all is missing, and asked no further.
        picture = None if path is None else projection.read_photo(path)
    except InvalidInputError as error:
        return SeenPhoto(error.rule)
    return _seen(picture, projection.max_base64)


def _seen(value: Any, max_base64: int) -> SeenPhoto:
    given = photo.Given(value, max_base64)
    broken = photo.FIELD.first_broken_of(given, date.min)
    return SeenPhoto(broken.name if broken else "", given.length, given.head)


def _frame(
    names: list[str], rows: list[tuple[Any, ...]], types: Mapping[str, FieldType]
) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - heavy, and only validation needs it

    columns = map(list, zip(*rows, strict=True)) if rows else ([] for _ in names)
    data = dict(zip(names, columns, strict=True))
    for column, type_ in types.items():
        normalise = type_.normalise
        data[column] = [
            (normalise(value) or None) if type(value) is str else _normalised(value, normalise)
            for value in data[column]
        ]
    if "photo" in data:
        data["photo_length"] = [seen.length for seen in data["photo"]]
        data["photo_head"] = [seen.head for seen in data["photo"]]
    # As objects, keys too: a bigint must not become a float because one page has few rows.
    frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in data.items()})
    frame.attrs[NORMALISED] = list(types)
    return frame


def _broken_rules(rows: Sequence[tuple[Any, ...]]) -> dict[str, str]:
    """Return keys and rules of the rows that break one before anything of them is looked at."""
    # A page nearly always has none: looking at the types first takes a quarter of the time.
    kinds = set(map(type, chain.from_iterable(rows)))
    if not any(issubclass(kind, UnusableKey | Unreadable) for kind in kinds):
        return {}
    return {row[0]: rule for row in rows if (rule := _broken_rule(row))}


def _broken_rule(row: tuple[Any, ...]) -> str | None:
    """Return the rule a row breaks before anything of it is looked at."""
    if isinstance(row[0], UnusableKey):
        return row[0].rule
    return next((value.rule for value in row if isinstance(value, Unreadable)), None)


def _normalised(value: Any, normalise: Callable[[str], str]) -> Any:
    """Return a value as it would be sent."""
    if isinstance(value, str):
        return normalise(value) or None
    return _NO_TEXT if isinstance(value, bytes | bytearray | memoryview) else value
