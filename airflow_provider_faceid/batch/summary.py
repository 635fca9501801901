"""The last words of a run: where the verdicts are, and what the rest is waiting for."""

from __future__ import annotations

from typing import NamedTuple

from ..clock import utc_text
from ..counting import counted
from .manifest import Manifest


class Tables(NamedTuple):
    """
    Where a run has written.

    :param campaign: book in which its verdicts are kept.
    :param connection: of the tables.
    """

    campaign: str
    connection: str
    results: str
    quarantine: str


def summary(manifest: Manifest, tables: Tables) -> list[str]:
    """
    Return the sentences for people who look at a finished or failed run, without full stops.

    :param manifest: its counts, which add up to the rows of the source.
    """
    counts = (
        f"{manifest.answered:,} of {counted(manifest.rows_in, 'row')} answered, "
        f"{counted(manifest.calls, 'call')} and {counted(manifest.charged, 'charge')} in this run"
    )
    if not manifest.rows_in:
        counts = "the source has no rows"
    return [
        f"Campaign '{tables.campaign}': {counts}",
        f"verdicts are in table '{tables.results}' of connection '{tables.connection}'",
        *_waiting(manifest, tables),
    ]


def _waiting(manifest: Manifest, tables: Tables) -> list[str]:
    """Return what each kind of row that has no answer is waiting for."""
    quarantined, due = manifest.quarantined.total(), manifest.rows_in - manifest.done
    said = {
        f"{counted(quarantined, 'row is', 'rows are')} in quarantine until mended: "
        f"see rule and key in table '{tables.quarantine}'": quarantined,
        f"{counted(manifest.postponed, 'row is', 'rows are')} postponed: the next run asks again "
        f"from {utc_text(manifest.not_before or 0.0)} on": manifest.postponed,
        f"{counted(manifest.held, 'row is', 'rows are')} held, maybe charged: look "
        f"{'it' if manifest.held == 1 else 'them'} up in the bill, then use "
        "FaceIdReleaseOperator": manifest.held,
        f"{counted(due, 'row is', 'rows are')} left to the next run": due,
    }
    return [text for text, count in said.items() if count > 0]
