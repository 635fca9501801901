"""Parameters that name columns of a source: key, fields, version; and keys as our tables have them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError, unknown
from ._values import names, parsed, text

if TYPE_CHECKING:
    from ..api.action import Action


def columns_by_field(value: Any) -> dict[str, str]:
    """Read source columns by API field, also from the text a template makes of a dict."""
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(c, str) for c in found.values()):
        raise ValueError("it is a dict of columns by API field, such as {'IdCard': 'id_no'}")
    return {field: column(name) for field, name in found.items()}


def column(value: Any) -> str:
    """Read the name of a column, which may be in quotes."""
    from ..warehouse.identifiers import column_of  # noqa: PLC0415 - keeps reading a DAG file cheap

    try:
        return column_of(text(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def key_columns(value: Any) -> str | list[str]:
    """Read the column that names a row, or the list of those that do so together."""
    found = value
    if isinstance(value, str) and value.strip()[:1] in {"[", "("}:
        found = parsed(value)  # a name in brackets is no list
    if not isinstance(found, list | tuple):
        return column(value)
    listed = [column(name) for name in found]
    if not listed or len(set(listed)) < len(listed):
        raise ValueError("it is a column, or a list of different ones")
    return listed[0] if len(listed) == 1 else listed


def key_text(key: Any) -> str:
    """Return a key as our tables have it; one of several columns is a list of their values."""
    from ..warehouse import composite  # noqa: PLC0415 - keeps reading a DAG file cheap

    return composite.encode(map(str, key)) if isinstance(key, list | tuple) else str(key)


def column_list(value: Any) -> list[str]:
    """Read a list of columns."""
    return [column(name) for name in names(value)]


def source_columns(
    action: Action, given: Mapping[str, str] | None, named: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """
    Return the source column of each field an Action needs, by API field.

    :param given: columns by API field; those of fields that are not needed are read, too.
    :param named: columns by the default name, of operators with a parameter for each.
    :raises ConfigurationError: the Action has no field of such a name.
    """
    if words := unknown(given or {}, [field.name for field in action.fields if field.column]):
        raise ConfigurationError(f"columns: {action.name} has no field {words}")
    return {
        field.name: (given or {}).get(field.name) or named.get(field.column) or field.column
        for field in action.fields
        if field.column and (field.required or field.name in (given or {}))
    }
