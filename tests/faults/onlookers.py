"""Tasks that fail in many ways, watched by whatever prints the variables of a traceback's frames.

A process of its own: ``python onlookers.py CASES FOLDER``. Connections come from the environment. An
error tracker changes the process it is in, and what it sees is written into files, one for each case
and onlooker. A case of the test's own, ``careless``, proves that they see.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import signal
import sqlite3
import sys
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rich.console
import rich.traceback
import sentry_sdk
from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from sentry_sdk.transport import Transport

from airflow_provider_faceid.api import photo
from airflow_provider_faceid.api.rules import InputField
from airflow_provider_faceid.client import call as flow
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import (
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.operators.verify_batch import (
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)

SERVICE, WAREHOUSE, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
GOOD, BAD = 3, 59
"""Keys of a person who is answered, and of one whose ID number has a wrong check digit."""
TABLE = {"source_conn_id": "warehouse", "source": "applicants", "key_column": "applicant_id"}
FEW = TABLE | {
    "source": f"SELECT * FROM applicants WHERE applicant_id IN ({GOOD}, {GOOD + 1}, {GOOD + 2})"
}
ONE = f"SELECT * FROM applicants WHERE applicant_id = {GOOD}"
ARREARS = {"effect": "code", "code": "UnauthorizedOperation.Arrears", "envelope": "error"}
LATE = {"effect": "delay", "wait_s": 3}


class Memory(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.envelopes: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.envelopes.append(envelope)

    def take(self) -> str:
        """Return what was kept, and forget it."""
        sentry_sdk.flush()
        kept, self.envelopes = self.envelopes, []
        return "\n".join(
            json.dumps(item.payload.json, ensure_ascii=False, default=str)
            for envelope in kept
            for item in envelope.items
        )


MEMORY = Memory()


def in_sentry(error: BaseException) -> str:
    sentry_sdk.capture_exception(error)
    return MEMORY.take()


def in_rich(error: BaseException) -> str:
    text = io.StringIO()
    console = rich.console.Console(file=text, width=400)
    console.print(
        rich.traceback.Traceback.from_exception(
            type(error),
            error,
            error.__traceback__,
            show_locals=True,
            locals_max_length=None,
            locals_max_string=None,
            locals_hide_dunder=False,
        )
    )
    return text.getvalue()


def with_locals(error: BaseException) -> str:
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(found.format())


def in_cgitb(error: BaseException) -> str:
    try:
        import cgitb  # noqa: PLC0415 - gone in Python 3.13
    except ImportError:
        return "cgitb is gone"
    return str(cgitb.text((type(error), error, error.__traceback__), context=20))


def in_frames(error: BaseException | None, depth: int = 0) -> str:
    """Return the variables of every frame that can be reached, also by what is not printed."""
    if error is None or depth > 10:
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    texts = [repr(error), str(error), *map(repr, getattr(error, "__notes__", ()))]
    texts += [repr(value) for frame in frames for value in frame.f_locals.values()]
    for inner in (error.__cause__, error.__context__, *parts):
        texts.append(in_frames(inner, depth + 1))
    return "\n".join(texts)


ONLOOKERS: dict[str, Callable[[BaseException], str]] = {
    "sentry": in_sentry,
    "rich": in_rich,
    "locals": with_locals,
    "cgitb": in_cgitb,
    "frames": in_frames,
}


def arm(*rules: dict[str, object]) -> None:
    """Let the service go wrong, and only so."""
    url = f"{SERVICE}/_sim/faults"
    for method, body in (("DELETE", None), ("POST", json.dumps(rules).encode())):
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method)):
            pass


def context() -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="dag", run_id=f"run {next(_NUMBERS)}", task_id="task", map_index=-1)
    ti.xcom_push = lambda key, value: None
    return {"ti": ti, "run_id": ti.run_id, "dag_run": ti, "outlet_events": {}}


_NUMBERS = iter(range(1000))


def person(key: int) -> tuple[str, str, str]:
    with contextlib.closing(sqlite3.connect(WAREHOUSE)) as connection:
        sql = "SELECT id_card, name, photo FROM applicants WHERE applicant_id = ?"
        return connection.execute(sql, [key]).fetchone()


class Dag:
    """What is called: as Airflow would, or as code of a DAG."""

    def table(self, **more: Any) -> None:
        IdCardVerificationBatchOperator(task_id="t", campaign="c", **FEW | more).execute(context())

    def faces(self, **more: Any) -> None:
        ImageRecognitionV2BatchOperator(task_id="t", campaign="c", **FEW | more).execute(context())

    def single(self, key: int = GOOD, **more: Any) -> None:
        IdCardVerificationOperator(task_id="t", key=key, **TABLE | more).execute(context())

    def literal(self) -> None:
        values = dict(zip(("id_card", "name"), person(GOOD), strict=False))
        task = IdCardVerificationOperator(task_id="t", **values)
        del values
        task.execute(context())

    def face(self, key: int = GOOD, **more: Any) -> None:
        ImageRecognitionV2Operator(task_id="t", key=key, **TABLE | more).execute(context())

    def hook(self, key: int = GOOD, conn_id: str = "faceid_default") -> None:
        self.ask(FaceIdHook(conn_id).id_card_verification, key, 2)

    def hook_face(self, key: int = GOOD) -> None:
        self.ask(FaceIdHook().image_recognition_v2, key, 3)

    def hook_call(self) -> None:
        FaceIdHook().call("IdCardVerification", self.params())

    def hook_run(self) -> None:
        FaceIdHook("faceid_away").run(data=json.dumps(self.params()))

    def params(self) -> dict[str, str]:
        return dict(zip(("IdCard", "Name"), person(GOOD), strict=False))

    def ask(self, what: Callable[..., object], key: int, values: int) -> None:
        """Call with a person, whom this frame forgets: what it holds is the DAG's business."""
        what(*person(key)[:values])

    def check(self, **more: Any) -> None:
        FaceIdValidateOperator(task_id="t", **TABLE | more).execute(context())

    def careless(self) -> None:
        number, called, _ = person(GOOD)
        _careless(number, called)


