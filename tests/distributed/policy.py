"""Airflow's policy on the workers: where a task is read, its pace notes when it lets calls go."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

SETTINGS = f"from {__name__} import task_policy\n"
"""Text of ``airflow_local_settings.py``."""
VARIABLE = "LEFT_FILE"
"""Environment variable with the file to note them in."""


def task_policy(task: Any) -> None:
    """Airflow asks here about every task it reads."""
    from airflow_provider_faceid.hooks import state_store as state  # noqa: PLC0415 - not before Airflow is there
    from tests.support.departures import NotedRateLimiter  # noqa: PLC0415 - the same

    if VARIABLE in os.environ and not isinstance(state.SlotRateLimiter, partial):
        file = Path(os.environ[VARIABLE]).open("a", buffering=1, encoding="ascii")  # noqa: SIM115
        state.SlotRateLimiter = partial(
            NotedRateLimiter, note=lambda moment: file.write(f"{moment}\n")
        )
