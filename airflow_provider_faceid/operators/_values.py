"""Values of parameters as templates render them: texts, lists, columns, keys, and those of the review queue."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError, unknown

if TYPE_CHECKING:
    from ..api.action import Action


NOTHING = frozenset({"", "none", "null"})
"""Texts that count as not given, in lower case."""


def text(value: Any) -> str:
    """Read text that has to be there; a native template makes a number of a name of digits."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"it is text, not {type(value).__name__}")  # noqa: TRY004 - one kind to catch
    if str(value).strip().lower() in NOTHING:
        raise ValueError("it is text, and must not be empty")
    return str(value)


def names(value: Any) -> list[Any]:
    """Read a list of names or keys, also from the text a template makes of one."""
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset):
        raise ValueError("it is a list")  # noqa: TRY004 - one kind to catch
    return list(found)


def parsed(written: str) -> Any:
    """Return what a text says in JSON or Python; None if it says nothing in either."""
    for parse in (json.loads, literal_eval):
        try:
            return parse(written)
        except (ValueError, SyntaxError):
            continue
    return None


def columns_by_field(value: Any) -> dict[str, str]:
    """Read source columns by API field, also from the text a template makes of a dict."""
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(c, str) for c in found.values()):
        raise ValueError("it is a dict of columns by API field, such as {'IdCard': 'id_no'}")
    return {field: column(name) for field, name in found.items()}


def column(value: Any) -> str:
    """Read the name of a column, which may be in quotes."""
    from ..warehouse.sql.identifiers import column_of  # noqa: PLC0415 - keeps reading a DAG file cheap

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
    from ..warehouse.sources import composite  # noqa: PLC0415 - keeps reading a DAG file cheap

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


_FLAGS: Mapping[str, bool] = {"true": True, "false": False}


def number(value: Any) -> float:
    """Read a number; a truth value is none."""
    try:
        return float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise ValueError("it is a number") from None


def percent(value: Any) -> float:
    """Read a similarity."""
    found = number(value)
    if not 0 <= found <= 100:  # noqa: PLR2004 - per cent
        raise ValueError("it is a similarity from 0 to 100")
    return found


def band(value: Any) -> tuple[float, float]:
    """Read the lowest and the highest of some similarities."""
    found = [percent(one) for one in names(value)]
    if len(found) != 2 or found[0] > found[1]:  # noqa: PLR2004 - a pair
        raise ValueError("it is the lowest and the highest similarity, such as [60, 80]")
    return found[0], found[1]


def reasons(value: Any) -> list[str]:
    """Read names of reasons."""
    from ..warehouse.review.rules import Reason  # noqa: PLC0415 - keeps reading a DAG file cheap

    found = [str(name) for name in names(value)]
    if not set(found) <= set(Reason):
        raise ValueError(f"reasons are among {', '.join(Reason)}")
    return found


def reasons_or_flag(value: Any) -> list[str]:
    """Read names of reasons, or whether all of them are meant."""
    from ..warehouse.review.rules import Reason  # noqa: PLC0415 - the same

    flag = _FLAGS.get(str(value).strip().lower())
    if flag is not None:
        return list(map(str, Reason)) if flag else []
    return reasons(value)


def by_reason(value: Any, *, reader: Callable[[Any], Any]) -> dict[str, Any]:
    """
    Read a value for all reasons, or a dict of values by reason.

    :param reader: reads one of them.
    """
    from ..warehouse.review.rules import Reason  # noqa: PLC0415 - the same

    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        return dict.fromkeys(map(str, Reason), reader(value))
    return {name: reader(found[name]) for name in reasons(list(found))}


def hitl_answer(value: Any) -> dict[str, Any]:
    """
    Read what a human-in-the-loop task returns.

    :return: ``chosen`` and ``by``, the id of the user; empty if a time limit has chosen.
    """
    found = parsed(value) if isinstance(value, str) else value
    wrong = "it is what HITLOperator returns, with one chosen option"
    if isinstance(found, Mapping) and found.keys() == {"chosen", "by"}:
        return dict(found)  # it was read before
    if not isinstance(found, Mapping):
        raise ValueError(wrong)  # noqa: TRY004 - one kind to catch
    chosen, user = found.get("chosen_options"), found.get("responded_by_user")
    if not isinstance(chosen, list | tuple) or len(chosen) != 1:
        raise ValueError(wrong)
    by = user.get("id", "") if isinstance(user, Mapping) else getattr(user, "id", "")
    return {"chosen": str(chosen[0]), "by": str(by or "")}
