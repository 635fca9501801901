"""History of validations: what each expectation found in each run, in ``faceid_checks``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import __version__
from ..clock import utc_text
from .migrations import prepare_checks
from .names import Names
from .records import RunContext
from .sql.database import Database
from .tables import CHECKS, insert

UNUSABLE = "faceid_row_is_usable"
"""Stands for an expectation's type where a row cannot be read or named."""


def write_checks(
    database: Database,
    names: Names,
    context: RunContext,
    checks: Iterable[Mapping[str, Any]],
    moment: float,
) -> None:
    """
    Write what the expectations of a run found; a retry of the run writes over it.

    :param context: the run.
    :param checks: counts of each expectation: ``rule``, ``type``, ``column``, ``severity``, ``mostly``,
        ``evaluated``, ``unexpected``, ``success``.
    :param moment: when the validation ended, in Unix seconds.
    :raises FaceIdError: the table cannot be made or written.
    """
    table = prepare_checks(database, names)
    rows = [
        {
            "campaign": context.campaign,
            "action": context.action,
            "run_id": context.run_id,
            "task_id": context.task_id,
            "map_index": context.map_index,
            "number": number,
            "rule": check["rule"],
            "expectation": check["type"],
            "checked_column": check["column"],
            "severity": check["severity"],
            "mostly": check["mostly"],
            "evaluated": check["evaluated"],
            "unexpected": check["unexpected"],
            "success": int(check["success"]),
            "source": context.source,
            "dag_id": context.dag_id,
            "provider_version": __version__,
            "updated_at": utc_text(moment),
        }
        for number, check in enumerate(checks)
    ]
    with database.transaction("writing the history of validations") as cursor:
        insert(cursor, database, CHECKS, table, rows)


def unusable(rule: str, rows: int, times: int) -> dict[str, Any]:
    """
    Return the counts of a rule that rows break before anything of them is looked at.

    :param rows: rows of the source.
    :param times: rows that break it.
    """
    return {
        "rule": rule,
        "type": UNUSABLE,
        "column": "",
        "severity": "critical",
        "mostly": 1.0,
        "evaluated": rows,
        "unexpected": times,
        "success": not times,
    }
