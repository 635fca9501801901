"""Right to erasure: one person or row forgotten in state store and warehouse, so that it can be repeated.

Each database is changed in one transaction. The ledger comes first, because the tables lead to its
calls: whatever is interrupted, the same request finds what is left and finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from .. import __version__
from ..api.actions import ACTIONS
from ..api.person import Person, PersonHashes, person_hashes
from ..api.pseudonyms import hash_key_id
from ..client.settings import Settings
from ..clock import Clock, utc_text
from ..exceptions import ConfigurationError, InFlightError, counted
from ..state.call_table import question_of
from ..state.erasure import (
    CallsOf,
    FoundCall,
    campaign_digits,
    erase_calls,
    find_calls,
    refuse_in_flight,
)
from ..state.erasure import rewrite as rewrite_store
from ..state.identity_limits import uses_of
from ..state.store import StateStore
from ..warehouse.erasure.erasure import Erasure, LostCall
from ..warehouse.erasure.search import Found, Row, Search
from ..warehouse.erasure.sql import rewrite
from ..warehouse.migrations import prepare, prepare_beside
from ..warehouse.names import Names
from ..warehouse.results import unix_seconds
from ..warehouse.sql.database import POSTGRESQL, SQLITE, Database
from ..warehouse.tables import ERASURES

KEY, PERSON = "key", "person"


@dataclass(frozen=True)
class Request:
    """
    A request for erasure.

    :param keys: source keys.
    :param person: values of a person by column, see :func:`~..api.person.read_person`; in place of keys.
    :param campaign: one campaign only; empty for all.
    :param action: one Action only; empty for all.
    :param is_whole_person: whether all rows of the people behind the keys are meant, not the keys alone.
    :param requested_by: who asked, written into the receipt.
    :param reference: number of the request, likewise.
    :param skips_unknown: whether keys that are not known are left out; otherwise they are refused.
    :param rewrites: whether files are rewritten afterwards, so that the bytes are gone too.
    """

    keys: Sequence[str] = ()
    person: Person = field(default_factory=dict, repr=False)
    campaign: str = ""
    action: str = ""
    is_whole_person: bool = False
    requested_by: str = ""
    reference: str = ""
    skips_unknown: bool = False
    rewrites: bool = True


@dataclass
class Forgotten:
    """
    What was erased, or would be.

    :ivar receipt: row of ``faceid_erasures``; empty if nothing was erased yet.
    :ivar rows: rows of campaigns.
    :ivar calls: calls of the ledger.
    :ivar sources: where the rows were read from: a row that is still there is verified again.
    :ivar request_ids: under which the service has its own log.
    :ivar other_hash_keys: ids of hash keys under which rows were written and the person was not searched for.
    :ivar unknown_keys: keys that neither tables nor ledger know.
    :ivar finished: receipts of earlier erasures that had been interrupted and are finished now.
    :ivar problems: files that could not be rewritten, with the statement that does it.
    :ivar databases: names of the dialects of warehouse and state store.
    """

    receipt: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    calls: int = 0
    sources: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    other_hash_keys: list[str] = field(default_factory=list)
    unknown_keys: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    databases: tuple[str, str] = ("", "")


class Forgetting:
    """
    One erasure.

    :param request: who or what is erased.
    :param warehouse: database of the result table.
    :param names: of the tables.
    :param store: the state store.
    :param settings: of the Face ID connection: hash key and limits.
    :param earlier_secrets: hash keys the connection had before.
    :raises ConfigurationError: neither or both of keys and a person are given.
    """

    def __init__(
        self,
        request: Request,
        *,
        warehouse: Database,
        names: Names,
        store: StateStore,
        settings: Settings,
        clock: Clock,
        earlier_secrets: Sequence[str] = (),
    ) -> None:
        if bool(request.keys) == bool(request.person):
            raise ConfigurationError("Name either source keys or a person")
        if request.is_whole_person and not request.keys:
            raise ConfigurationError("Name the key of a row for the whole person behind it")
        self._request, self._warehouse, self._names = request, warehouse, names
        self._store, self._settings, self._clock = store, settings, clock
        self._secrets = (settings.hmac_key, *earlier_secrets)
        self._person = person_hashes(self._secrets, request.person) if request.person else None

    def look(self) -> Forgotten:
        """
        Return what would be erased; change nothing but tables of an older version.

        :raises FaceIdError: nothing is found, a call is in flight, or a database cannot be used.
        """
        found, wanted = self._find()
        calls = find_calls(self._store, wanted)
        self._refuse_nothing(found, calls)
        refuse_in_flight(calls)
        self._lost(found, calls)
        return self._told(found, calls)

    def run(self, before: Callable[[Forgotten], None] = lambda _: None) -> Forgotten:
        """
        Erase; repeat it if it was interrupted.

        :param before: called with what will be erased, before anything is; it may raise an error.
        :raises InFlightError: a call is in flight, and nothing was erased; or the person was asked about
            again meanwhile, and is there again.
        :raises FaceIdError: nothing is found, or a database cannot be used.
        """
        found, wanted = self._find()
        calls = find_calls(self._store, wanted)
        if not (found or calls) and (finished := self._finish_interrupted()):
            return finished
        self._refuse_nothing(found, calls)
        refuse_in_flight(calls)
        told = self._told(found, calls)
        if not (found or calls):
            return told
        lost = self._lost(found, calls)
        before(told)
        receipt = self._begin(found)
        try:
            erased = erase_calls(self._store, wanted)
        except InFlightError:
            self._erasure.withdraw_receipt(receipt)
            raise
        receipt |= {"calls": len(erased.calls), "counters": erased.counters}
        told.receipt = self._erasure.erase(found, lost, receipt, self._now())
        self._refuse_what_came_back()
        told.problems = self._rewrite() if self._request.rewrites else []
        self._finish(told.receipt, is_rewritten=self._request.rewrites and not told.problems)
        told.finished = self._finish_others(told)
        return told

    @cached_property
    def _search(self) -> Search:
        """
        Return the search in the tables, which are brought up to date.

        :raises ConfigurationError: there is no such result table.
        """
        if not self._warehouse.columns(self._names.results):
            raise ConfigurationError(
                f"Connection '{self._warehouse.label}' has no such table: {self._names.results}. "
                "Name the result table of the batch operators"
            )
        prepare(self._warehouse, self._names)
        prepare_beside(self._warehouse, self._names, ERASURES)
        return Search(self._warehouse, self._names)

    @cached_property
    def _erasure(self) -> Erasure:
        return Erasure(self._warehouse, self._names, self._search.tables)

    @property
    def _databases(self) -> tuple[str, str]:
        store = SQLITE.name if self._store.is_sqlite else POSTGRESQL.name
        return self._warehouse.dialect.name, store

    def _find(self) -> tuple[Found, CallsOf]:
        """Return what the tables hold, and what names the calls of the ledger."""
        request, tables = self._request, self._search
        scope = request.campaign, request.action
        if self._person is not None:
            found = tables.find_person(self._person, *scope)
            return found, self._calls_of(found, self._person)
        found = tables.find_keys(request.keys, *scope)
        if request.is_whole_person:
            hashes = PersonHashes(tables.hashes_of(found), {}, frozenset())
            more = tables.find_person(hashes, *scope)
            found = tables.find_keys(sorted({row.source_key for row in found.rows}), *scope)
            _add(found, more)
        return found, self._calls_of(found, None)

    def _calls_of(self, found: Found, person: PersonHashes | None) -> CallsOf:
        named = {row.campaign for row in found.rows} | {self._request.campaign} - {""}
        digits = self._digits({*named, *(campaign for campaign, _ in found.questions)})
        keys = _keys_of(found.questions, digits)
        rows = {(row.source_key, end) for row in found.rows for end in digits[row.campaign]}
        if person is not None or self._request.is_whole_person:
            questions = {question for _, question in found.questions}
            if person is not None and not (self._request.campaign or self._request.action):
                questions |= person.questions.keys()
            return CallsOf(keys, frozenset(questions), frozenset(rows), counters=self._counters())
        # A key may be known to the ledger alone: a single call, or a worker that died.
        ends = digits.get(self._request.campaign, {""})
        rows |= {(key, end) for key in self._request.keys for end in ends}
        return CallsOf(keys, rows=frozenset(rows), others=self._of_other_actions())

    def _digits(self, campaigns: Iterable[str]) -> dict[str, set[str]]:
        """Return the digits of campaigns in keys of calls, under each hash key."""
        return {
            campaign: {campaign_digits(secret, campaign) for secret in self._secrets}
            for campaign in campaigns
        }

    def _of_other_actions(self) -> frozenset[str]:
        """Return the keys of calls of the same source keys that another Action made."""
        action = self._request.action
        if not action:
            return frozenset()
        every = self._search.find_keys(self._request.keys, self._request.campaign).questions
        other = {asked: row for asked, row in every.items() if row.action != action}
        return _keys_of(other, self._digits({campaign for campaign, _ in other}))

    def _counters(self) -> frozenset[int]:
        """Return the counters of the limits per identity that count the person now."""
        now, person = self._clock.now(), self._request.person
        return frozenset(
            use.counter
            for secret in self._secrets
            for action in ACTIONS.values()
            for one in action.fields
            for value in (person.get(one.column, ()) if one.column else ())
            for use in uses_of(
                action, self._settings.limits(action.name), secret, {one.name: value}, now
            )
        )

    def _refuse_nothing(self, found: Found, calls: Sequence[FoundCall]) -> None:
        """
        Make sure that there is something to erase.

        :raises ConfigurationError: there is nothing.
        """
        request = self._request
        missing = self._unknown(found, calls)
        if request.skips_unknown and request.keys:
            return
        if found or calls:
            if missing:
                raise ConfigurationError(
                    f"{counted(len(missing), 'key is', 'keys are')} not known, such as "
                    f"'{missing[0]}': nothing was erased. Leave them out, or skip unknown keys"
                )
            return
        scope = f" in campaign '{request.campaign}'" if request.campaign else ""
        scope += f" of {request.action}" if request.action else ""
        who = "this person" if request.person else counted(len(request.keys), "key")
        others = self._other_hash_keys()
        hint = (
            f". Rows were written under other hash keys ({', '.join(others)}), under which nobody was "
            "looked for: give those keys, or the person's source keys"
            if others and request.person
            else ""
        )
        raise ConfigurationError(
            f"Neither the tables beside '{self._names.results}' behind connection "
            f"'{self._warehouse.label}' nor the ledger know {who}{scope}: nothing was erased{hint}"
        )

    def _unknown(self, found: Found, calls: Sequence[FoundCall]) -> list[str]:
        known = {row.source_key for row in found.rows} | {call.row for call in calls}
        return sorted(set(self._request.keys) - known)

    def _other_hash_keys(self) -> list[str]:
        known = {hash_key_id(secret) for secret in self._secrets}
        return [key for key in self._search.last_hash_keys() if key not in known]

    def _lost(self, found: Found, calls: Sequence[FoundCall]) -> list[LostCall]:
        """
        Return the calls in doubt that no row of the results stands for: their worker died.

        Calls of campaigns that the tables do not know were made by single operators or the hook, which
        no view counts.

        :raises ConfigurationError: it is unknown which Action a call was.
        """
        named = {row.campaign for row in found.rows} | {self._request.campaign} - {""}
        digits = self._digits(named)
        campaigns = {end: campaign for campaign, ends in digits.items() for end in ends}
        lost = []
        for call in calls:
            question = question_of(call.key)
            campaign = campaigns.get(call.key.removeprefix(question), "")
            row = found.questions.get((campaign, question))
            is_known = {one.source_key for one in found.in_doubt if one.campaign == campaign}
            if not call.is_in_doubt or not campaign or call.row in is_known:
                continue
            action = self._request.action or (row.action if row else "")
            if not action and self._person is not None:
                action = self._person.questions.get(question, "")
            if not action:
                raise ConfigurationError(
                    "A call was sent and its worker died, so that it may be on the bill. Give the "
                    "Action it was, so that it stays countable: nothing was erased"
                )
            lost.append(LostCall(campaign, action, utc_text(call.changed_at)))
        return lost

    def _told(self, found: Found, calls: Sequence[FoundCall]) -> Forgotten:
        return Forgotten(
            rows=len(found.rows) + len(found.answers),
            calls=len(calls),
            sources=sorted(found.sources),
            unknown_keys=self._unknown(found, calls),
            request_ids=sorted(found.request_ids),
            other_hash_keys=self._other_hash_keys() if self._request.person else [],
            databases=self._databases,
        )

    def _begin(self, found: Found) -> dict[str, Any]:
        request = self._request
        receipt: dict[str, Any] = {
            "receipt_id": str(uuid4()),
            "erased_by": PERSON if request.person or request.is_whole_person else KEY,
            "requested_by": request.requested_by,
            "reference": request.reference or None,
            "began_at": self._now(),
            "is_rewritten": 0,
            "source_keys": len({row.source_key for row in found.rows}),
            "provider_version": __version__,
            "updated_at": self._now(),
        }
        self._erasure.write_receipt(receipt)
        return receipt

    def _refuse_what_came_back(self) -> None:
        """
        Make sure that nothing is found any more.

        :raises InFlightError: a run has asked again meanwhile.
        """
        found, wanted = self._find()
        if found or find_calls(self._store, wanted):
            raise InFlightError(
                "Rows were erased, and a run has asked about the same person meanwhile. Delete the row "
                "from the source, let the run end, and repeat the erasure"
            )

    def _rewrite(self) -> list[str]:
        tables = [*self._search.tables.values()]
        return [*rewrite(self._warehouse, tables), *rewrite_store(self._store)]

    def _finish(self, receipt: dict[str, Any], *, is_rewritten: bool) -> None:
        receipt |= {"is_rewritten": int(is_rewritten), "finished_at": self._now()}
        receipt["updated_at"] = receipt["finished_at"]
        self._erasure.write_receipt(receipt)

    def _finish_others(self, told: Forgotten) -> list[str]:
        """Finish erasures whose process died before files were rewritten; they are by now."""
        if not self._request.rewrites or told.problems:
            return []
        others = [one for one in self._erasure.unfinished() if one != told.receipt]
        for one in others:
            self._finish({name: _text(value) for name, value in one.items()}, is_rewritten=True)
        return [str(one["receipt_id"]) for one in others]

    def _finish_interrupted(self) -> Forgotten | None:
        """Finish what is left of erasures that were interrupted after their rows were erased."""
        if not self._erasure.unfinished():
            return None
        told = Forgotten(
            unknown_keys=sorted(self._request.keys),
            databases=self._databases,
            problems=self._rewrite(),
        )
        told.finished = self._finish_others(told)
        return told

    def _now(self) -> str:
        return utc_text(self._clock.now())


def _keys_of(
    questions: Iterable[tuple[str, str]], digits: Mapping[str, Iterable[str]]
) -> frozenset[str]:
    """Return the keys of calls for questions, pairs of campaign and hash."""
    return frozenset(question + end for campaign, question in questions for end in digits[campaign])


def _add(found: Found, more: Found) -> None:
    found.rows |= more.rows
    found.answers |= {one for one in more.answers if Row(*one[:3]) not in found.rows}
    found.questions |= more.questions
    found.in_doubt |= more.in_doubt
    found.sources |= more.sources
    found.request_ids |= more.request_ids


def _text(value: Any) -> Any:
    """Return a value of a table as it is written: moments are texts."""
    return utc_text(unix_seconds(value)) if isinstance(value, datetime) else value
