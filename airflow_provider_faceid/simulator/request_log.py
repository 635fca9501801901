"""What ``--log-requests`` prints: a line per request that says nothing about a person."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from ..service import id_card
from ..service.actions import ACTIONS
from .ledger import Line

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
