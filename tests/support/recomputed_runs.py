"""What runs have done, from the simulator's ledger and the source rows: no table or view of ours is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

Row = dict[str, Any]
BEIJING = timezone(timedelta(hours=8))
ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
THROTTLED = "RequestLimitExceeded"

CODES: Mapping[tuple[str, str], tuple[str, str]] = {
    (ID_CARD, "0"): ("match", "yes"),
    (ID_CARD, "-1"): ("mismatch", "yes"),
    (ID_CARD, "-5"): ("not_found", "no"),
    (ID_CARD, "FailedOperation.Unlisted"): ("error", "unknown"),
    (FACE, "Success"): ("match", "yes"),
    (FACE, "FailedOperation.IdNameMisMatch"): ("mismatch", "yes"),
    (FACE, "FailedOperation.CompareLowSimilarity"): ("mismatch", "yes"),
    (FACE, "InternalError.CompareLowSimilarity"): ("mismatch", "unknown"),
    (FACE, "FailedOperation.IdNoExistSystem"): ("not_found", "no"),
    (FACE, "FailedOperation.LifePhotoDetectFake"): ("review", "no"),
    (FACE, "FailedOperation.CompareFail"): ("review", "no"),
}
"""Outcome and charge of the final codes of the story, as the API's pages say."""

LIMITS = {"-7"}
REFUSED_PHOTOS = {"FailedOperation.LifePhotoDetectFaces"}


class Person(NamedTuple):
    """
    A row of a source.

    :param broken: the input rule it breaks; None for none.
    :param similarity: what the service's own comparison of its photo says; None without a photo.
    """

    key: str
    id_card: str
    name: str | None
    broken: str | None = None
    similarity: float | None = None
    photo: bytes | None = None

    @property
    def question(self) -> tuple[Any, ...]:
        return self.id_card, self.name, self.similarity


@dataclass
class Task:
    """
    An execution of a batch task.

    :param entries: requests the service saw meanwhile, as its ledger has them.
    :param began: before it, in Unix seconds.
    :param ended: after it.
    :param manifest: what it said of itself; its ``seconds`` alone are used.
    """

    campaign: str
    action: str
    run_id: str
    people: Sequence[Person]
    entries: Sequence[Mapping[str, Any]]
    began: float
    ended: float
    manifest: Mapping[str, Any]
    reuses: bool = False
    is_budget_over: bool = False
    threshold: float = 70.0
    counts: dict[str, int] = field(default_factory=dict)


class Between(NamedTuple):
    """A moment that only its bounds are known of, in Unix seconds."""

    low: float
    high: float


class About(NamedTuple):
    """
    What a report is about.

    :param days: first and last day of one over days; None for a run.
    :param made: before and after it was made.
    :param prices: Action, first day, last day, currency and price.
    :param latencies: day, Action, run, campaign, latency and wait of each answer to a call.
    :param checks: rows evaluated and unexpected, by rule, of its validation.
    """

    campaign: str | None
    run_id: str | None
    days: tuple[str, str] | None
    made: Between
    prices: Sequence[tuple[str, str, str, str, float]]
    quotas: Mapping[str, float]
    threshold: float
    latencies: Sequence[tuple[str, str, str, str, int, int | None]]
    checks: Mapping[str, tuple[int, int]]
    validated_in: str

    def has(self, campaign: str, run_id: str, day: str) -> bool:
        if self.campaign not in {None, campaign}:
            return False
        if self.days is not None:
            return self.days[0] <= day <= self.days[1]
        return run_id == self.run_id


def grouped(rows: Iterable[Any], *names: str) -> dict[tuple[Any, ...], list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[tuple(getattr(row, name) for name in names)].append(row)
    return dict(sorted(found.items(), key=lambda one: tuple(map(str, one[0]))))


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def pace(calls: int, seconds: float) -> float | None:
    return round(calls / seconds, 3) if seconds else None


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, BEIJING).date().isoformat()


class Answer(NamedTuple):
    """A final answer of a row."""

    campaign: str
    action: str
    key: str
    run_id: str
    day: str
    outcome: str
    code: str
    charge: str
    similarity: float | None
    is_own_call: bool
    question: tuple[Any, ...]


class Waiting(NamedTuple):
    """A row without an answer."""

    campaign: str
    action: str
    key: str
    run_id: str
    status: str
    outcome: str
    due: str | None
    written: Between
    day: str
    question: tuple[Any, ...]


def moment(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(entry["at"])).astimezone(BEIJING)


def code(entry: Mapping[str, Any]) -> str:
    return str(entry["result"] or entry["error"])


