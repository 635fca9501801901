"""Field types: what is known of each kind of value that a request holds.

One row a type: its input rules, its normal form, its mask, its JSON type, a sample for the simulator.
An Action lists its fields by type; a new type is a row here.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from ..exceptions import ConfigurationError, InvalidInputError
from . import bank_card, id_card, name, phone, photo
from .id_card import Check
from .messages import Fields
from .rules import (
    NO_RULES,
    InputField,
    RowRule,
    Rule,
    date_field,
    end_date_field,
    normalise_date,
    normalise_end_date,
    normalise_text,
    sample_date,
    sample_end_date,
    sample_text,
    text_field,
)

_SHOWN = "13800008888"
"""A value to show the form of a mask with."""


@dataclass(frozen=True, eq=False)
class FieldType:
    """
    A type of request field.

    :param name: the word for it in suites, such as ``id_card``.
    :param rules: its input rules, given whether a value is needed and its longest length (0 for any).
    :param normalise: gives two spellings of one value the same text.
    :param mask: shows enough of a value to recognise it; None if nothing of it may be shown. Who has one
        has a keyed hash in the result table, too.
    :param json_type: type of its value in a request.
    :param reads: types of source values, besides text, that its rules read as text.
    :param sample: an invented value that keeps the rules, the same for the same chance.
    """

    name: str
    rules: Callable[[bool, int], InputField | None] = lambda *_: None
    normalise: Callable[[str], str] = str
    mask: Callable[[str], str] | None = None
    json_type: type = str
    reads: tuple[type, ...] = ()
    sample: Callable[[random.Random], str] | None = None

    @property
    def pseudonym_columns(self) -> dict[str, str]:
        """Return the columns that stand for its values in the result table, with what they say."""
        words = self.name.replace("_", " ")
        shown = self.mask(_SHOWN) if self.mask else ""
        return {
            f"{self.name}_hash": f"keyed hash of the {words} number, the same in every table of ours",
            f"{self.name}_masked": f"what may be shown of it, like `{shown}`",
        }

    def text_of(self, value: object) -> str | None:
        """Return the normal form of a source value; None if the type does not read it as text."""
        if isinstance(value, str):
            return self.normalise(value)
        if isinstance(value, self.reads) and not isinstance(value, bool):
            return self.normalise(str(value))
        return None


ID_CARD = FieldType(
    "id_card",
    lambda *_: id_card.FIELD,
    id_card.normalise,
    id_card.masked,
)
NAME = FieldType("name", lambda *_: name.FIELD, name.normalise)
PHONE = FieldType(
    "phone",
    lambda *_: phone.FIELD,
    phone.normalise,
    phone.masked,
    reads=(int,),
    sample=phone.sample,
)
BANK_CARD = FieldType(
    "bank_card",
    lambda *_: bank_card.FIELD,
    bank_card.normalise,
    bank_card.masked,
    reads=(int,),
    sample=bank_card.sample,
)
PHOTO = FieldType("photo", lambda *_: photo.FIELD)
TEXT = FieldType("text", text_field, normalise_text, reads=(int,), sample=sample_text)
DATE = FieldType(
    "date",
    date_field,
    normalise_date,
    reads=(int, date),
    sample=sample_date,
)
END_DATE = FieldType(
    "end_date",
    end_date_field,
    normalise_end_date,
    reads=(int, date),
    sample=sample_end_date,
)
NUMBER = FieldType("number", json_type=int)
LIST = FieldType("list", json_type=list)
OBJECT = FieldType("object", json_type=dict)


@dataclass(frozen=True)
class Field:
    """
    One request field of an Action.

    :param name: the API's spelling.
    :param type: what it holds.
    :param required: whether the API refuses a request without it.
    :param max_length: longest value the page allows, in characters; 0 if it names none.
    :param identifies: whether its value is part of the question, so that another value asks anew.
    :param column: source column it is read from unless an operator says otherwise, and its name in
        suites; empty if operators do not fill it.
    :param encrypted: whether the Action takes it encrypted, beside a field ``Encryption``.
    :param invalid_code: result code of the service for a value it finds malformed.
    :param constant: the value that is always sent; None for a field that a row or a caller fills.
    """

    name: str
    type: FieldType
    required: bool = True
    max_length: int = 0
    identifies: bool = True
    column: str = ""
    encrypted: bool = False
    invalid_code: str = ""
    constant: int | None = None

    @cached_property
    def rules(self) -> InputField | None:
        """Return its input rules, None if any value may be sent."""
        return self.type.rules(self.required, self.max_length)


ENCRYPTION = Field("Encryption", OBJECT, required=False, identifies=False)
"""The field of Actions that take others encrypted."""

FLAT_ENCRYPTION = (
    Field("CiphertextBlob", TEXT, required=False, identifies=False),
    Field("EncryptList", LIST, required=False, identifies=False),
    Field("Iv", TEXT, required=False, identifies=False),
)
"""The fields of Actions that take others encrypted in the older form, with a data key of KMS."""

CERT_TYPE = Field("CertType", NUMBER, required=False, identifies=False, constant=0)
"""Kind of the identity document: the API knows no other than the resident ID card, 0."""

TYPES = (ID_CARD, NAME, PHONE, BANK_CARD, PHOTO, TEXT, DATE, END_DATE)
"""Types with input rules, in the order of the docs."""

FIELD_OF_RULE: Mapping[str, InputField] = {
    rule.name: known
    for known in (type_.rules(True, 0) for type_ in TYPES)  # noqa: FBT003 - a needed value of any length
    if known is not None
    for rule in known.rules
}
"""The rules of a type's needed value, by the name of each."""

