"""The ledger: every request received, what became of it, and the bill.

A fault test asserts from here what the service saw and billed, whatever the caller saw, so nothing
is ever left out. Kept as columns, about 45 bytes a request, so that a million requests fit into
modest memory.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ...api import id_card
from ...api.actions import ACTIONS
from ...clock import utc_text

# What ``--log-requests`` prints: a line per request that says nothing about a person.


LOGGER = logging.getLogger("airflow_provider_faceid.simulator.requests")
_CODE = re.compile(r"[\w.-]{1,80}", re.ASCII)
NOTHING = "-"


def anonymous(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of the ledger with its number masked, and no text that only a caller knows."""
    action = str(row["action"])
    known = action if not action or action in ACTIONS else "(unknown)"
    return {**row, "id_card": id_card.masked(str(row["id_card"])), "action": known}


def text(row: Mapping[str, object], seconds: float) -> str:
    """
    Return the line about a request.

    :param row: its row in the ledger.
    :param seconds: from its arrival to the end of its answer.
    """
    shown = anonymous(row)
    code = str(row["result"] or row["error"])
    parts = (
        row["at"],
        shown["action"],
        shown["id_card"],
        code if _CODE.fullmatch(code) else NOTHING,  # a fault rule may make up any text
        row["fault"] and f"fault={row['fault']}",
        "charged" if row["charged"] else "free",
        f"{seconds * 1000:.0f} ms",
        row["request_id"],
    )
    return " ".join(str(part) if part else NOTHING for part in parts)


def log(line: Line, seconds: float) -> None:
    """Write the line about a request into the log."""
    LOGGER.info(text(line.row(), seconds))


def to_stderr() -> None:
    """Show the lines to whoever runs the command; stdout is left to the address."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


UUID_BYTES = 16
PROCESSED, CHARGED, ANSWERED = 1, 2, 4
"""Bits of a request's flags."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One request.

    :param at: arrival in seconds since 1970.
    :param action: ``X-TC-Action`` as sent, empty if absent.
    :param id_card: ``IdCard`` as sent, empty if the request was refused before it could be read.
    :param result: ``Response.Result``, empty if there was an error.
    :param error: ``Response.Error.Code``, empty if there was a result.
    :param processed: whether an Action worked on the request.
    :param charged: whether the request was billed.
    :param fault: name of the effect a fault rule had on it, empty if there was none.
    :param request_id: ``Response.RequestId``.
    """

    at: float
    action: str
    id_card: str
    result: str
    error: str
    processed: bool
    charged: bool
    fault: str
    request_id: UUID


Texts = tuple[str, str, str, str]
"""Action, result, error and fault of a request."""


@dataclass(slots=True)
class Columns:
    """Entries, column by column; every text is held once, whichever request it came with."""

    at: array[float] = field(default_factory=lambda: array("d"))
    texts: list[Texts] = field(default_factory=list)
    id_cards: list[str] = field(default_factory=list)
    flags: bytearray = field(default_factory=bytearray)
    request_ids: bytearray = field(default_factory=bytearray)

    def row(self, index: int) -> dict[str, object]:
        """Return a request as the control plane shows it."""
        action, result, error, fault = self.texts[index]
        flags, start = self.flags[index], index * UUID_BYTES
        return {
            "at": utc_text(self.at[index]),
            "action": action,
            "id_card": self.id_cards[index],
            "result": result,
            "error": error,
            "processed": bool(flags & PROCESSED),
            "charged": bool(flags & CHARGED),
            "answered": bool(flags & ANSWERED),
            "fault": fault,
            "request_id": str(UUID(bytes=bytes(self.request_ids[start : start + UUID_BYTES]))),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One request's place in the ledger, also when the ledger has begun anew."""

    columns: Columns
    index: int

    def answered(self) -> None:
        """Write down that the whole answer was sent."""
        self.columns.flags[self.index] |= ANSWERED

    def row(self) -> dict[str, object]:
        """Return the request as the control plane shows it."""
        return self.columns.row(self.index)


class Ledger:
    """Every request received since the last reset, in the order of processing."""

    def __init__(self) -> None:
        self.bill: Counter[str] = Counter()
        """Charged calls by Action."""
        self._columns = Columns()
        self._known_texts: dict[Texts, Texts] = {}

    def __len__(self) -> int:
        return len(self._columns.at)

    def add(self, entry: Entry) -> Line:
        """Write down a request that is not answered yet; return its place."""
        texts = (entry.action, entry.result, entry.error, entry.fault)
        columns = self._columns
        columns.at.append(entry.at)
        columns.texts.append(self._known_texts.setdefault(texts, texts))
        columns.id_cards.append(entry.id_card)
        columns.flags.append(PROCESSED * entry.processed | CHARGED * entry.charged)
        columns.request_ids += entry.request_id.bytes
        if entry.charged:
            self.bill[entry.action] += 1
        return Line(columns, len(columns.at) - 1)

    def rows(self, offset: int = 0, limit: int | None = None) -> Iterator[dict[str, object]]:
        """Yield requests as the control plane shows them, oldest first."""
        columns = self._columns  # a reset in between starts new ones
        end = len(self) if limit is None else min(len(self), offset + limit)
        for index in range(offset, end):
            yield columns.row(index)

    def clear(self) -> None:
        """Forget every request and the bill."""
        self._columns = Columns()
        self.bill.clear()
