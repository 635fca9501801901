"""Release of held rows, on a person's decision: the next run of their campaign calls for them again."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import Clock
from ..exceptions import ConfigurationError, counted
from .names import Names
from .records import RunContext
from .results import ResultsRepository
from .sql.database import Database


def release_held(
    database: Database,
    work: RunContext,
    clock: Clock,
    *,
    names: Names,
    keys: Sequence[str] | None = None,
) -> int:
    """
    Release held rows, or count those of which an earlier try did it; the connection is closed.

    :param work: campaign and Action of the rows, and the run that releases them.
    :param keys: of the rows as the result table has them; all held ones if not given.
    :return: how many are released.
    :raises ConfigurationError: there is no such result table.
    """
    repository = ResultsRepository(database, work, clock, names=names)
    try:
        if not database.columns(names.results):
            raise ConfigurationError(
                f"Connection '{database.label}' has no such table: {names.results}. Name the result "
                "table of the batch operator"
            )
        repository.open()
        return repository.release(keys) or repository.count_released(keys)
    finally:
        database.close()


def nothing_released(work: RunContext, names: Names, keys: Sequence[str] | None) -> str:
    """Return the sentence that says that there is no row to release."""
    asked = "" if keys is None else f" among {counted(len(keys), 'key')}"
    return (
        f"Campaign '{work.campaign}' has no held row of {work.action} in table '{names.results}'{asked}, "
        "so nothing was released. Give campaign, action and source_keys as that table has them"
    )
