"""Any supported SQL connection of Airflow as a database of ours, and the extra of this package it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import BaseHook

from ..exceptions import ConfigurationError, unknown
from ..warehouse.sql.database import CLICKHOUSE, DUCKDB, MYSQL, POSTGRESQL, SQLITE, Database

if TYPE_CHECKING:
    from airflow.sdk import Connection


class Extra(NamedTuple):
    """
    One extra.

    :param name: as in ``pip install 'airflow-provider-faceid[name]'``.
    :param modules: what it brings, and the code that needs it imports.
    """

    name: str
    modules: tuple[str, ...]


MISSING = "needs an extra"
"""Words of the error about a missing one."""

EXTRAS: Mapping[str, Extra] = {
    "postgres": Extra("postgres", ("airflow.providers.postgres.hooks", "psycopg")),
    # DuckDB reads a timestamp with a time zone only where there is pytz, and asks when it meets one.
    "duckdb": Extra("duckdb", ("airflow.providers.duckdb.hooks", "duckdb", "pytz")),
    "mysql": Extra("mysql", ("airflow.providers.mysql.hooks",)),
    "clickhouse": Extra(
        "clickhouse", ("airflow.providers.clickhousedb.hooks", "clickhouse_connect")
    ),
}
"""By type of connection. Other types need nothing that is not always there."""


def require_extra(conn_id: str, conn_type: str) -> None:
    """
    Make sure that what a connection needs is installed.

    :raises ConfigurationError: a module is missing; the command that installs it is named.
    """
    extra = EXTRAS.get(conn_type)
    missing = [] if extra is None else [name for name in extra.modules if not _is_there(name)]
    if missing:
        raise missing_extra(conn_id, conn_type, f"{' and '.join(missing)} cannot be imported here")


def missing_extra(conn_id: str, conn_type: str, cause: str) -> ConfigurationError:
    """Return the error that says which extra to install."""
    extra = EXTRAS.get(conn_type)
    package = f"airflow-provider-faceid[{extra.name}]" if extra else conn_type
    return ConfigurationError(
        f"Connection '{conn_id}' of type {conn_type} {MISSING}: {cause}. Where tasks run: "
        f"pip install '{package}'"
    )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it is missing
        return False


DIALECTS = {
    "sqlite": SQLITE,
    "postgres": POSTGRESQL,
    "duckdb": DUCKDB,
    "mysql": MYSQL,
    "clickhouse": CLICKHOUSE,
}
"""Dialect by connection type. Other databases are refused until they are tested."""

LAKES = {
    "databricks": "Databricks",
    "gcpbigquery": "BigQuery",
    "google_cloud_platform": "BigQuery",
    "mssql": "SQL Server",
    "oracle": "Oracle",
    "presto": "Presto",
    "redshift": "Redshift",
    "snowflake": "Snowflake",
    "trino": "Trino",
}
"""Databases that are neither read nor written directly, by connection type."""

MYSQL_CLIENTS = {
    "mysqlclient": "MySQLdb",
    "mysql-connector-python": "mysql.connector",
    "pymysql": "pymysql",
}
"""Module by the name that the Extra of a MySQL connection has for a client."""


def database(conn_id: str) -> Database:
    """
    Return the database behind a connection.

    :param conn_id: connection of type ``sqlite``, ``postgres``, ``duckdb``, ``mysql`` or ``clickhouse``.
    :raises ConfigurationError: another type, or its provider is not installed.
    """
    connection = BaseHook.get_connection(conn_id)
    conn_type = connection.conn_type or ""
    # A Redshift cluster may be behind a connection of type postgres, which says so.
    kind = "redshift" if _is_redshift(connection) else conn_type
    if kind not in DIALECTS:
        name = LAKES.get(kind, "")
        advice = (
            f". {name} is neither read nor written directly: keep source and results in one of these, "
            "and export the results as Parquet, Iceberg or Delta with FaceIdExportOperator. "
            f"docs/export.md has the SQL by which {name} and others read them"
        )
        raise ConfigurationError(
            f"Connection '{conn_id}' is of type '{kind}'. Tables can be read and written "
            f"through connections of type {', '.join(DIALECTS)}{advice if name else ''}"
        )
    require_extra(conn_id, conn_type)
    try:
        hook = BaseHook.get_hook(conn_id)
    except (AirflowException, ImportError) as error:
        cause = f"its hook cannot be imported ({type(error).__name__})"
        raise missing_extra(conn_id, conn_type, cause) from None
    connect = hook.get_conn
    if conn_type == "mysql" and _mysql_client(conn_id, connection) == "pymysql":
        connect = partial(connect_by_pymysql, connection)  # Airflow's hook knows it in URLs only
    if conn_type == "clickhouse":
        connect = hook.get_client  # the cursors of its connections bind by patterns
    return Database(connect, DIALECTS[conn_type], conn_id)


def source_database(conn_id: str) -> Database:
    """
    Return the database behind the connection of a source.

    :param conn_id: as for :func:`database`, except type ``clickhouse``.
    :raises ConfigurationError: it is no source, or as for :func:`database`.
    """
    dialect = DIALECTS.get(BaseHook.get_connection(conn_id).conn_type or "")
    if dialect is not None and not dialect.is_source:
        others = ", ".join(kind for kind, one in DIALECTS.items() if one.is_source)
        raise ConfigurationError(
            f"Connection '{conn_id}' is of type '{dialect.name}', which holds results and is no source: "
            f"keep the source, or a copy of it, behind a connection of type {others}"
        )
    return database(conn_id)


def _is_redshift(connection: Connection) -> bool:
    return connection.conn_type == "postgres" and bool(connection.extra_dejson.get("redshift"))


def _mysql_client(conn_id: str, connection: Connection) -> str:
    """
    Return the name of the client that a MySQL connection asks for.

    :raises ConfigurationError: there is no such client, or it cannot be imported.
    """
    name = str(connection.extra_dejson.get("client", "mysqlclient"))
    if name not in MYSQL_CLIENTS:
        raise ConfigurationError(
            f"Connection '{conn_id}': client '{name}' is unknown; it is {' or '.join(MYSQL_CLIENTS)}"
        )
    try:
        import_module(MYSQL_CLIENTS[name])
    except ImportError:  # also without the C library that mysqlclient was built with
        cause = f"its client {name} cannot be imported here"
        raise missing_extra(conn_id, "mysql", cause) from None
    return name


_OF_PYMYSQL = frozenset(
    {
        "connect_timeout",
        "read_timeout",
        "ssl",
        "ssl_ca",
        "ssl_cert",
        "ssl_disabled",
        "ssl_key",
        "ssl_key_password",
        "ssl_verify_cert",
        "ssl_verify_identity",
        "unix_socket",
        "write_timeout",
    }
)
"""Fields of a MySQL connection's Extra that go to pymysql as they are."""
_OURS_TO_SET = frozenset({"client", "charset", "cursor"})
"""Fields of the same that we set ourselves, whatever they say."""


def connect_by_pymysql(connection: Connection) -> Any:
    """
    Open a MySQL connection with pymysql.

    :raises ConfigurationError: the Extra has a field that pymysql does not know.
    """
    import pymysql  # noqa: PLC0415 - comes with the extra mysql

    extra = connection.extra_dejson
    if words := unknown(sorted(extra), _OF_PYMYSQL | _OURS_TO_SET):
        raise ConfigurationError(
            f"Connection '{connection.conn_id}': unknown extra field of client pymysql {words}"
        )
    options = {name: value for name, value in extra.items() if name in _OF_PYMYSQL}
    if isinstance(options.get("ssl"), str):
        options["ssl"] = json.loads(options["ssl"])
    return pymysql.connect(
        host=connection.host or "localhost",
        port=int(connection.port or 3306),
        user=connection.login,
        password=connection.password or "",
        database=connection.schema or None,
        **options,
    )
