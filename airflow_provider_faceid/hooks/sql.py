"""Any supported SQL connection of Airflow as a database of ours."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import BaseHook

from ..exceptions import ConfigurationError
from ..warehouse.database import DUCKDB, POSTGRESQL, SQLITE, Database
from .extras import missing_extra, require_extra

DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRESQL, "duckdb": DUCKDB}
"""Dialect by connection type. Other databases are refused until they are tested."""


def database(conn_id: str) -> Database:
    """
    Return the database behind a connection.

    :param conn_id: connection of type ``sqlite``, ``postgres`` or ``duckdb``.
    :raises ConfigurationError: another type, or its provider is not installed.
    """
    conn_type = BaseHook.get_connection(conn_id).conn_type
    if conn_type not in DIALECTS:
        raise ConfigurationError(
            f"Connection '{conn_id}' is of type '{conn_type}'. Tables can be read and written "
            f"through connections of type {', '.join(DIALECTS)}"
        )
    require_extra(conn_id, conn_type)
    try:
        hook = BaseHook.get_hook(conn_id)
    except (AirflowException, ImportError) as error:
        cause = f"its hook cannot be imported ({type(error).__name__})"
        raise missing_extra(conn_id, conn_type, cause) from None
    return Database(hook.get_conn, DIALECTS[conn_type], conn_id)
