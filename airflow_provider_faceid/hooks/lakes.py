"""Where an export goes, from Airflow connections: object stores, options of Delta, catalogs of Iceberg."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, ObjectStoragePath

from ..compat import conn_id_of
from ..exceptions import ConfigurationError
from ..warehouse.export.parquet import Place

if TYPE_CHECKING:
    from airflow.sdk import Connection

FORMATS: Mapping[str, tuple[str, ...]] = {
    "parquet": ("pyarrow",),
    "iceberg": ("pyarrow", "pyiceberg"),
    "delta": ("pyarrow", "deltalake"),
}
"""Modules that each format needs; all come with the extra ``export``."""

_LOCAL = {"", "file"}
"""Protocols of paths on this machine; a plain path has none."""


def require_export(format_: str) -> None:
    """
    Make sure that what a format needs is installed.

    :raises ConfigurationError: a module is missing; the command that installs it is named.
    """
    missing = [name for name in FORMATS[format_] if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"Format '{format_}' needs an extra: {' and '.join(missing)} cannot be imported here. "
            "Where tasks run: pip install 'airflow-provider-faceid[export]'"
        )


def place(path: str, conn_id: str | None) -> Place:
    """
    Return where the files of a path go.

    :param path: local path or URL, as for ``ObjectStoragePath``.
    :param conn_id: connection of the object store; that in the URL if not given.
    """
    folder = _storage_path(path, conn_id)
    root = folder.path.rstrip("/") or "/"
    return Place(folder.fs, root, folder.protocol in _LOCAL, str(folder))


def delta_table(path: str, conn_id: str | None) -> tuple[str, dict[str, str]]:
    """Return the URL of a Delta table as deltalake takes it, and its ``storage_options``."""
    folder = _storage_path(path, conn_id)
    if folder.protocol in _LOCAL:
        return folder.path, {}
    url = f"{folder.protocol}://{folder.path}"
    if not (store := conn_id_of(folder)):
        return url, {}
    connection = BaseHook.get_connection(store)
    if connection.conn_type == "aws":
        return url, aws_options(store, _AWS_OF_DELTA)
    return url, {name: str(value) for name, value in connection.extra_dejson.items()}


def catalog_properties(
    catalog: Mapping[str, Any], catalog_conn_id: str | None, storage_conn_id: str | None
) -> dict[str, str]:
    """
    Return the properties of an Iceberg catalog, as pyiceberg takes them.

    :param catalog: properties as the operator has them; they go before those of the connections.
    :param catalog_conn_id: connection of the catalog, see :func:`of_connection`.
    :param storage_conn_id: connection of the object store with the files.
    """
    properties: dict[str, str] = {}
    if storage_conn_id:
        connection = BaseHook.get_connection(storage_conn_id)
        if connection.conn_type == "aws":
            properties |= aws_options(storage_conn_id, _AWS_OF_ICEBERG)
        else:
            properties |= of_connection(connection)
    if catalog_conn_id:
        properties |= of_connection(BaseHook.get_connection(catalog_conn_id))
    return properties | {name: str(value) for name, value in catalog.items()}


def of_connection(connection: Connection) -> dict[str, str]:
    """
    Return what a connection says of a catalog.

    Its Extra holds properties by name, such as ``uri``. The host is the ``uri`` of a REST catalog unless
    there is one, login and password are the ``credential`` it is asked for a token with.
    """
    properties = {name: str(value) for name, value in connection.extra_dejson.items()}
    if connection.host and "uri" not in properties:
        port = f":{connection.port}" if connection.port else ""
        scheme = "" if "://" in connection.host else "https://"
        properties["uri"] = f"{scheme}{connection.host}{port}"
    if connection.password and "credential" not in properties:
        login = f"{connection.login}:" if connection.login else ""
        properties["credential"] = f"{login}{connection.password}"
    return properties


_AWS_OF_DELTA = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
    "endpoint": "AWS_ENDPOINT_URL",
}
_AWS_OF_ICEBERG = {
    "key": "s3.access-key-id",
    "secret": "s3.secret-access-key",
    "token": "s3.session-token",
    "region": "s3.region",
    "endpoint": "s3.endpoint",
}


def aws_options(conn_id: str, names: Mapping[str, str]) -> dict[str, str]:
    """
    Return credentials, region and endpoint of an AWS connection under a library's names.

    :param names: names of ``key``, ``secret``, ``token``, ``region`` and ``endpoint``.
    :raises ConfigurationError: Airflow's provider for AWS is not installed.
    """
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import (  # noqa: PLC0415 - it may be missing
            AwsGenericHook,
        )
    except ImportError:
        raise ConfigurationError(
            f"Connection '{conn_id}' of type aws needs Airflow's provider. Where tasks run: "
            "pip install 'apache-airflow-providers-amazon[s3fs]'"
        ) from None
    hook: Any = AwsGenericHook(aws_conn_id=conn_id, client_type="s3")
    credentials = hook.get_credentials()
    endpoint = hook.conn_config.get_service_endpoint_url("s3")
    found = {
        "key": credentials.access_key,
        "secret": credentials.secret_key,
        "token": credentials.token,
        "region": hook.region_name,
        "endpoint": endpoint,
    }
    options = {names[what]: str(value) for what, value in found.items() if value}
    if names is _AWS_OF_DELTA and str(endpoint or "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


def _storage_path(path: str, conn_id: str | None) -> Any:
    """Return a path; one of this machine is whole, as its files are listed, whatever the path was."""
    path = path if "://" in path else str(Path(path).absolute())
    return ObjectStoragePath(path, conn_id=conn_id) if conn_id else ObjectStoragePath(path)
