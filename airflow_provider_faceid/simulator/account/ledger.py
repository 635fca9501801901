"""The ledger: every request received, its answer, and the bill; and the request log.

Fault tests read it as the truth about what the service saw and billed, so it leaves out no request.
The request log (``--log-requests``) has a line per request without personal data.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from ...api import id_card
from ...api.actions import ACTIONS
from ...clock import utc_text

LOGGER = logging.getLogger("airflow_provider_faceid.simulator.requests")
_CODE = re.compile(r"[\w.-]{1,80}", re.ASCII)
NOTHING = "-"


@dataclass(slots=True)
class Entry:
    """
    One request.

    :param at: arrival in seconds since 1970.
    :param action: ``X-TC-Action`` as sent, empty if absent.
    :param id_card: ``IdCard`` as sent, empty if the request was refused before it could be read.
    :param result: ``Response.Result``, empty if there was an error.
    :param error: ``Response.Error.Code``, empty if there was a result.
    :param processed: whether an Action processed the request.
    :param charged: whether the request was billed.
    :param fault: name of the effect a fault rule had on it, empty if there was none.
    :param request_id: ``Response.RequestId``.
    :param answered: whether the whole answer was sent.
    """

    at: float
    action: str
    id_card: str
    result: str
    error: str
    processed: bool
    charged: bool
    fault: str
    request_id: str
    answered: bool = False

    def row(self) -> dict[str, object]:
        """Return the request as the control plane shows it."""
        row = {name: getattr(self, name) for name in _COLUMNS}
        row["at"] = utc_text(self.at)
        return row


_COLUMNS = tuple(column.name for column in fields(Entry))


class Ledger:
    """Every request received since the last reset, in the order of processing."""

    def __init__(self) -> None:
        self.bill: Counter[str] = Counter()
        """Charged calls by Action."""
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Record a request whose answer is not sent yet."""
        # Requests share these texts: a benchmark sends a million.
        entry.action, entry.error = sys.intern(entry.action), sys.intern(entry.error)
        self._entries.append(entry)
        if entry.charged:
            self.bill[entry.action] += 1

    def rows(self, offset: int = 0, limit: int | None = None) -> Iterator[dict[str, object]]:
        """Yield requests as the control plane shows them, oldest first."""
        entries = self._entries  # a reset in between starts a new list
        end = len(entries) if limit is None else min(len(entries), offset + limit)
        for index in range(offset, end):
            yield entries[index].row()

    def clear(self) -> None:
        """Forget every request and the bill."""
        self._entries = []
        self.bill.clear()


def anonymous(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of the ledger with a masked number and without unknown texts of the caller."""
    action = str(row["action"])
    known = action if not action or action in ACTIONS else "(unknown)"
    return {**row, "id_card": id_card.masked(str(row["id_card"])), "action": known}


def text(row: Mapping[str, object], seconds: float) -> str:
    """
    Return the log line of a request.

    :param row: its row in the ledger.
    :param seconds: from its arrival to the end of its answer.
    """
    shown = anonymous(row)
    code = str(row["result"] or row["error"])
    parts = (
        row["at"],
        shown["action"],
        shown["id_card"],
        code if _CODE.fullmatch(code) else NOTHING,  # a fault rule may have any text as its code
        row["fault"] and f"fault={row['fault']}",
        "charged" if row["charged"] else "free",
        f"{seconds * 1000:.0f} ms",
        row["request_id"],
    )
    return " ".join(str(part) if part else NOTHING for part in parts)


def log(entry: Entry, seconds: float) -> None:
    """Write the line of a request into the log."""
    LOGGER.info(text(entry.row(), seconds))


def to_stderr() -> None:
    """Send the request log to stderr; stdout carries the address only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
