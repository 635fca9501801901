"""Dataset names of OpenLineage (namespace and name) for tables of Airflow connections, and for files.

As the naming conventions of OpenLineage have them, and as Airflow's own providers and the dbt
integration of OpenLineage name the same tables, so that a graph of both is one. The conventions know
nothing of SQLite: it is named as DuckDB is, by its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from ..warehouse.sql.identifiers import parts_of

if TYPE_CHECKING:
    from airflow.sdk import Connection


class DatasetName(NamedTuple):
    """What OpenLineage calls a dataset."""

    namespace: str
    name: str


class Naming(NamedTuple):
    """
    How the tables of a connection type are named.

    :param scheme: begins the namespace.
    :param port: where the server listens unless the connection says otherwise; 0 for a database in a
        file, whose namespace holds its path.
    :param schemas: parts before the table's own name, if a name has fewer; ``{0}`` is the database.
    """

    scheme: str
    port: int
    schemas: tuple[str, ...]


NAMINGS: Mapping[str, Naming] = {
    "postgres": Naming("postgres", 5432, ("{0}", "public")),
    "mysql": Naming("mysql", 3306, ("{0}",)),
    "clickhouse": Naming("clickhouse", 8123, ("{0}",)),
    "duckdb": Naming("duckdb", 0, ("{0}", "main")),
    "sqlite": Naming("sqlite", 0, ("main",)),
}
"""By connection type."""

_LOCAL = {"", "file", "local"}
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
"""Schemes of one object store."""


class Tables:
    """
    Names the tables of a connection.

    :param conn_id: connection of a type in :data:`NAMINGS`.
    """

    def __init__(self, conn_id: str) -> None:
        connection = BaseHook.get_connection(conn_id)
        self.conn_type = connection.conn_type or ""
        naming = NAMINGS[self.conn_type]
        self._schemas = tuple(part.format(_database(connection)) for part in naming.schemas)
        where = (
            f"{(connection.host or 'localhost').lower()}:{connection.port or naming.port}"
            if naming.port
            else _file(connection)
        )
        self._namespace = f"{naming.scheme}://{where}"

    def name(self, table: str) -> DatasetName:
        """
        Return the name of a table.

        :param table: as users write it, see :mod:`~..warehouse.identifiers`.
        """
        return self.name_of(parts_of(table.strip()))

    def name_of(self, parts: Sequence[str]) -> DatasetName:
        """Return the name of a table from the parts of its own."""
        missing = self._schemas[: max(0, len(self._schemas) + 1 - len(parts))]
        return DatasetName(self._namespace, ".".join(filter(None, (*missing, *parts))))


def file_name(path: str) -> DatasetName:
    """
    Return the name of a file or folder, local or in object storage.

    :param path: path or URL; a connection or credentials in front of a bucket are left out.
    """
    scheme, separator, rest = path.partition("://")
    if not separator or scheme in _LOCAL:
        return DatasetName("file", str(Path(rest or path).absolute()))
    bucket, _, key = rest.partition("/")
    store = f"{_SAME_STORE.get(scheme, scheme)}://{bucket.rpartition('@')[2]}"
    return DatasetName(store, key.strip("/") or "/")


def catalog_name(properties: Mapping[str, str], table: str) -> DatasetName:
    """
    Return the name that a table has in an Iceberg catalog, without credentials.

    :param properties: of the catalog, see :func:`~.lakes.catalog_properties`.
    """
    uri = urlsplit(properties.get("uri", ""))
    host = uri.netloc.rpartition("@")[2]
    path = "" if host else uri.path
    return DatasetName(f"{uri.scheme}://{host}{path}" if uri.scheme else "iceberg", table)


def _database(connection: Connection) -> str:
    """Return the name of the database itself; a DuckDB file's is its own without the suffix."""
    if connection.conn_type == "duckdb":
        path = connection.host or ""
        return Path(path).stem if path and path != ":memory:" else "memory"
    if connection.conn_type == "clickhouse":
        return connection.schema or "default"
    return connection.schema or ""


def _file(connection: Connection) -> str:
    """Return where the file of a database is; a query behind it, such as ``mode=ro``, is left out."""
    path = (connection.host or ":memory:").partition("?")[0]
    return path if ":" in path else str(Path(path).absolute())