def _careless(number: str, called: str) -> None:
    params = {"IdCard": number, "Name": called}
    raise RuntimeError(len(params))


@contextlib.contextmanager
def planted(module: Any, function: str) -> Iterator[None]:
    """Let a function of ours fail on what it is given, and say it."""
    usual = getattr(module, function)

    def fail(*given: object, **more: object) -> None:
        with (FOLDER / "faulthandler").open("a") as file:
            faulthandler.dump_traceback(file)
        held = {"given": given, "more": more}
        raise KeyError(*map(str, given), held)

    setattr(module, function, fail)
    try:
        yield
    finally:
        setattr(module, function, usual)


@contextlib.contextmanager
def time_limit(seconds: float = 0.7) -> Iterator[None]:
    """End what is going on as Airflow's ``execution_timeout`` does."""

    def over(*_: object) -> None:
        raise AirflowTaskTimeout("time is up")

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


DAG = Dag()
NO_LIMIT = contextlib.nullcontext
VALUE, PICTURE = (planted, InputField, "prepare"), (planted, photo, "prepare")
JUDGED = (planted, flow, "judge")
BROKEN = {
    "expectations": [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "name", "regex": "("}}
    ]
}
NO_COLUMN = {
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nowhere"}}
    ]
}
CASES: dict[str, tuple[list[dict[str, object]], tuple[Any, ...], Callable[[], None]]] = {
    "careless": ([], (), DAG.careless),
    **{
        f"arrears, {call.__name__}": ([ARREARS], (), call)
        for call in (
            DAG.table,
            DAG.faces,
            DAG.single,
            DAG.literal,
            DAG.face,
            DAG.hook,
            DAG.hook_face,
            DAG.hook_call,
        )
    },
    "bad input, single": ([], (), lambda: DAG.single(BAD)),
    "bad input, hook": ([], (), lambda: DAG.hook(BAD)),
    "bad input, face without photo": ([], (), lambda: DAG.face(40)),
    "no answer, single": ([LATE], (), DAG.single),
    "no answer, hook": ([LATE], (), DAG.hook_face),
    "no answer, table": ([LATE], (), lambda: DAG.table(source=ONE, on_incomplete="fail")),
    "time limit, table": ([LATE], (time_limit,), DAG.faces),
    "time limit, hook": ([LATE], (time_limit,), DAG.hook),
    "time limit, single": ([LATE], (time_limit,), DAG.face),
    "state store away, table": ([], (), lambda: DAG.table(state_conn_id="nowhere")),
    "state store away, single": ([], (), lambda: DAG.single(state_conn_id="nowhere")),
    "endpoint away, hook": ([], (), lambda: DAG.hook(conn_id="faceid_away")),
    "endpoint away, raw": ([], (), DAG.hook_run),
    "a column that is not there": ([], (), lambda: DAG.table(id_card_column="nowhere")),
    "a table that is not there": ([], (), lambda: DAG.single(source="nowhere")),
    "fault of ours on a number, table": ([], VALUE, DAG.table),
    "fault of ours on a name, single": ([], VALUE, DAG.single),
    "fault of ours on a name, hook": ([], VALUE, DAG.hook),
    "fault of ours on a photo, table": ([], PICTURE, DAG.faces),
    "fault of ours on a photo, hook": ([], PICTURE, DAG.hook_face),
    "fault of ours on an answer, table": ([], JUDGED, lambda: DAG.table(campaign="j")),
    "fault of ours on an answer, hook": ([], JUDGED, DAG.hook),
    "validation, too many bad rows": ([], (), lambda: DAG.check(max_bad_fraction=0)),
    "validation, an expectation that fails": ([], (), lambda: DAG.check(**BROKEN)),
    "validation, a column that is not there": ([], (), lambda: DAG.check(**NO_COLUMN)),
    "release, a table that is not there": (
        [],
        (),
        lambda: FaceIdReleaseOperator(
            task_id="t",
            action="IdCardVerification",
            warehouse_conn_id="warehouse",
            result_table="nowhere",
        ).execute(context()),
    ),
    "shards of ID numbers": (
        [],
        (),
        lambda: FaceIdShardsOperator(
            task_id="t", **TABLE | {"key_column": "id_card", "source": FEW["source"]}, shards=2
        ).execute(context()),
    ),
}


def watch(case: str) -> None:
    """Let a case fail, and then the callback a DAG has for that; write down what each onlooker sees."""
    rules, around, fails = CASES[case]
    arm(*rules)
    made = around[0](*around[1:]) if around else NO_LIMIT()
    try:
        try:
            with made:
                fails()
        except BaseException as error:
            look(case, error)
            raise RuntimeError("a callback that fails, too") from error
    except RuntimeError as error:
        if case.startswith("arrears"):
            look(f"{case}, callback", error)
    else:
        raise AssertionError(f"{case}: nothing was raised")


def look(case: str, error: BaseException) -> None:
    for onlooker, sees in ONLOOKERS.items():
        (FOLDER / f"{case}.{onlooker}").write_text(sees(error))


if __name__ == "__main__":
    sentry_sdk.init(
        "http://key@127.0.0.1/1",
        transport=MEMORY,
        attach_stacktrace=True,
        send_default_pii=True,
        max_value_length=100_000,
    )
    for case in CASES:
        watch(case)
