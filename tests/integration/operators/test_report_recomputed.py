"""
Every number in the JSON of reports is recomputed from the local service's ledger and bill.

Several runs of two Actions are replayed from what the service saw: which requests came, what it answered
and billed, and when. No table and no view of ours is read for that, but for two kinds of numbers that the
service cannot know. Latencies are the client's own, so their percentiles are recomputed from the
latencies of single answers in the history; and ``seconds`` of a run is what its task said of itself, within
the bounds of the service's clock. Moments of the client lie between bounds of the service's clock and ours.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from PIL import Image

from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)
from airflow_provider_faceid.operators.views import FaceIdViewsOperator
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code, DropAfter
from airflow_provider_faceid.simulator.people import People
from airflow_provider_faceid.simulator.people.photos import features, open_picture, similarity
from airflow_provider_faceid.warehouse.views.definitions import SIMILARITY
from airflow_provider_faceid.warehouse.views.metrics import RATES
from tests.support.recomputed_report import About, rebuild
from tests.support.recomputed_runs import (
    BEIJING,
    FACE,
    ID_CARD,
    THROTTLED,
    Between,
    Books,
    Person,
    Task,
)

from .conftest import FAST, UNLIMITED, Bench, TaskInstance, make_context

NOON = datetime(2026, 11, 18, 12, tzinfo=BEIJING)
DAYS = [(NOON + timedelta(days=n)).date().isoformat() for n in range(3)]
END = "9999-12-31"
PRICES = [
    (ID_CARD, "1970-01-01", DAYS[0], "USD", 0.25),
    (ID_CARD, DAYS[1], END, "USD", 0.3),
    (FACE, DAYS[1], END, "CNY", 1.5),
]
THRESHOLD = 83.0
KIND = {ID_CARD: IdCardVerificationBatchOperator, FACE: ImageRecognitionV2BatchOperator}
TABLE = {ID_CARD: "people", FACE: "faces"}
ALERTS = {"match_rate": {"min": 0.99}, "charged": {"max": 1}, "held_hours": {"max": 1}}
IDENTITY = (
    *("campaign", "action", "run_id", "currency", "day", "verified_date", "status", "outcome"),
    *("due_date", "number", "places", "codes", "rules", "stages", "similarity_from", "cut_off"),
)
"""Names of the fields by which the lines of a list are told apart."""


class Story:
    """Runs tasks against the service, and keeps what it saw of each."""

    def __init__(self, bench: Bench, patch: pytest.MonkeyPatch) -> None:
        self.bench, self.books, self.ahead_s = bench, Books(), 0.0
        patch.setattr(Clock, "now", lambda _: time.time() + self.ahead_s)
        self.people: dict[str, dict[str, Person]] = {"people": {}, "faces": {}, "few": {}}
        for table in self.people:
            bench.fill([], table)

    def now(self) -> float:
        return time.time() + self.ahead_s

    def go_to(self, moment: datetime) -> None:
        """Let the clocks of both sides show another time."""
        self.ahead_s = moment.timestamp() - time.time()

    def put(self, table: str, *people: Person) -> None:
        """Add rows to a source, or change them."""
        for one in people:
            self.people[table][one.key] = one
        self.bench.write(table, list(self.people[table].values()))

    def run(self, campaign: str, action: str, run_id: str, table: str = "", **more: Any) -> Task:
        table = table or TABLE[action]
        context, seen = self.context(run_id, f"{campaign} {action}"), self.bench.calls
        began, manifest = self.now(), None
        task = KIND[action](
            task_id="verify",
            campaign=campaign,
            source_conn_id="warehouse",
            source=table,
            **more,
        )
        try:
            manifest = task.execute(context)
        except AirflowFailException:
            assert "max_charged" in more
        done = Task(
            campaign=campaign,
            action=action,
            run_id=run_id,
            people=list(self.people[table].values()),
            entries=list(self.bench.server.account.ledger.rows(seen)),
            began=began,
            ended=self.now(),
            manifest=manifest or context["ti"].pushed["return_value"],
            reuses="reuse_within" in more,
            is_budget_over=manifest is None,
            threshold=THRESHOLD,
        )
        self.books.replay(done)
        return done

    @staticmethod
    def context(run_id: str, task_id: str = "task") -> dict[str, Any]:
        context = make_context(run_id=run_id)
        context["ti"] = TaskInstance()
        context["ti"].run_id, context["ti"].task_id = run_id, task_id
        return context


class Warehouse(Bench):
    """The bench, of which sources are written anew."""

    def write(self, table: str, people: list[Person]) -> None:
        self.query(f"DROP TABLE {table}")
        self.fill([(int(p.key), p.id_card, p.name, p.photo) for p in people], table)


def blended(server: SimulatorServer, key: int, number: int, strangeness: float) -> Person:
    """Return a person with a photo in which a stranger shines through."""
    gallery, listed = server.account.gallery, server.account.people.listed
    person, stranger = listed[number], listed[number + 1]
    own, other = (open_picture(gallery.registered(one)) for one in (person, stranger))
    file = io.BytesIO()
    Image.blend(own, other, strangeness).save(file, "JPEG", quality=85)
    photo = file.getvalue()
    alike = similarity(features(open_picture(photo)), gallery.features(person))
    return Person(str(key), person.id_card, person.name, None, alike, photo)


def tell(story: Story) -> None:
    """Run all tasks, with everything that numbers of a report are about."""
    bench = story.bench
    ordinary = bench.ordinary
    known = [Person(str(n), p.id_card, p.name) for n, p in enumerate(ordinary[:90])]
    others = [p for p in People(80, seed=11).listed if not p.persona][:12]
    mismatched = [one._replace(name=ordinary[-1].name) for one in known[30:44]]
    unknown = [Person(str(100 + n), p.id_card, p.name) for n, p in enumerate(others)]
    broken = [
        Person(str(120 + n), ordinary[90 + n].id_card, None, "name_missing") for n in range(4)
    ]
    special = [bench.special(code) for code in ("-4", "-7")]
    special_rows = [Person(str(130 + n), p.id_card, p.name) for n, p in enumerate(special)]
    twice = known[3]._replace(key="140")
    at_first = (*known[:30], *mismatched, *unknown, *broken, *special_rows, twice)
    story.put("people", *at_first)
    faces = [blended(bench.server, 200 + n, n, n / 44) for n in range(24)]
    strangers = [
        one._replace(key=str(240 + n), name=ordinary[-1].name, id_card=ordinary[40 + n].id_card)
        for n, one in enumerate(faces[:3])
    ]
    nameless = faces[20]._replace(name=None, broken="name_missing")
    fake = bench.special("FailedOperation.LifePhotoDetectFake", FACE)
    many = bench.special("FailedOperation.LifePhotoDetectFaces", FACE)
    forced = [
        faces[0]._replace(key=str(250 + n), id_card=p.id_card, name=p.name)
        for n, p in enumerate((fake, many))
    ]
    story.put("faces", *faces[:20], nameless, *faces[21:], *strangers, *forced)
    rules = bench.server.faults
    story.go_to(NOON)
    FaceIdValidateOperator(
        task_id="validate",
        campaign="kyc",
        action=ID_CARD,
        source_conn_id="warehouse",
        source="people",
        max_bad_fraction=1.0,
    ).execute(story.context("first"))
    story.books.validate("kyc", ID_CARD, list(story.people["people"].values()))
    rules.add(
        FaultRule(Code(THROTTLED), action=ID_CARD, times=5),
        FaultRule(DropAfter(), action=ID_CARD, person=known[5].id_card),
        FaultRule(DropAfter(), action=FACE, person=faces[2].id_card),
        FaultRule(
            Code("FailedOperation.Unlisted", charged=True), action=ID_CARD, person=known[6].id_card
        ),
        FaultRule(
            Code("InternalError.CompareLowSimilarity", "error"),
            action=FACE,
            person=faces[3].id_card,
        ),
    )
    story.run("kyc", ID_CARD, "first")
    story.run("kyc", FACE, "first")
    story.go_to(NOON + timedelta(days=1))
    for n in range(4):
        story.put("people", known[44 + n])
        story.run("kyc", ID_CARD, f"day {n}")
    story.go_to(NOON + timedelta(days=2))
    worse = [one._replace(name=ordinary[-1].name) for one in known[60:85]]
    bad = broken[0]._replace(key="150", id_card=ordinary[95].id_card)
    mended = mismatched[0]._replace(name=ordinary[30].name)
    story.put("people", *known[48:60], *worse, bad, mended)
    story.put("faces", faces[20])
    rules.add(FaultRule(DropAfter(), action=ID_CARD, person=known[70].id_card))
    story.run("kyc", ID_CARD, "last", max_charged=5)
    story.run("kyc", ID_CARD, "last")
    story.run("kyc", FACE, "last")
    story.run("again", ID_CARD, "last", reuse_within=timedelta(days=30))
    story.put("few", *known[85:90], *known[10:14])
    story.run("few", ID_CARD, "last", table="few", max_charged=3)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All that has happened, with prices."""
    with (
        pytest.MonkeyPatch.context() as patch,
        SimulatorServer(people=130, quotas=UNLIMITED) as server,
    ):
        patch.setattr("airflow_provider_faceid.report.charts.find_spec", lambda _: None)
        folder = tmp_path_factory.mktemp("recomputed")
        bench = Warehouse(server, folder / "warehouse.sqlite", patch)
        bench.faceid(extra={"quotas": FAST, "similarity_threshold": THRESHOLD})
        told = Story(bench, patch)
        tell(told)
        prices = [
            {"action": a, "valid_from": first, "valid_to": last, "currency": c, "price": price}
            for a, first, last, c, price in PRICES
        ]
        FaceIdViewsOperator(
            task_id="views", warehouse_conn_id="warehouse", price_list=prices
        ).execute(told.context("views"))
        yield told


