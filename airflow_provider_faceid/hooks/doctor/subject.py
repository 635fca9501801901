"""What the doctor examines: connections, state store and warehouses by name, read once for all checks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseHook

from ...client.settings import Settings
from ...exceptions import ConfigurationError, FaceIdError
from ..faceid import FaceIdHook
from ..readers import Warehouse, configured
from ..state_store import option

T = TypeVar("T")

PHOTO_BYTES = 200_000
"""Assumed size of a photo, where none was uploaded from this host yet."""


class NotExaminedError(Exception):
    """A check cannot say anything, because of what another check reports."""


@dataclass(frozen=True)
class Named:
    """
    Connections and numbers as the user names them.

    :param faceid: connection of type ``faceid``.
    :param state: connection of the state store; empty for that of the Face ID connection or of the
        configuration.
    :param warehouses: result tables; None for those of ``[faceid] pages_warehouses``.
    :param photo_rate: photos a second that should leave this host; None for the account's quota.
    :param photo_bytes: size of a photo; None for the mean of those uploaded from this host.
    :param seconds: for which a check may take.
    """

    faceid: str = FaceIdHook.default_conn_name
    state: str = ""
    warehouses: Sequence[Warehouse] | None = None
    photo_rate: float | None = None
    photo_bytes: int | None = None
    seconds: float = 20.0


@dataclass
class Subject:
    """
    A set-up. Safe for threads.

    :param named: what the user names.
    :ivar shared: what one check has learnt for others, by name.
    """

    named: Named
    shared: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _asking: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def once(self, name: str, work: Callable[[], T]) -> T:
        """Return what some work brings, done once for all checks."""
        with self._asking:
            if name not in self.shared:
                self.shared[name] = work()
            found: T = self.shared[name]
            return found

    def connection(self, conn_id: str) -> Any:
        """
        Return an Airflow connection; None if it does not exist.

        :raises Exception: that of a secrets backend.
        """
        try:
            return BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            return None

    @property
    def settings(self) -> Settings:
        """
        Return the settings of the Face ID connection.

        :raises NotExaminedError: there is none that can be read.
        """
        with self._lock:
            found = self._settings
        if found is None:
            raise NotExaminedError(f"connection '{self.named.faceid}' cannot be used")
        return found

    @property
    def hook(self) -> FaceIdHook:
        """Return the hook of the Face ID connection; errors as for :attr:`settings`."""
        self.settings  # noqa: B018 - raises
        return self._hook

    @property
    def state_conn_id(self) -> str:
        """Return the connection of the state store; empty for the default file."""
        if self.named.state:
            return self.named.state
        try:
            own = self.settings.state_conn_id
        except NotExaminedError:
            own = ""
        try:
            return own or option("state_conn_id")
        except ConfigurationError:  # the check of the configuration reports it
            return own

    @property
    def warehouses(self) -> Sequence[Warehouse]:
        """Return the warehouses; none if their option is wrong, which another check reports."""
        if self.named.warehouses is not None:
            return self.named.warehouses
        try:
            return configured()
        except ConfigurationError:
            return ()

    @cached_property
    def _hook(self) -> FaceIdHook:
        return FaceIdHook(self.named.faceid, self.named.state or None)

    @cached_property
    def _settings(self) -> Settings | None:
        connection = self.connection(self.named.faceid)
        if connection is None or connection.conn_type != FaceIdHook.conn_type:
            return None
        try:
            return self._hook.settings
        except FaceIdError:  # the check of the connection reports it
            return None


def variable_of(conn_id: str) -> str:
    """Return the environment variable in which Airflow looks for a connection, if it is set."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    return name if name in os.environ else ""
