"""An Action of the API as data: fields, quota, limits, encryption form, outputs, result codes.

Each Action is one file in :mod:`.actions`. Hook, operators, validation, pseudonyms, limits, result
columns, the simulator and the tables of the docs read it from there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from .codes import CodeRow, Outcome
from .fields import ID_CARD, Field, FieldType
from .messages import MALFORMED, on_one_line, says_back, strike_out
from .rules import RowRule

SERVICE = "faceid"
VERSION = "2018-03-01"
DEFAULT_HOST = "faceid.intl.tencentcloudapi.com"
DOCS = "https://www.tencentcloud.com/document/product/1061/"
"""Where the API pages are, by document number."""

LONGEST_OUTPUT = 100
"""Characters of an output that are kept."""
LARGEST_OUTPUT = 2**31
"""Numbers from here on do not fit into an integer column of every database."""

PER_DAY, PER_MINUTE = "_per_day", "_per_minute"


class IdentityLimits(dict[str, int]):
    """
    Calls about one value per Beijing day or minute, such as ``id_card_per_day=30``.

    A name is the column of a field and ``_per_day`` or ``_per_minute``. A name that is left out, and 0,
    mean that no limit is known.
    """


@dataclass(frozen=True)
class Output:
    """
    A value of the answer besides the code, which goes to the result table.

    :param name: the API's spelling.
    :param column: of the result table and its history.
    :param type: of the column.
    :param meaning: what it says, for the docs.
    :param samples: values the simulator answers with.
    """

    name: str
    column: str
    type: Literal["text", "integer", "real"]
    meaning: str
    samples: tuple[str | int | float, ...]

    def read(self, value: object, personal: Collection[str] = ()) -> str | int | float | None:
        """
        Return the value as the column holds it; None if it is absent or of another type.

        A text is one line of bounded length. A text that says the person back is ``(malformed)``, and a
        number that does, or has more digits than a column holds, is None.

        :param personal: values of the request.
        """
        kinds: dict[str, tuple[type, ...]] = {
            "text": (str,),
            "integer": (int,),
            "real": (int, float),
        }
        if isinstance(value, bool) or not isinstance(value, kinds[self.type]):
            return None
        if isinstance(value, str):
            shown = on_one_line(strike_out(value, personal), LONGEST_OUTPUT)
            half_width = unicodedata.normalize("NFKC", value)
            return MALFORMED if says_back(half_width, personal) else shown
        number: int | float = value  # type: ignore[assignment]
        if not abs(number) < LARGEST_OUTPUT or says_back(f"{number:.0f}", personal):
            return None
        return float(number) if self.type == "real" else number


class ResultColumn(NamedTuple):
    """A column that an Action adds to the result table and its history; see :class:`Output`."""

    column: str
    type: str
    meaning: str


@dataclass(frozen=True, eq=False)
class Action:
    """
    One API Action.

    :param name: value of ``X-TC-Action``.
    :param title: what it asks, to end the sentence "Ask whether ...".
    :param document: number of its API page.
    :param quota: calls per second the service allows the account.
    :param fields: request fields in the order they are sent.
    :param results: its own result codes; the same code of another Action may mean something else.
    :param identity_limits: calls per value before the service refuses.
    :param outputs: values of its answers that go to the result table.
    :param row_rules: input rules about several values of a row.
    :param comparison_codes: codes of answers for which two faces were compared, so that their similarity
        (``Sim``) says something; none for an Action without photos.
    """

    name: str
    title: str
    document: str
    quota: int
    fields: tuple[Field, ...]
    results: Mapping[str, CodeRow]
    identity_limits: IdentityLimits = field(default_factory=IdentityLimits)
    outputs: tuple[Output, ...] = ()
    row_rules: tuple[RowRule, ...] = ()
    comparison_codes: frozenset[str] = frozenset()
    version: str = VERSION

    @property
    def docs(self) -> str:
        """Return the address of the API page; of the product's pages if its number is not known."""
        return (DOCS + self.document).rstrip("/")

    @property
    def encryptable(self) -> tuple[str, ...]:
        """Return the fields that may be encrypted."""
        return tuple(field.name for field in self.fields if field.encrypted)

    @property
    def columns(self) -> dict[str, str]:
        """Return the column each field is read from unless an operator says otherwise, by field."""
        return {field.name: field.column for field in self.fields if field.column}

    @property
    def pseudonyms(self) -> tuple[Field, ...]:
        """Return the fields whose hash and mask are in the result table, one of each type."""
        return tuple(f for f in self.fields if f.type.mask and self.field_of(f.type) is f)

    @property
    def result_columns(self) -> tuple[ResultColumn, ...]:
        """Return the columns that only some Actions have: pseudonyms and outputs."""
        hashed = [
            ResultColumn(column, "text", meaning)
            for field in self.pseudonyms
            if field.type is not ID_CARD  # every Action's table has its columns
            for column, meaning in field.type.pseudonym_columns.items()
        ]
        return (*hashed, *(ResultColumn(o.column, o.type, o.meaning) for o in self.outputs))

    @property
    def compares_faces(self) -> bool:
        """Return whether a match carries a similarity."""
        return bool(self.comparison_codes)

    @property
    def success_code(self) -> str:
        """Return the code of a match, or of what a look-up has found."""
        return self.code_of(Outcome.MATCH) or self.code_of(Outcome.FOUND)

    def field_of(self, type_: FieldType) -> Field | None:
        """Return the first request field of a type, if this Action has one."""
        return self._by_type.get(type_)

    def field(self, name: str) -> Field | None:
        """Return the request field of a name, if this Action has one."""
        return self._by_name.get(name)

    def code_of(self, outcome: Outcome) -> str:
        """Return its first code with an outcome; empty if it has none."""
        return next((row.code for row in self.results.values() if row.outcome is outcome), "")

    @cached_property
    def _by_type(self) -> dict[FieldType, Field]:
        return {field.type: field for field in reversed(self.fields)}

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}
