"""The extras of this package that a type of connection needs, and what to say where one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from ..exceptions import ConfigurationError


class Extra(NamedTuple):
    """
    One extra.

    :param name: as in ``pip install 'airflow-provider-faceid[name]'``.
    :param modules: what it brings, and the code that needs it imports.
    """

    name: str
    modules: tuple[str, ...]


EXTRAS: Mapping[str, Extra] = {
    "postgres": Extra("postgres", ("airflow.providers.postgres.hooks", "psycopg")),
    # DuckDB reads a timestamp with a time zone only where there is pytz, and asks when it meets one.
    "duckdb": Extra("duckdb", ("airflow.providers.duckdb.hooks", "duckdb", "pytz")),
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
        f"Connection '{conn_id}' of type {conn_type} needs an extra: {cause}. Where tasks run: "
        f"pip install '{package}'"
    )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it is missing
        return False
