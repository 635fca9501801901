"""One log line every few seconds: done, rate, time left, counts per outcome."""

from __future__ import annotations

from typing import Protocol

from ..clock import Clock
from ..counting import counted
from .manifest import Manifest

EVERY_SECONDS = 5.0


class Log(Protocol):
    """What we need of a logger; Airflow's is one of its own kind."""

    def info(self, msg: str, /, *args: object) -> object:
        """Write a line."""

    def warning(self, msg: str, /, *args: object) -> object:
        """Write a warning."""

    def error(self, msg: str, /, *args: object) -> object:
        """Write an error."""


class Progress:
    """
    Writes progress lines.

    :param title: what is going on, at the start of every line.
    """

    def __init__(self, title: str, log: Log, clock: Clock) -> None:
        self._title = title
        self._log = log
        self._clock = clock
        self._last = clock.monotonic()
        self._said = ""

    def tick(
        self, manifest: Manifest, note: str = "", *, final: bool = False, has_ended: bool = False
    ) -> None:
        """
        Write a line if it is time for one, or if it is the last.

        :param note: what else there is to say.
        :param has_ended: whether no further call is made; true of the last line anyway.
        """
        now = self._clock.monotonic()
        if not final and now - self._last < EVERY_SECONDS:
            return
        self._last = now
        text = line(manifest, has_ended=final or has_ended) + (note and f"; {note}")
        if text != self._said:  # the last one may have come a moment ago
            self._said = text
            self._log.info("%s: %s", self._title, text)

    def note(self, text: str, *numbers: int) -> None:
        """Write a line of other words, if it is time for one."""
        now = self._clock.monotonic()
        if now - self._last >= EVERY_SECONDS:
            self._last = now
            self._log.info(f"%s: {text}", self._title, *numbers)


def line(manifest: Manifest, *, has_ended: bool = False) -> str:
    """
    Return a progress line; the time left assumes one call for each row that is left.

    :param has_ended: whether the run makes no further call, so that no time is left.
    """
    rate = manifest.calls_per_second
    left = manifest.rows_in - manifest.done
    if not left:
        eta = "done"
    elif has_ended:
        eta = f"ended with {counted(left, 'row')} left"
    else:
        eta = f"{left / rate:.0f} s left" if rate else "waiting"
    counts = dict(sorted(manifest.outcomes.items()))
    counts |= {"quarantined": manifest.quarantined.total()}
    counts |= {"postponed": manifest.postponed, "held": manifest.held}
    listed = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    unknown = manifest.charge_unknown
    perhaps = f" and {unknown} that may be" if unknown else ""
    return (
        f"{manifest.done}/{manifest.rows_in} rows, {rate:.1f} calls/s, {eta}; "
        f"{counted(manifest.calls, 'call')}, {manifest.charged} charged{perhaps}; "
        f"{listed or 'nothing yet'}"
    )
