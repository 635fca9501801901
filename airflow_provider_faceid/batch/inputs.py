"""Inputs of a run: pages of source rows, and the API request of one row.

The source has a thread of its own, so that a slow query never delays a call; photos by path have
theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from ..api import id_card
from ..api.action import Action
from ..api.fields import ID_CARD, PHOTO, InputRules
from ..api.messages import Fields
from ..api.pseudonyms import id_card_hash, identity_columns, row_hasher
from ..client.settings import Settings
from ..clock import Clock, beijing_date
from ..exceptions import InvalidInputError
from ..warehouse.source import Source
from ..warehouse.unreadable import RULES, Unreadable, UnusableKey
from .photos import PhotoReader
from .threads import END_SECONDS, DaemonThreads, in_thread

PAGE_ROWS = 500


class Row(NamedTuple):
    """
    A source row in verification; its ``repr`` shows the key only.

    :param key: as text; an :class:`~..warehouse.unreadable.UnusableKey` if it cannot be used.
    :param values: the key's position, then the columns but for the photo.
    :param retry: whether to call although it may have been charged before.
    :param may_call: whether to call for a question the ledger does not know.
    :param row_hash: as :meth:`Inputs.row_hash` returns it.
    :param rounds: times it used up its attempts while the circuit breaker was open.
    :param identity: pseudonymous columns of the result table.
    :param unread_since: when its photo could not be read for the first time, on the monotonic clock;
        None if that never happened.
    """

    key: str
    values: tuple[Any, ...]
    retry: bool = False
    may_call: bool = True
    row_hash: str | None = None
    rounds: int = 0
    identity: Mapping[str, str | None] = MappingProxyType({})
    unread_since: float | None = None

    def __repr__(self) -> str:
        return f"<row {self.key}>"

    def __sentry_repr__(self) -> str:  # or Sentry would show a tuple's values
        return repr(self)


@dataclass(frozen=True)
class Columns:
    """
    Where an Action's values are in the source.

    :param by_field: source column by API field, the photo's excluded.
    :param photo: column of the photo, empty if the Action has none.
    :param version: column that changes whenever the row does; empty for none.
    :param read_photo: turns the column's value into a picture, for photos by path; None for photos
        that are in the column.
    :param skip_rules: names of the input rules that are not asked of the values.
    """

    by_field: Mapping[str, str]
    photo: str = ""
    read_photo: Callable[[Any], bytes] | None = None
    version: str = ""
    skip_rules: frozenset[str] = frozenset()

    @property
    def paged(self) -> tuple[str, ...]:
        """Return the columns that are read in pages."""
        return (*self.by_field.values(), *([self.version] if self.version else []))

    @property
    def all(self) -> tuple[str, ...]:
        """Return every column that is read."""
        return (*self.paged, *([self.photo] if self.photo else []))


class Inputs:
    """
    Reads what is asked of the service.

    :param action: the API Action.
    :param source: where the people are.
    :param columns: where their values are.
    :param settings: say how strictly an ID number is read, and by which secret it is hashed.
    :param is_stopping: says whether the run is stopping: a read under way is not waited for then.
    :param photos: reads photos by path; None for photos that are in the column.
    """

    def __init__(
        self,
        action: Action,
        source: Source,
        columns: Columns,
        settings: Settings,
        clock: Clock,
        *,
        is_stopping: Callable[[], bool] = bool,
        photos: PhotoReader | None = None,
    ) -> None:
        self._is_stopping = is_stopping
        self._action, self._source, self._columns = action, source, columns
        self._settings, self._clock = settings, clock
        self._expressions = list(map(source.database.dialect.quote, columns.paged))
        self._fields = list(columns.by_field)
        self._hash_row = row_hasher(settings.hmac_key, action, self._fields)
        self._source_thread = DaemonThreads(1, "faceid-source")
        self._photos = photos

    async def inspect(self, min_rows: int) -> int:
        """
        Count the rows.

        :raises SourceError: a column is missing, a key is not unique, or there are too few rows.
        """
        count: int = await self._in_source(self._source.inspect, self._columns.all, min_rows)
        return count

    async def page(self, last: list[Any]) -> list[tuple[Any, ...]]:
        """
        Return the rows behind a key, photos left out; an empty list at the end.

        :param last: the key's position.
        :return: key, its position, values.
        """
        rows: list[tuple[Any, ...]] = await self._in_source(
            self._source.page, self._expressions, PAGE_ROWS, last
        )
        return rows

    async def request(self, row: Row) -> Fields:
        """
        Return the request fields of a row.

        :raises InvalidInputError: a value breaks a rule.
        """
        _refuse_unusable(row.key, row.values[1:])
        values = self._values(row.values)
        photo = self._action.field_of(PHOTO)
        if photo is not None and self._columns.photo:
            values[photo.name] = await self._photo(row.values[0])
        return self._rules().request_fields(self._action.fields, values)

    def broken_rule(self, key: str, values: tuple[Any, ...]) -> str | None:
        """Return the first rule that a row of a page breaks, its photo aside; None if it breaks none."""
        try:
            _refuse_unusable(key, values[1:])
            self._rules().request_fields(self._action.fields, self._values(values))
        except InvalidInputError as error:
            return error.rule
        return None

    def row_hash(self, values: tuple[Any, ...]) -> str | None:
        """Return the hash of a row of a page, None if it cannot be asked about as it is."""
        if self._columns.version:
            return self._hash_row(values[1:-1], values[-1])
        return self._hash_row(values[1:], None)

    def id_card_hash(self, values: tuple[Any, ...]) -> str | None:
        """Return the hash of the ID number of a row of a page, None if it has none."""
        field = self._action.field_of(ID_CARD)
        number = self._values(values).get(field.name) if field else None
        if not isinstance(number, str):
            return None
        return id_card_hash(self._settings.hmac_key, id_card.normalise(number))

    def identity(self, params: Mapping[str, object]) -> Mapping[str, str]:
        """Return the pseudonymous columns of a request's person."""
        return identity_columns(self._action, self._settings.hmac_key, params)

    @property
    def compares_photos(self) -> bool:
        """Say whether a new photo shows in the row's hash."""
        return not self._columns.photo or bool(self._columns.version)

    def _values(self, values: tuple[Any, ...]) -> Fields:
        return Fields(zip(self._fields, values[1 : 1 + len(self._fields)], strict=True))

    def _rules(self) -> InputRules:
        today, check = beijing_date(self._clock.now()), self._settings.id_card_check
        return InputRules(today, check, self._columns.skip_rules)

    async def close_source(self) -> None:
        """Close the connection, in the thread that opened it, unless that hangs."""
        closing = self._source_thread.submit(self._source.database.close)
        await asyncio.wait({asyncio.wrap_future(closing)}, timeout=END_SECONDS)

    def close(self) -> None:
        """Stop the threads."""
        self._source_thread.shutdown()  # it closes its connection, should it ever go on
        if self._photos is not None:
            self._photos.close()

    def earlier_keys(self, page: Sequence[tuple[Any, ...]]) -> dict[str, str]:
        """Return the keys of a page that an earlier version called otherwise, by that name."""
        return self._source.earlier_keys(page)

    async def _photo(self, position: Any) -> object:
        """Read one photo only now: a page of them would not fit into memory."""
        row = await self._in_source(self._source.row, position, [self._columns.photo])
        value = row[0] if row else None
        _refuse_unusable("", row or ())
        if self._photos is None or value is None:
            return value
        return await self._photos.read(value)

    async def _in_source(self, work: Callable[..., Any], *args: Any) -> Any:
        return await in_thread(self._source_thread, self._is_stopping, work, *args)


def _refuse_unusable(key: str, values: Iterable[Any]) -> None:
    """
    Refuse a row whose key cannot be used, or that could not be read.

    :raises InvalidInputError: it names the rule.
    """
    if isinstance(key, UnusableKey):
        raise InvalidInputError(key.rule, RULES[key.rule])
    for value in values:
        if isinstance(value, Unreadable):
            raise InvalidInputError(value.rule, RULES[value.rule])
