"""Erasure of a person's or a row's calls from the ledger, and of their counters, in one transaction.

A call in flight is not erased: its answer would be written right after. What is unknown about a call in
doubt is returned, so that it remains countable on the bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..api.pseudonyms import HASH_DIGITS, campaign_hash
from ..exceptions import InFlightError, StateStoreError, counted
from .call_table import CAMPAIGN_DIGITS, State
from .ledger import LEASE_SECONDS
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

KEYS_AT_ONCE = 200
"""Values in one statement."""

TABLES = ("faceid_calls", "faceid_identity_uses")
"""Tables of the state store that hold something about a person."""

LOCK_SECONDS = 5
"""Seconds for which rewriting a table waits for the workers that use it."""

_REWRITE: dict[bool, Mapping[str, str]] = {
    True: {"VACUUM": "", "PRAGMA wal_checkpoint(TRUNCATE)": ""},
    False: {f"VACUUM (FULL, ANALYZE) {table}": table for table in TABLES},
}
"""Statements that rewrite the files of the tables, by whether it is SQLite, and the table whose file is
another one afterwards. The first column of their rows, if they have any, is 0 if they could."""


@dataclass(frozen=True)
class CallsOf:
    """
    What names the calls that are meant.

    :param keys: keys of calls, see :func:`~.call_table.call_key`.
    :param questions: hashes of questions; their calls of all campaigns are meant.
    :param rows: keys of source rows, each with the digits of a campaign at the end of a call's key;
        empty digits for all campaigns.
    :param others: keys of calls that are not meant, although a row of theirs is.
    :param counters: of the limits per identity.
    """

    keys: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    rows: frozenset[tuple[str, str]] = frozenset()
    others: frozenset[str] = frozenset()
    counters: frozenset[int] = frozenset()


class FoundCall(NamedTuple):
    """
    A call of the ledger.

    :param key: its key.
    :param row: key of its source row.
    :param state: its state.
    :param is_alive: whether the attempt that claimed it is the newest of its task and has a lease.
    :param changed_at: when its state changed last, in Unix seconds.
    """

    key: str
    row: str
    state: State
    is_alive: bool
    changed_at: float

    @property
    def is_in_flight(self) -> bool:
        """Return whether its answer may still come."""
        return self.state is State.SENT and self.is_alive

    @property
    def is_in_doubt(self) -> bool:
        """Return whether it may have been charged without an answer."""
        return self.state is State.IN_DOUBT or (self.state is State.SENT and not self.is_alive)


class ErasedCalls(NamedTuple):
    """
    What was erased.

    :param calls: the calls.
    :param counters: how many counters.
    """

    calls: Sequence[FoundCall]
    counters: int


def campaign_digits(secret: str, campaign: str) -> str:
    """Return the digits at the end of a call's key that stand for its campaign."""
    return campaign_hash(secret, campaign)[:CAMPAIGN_DIGITS]


def find_calls(store: StateStore, wanted: CallsOf) -> list[FoundCall]:
    """
    Return the calls that are meant; nothing is locked or changed.

    :raises StateStoreError: the database cannot be used.
    """
    return store.run(lambda cursor: _find(cursor, store, wanted))


def refuse_in_flight(calls: Iterable[FoundCall]) -> None:
    """
    Make sure that no call is in flight.

    :raises InFlightError: one is.
    """
    count = sum(call.is_in_flight for call in calls)
    if count:
        raise InFlightError(
            f"{counted(count, 'call is', 'calls are')} in flight at this moment: "
            "nothing was erased. Repeat it when the run has ended, or in a few seconds"
        )


def erase_calls(store: StateStore, wanted: CallsOf) -> ErasedCalls:
    """
    Erase calls and counters in one durable transaction; repeating it is safe.

    :raises InFlightError: a call is in flight; nothing was erased.
    :raises StateStoreError: the database cannot be used; nothing was erased.
    """

    def erase(cursor: DBAPICursor) -> ErasedCalls:
        if store.is_sqlite:
            cursor.execute("PRAGMA secure_delete = ON")
            cursor.fetchall()
        found = _find(cursor, store, wanted, lock=True)
        refuse_in_flight(found)
        for some in _parts(sorted(call.key for call in found)):
            marks = ", ".join([store.marker] * len(some))
            cursor.execute(f"DELETE FROM faceid_calls WHERE call_key IN ({marks})", some)
        counters = 0
        for some in _parts(sorted(wanted.counters)):
            marks = ", ".join([store.marker] * len(some))
            cursor.execute(f"DELETE FROM faceid_identity_uses WHERE counter IN ({marks})", some)
            counters += cursor.rowcount
        return ErasedCalls(found, counters)

    return store.run(erase, durable=True)


