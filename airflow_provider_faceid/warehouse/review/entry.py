"""Entry of results into the review queue: the rows that a rule fits, each entered once.

The database chooses rows that some rule may fit, in pages of their key; the rules decide in Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ... import __version__
from ...api.actions import ACTIONS
from ...api.codes import Outcome
from ...clock import Clock, utc_text
from ..names import Names
from ..records import RunContext, Status
from ..results import unix_seconds
from ..sql.database import Database
from ..tables import REVIEW_LOG, REVIEWS, insert
from .rules import (
    FIRST_ANSWER,
    URGENCY,
    Candidate,
    Reason,
    ReviewDecision,
    ReviewEvent,
    ReviewRules,
    ReviewStatus,
    review_id,
)

PAGE_SIZE = 1000
_HASH_SHOWN = 16


class ReviewEntry:
    """
    Enters results of one campaign and Action into the review queue.

    :param database: the warehouse, whose tables are up to date.
    :param context: whose results, and the run that enters them.
    :param rules: which results, and how.
    """

    def __init__(
        self,
        database: Database,
        names: Names,
        context: RunContext,
        rules: ReviewRules,
        clock: Clock,
    ) -> None:
        self._database, self._names = database, names
        self._context, self._rules, self._clock = context, rules, clock

    def enter(self) -> Counter[str]:
        """
        Enter the results that have to be reviewed; each once.

        :return: how many were entered, by reason.
        """
        entered: Counter[str] = Counter()
        for page in self._candidates():
            entered += self._enter(page)
        return entered

    def _candidates(self) -> Iterator[list[Candidate]]:
        """Read the rows that some rule may fit and that are in no case yet, in pages of the key."""
        dialect, last = self._database.dialect, None
        marker, quote = dialect.marker, dialect.quote_table
        parts, values = _conditions(self._rules, marker)
        if not parts:
            return
        same = " AND ".join(
            f"earlier.{c} = answer.{c}" for c in ("campaign", "action", "source_key")
        )
        matched = (
            f"EXISTS (SELECT 1 FROM {quote(self._names.history)} AS earlier WHERE {same} "
            f"AND earlier.outcome = '{Outcome.MATCH}' AND earlier.answered_at < answer.answered_at)"
        )
        known = (
            f"EXISTS (SELECT 1 FROM {quote(self._names.reviews)} AS earlier WHERE {same} "
            "AND earlier.answered_at = answer.answered_at)"
        )
        columns = (
            "source_key, status, outcome, code, similarity, question_hash, request_id, answered_at"
        )
        columns = ", ".join(f"answer.{name}" for name in columns.split(", "))
        success = (
            ACTIONS[self._context.action].success_code if self._context.action in ACTIONS else ""
        )
        while True:
            behind = f"AND answer.source_key > {marker} " if last is not None else ""
            rows = self._database.rows(
                f"SELECT {columns}, CASE WHEN {matched} THEN 1 ELSE 0 END "
                f"FROM {quote(self._names.results)} AS answer "
                f"WHERE answer.campaign = {marker} AND answer.action = {marker} {behind}"
                f"AND ({' OR '.join(parts)}) AND NOT {known} "
                f"ORDER BY answer.source_key LIMIT {PAGE_SIZE}",
                [*self._context.scope.values(), *([last] if last is not None else []), *values],
            )
            if rows:
                yield [_candidate(row, success) for row in rows]
            if len(rows) < PAGE_SIZE:
                return
            last = rows[-1][0]

    def _enter(self, page: Sequence[Candidate]) -> Counter[str]:
        """Enter some rows in one transaction with their log."""
        entered: Counter[str] = Counter()

        def work(cursor: Any) -> None:
            entered.clear()
            known = self._cases_of(cursor, [row.source_key for row in page])
            now = self._clock.now()
            rows = []
            for candidate in page:
                reason = self._rules.reason_of(candidate)
                mine = known.get(candidate.source_key, {})
                answer_id = _answer_id(candidate, mine)
                if reason is not None and answer_id not in mine:
                    rows.append(self._new(candidate, reason, answer_id, now))
                    entered[reason.value] += 1
            insert(cursor, self._database, REVIEWS, self._names.reviews, rows, replaces="")
            lines = [_created(row, origin_of(self._context)) for row in rows]
            insert(cursor, self._database, REVIEW_LOG, self._names.review_log, lines, replaces="")

        self._database.run("entering results into the review queue", work)
        return entered

    def _cases_of(self, cursor: Any, keys: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """Return by row the decision of each of its cases, None for one that is not resolved."""
        dialect = self._database.dialect
        found: dict[str, dict[str, str | None]] = {}
        markers = ", ".join([dialect.marker] * len(keys))
        cursor.execute(
            "SELECT source_key, answer_id, CASE WHEN status = 'resolved' THEN decision END "
            f"FROM {dialect.quote_table(self._names.reviews)} WHERE campaign = {dialect.marker} "
            f"AND action = {dialect.marker} AND source_key IN ({markers})",
            (*self._context.scope.values(), *keys),
        )
        for key, answer_id, decision in cursor.fetchall():
            found.setdefault(key, {})[answer_id] = decision
        return found

    def _new(self, row: Candidate, reason: Reason, answer_id: str, now: float) -> dict[str, Any]:
        context, rules = self._context, self._rules
        suggested = rules.suggested(row)
        return {
            **context.scope,
            "source_key": row.source_key,
            "answer_id": answer_id,
            "review_id": review_id(context.campaign, context.action, row.source_key, answer_id),
            "reason": reason.value,
            "outcome": row.outcome,
            "code": row.code,
            "similarity": row.similarity,
            "answered_at": row.answered_at,
            "suggested": None if suggested is None else suggested.value,
            "priority": rules.priority_of(reason),
            "created_at": utc_text(now),
            "due_at": utc_text(now + rules.due_seconds(reason)),
            "four_eyes": int(reason in rules.four_eyes),
            "status": ReviewStatus.OPEN.value,
            "version": 1,
            "dag_id": context.dag_id,
            "run_id": context.run_id,
            "map_index": context.map_index,
            "provider_version": __version__,
            "updated_at": utc_text(now),
        }


def _conditions(rules: ReviewRules, marker: str) -> tuple[list[str], list[Any]]:
    """Return SQL conditions that each row fits which a rule may fit, and their parameters."""
    parts: list[str] = []
    values: list[Any] = []
    answered = f"answer.status = '{Status.ANSWERED}' AND "
    codes = [code for reason in rules.reasons for code in URGENCY[reason].codes]
    if codes:
        parts.append(f"{answered}answer.code IN ({', '.join([marker] * len(codes))})")
        values += codes
    if Reason.LOW_SIMILARITY in rules.reasons:
        parts.append(f"{answered}answer.similarity BETWEEN {marker} AND {marker}")
        values += rules.similarity_band
    if Reason.MISMATCH_AFTER_MATCH in rules.reasons:
        parts.append(f"{answered}answer.outcome = '{Outcome.MISMATCH}'")
    if Reason.IN_DOUBT in rules.reasons:
        parts.append(f"answer.status = '{Status.HELD}'")
    return parts, values


def _candidate(row: tuple[Any, ...], success: str) -> Candidate:
    *facts, answered_at, has_matched = row
    key, status, outcome, code, similarity, question_hash, request_id = facts
    moment = unix_seconds(answered_at)
    return Candidate(
        key,
        status,
        outcome or "",
        code or "",
        None if similarity is None else float(similarity),
        question_hash or "",
        request_id or "",
        utc_text(moment) if moment else None,
        bool(has_matched),
        bool(code) and code == success,
    )


def _answer_id(row: Candidate, known: dict[str, str | None]) -> str:
    """
    Return which answer a case is about.

    A row without an answer gets another case once it was rechecked, and is in doubt again.
    """
    if row.answered_at:
        return row.request_id or row.answered_at
    begin = f"{FIRST_ANSWER} {row.question_hash[:_HASH_SHOWN]} "
    rechecked = sum(
        decision == ReviewDecision.RECHECK
        for answer_id, decision in known.items()
        if answer_id.startswith(begin)
    )
    return f"{begin}{rechecked + 1}"


def _created(row: dict[str, Any], origin: str) -> dict[str, Any]:
    copied = ("review_id", "campaign", "action", "source_key", "status", "updated_at")
    return {
        **{name: row[name] for name in copied},
        "number": 1,
        "event": ReviewEvent.CREATED.value,
        "at": row["created_at"],
        "origin": origin,
        "provider_version": __version__,
    }


def origin_of(context: RunContext) -> str:
    """Return what the log calls a task instance."""
    return f"{context.dag_id}/{context.run_id}/{context.task_id}/{context.map_index}"
