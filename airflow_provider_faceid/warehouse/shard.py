"""One range of a source's keys, and how it travels from a planning task to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from ..exceptions import ConfigurationError

AS_TEXT: dict[str, tuple[type, Callable[[str], Any]]] = {
    "date": (date, date.fromisoformat),
    "datetime": (datetime, datetime.fromisoformat),
    "decimal": (Decimal, Decimal),
    "float": (float, float),
    "uuid": (UUID, UUID),
}
"""Keys that travel as ``{kind: text}``, with how to read the text back. Numbers and text travel as
they are. Airflow's own way with these differs by version and loses digits and time zones."""


@dataclass(frozen=True, repr=False)
class Shard:
    """
    The keys behind one and up to another, which belongs to it; the repr shows none.

    :param after: the last key of the shard before, or None if there is none.
    :param until: the last key, or None: then rows that are added behind the end belong to it too.
    """

    after: Any = None
    until: Any = None

    @classmethod
    def between(cls, keys: Iterable[Any]) -> list[Shard]:
        """Return the shards that meet at some keys: together they cover every key once."""
        return [cls(*ends) for ends in pairwise((None, *keys, None))]

    @classmethod
    def from_json(cls, ends: Mapping[str, Any]) -> Shard:
        """
        Read what :meth:`as_json` wrote.

        :raises ConfigurationError: it is something else; the message shows no values.
        """
        try:
            return cls(_read(ends["after"]), _read(ends["until"]))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            raise ConfigurationError(
                "A shard has the keys 'after' and 'until', as FaceIdShardsOperator returns them"
            ) from None

    def as_json(self) -> dict[str, Any]:
        """
        Return the shard in numbers and text, as an XCom can hold it.

        :raises ConfigurationError: the keys are of a type that cannot be written down.
        """
        return {"after": _write(self.after), "until": _write(self.until)}


def _write(key: Any) -> Any:
    if key is None or type(key) in {int, str}:
        return key
    for kind, (type_, _) in AS_TEXT.items():
        if type(key) is type_:  # a datetime is also a date
            return {kind: str(key)}
    raise ConfigurationError(
        f"A source cannot be cut by keys of type {type(key).__name__}: whole numbers, text and "
        f"{', '.join(AS_TEXT)} can. Name another unique column, or leave the shards out"
    )


def _read(written: Any) -> Any:
    if not isinstance(written, Mapping):
        return written
    ((kind, text),) = written.items()
    return AS_TEXT[kind][1](text)
