"""Rights of a reader of the pages: login, readable DAGs and keys, what is shown, whose form is taken.

The one module that knows Airflow's security modules, which are internal to it.

Airflow's cookie is ``SameSite=Lax``, so that a browser sends it with no form of another site. Besides, each
form has a token against cross-site request forgery (CSRF): an HMAC of what it changes, keyed with the
session's own credential, which no other site knows or can read. A request that a browser marks as another
site's is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user, requires_access_view
from fastapi import Depends

from ...exceptions import FaceIdError
from ...warehouse.overview import Run
from ...warehouse.state_overview import quota_in_use
from .reading import Reader, Seen

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager, ResourceMethod
    from fastapi import Request


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


FIELD = "form_token"
_PURPOSE = b"faceid review form\0"


def form_token(request: Request, *about: object) -> str:
    """
    Return the token of a form.

    :param about: what the form changes, as it was shown: a case and its version.
    """
    message = _PURPOSE + "\0".join(map(str, about)).encode("utf-8", "surrogatepass")
    return hmac.new(_session(request).encode(), message, hashlib.sha256).hexdigest()


def is_own_form(request: Request, token: str, *about: object) -> bool:
    """Say whether a request comes from a form that this session was shown."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    is_known = bool(_session(request)) and site == "same-origin"
    return is_known and hmac.compare_digest(form_token(request, *about).encode(), token.encode())


def _session(request: Request) -> str:
    """Return the credential by which Airflow knows the reader."""
    return request.headers.get("authorization") or request.cookies.get(COOKIE_NAME_JWT_TOKEN) or ""


LIVE_ON_PAGE, CAMPAIGNS_ON_PAGE = 10, 50
Row = dict[str, Any]


class Shown(NamedTuple):
    """
    What a reader may see of a warehouse.

    :param runs: of readable DAGs, newest first.
    :param live: those that go on, each with its rows by outcome.
    :param campaigns: one for each campaign: its name and its funnel, by Action.
    :param waiting: rows of the view ``faceid_waiting`` of these campaigns; ``reasons`` likewise.
    """

    seen: Seen
    runs: list[Run]
    live: list[tuple[Run, dict[str, int]]]
    campaigns: list[Row]
    waiting: list[Row]
    reasons: list[Row]


def campaigns_of(seen: Seen, may_read: Callable[[str], bool]) -> set[str]:
    """Return the campaigns all of whose DAGs may be read: its numbers are those of all of them."""
    return {name for name, dags in seen.overview.dags.items() if all(map(may_read, dags))}


def show(reader: Reader, seen: Seen, may_read: Callable[[str], bool], *, only: str = "") -> Shown:
    """
    Return what a reader may see of what was read.

    :param may_read: says whether a DAG may be read.
    :param only: the one campaign that is shown; all if not given.
    """
    found, names = seen.overview, campaigns_of(seen, may_read)
    names = names & {only} if only else names
    runs = [one for one in found.runs if may_read(one["dag_id"] or "")]
    runs = [one for one in runs if not only or one["campaign"] == only]
    live = [one for one in runs if one.is_live][:LIVE_ON_PAGE]
    newest = [one["campaign"] for one in runs if one["campaign"] in names]
    listed = list(dict.fromkeys([*newest, *sorted(names)]))[:CAMPAIGNS_ON_PAGE]
    return Shown(
        seen,
        runs,
        [(one, reader.outcomes(seen.warehouse, one)) for one in live],
        [
            {"name": name, "steps": [row for row in found.funnel if row["campaign"] == name]}
            for name in listed
        ],
        [row for row in found.waiting if row["campaign"] in names],
        [row for row in found.reasons if row["campaign"] in names],
    )


def quota(reader: Reader, runs: Iterable[Run]) -> tuple[list[Row], str]:
    """
    Return what is used of each Action's quota, or why that cannot be said.

    :param runs: those the reader may see, whose calls per second are summed up.
    """
    try:
        return quota_in_use(reader.paces(), runs, reader.pauses()), ""
    except FaceIdError as error:
        return [], str(error)
