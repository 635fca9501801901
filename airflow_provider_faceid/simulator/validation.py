"""Validation of documents posted to the control plane; an error names the wrong field.

Each function returns its value or raises. Numbers must be within bounds, which also excludes NaN and
infinity. No error repeats a value, which may be personal data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LONGEST_WAIT_S = 3600
TEN_YEARS_S = 10 * 366 * 86_400
"""Bounds of waits, and of changes of a clock."""

T = TypeVar("T", bound="DataclassInstance")


class FieldError(ValueError):
    """A document is wrong; the text names the field."""


def number(name: str, value: object, low: float, high: float) -> float:
    """Accept numbers between two bounds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise FieldError(f"`{name}` must be a number from {low} to {high}")


def whole(name: str, value: object, low: int, high: int = 1_000_000_000) -> int:
    """Accept whole numbers between two bounds."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise FieldError(f"`{name}` must be a whole number from {low} to {high}")


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """Accept the listed texts."""
    if isinstance(value, str) and value in allowed:
        return value
    raise FieldError(f"`{name}` must be one of: {', '.join(allowed)}")


def text(name: str, value: object) -> str:
    """Accept texts that are not empty."""
    if isinstance(value, str) and value:
        return value
    raise FieldError(f"`{name}` must be a text")


def flag(name: str, value: object) -> bool:
    """Accept true and false."""
    if isinstance(value, bool):
        return value
    raise FieldError(f"`{name}` must be true or false")


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Accept JSON objects."""
    if isinstance(value, Mapping):
        return value
    raise FieldError(f"`{name}` must be an object")


def known(called: str, document: Mapping[str, Any], names: Collection[str]) -> None:
    """
    Refuse fields that do not exist.

    :param called: the name of the document in an error.
    """
    for name in document:
        if name not in names:
            takes = ", ".join(names) or "nothing"
            raise FieldError(f"`{name}` is unknown: {called} takes {takes}")


def build(kind: type[T], document: Mapping[str, Any], called: str) -> T:
    """
    Return an instance of a dataclass that checks its own values.

    :param document: its fields by name.
    :param called: the name of the document in an error.
    :raises FieldError: a field is unknown, missing or wrong.
    """
    own = {field.name: field for field in fields(kind)}
    known(called, document, own)
    for name, field in own.items():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and name not in document:
            raise FieldError(f"`{name}` is missing: {called} needs it")
    return kind(**document)