def rewrite(store: StateStore) -> list[str]:
    """
    Rewrite the files of the tables, so that the bytes of deleted rows are gone too.

    The tables are locked meanwhile, and workers wait.

    :return: what was not rewritten and why, with the statement that does it; empty if all was.
    """
    problems = []
    try:
        if not store.is_sqlite:
            _wait_for_locks(store)
        for statement, table in _REWRITE[store.is_sqlite].items():
            file = _file_of(store, table)
            found = store.maintain(statement)
            if found and found[0][0]:
                problems.append(f"Another process uses the state store. Later: {statement}")
            elif table and file == _file_of(store, table):  # PostgreSQL only warns, and skips it
                problems.append(
                    f"Table '{table}' of the state store was not rewritten, which only its owner may "
                    f"do: {statement}"
                )
    except StateStoreError as error:
        later = "; ".join(_REWRITE[store.is_sqlite])
        problems.append(f"The state store was not rewritten: {error}. Later: {later}")
    return problems


def _file_of(store: StateStore, table: str) -> str:
    """Return the file of a table of PostgreSQL."""
    if not table:
        return ""
    query = f"SELECT pg_relation_filepath(CAST({store.marker} AS REGCLASS))"
    return str(store.run(lambda cursor: _first(cursor, query, table)))


def _first(cursor: DBAPICursor, query: str, value: str) -> Any:
    cursor.execute(query, (value,))
    return cursor.fetchall()[0][0]


def _wait_for_locks(store: StateStore) -> None:
    """
    Make sure that the tables can be locked soon: who waits for a lock lets all others wait, too.

    :raises StateStoreError: they cannot.
    """
    with store.transaction() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        cursor.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")


def _find(
    cursor: DBAPICursor, store: StateStore, wanted: CallsOf, *, lock: bool = False
) -> list[FoundCall]:
    keys = _keys(cursor, store, wanted)
    # In the order in which a step of the ledger locks, which rules out deadlocks.
    end = " ORDER BY c.call_key" + (" FOR UPDATE OF c" if lock and not store.is_sqlite else "")
    cursor.execute(f"SELECT {store.now_sql}")
    now = store.moment(cursor.fetchall()[0][0]).now
    found = []
    for some in _parts(sorted(keys)):
        cursor.execute(
            "SELECT c.call_key, c.source_key, c.state, c.try_number = t.number, "
            "COALESCE(t.seen_at, 0), c.changed_at FROM faceid_calls c "
            "LEFT JOIN faceid_tries t ON t.owner = c.owner "
            f"WHERE c.call_key IN ({', '.join([store.marker] * len(some))}){end}",
            some,
        )
        found += [
            FoundCall(
                key, row, State(state), bool(current) and now - seen_at < LEASE_SECONDS, changed_at
            )
            for key, row, state, current, seen_at, changed_at in cursor.fetchall()
        ]
    return found


def _keys(cursor: DBAPICursor, store: StateStore, wanted: CallsOf) -> set[str]:
    """Return the keys of the calls that are meant, as far as they are there, and some that are not."""
    keys = set(wanted.keys)
    marker = store.marker
    for question in sorted(wanted.questions):
        cursor.execute(
            f"SELECT call_key FROM faceid_calls WHERE call_key > CAST({marker} AS CHAR(40)) "
            f"AND call_key < CAST({marker} AS CHAR(40))",  # g sorts after all hexadecimal digits
            (question, f"{question}g"),
        )
        keys |= {key for (key,) in cursor.fetchall()}
    campaigns: dict[str, set[str]] = {}
    for row, digits in wanted.rows:
        campaigns.setdefault(row, set()).add(digits)
    for some in _parts(sorted(campaigns)):
        cursor.execute(
            "SELECT call_key, source_key FROM faceid_calls "
            f"WHERE source_key IN ({', '.join([marker] * len(some))})",
            some,
        )
        keys |= {
            key
            for key, row in cursor.fetchall()
            if key not in wanted.others and {"", key[HASH_DIGITS:]} & campaigns[row]
        }
    return keys


def _parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), KEYS_AT_ONCE):
        yield list(values[start : start + KEYS_AT_ONCE])
