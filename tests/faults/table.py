"""The table of faults: what was measured, as text, and the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .catalogue import FAULTS, Fault

MARK = re.compile(r"(<!-- measured: faults -->\n).*?(<!-- end -->)", re.DOTALL)
HEADER = ("#", "fault", "expected", "measured", "holds")


@dataclass
class Finding:
    """
    What the tests of one fault found.

    :param passed: tests that held.
    :param failed: tests that did not.
    :param measured: what they measured, in the order of the tests.
    """

    passed: int = 0
    failed: int = 0
    measured: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return ``yes``, ``no``, or ``not yet`` if nothing was tested."""
        return "no" if self.failed else "yes" if self.passed else "not yet"


Row = tuple[str, str, str, str, str]


def rows(findings: Mapping[int, Finding], faults: Mapping[int, Fault] = FAULTS) -> list[Row]:
    """Return the cells of the table, one row a fault."""
    listed = []
    for number, fault in faults.items():
        found = findings.get(number, Finding())
        told = dict.fromkeys(found.measured)
        listed.append((str(number), fault.name, fault.expected, "; ".join(told), found.verdict))
    return listed


def markdown(listed: Sequence[Row]) -> str:
    """Return the table as a page shows it."""
    lines = [HEADER, ("---",) * len(HEADER), *listed]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rewrite(page: Path, listed: Sequence[Row]) -> None:
    """
    Put the table into a page, between its two marks.

    :raises ValueError: the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    new, places = MARK.subn(lambda mark: f"{mark[1]}{markdown(listed)}{mark[2]}", text)
    if places != 1:
        raise ValueError(f"{page.name} has {places} places for the table of faults, not one")
    page.write_text(new, encoding="utf-8")
