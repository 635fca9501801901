"""Airflow's simple auth manager, with DAGs and keys that only administrators may read."""

from __future__ import annotations

import os
import warnings
from typing import Any

with warnings.catch_warnings(action="ignore"):  # Airflow 3.1 imports what is deprecated in 3.1
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

HIDDEN_DAGS, HIDDEN_KEYS = "TEST_HIDDEN_DAGS", "TEST_HIDDEN_KEYS"
"""Variables that name DAGs: those of which others see nothing, and those whose XCom others do not see."""


def _named(variable: str) -> set[str]:
    return set(os.environ.get(variable, "").split(","))


class GuardedAuthManager(SimpleAuthManager):
    """Refuses some DAGs to everybody but administrators."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **asked: Any) -> bool:
        dag_id = None if details is None else details.id
        if (user.role or "").lower() != "admin":
            if dag_id in _named(HIDDEN_DAGS):
                return False
            if asked.get("access_entity") is DagAccessEntity.XCOM and dag_id in _named(HIDDEN_KEYS):
                return False
        return super().is_authorized_dag(user=user, details=details, **asked)
