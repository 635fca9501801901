"""Counters of calls, charges and rows in Airflow's metrics: StatsD, Datadog or OpenTelemetry.

Labels are the Action and the outcome of a row: no campaign, no key and nothing of a person, so that a
metrics backend has a few hundred series at most. Airflow's own configuration, ``[metrics]``, says
whether and where they go.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import conf

from ..exceptions import FaceIdError, UncertainError
from ..process import safe_message

if TYPE_CHECKING:
    from ..api.verdict import Verdict
    from ..batch.engine import Batch
    from ..batch.manifest import Manifest

log = logging.getLogger(__name__)


class Metric(NamedTuple):
    """
    A counter.

    :param labels: tags, which are parts of its name on a StatsD server without tags.
    """

    labels: tuple[str, ...]
    meaning: str


ACTION = ("action",)
METRICS: Mapping[str, Metric] = {
    "faceid.calls": Metric(ACTION, "requests made, refused ones included"),
    "faceid.charged": Metric(ACTION, "calls that are billed"),
    "faceid.may_be_charged": Metric(
        ACTION, "requests that may be billed besides: without an answer, or of an unclear code"
    ),
    "faceid.throttled": Metric(ACTION, "requests refused as too fast; not billed"),
    "faceid.retries": Metric(ACTION, "requests after the first one of the same call"),
    "faceid.waited_ms": Metric(
        ACTION,
        "milliseconds that answered calls waited for the pace of the account, and for retries",
    ),
    "faceid.paused_ms": Metric(
        ACTION, "milliseconds that runs waited because the Action was paused for all workers"
    ),
    "faceid.in_doubt": Metric(ACTION, "rows or single calls sent without an answer: they are held"),
    "faceid.reused": Metric(
        ACTION, "rows answered without a call: their question was answered before"
    ),
    "faceid.rows": Metric(
        (*ACTION, "outcome"),
        "rows and single calls that were settled, by verdict, or as `quarantined`, `postponed` or `held`",
    ),
}
"""Every metric of this provider, by name; all of them are counters."""

Counts = Mapping[tuple[str, str], int]
"""By metric and outcome; the outcome is empty for a metric without one."""


def has_tags() -> bool:
    """Return whether the metrics backend of Airflow's configuration has tags."""
    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):
        return True
    is_statsd = conf.getboolean("metrics", "statsd_on", fallback=False)
    return not is_statsd or conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)


def emit(action: str, counts: Counts) -> None:
    """
    Add to the counters of an Action.

    Whatever a backend raises is logged at the level debug: metrics cost no run anything.

    :param counts: what to add; zeros are left out.
    """
    try:
        from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - costs its import

        incr: Any = Stats.incr
        tagged = has_tags()
        for (metric, outcome), count in counts.items():
            values = (action, outcome)[: len(METRICS[metric].labels)]
            if count > 0 and tagged:
                incr(metric, count, tags=dict(zip(METRICS[metric].labels, values, strict=True)))
            elif count > 0:
                incr(".".join((metric, *values)), count)
    except Exception as error:  # noqa: BLE001 - see above
        log.debug("Metrics could not be sent: %s", safe_message(error))


def counts_of(manifest: Manifest) -> Counts:
    """Return what a run over a table has counted so far."""
    numbers = {
        "faceid.calls": manifest.calls,
        "faceid.charged": manifest.charged,
        "faceid.may_be_charged": manifest.charge_unknown,
        "faceid.throttled": manifest.throttled,
        "faceid.retries": manifest.retries,
        "faceid.waited_ms": manifest.waited_ms,
        "faceid.paused_ms": manifest.paused_ms,
        "faceid.in_doubt": manifest.settled["held"],
        "faceid.reused": manifest.reused,
    }
    rows = {("faceid.rows", outcome): count for outcome, count in manifest.settled.items()}
    return {(metric, ""): count for metric, count in numbers.items()} | rows


class RunCounters:
    """Adds what a run has counted since the last time; from any thread."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._sent: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def emit(self, manifest: Manifest) -> None:
        """Add what is new in a manifest."""
        with self._lock:
            new = Counter(counts_of(manifest))
            emit(self._action, new - self._sent)  # a row that the warehouse rejects moves: no minus
            self._sent |= new

    def on_progress(
        self, batch: Callable[[], Batch | None], then: Callable[[dict[str, Any]], None] | None
    ) -> Callable[[dict[str, Any]], None]:
        """Return what a running batch calls with its counts: it adds them, and hands them on."""

        def tell(counts: dict[str, Any]) -> None:
            if (running := batch()) is not None:
                self.emit(running.manifest)
            if then is not None:
                then(counts)

        return tell


def counted_call(action: str, call: Callable[[], Verdict]) -> Verdict:
    """
    Make a single call, and count it.

    :param call: makes it, and raises what it raises.
    """
    try:
        verdict = call()
    except FaceIdError as error:
        in_doubt = isinstance(error, UncertainError)
        counts = {
            ("faceid.calls", ""): error.requests,
            ("faceid.may_be_charged", ""): error.gateway_refusals + in_doubt,
            ("faceid.throttled", ""): error.throttled,
            ("faceid.retries", ""): error.requests - 1,
            ("faceid.in_doubt", ""): int(in_doubt),
            ("faceid.rows", "held"): int(in_doubt),
        }
        emit(action, counts)
        raise
    counts = {
        ("faceid.calls", ""): verdict.attempts,
        ("faceid.charged", ""): int(verdict.charged is True),
        ("faceid.may_be_charged", ""): int(verdict.charged is None) + verdict.gateway_refusals,
        ("faceid.throttled", ""): verdict.throttled,
        ("faceid.retries", ""): verdict.attempts - 1,
        ("faceid.waited_ms", ""): verdict.waited_ms,
        ("faceid.rows", verdict.outcome.value): 1,
    }
    emit(action, counts)
    return verdict
