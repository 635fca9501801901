"""Authorization of the pages by Airflow's auth manager: login, readable DAGs, readable keys.

The one module that knows Airflow's security modules, which are internal to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user, requires_access_view
from fastapi import Depends

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager, ResourceMethod

LOGGED_IN = Depends(requires_access_view(AccessView.PLUGINS))
"""Dependency of all pages: a user who is logged in and may see plugins; 401 or 403 otherwise."""


class Rights:
    """
    What a user may read, asked of the auth manager once per request.

    A row of our tables that names no DAG (version 1 wrote none) is for those who may read every DAG.

    :param user: as the auth manager knows them.
    """

    def __init__(self, user: Any, manager: BaseAuthManager[Any] | None = None) -> None:
        self._user, self._manager = user, manager or get_auth_manager()
        self._dags: dict[tuple[str, DagAccessEntity, str], bool] = {}
        self._known: set[str] | None = None

    def may_read(self, dag_id: str) -> bool:
        """Return whether the user may read a DAG and its runs."""
        return self._may(dag_id, DagAccessEntity.RUN)

    def may_read_keys(self, dag_id: str) -> bool:
        """Return whether the user may read what tasks of a DAG hand on, and so the keys of its rows."""
        return self.may_read(dag_id) and self._may(dag_id, DagAccessEntity.XCOM)

    def may_edit(self, dag_id: str) -> bool:
        """Return whether the user may edit runs of a DAG, and so decide cases that it has entered."""
        return self.may_read(dag_id) and self._may(dag_id, DagAccessEntity.RUN, "PUT")

    @property
    def user_id(self) -> str:
        """Return the id of the user, as human-in-the-loop tasks know them."""
        return str(self._user.get_id())

    def _may(self, dag_id: str, entity: DagAccessEntity, method: ResourceMethod = "GET") -> bool:
        asked = dag_id, entity, method
        if asked not in self._dags:
            self._dags[asked] = self._is_known(dag_id) and self._manager.is_authorized_dag(
                method=method,
                access_entity=entity,
                details=DagDetails(id=dag_id) if dag_id else None,
                user=self._user,
            )
        return self._dags[asked]

    def _is_known(self, dag_id: str) -> bool:
        """Return whether Airflow lists a DAG for the user; this also goes by teams."""
        if self._known is None:
            self._known = set(self._manager.get_authorized_dag_ids(user=self._user))
        return dag_id in self._known or not dag_id


def rights(user: Annotated[Any, Depends(get_user)]) -> Rights:
    """Return what the user of a request may read."""
    return Rights(user)
