"""Inputs of a run: pages of source rows, whether each row is due (planner), the API request of one row.

The source has a thread of its own, so that a slow query never delays a call; photos by path have
theirs. The planner reads the source once to plan and once to call, and compares each row with what
earlier runs wrote into the result and quarantine tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
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
from ..exceptions import InvalidInputError, WarehouseError
from ..warehouse.records import (
    ROW_RULES,
    QuarantineEntry,
    Stage,
    StoredResult,
    Unreadable,
    UnusableKey,
)
from ..warehouse.results import ResultsRepository
from ..warehouse.sources.source import Source
from .photos import PhotoReader
from .plan import Disposition, Plan, Policy, Reason, RowDecision, decide_row
from .threads import END_SECONDS, DaemonThreads, in_thread

PAGE_ROWS = 500


class Row(NamedTuple):
    """
    A source row in verification; its ``repr`` shows the key only.

    :param key: as text; an :class:`~..warehouse.records.UnusableKey` if it cannot be used.
    :param values: the key's position, then the columns but for the photo.
    :param retry: whether to call although it may have been charged before.
    :param may_call: whether to call for a question the ledger does not know.
    :param row_hash: as :meth:`Inputs.row_hash` returns it.
    :param rounds: times it used up its attempts while the circuit breaker was open.
    :param identity: pseudonymous columns of the result table.
    :param warnings: names of the rules its request breaks and is sent all the same.
    :param unread_since: when its photo could not be read for the first time, on the monotonic clock;
        None if that never happened.
    :param answered_since: Unix second before which an answer of the ledger is none, because a reviewer
        wants it checked again.
    """

    key: str
    values: tuple[Any, ...]
    retry: bool = False
    may_call: bool = True
    row_hash: str | None = None
    rounds: int = 0
    identity: Mapping[str, str | None] = MappingProxyType({})
    warnings: tuple[str, ...] = ()
    unread_since: float | None = None
    answered_since: float = 0.0

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
        texts = tuple(self._columns.by_field.values())
        count: int = await self._in_source(self._source.inspect, self._columns.all, min_rows, texts)
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
        return self._request_fields(values)

    def warnings(self, request: Mapping[str, object]) -> Iterator[str]:
        """Yield the rules that a request breaks and is sent all the same."""
        return self._rules().warnings(self._action.fields, request)

    def broken_rule(self, key: str, values: tuple[Any, ...]) -> str | None:
        """Return the first rule that a row of a page breaks, its photo aside; None if it breaks none."""
        try:
            _refuse_unusable(key, values[1:])
            self._request_fields(self._values(values))
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

    def _request_fields(self, values: Fields) -> Fields:
        return self._rules().request_fields(self._action.fields, values, self._action.row_rules)

    def _rules(self) -> InputRules:
        today, check = beijing_date(self._clock.now()), self._settings.id_card_check
        return InputRules(today, check, self._columns.skip_rules)

    async def close_source(self) -> None:
        """Close the connection, in the thread that opened it, unless that hangs."""
        closing = self._source_thread.submit(self._source.close)
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
        raise InvalidInputError(key.rule, ROW_RULES[key.rule])
    for value in values:
        if isinstance(value, Unreadable):
            raise InvalidInputError(value.rule, ROW_RULES[value.rule])


class PlannedRow(NamedTuple):
    """
    A row of the source, with the decision about it.

    :param row: if it is due, what is to be asked about; else its key and hash alone.
    :param broken: first input rule it breaks, if that is not in the quarantine table yet.
    """

    row: Row
    decision: RowDecision
    broken: str | None = None


class Planner:
    """
    Decides about the rows of a source by what earlier runs wrote about them.

    :param in_thread: runs a function in the repository's own thread.
    :param retry_held: whether rows that may have been charged are called again.
    :param valid_for: seconds for which an answer is good; None for ever.
    """

    def __init__(
        self,
        inputs: Inputs,
        repository: ResultsRepository,
        in_thread: Callable[..., Awaitable[Any]],
        clock: Clock,
        *,
        retry_held: bool,
        valid_for: float | None,
    ) -> None:
        self._inputs, self._repository, self._in_thread = inputs, repository, in_thread
        self._clock, self._retry_held, self._valid_for = clock, retry_held, valid_for

    async def pages(self, *, is_planning: bool) -> AsyncIterator[list[PlannedRow]]:
        """
        Yield the rows in pages, in order of their keys.

        :param is_planning: whether to look for broken rules, which a call would find, too.
        """
        last: list[Any] = []
        while page := await self._inputs.page(last):
            last = [page[-1][1]]
            keys, known, refusals = await self._in_thread(
                self._look_up, [row[0] for row in page], self._inputs.earlier_keys(page)
            )
            policy = Policy(
                self._clock.now(), self._valid_for, compares_photos=self._inputs.compares_photos
            )
            yield [
                self._decide(
                    key,
                    values[1:],
                    known.get(key),
                    refusals.get(key, ()),
                    policy,
                    is_planning=is_planning,
                )
                for key, values in zip(keys, page, strict=True)
            ]

    def add(self, planned: PlannedRow, plan: Plan) -> None:
        """Count a row in a plan."""
        reason, place = planned.decision.reason, planned.decision.place
        is_answered = place is Disposition.ANSWERED or reason is Reason.EXPIRED
        plan.still_valid += place is Disposition.ANSWERED
        plan.answered_before += is_answered or planned.decision.was_answered
        plan.changed += planned.decision.was_answered
        plan.offered += reason is Reason.HELD and not self._retry_held
        if (
            planned.broken is not None
            or planned.decision.is_outdated
            or planned.decision.is_adopted
        ):
            plan.outdated += 1
        elif reason is not None and (reason is not Reason.HELD or self._retry_held):
            plan.due[reason] += 1

    def _look_up(
        self, keys: list[str], earlier: Mapping[str, str]
    ) -> tuple[list[str], dict[str, StoredResult], dict[str, list[QuarantineEntry]]]:
        """
        Return what our tables know of some rows, with the names of the rows.

        :param earlier: keys that an earlier version called otherwise, by that name.
        """
        repository = self._repository
        try:
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        except WarehouseError as error:
            unusable = repository.unusable(keys)
            if not error.is_about_data or not unusable:
                raise
            keys = [unusable.get(key, key) for key in keys]
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        renamed = {
            name: key for name, key in earlier.items() if key not in known and key not in refusals
        }
        if renamed and repository.rename(renamed):
            known, refusals = repository.stored_results(keys), repository.quarantine_entries(keys)
        return keys, known, refusals

    def _decide(
        self,
        key: str,
        values: tuple[Any, ...],
        known: StoredResult | None,
        refusals: Sequence[QuarantineEntry],
        policy: Policy,
        *,
        is_planning: bool,
    ) -> PlannedRow:
        inputs = self._inputs
        row_hash = inputs.row_hash(values)
        decision = decide_row(
            row_hash, known, refusals, policy, lambda: inputs.id_card_hash(values)
        )
        reason = decision.reason
        if reason is None:
            return PlannedRow(Row(key, (), row_hash=row_hash), decision)
        may_call = reason is not Reason.HELD or self._retry_held
        retry = reason is Reason.RELEASED or self._retry_held
        row = Row(key, values, retry, may_call, row_hash, answered_since=decision.answered_since)
        broken = None
        if reason in _MAY_BE_BROKEN and (is_planning or refusals):
            broken = inputs.broken_rule(key, values)
            if (
                broken is not None
                and known is None
                and (broken, Stage.INPUT) in {(refusal.rule, refusal.stage) for refusal in refusals}
            ):
                decision = RowDecision(place=Disposition.QUARANTINED, detail=broken)
                return PlannedRow(Row(key, (), row_hash=row_hash), decision)
        return PlannedRow(row, decision, broken)


_MAY_BE_BROKEN = frozenset({Reason.NEW, Reason.CHANGED, Reason.MENDED})
"""Rows that are as they were when they were asked about break no rule."""