class Books:
    """
    Replays tasks in their order: where each row is, and each answer there was.

    :ivar now: what is known of each row now, by campaign, Action and key.
    :ivar history: every answer.
    :ivar quarantine: rule and stage by campaign, Action and key.
    """

    def __init__(self) -> None:
        self.now: dict[tuple[str, str, str], Answer | Waiting] = {}
        self.history: list[Answer] = []
        self.quarantine: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.tasks: list[Task] = []

    def validate(self, campaign: str, action: str, people: Sequence[Person]) -> None:
        """Put what breaks a rule into quarantine, before any call."""
        for one in people:
            if one.broken:
                self.quarantine[campaign, action, one.key] = (one.broken, "validate")

    def replay(self, task: Task) -> None:
        """Take a task into the books."""
        self.tasks.append(task)
        seen: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for entry in task.entries:
            assert entry["action"] == task.action
            seen[str(entry["id_card"])].append(entry)
        task.counts = dict.fromkeys(("still_valid", "reused", "quarantined"), 0)
        places = []
        for one in task.people:
            key = (task.campaign, task.action, one.key)
            place = self._place(task, one, key, seen)
            task.counts[place] = task.counts.get(place, 0) + 1
            known = self.now.get(key)
            if place == "left" or (known is not None and known.question != one.question):
                places.append("left")
            elif key in self.quarantine:
                places.append("quarantined")
            else:
                places.append("answered" if isinstance(known, Answer) else known.status)  # type: ignore[union-attr]
        assert not seen, "each call is about a row of the source"
        task.counts["quarantined"] = places.count("quarantined")
        if task.is_budget_over:  # how far it came, the service cannot say
            for name in ("quarantined", "reused"):
                task.counts[name] = task.manifest[name]
        task.counts |= {name: places.count(name) for name in ("answered", "postponed", "held")}
        task.counts["rows_in"] = len(places)
        final = [e for e in task.entries if e["answered"]]
        task.counts["calls"] = len(task.entries)
        task.counts["throttled"] = sum(code(e) == THROTTLED for e in final)
        charges = [CODES.get((task.action, code(e)), ("", "no"))[1] for e in final]
        task.counts["charged"] = charges.count("yes")
        task.counts["charge_unknown"] = charges.count("unknown") + len(task.entries) - len(final)

    def _place(
        self,
        task: Task,
        one: Person,
        key: tuple[str, str, str],
        seen: dict[str, list[Mapping[str, Any]]],
    ) -> str:
        """Put a row where the task has put it, and say how."""
        known = self.now.get(key)
        if isinstance(known, Answer) and known.question == one.question:
            return "still_valid"
        if one.broken:
            self.quarantine.setdefault(key, (one.broken, "input"))
            return "refused"
        entries = seen.pop(one.id_card, [])
        if entries:
            self._ask(task, one, key, entries)
            return "asked"
        if self.quarantine.get(key, ("", ""))[1] == "service":  # its photo may be another one
            return "reused"
        if same := self._known_answer(task, one):
            self._write(
                same._replace(
                    campaign=task.campaign,
                    key=one.key,
                    run_id=task.run_id,
                    charge="no",
                    is_own_call=False,
                )
            )
            return "reused"
        return "left alone" if known is not None or key in self.quarantine else "left"

    def _known_answer(self, task: Task, one: Person) -> Answer | None:
        """Return the answer to the same question in the campaign, or in another one if it is reused."""
        for answer in reversed(self.history):
            asked = (answer.action, answer.question) == (task.action, one.question)
            is_final = answer.outcome != "error"
            if asked and (answer.campaign == task.campaign or (task.reuses and is_final)):
                return answer
        return None

    def _ask(
        self,
        task: Task,
        one: Person,
        key: tuple[str, str, str],
        entries: Sequence[Mapping[str, Any]],
    ) -> None:
        last = entries[-1]
        at, said = moment(last), code(last)
        day = at.date().isoformat()
        written = Between(at.timestamp() - 0.002, task.ended)
        own = (task.campaign, task.action, one.key, task.run_id)
        if not last["answered"]:
            self.now[key] = Waiting(*own, "held", "uncertain", None, written, day, one.question)
        elif said in LIMITS:
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            due = midnight.astimezone(UTC).isoformat(timespec="milliseconds")
            self.now[key] = Waiting(*own, "postponed", "limit", due, written, day, one.question)
        elif said in REFUSED_PHOTOS:
            self.now.pop(key, None)
            self.quarantine[key] = (f"service:{said}", "service")
        else:
            outcome, charge = CODES[task.action, said]
            if charge != "unknown":
                assert last["charged"] == (charge == "yes"), said
            similarity = None
            if task.action == FACE:
                compared = said in {"Success", "FailedOperation.CompareLowSimilarity"}
                similarity = one.similarity if compared else None
                if said == "InternalError.CompareLowSimilarity":
                    similarity = None
                if said == "Success" and similarity is not None and similarity < task.threshold:
                    outcome = "review"
            facts = (day, outcome, said, charge, similarity)
            self._write(Answer(*own, *facts, is_own_call=True, question=one.question))

    def _write(self, answer: Answer) -> None:
        self.history.append(answer)
        self.now[answer.campaign, answer.action, answer.key] = answer
        self.quarantine.pop((answer.campaign, answer.action, answer.key), None)
