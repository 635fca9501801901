"""Expectation suites in Great Expectations' own JSON: read from a store or a function, and written.

A suite is the file that a file data context keeps below ``expectations/``. What it says about the suite
itself (ids, notes, rendered content) is not needed to evaluate it, and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..exceptions import ConfigurationError, nearest

Expectations = list[dict[str, Any]]
SuiteSource = Callable[[], Any]
"""Returns expectations as dicts, or an ``ExpectationSuite``."""

_KEPT = ("type", "kwargs", "meta", "severity")
_SEVERITY = "severity"


def read_suite(content: bytes | str, name: str) -> Expectations:
    """
    Return the expectations of a suite file as dicts.

    :param content: of the file, JSON in UTF-8.
    :param name: of the file, for messages.
    :raises ConfigurationError: it is no suite; the message shows nothing of the content.
    """
    try:
        document = json.loads(content)
    except ValueError:
        raise ConfigurationError(f"The suite '{name}' is no JSON") from None
    return _of_document(document, name)


def call_suite(make: SuiteSource, name: str) -> Expectations:
    """
    Return the expectations that a function makes.

    :param make: returns a list of dicts, an ``ExpectationSuite``, or its JSON as a dict.
    :param name: of the function, for messages.
    :raises ConfigurationError: it returns something else.
    """
    made = make()
    if hasattr(made, "to_json_dict"):
        made = made.to_json_dict()
    return _of_document({"expectations": made} if isinstance(made, list | tuple) else made, name)


def write_suite(expectations: Iterable[Mapping[str, Any]], name: str) -> str:
    """
    Return a suite as a file data context keeps it.

    :param expectations: as dicts, such as those of :func:`~.default_suite`.
    :param name: of the suite.
    :return: JSON with a line for each value, to be kept below ``expectations/`` as ``<name>.json``.
    """
    listed = [
        {
            "kwargs": dict(one.get("kwargs", {})),
            "meta": dict(one.get("meta", {})),
            _SEVERITY: one.get(_SEVERITY, "critical"),
            "type": one["type"],
        }
        for one in expectations
    ]
    document: dict[str, Any] = {
        "expectations": listed,
        "id": None,
        "meta": {},
        "name": name,
        "notes": None,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def named_columns(expectation: Mapping[str, Any]) -> list[str]:
    """Return the columns that an expectation names."""
    kwargs = expectation.get("kwargs") or {}
    named = [kwargs.get(name) for name in ("column", "column_A", "column_B")]
    listed = kwargs.get("column_list") or []
    return [column for column in (*named, *listed) if isinstance(column, str)]


def check_columns(
    expectations: Iterable[Mapping[str, Any]], columns: Collection[str], hint: str
) -> None:
    """
    Make sure that the columns which expectations name are there, before anything is read.

    :param columns: those that are there.
    :param hint: how the user gets others, for the message.
    :raises ConfigurationError: one is not there.
    """
    for one in expectations:
        for column in named_columns(one):
            if column not in columns:
                near = nearest(column, columns)
                meant = f"; did you mean '{near}'?" if near else ""
                raise ConfigurationError(
                    f"Expectation '{one['type']}' names column '{column}', which is not there{meant}. "
                    f"{hint}"
                )


def _of_document(document: Any, name: str) -> Expectations:
    listed = document.get("expectations") if isinstance(document, Mapping) else None
    if not isinstance(listed, list | tuple) or not all(_is_one(one) for one in listed):
        raise ConfigurationError(
            f"The suite '{name}' has no list 'expectations' of objects with a 'type', as a file that "
            "Great Expectations keeps below expectations/ has"
        )
    return [{field: one[field] for field in _KEPT if one.get(field) is not None} for one in listed]


def _is_one(expectation: object) -> bool:
    return isinstance(expectation, Mapping) and isinstance(expectation.get("type"), str)