def report(story: Story, folder: Any, **about: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the JSON of a report, and what it has to say."""
    began, path = story.now(), folder / "report.html"
    FaceIdReportOperator(
        task_id="report",
        warehouse_conn_id="warehouse",
        path=str(path),
        faceid_conn_id="faceid_default",
        smallest_group=1,
        alerts=ALERTS,
        **about,
    ).execute(story.context("report"))
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    made = Between(began - 0.001, story.now())
    days = about.get("days")
    first = NOON.date() + timedelta(days=3 - days) if days else None
    people = list(story.books.tasks[0].people)
    checks = {line["rule"]: (len(people), 0) for line in said["checks"]}
    for one in people:
        if one.broken in checks:
            checks[one.broken] = (len(people), checks[one.broken][1] + 1)
    return said, rebuild(
        story.books,
        About(
            campaign=about.get("campaign"),
            run_id=about.get("run_id"),
            days=(first.isoformat(), DAYS[2]) if first else None,
            made=made,
            prices=PRICES,
            quotas=FAST,
            threshold=THRESHOLD,
            latencies=story.bench.query(
                "SELECT verified_date, action, run_id, campaign, latency_ms, waited_ms "
                "FROM faceid_history WHERE attempts > 0"
            ),
            checks=checks,
            validated_in="first",
        ),
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a structure with its path; lines of lists are named by what they are about."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            name: Any = number
            if isinstance(one, dict):
                keys = ("rule",) if "rule" in one else (*IDENTITY, "first_day")
                name = "/".join(str(one[key]) for key in keys if key in one)
            yield from leaves(one, f"{path}[{name}]")
    else:
        yield path, value


def unequal(said: Any, known: Any) -> bool:
    """Say whether a number, a moment or a text is another one; floats to nine digits."""
    if isinstance(known, Between):
        value = said if isinstance(said, float | int) else datetime.fromisoformat(said).timestamp()
        return not known.low - 0.001 <= value <= known.high + 0.001
    if isinstance(known, float) and isinstance(said, float | int):
        return said != pytest.approx(known, rel=1e-9, abs=1e-9)
    return bool(said != known)


def differences(said: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Return what a report says otherwise, leaves out, or says alone."""
    listed, ours = [*leaves(said)], [*leaves(known)]
    found = [f"twice: {path}" for path, n in Counter(p for p, _ in listed).items() if n > 1]
    values, expected = dict(listed), dict(ours)
    found += [f"left out: {path} = {expected[path]}" for path in expected.keys() - values.keys()]
    for path, value in values.items():
        if path in expected:
            if unequal(value, expected[path]):
                found.append(f"{path}: {value}, and not {expected[path]}")
        elif not isinstance(value, str) or re.match(r"\d{4}-\d\d-\d\d", value):
            found.append(f"said alone: {path} = {value}")
    return sorted(found)


REPORTS = {
    "first run": {"campaign": "kyc", "run_id": "first"},
    "small run": {"campaign": "kyc", "run_id": "day 1"},
    "last run": {"campaign": "kyc", "run_id": "last"},
    "run that reuses": {"campaign": "again", "run_id": "last"},
    "run that failed": {"campaign": "few", "run_id": "last"},
    "all days": {"days": 90},
    "last day": {"days": 1},
    "days of a campaign": {"days": 2, "campaign": "kyc"},
}


@pytest.mark.parametrize("about", REPORTS.values(), ids=REPORTS)
def test_every_number_is_that_of_the_ledger(story, tmp_path, about):
    said, known = report(story, tmp_path, **about)
    alerts = {one["number"]: one for one in said.pop("alerts")}
    assert differences(said, known) == []
    head = said["headline"]
    told = {**head, "match_rate": head["rates"]["match_rate"]["value"]}
    for number, limits in ALERTS.items():
        one = alerts[number]
        assert one["value"] == told[number]
        assert (one["min"], one["max"]) == (limits.get("min"), limits.get("max"))


def test_a_metric_that_is_wrong_is_found(story, tmp_path, monkeypatch):
    """One rate, and one view: whatever the definition says, the ledger says otherwise."""
    rate = RATES["hit_rate"]._replace(whole=("matched", "mismatched", "review"))
    monkeypatch.setattr(
        "airflow_provider_faceid.report.verdicts.RATES", {**RATES, "hit_rate": rate}
    )
    scored = SIMILARITY.columns["compared"]
    wrong = {**SIMILARITY.columns, "compared": scored._replace(sql=f"{scored.sql} + 1")}
    monkeypatch.setattr(
        "airflow_provider_faceid.report.numbers.SIMILARITY", replace(SIMILARITY, columns=wrong)
    )
    said, known = report(story, tmp_path, campaign="kyc", run_id="first")
    del said["alerts"]
    found = {re.split(r"[.\[]", line)[1] for line in differences(said, known)}
    assert found == {"headline", "rows", "similarity"}


def test_any_other_number_or_day_is_found(story, tmp_path):
    said, known = report(story, tmp_path, days=90)
    expected, blind = dict(leaves(known)), []
    for path, value in leaves(said):
        if path not in expected or value is None:
            continue
        if isinstance(value, bool):
            other: Any = not value
        elif isinstance(value, int | float):
            other = value + 1
        elif re.match(r"\d{4}-\d\d-\d\d", value):
            other = (datetime.fromisoformat(value) + timedelta(days=1)).isoformat()
        else:
            other = f"{value}."
        blind += [path] * (not unequal(other, expected[path]))
    assert blind == []
    assert len(expected) > 500
    assert differences({**said, "alerts": [], "new": 1}, known) == ["said alone: .new = 1"]


def test_the_bill_is_between_what_is_charged_and_what_may_be(story, tmp_path):
    said, _ = report(story, tmp_path, days=90)
    bill = story.bench.server.account.ledger.bill
    for action in (ID_CARD, FACE):
        lines = [line for line in said["money"]["by_day"] if line["action"] == action]
        sure = sum(line["charged"] for line in lines)
        assert sure < bill[action] <= sure + sum(line["may_be_charged"] for line in lines)
    for task in story.books.tasks:
        if task.entries:
            times = [datetime.fromisoformat(str(e["at"])).timestamp() for e in task.entries]
            assert max(times) - min(times) <= task.manifest["seconds"] + 0.01
        assert task.manifest["seconds"] <= task.ended - task.began