OPTIONAL: tuple[str, ...] = tuple(
    rule.name
    for known in dict.fromkeys(FIELD_OF_RULE.values())
    for rule in known.rules
    if rule.is_optional
)
"""Names of the rules that may be switched off."""


def skipped_rules(names: Collection[str]) -> frozenset[str]:
    """
    Return the rules a user switches off, checked.

    :param names: as given to an operator or the hook.
    :raises ConfigurationError: one of them is no rule, or has to be kept because the service could
        not be asked at all.
    """
    if isinstance(names, str):
        raise ConfigurationError(f"skip_rules={names!r}: it is a list of names of rules")
    for given in names:
        if given not in OPTIONAL:
            near = difflib.get_close_matches(str(given), OPTIONAL, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"skip_rules: '{given}' is no rule that can be switched off.{meant} These can: "
                f"{', '.join(OPTIONAL)}"
            )
    return frozenset(names)


@dataclass(frozen=True)
class InputRules:
    """
    How values are read before they are sent, in the batch and in its validation alike.

    :param today: the service's day.
    :param id_card_check: how strictly an ID number is read.
    :param skipped: names of rules that are not asked besides.
    """

    today: date
    id_card_check: Check = Check.STRICT
    skipped: frozenset[str] = field(default=NO_RULES)

    @cached_property
    def not_asked(self) -> frozenset[str]:
        """Return the names of all rules that are not asked."""
        return self.skipped | id_card.not_asked(self.id_card_check)

    def first_broken(self, asked: Field, value: object) -> Rule | None:
        """Return the first rule a field's value breaks, or None."""
        return asked.rules.first_broken(value, self.today, self.not_asked) if asked.rules else None

    def asked(self, of: Field) -> list[Rule]:
        """Return the rules that are asked of a field's values, in order."""
        return [r for r in (of.rules.rules if of.rules else ()) if r.name not in self.not_asked]

    def request_fields(
        self,
        fields: Iterable[Field],
        values: Mapping[str, object],
        row_rules: Iterable[RowRule] = (),
    ) -> Fields:
        """
        Return the request fields of one row, normalised.

        :param fields: of the Action.
        :param values: source value by API field.
        :param row_rules: of the Action, about several values.
        :raises InvalidInputError: a rule is broken; the error names the rule, not the value.
        """
        fields = tuple(fields)
        constant = {asked.name: asked.constant for asked in fields if asked.constant is not None}
        given = {**constant, **values}
        request = Fields(
            (asked.name, self._prepared(asked, given[asked.name]))
            for asked in fields
            if asked.name in given
        )
        for rule in row_rules:
            if rule.is_broken(request):
                raise InvalidInputError(rule.name, rule.asks)
        return request

    def warnings(self, fields: Iterable[Field], request: Mapping[str, object]) -> Iterator[str]:
        """
        Yield the names of the rules that a request breaks and is sent all the same.

        :param fields: of the Action.
        :param request: as :meth:`request_fields` returned it.
        """
        for asked in fields:
            if asked.rules is not None and (value := request.get(asked.name)) is not None:
                for rule in asked.rules.warnings(value, self.today, self.not_asked):
                    yield rule.name

    def _prepared(self, asked: Field, value: object) -> object:
        if asked.type is PHOTO:
            return photo.prepare(value, asked.max_length or photo.MAX_PHOTO_BASE64)
        if asked.rules is None:
            return value
        if not asked.required and (value is None or value == ""):
            return None  # absent
        return asked.rules.prepare(value, self.today, self.not_asked)
