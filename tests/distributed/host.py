"""The name of the host a process of the tests plays."""

from __future__ import annotations

import os

VARIABLE = "PLAYED_HOST"


def name() -> str:
    """Return it; Airflow asks here, see ``[core] hostname_callable``."""
    return os.environ[VARIABLE]
