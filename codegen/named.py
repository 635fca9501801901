"""What the generated code says of an Action: its fields in words, docstrings, wrapped lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from textwrap import indent, wrap

from airflow_provider_faceid.api import actions
from airflow_provider_faceid.api.action import Action
from airflow_provider_faceid.api.fields import (
    BANK_CARD,
    DATE,
    END_DATE,
    FLAT_ENCRYPTION,
    ID_CARD,
    NAME,
    PHONE,
    PHOTO,
    TEXT,
    Field,
    FieldType,
)

WIDTH, SUMMARY_WIDTH = 100, 79
WRITTEN = "# Written by codegen/generate.py from the Actions; `make docs` writes it anew.\n"
FUTURE = "from __future__ import annotations\n"


@dataclass(frozen=True)
class Words:
    """
    What the docs say of a type of field.

    :param noun: what it is called; a field without one goes by its name in the API.
    :param in_table: what a source column of it may hold.
    :param literal: what a value of it is.
    :param to_hook: the same for the hook's methods.
    """

    noun: str = ""
    in_table: str = ""
    literal: str = ""
    to_hook: str = ""


WORDS: Mapping[FieldType, Words] = {
    ID_CARD: Words(
        "ID number",
        "; it must be text",
        to_hook="ID number of 18 characters; full-width digits and a lower-case x are fine",
    ),
    NAME: Words("name", to_hook="the person's name"),
    PHONE: Words(
        "phone number",
        ": text, or a whole number",
        to_hook="number of a mobile phone in mainland China; blanks, hyphens and +86 are fine",
    ),
    BANK_CARD: Words(
        "bank card number",
        ": text, or a whole number",
        to_hook="bank card number of 12 to 19 digits; blanks and hyphens are fine",
    ),
    PHOTO: Words(
        "photo",
        ": Base64 text, or the picture as bytes",
        "a JPEG or PNG as bytes or Base64 text",
        "a JPEG or PNG as bytes, or its Base64 text; at most 3 MB of text",
    ),
    TEXT: Words(),
    DATE: Words(
        in_table=": a date, or text such as 20260131",
        to_hook="a date, or text such as ``20260131``",
    ),
    END_DATE: Words(
        in_table=": a date, or text such as 20460131; ``00000000`` and ``长期`` say that there is none",
        to_hook="a date, or text such as ``20460131``; ``00000000`` and ``长期`` say that there is none",
    ),
}
"""Types of fields that a source column may fill."""


@dataclass
class Listed:
    """An Action with the name of its file."""

    module: str
    action: Action
    fields: list[Field] = field(init=False)

    def __post_init__(self) -> None:
        self.fields = [field for field in self.action.fields if field.column]

    @property
    def photo(self) -> Field | None:
        """Return the field of the photo, if there is one."""
        return self.action.field_of(PHOTO)

    @property
    def notes(self) -> list[Field]:
        """Return the fields that a caller may fill and that are no part of the question."""
        return [
            field
            for field in self.action.fields
            if field.type is TEXT
            and not (field.column or field.required or field.identifies)
            and field not in FLAT_ENCRYPTION
        ]


def listed() -> list[Listed]:
    """Return the Actions by the names of their files."""
    names = sorted(found.name for found in iter_modules(actions.__path__))
    return [Listed(name, import_module(f"{actions.__name__}.{name}").ACTION) for name in names]


def noun(of: Field, article: str = "") -> str:
    """Return what a field is called."""
    known = WORDS[of.type].noun
    return f"{article}{known}" if known else f"``{of.name}``"


def annotation(of: Field) -> str:
    """Return the type of a parameter with a field's value."""
    first = ["bytes", "str"] if of.type is PHOTO else ["str"]
    return " | ".join([*first, *(type_.__name__ for type_ in of.type.reads)])


def param(name: str, text: str) -> str:
    """Return the docs of a parameter, wrapped."""
    return "\n    ".join(wrap(f":param {name}: {text}", WIDTH - 8, break_on_hyphens=False))


def docstring(summary: str, paragraphs: Iterable[str], told: Iterable[str]) -> str:
    """Return a docstring, not indented."""
    first = "\n".join(wrap(summary, SUMMARY_WIDTH, break_on_hyphens=False))
    parts = [first, *paragraphs, "\n".join(told)]
    return '"""\n' + "\n\n".join(parts) + '\n"""\n'


def comma_list(names: Iterable[str], last: str = "and") -> str:
    """Return names as a list in a sentence."""
    *others, end = [f"``{name}``" for name in names]
    return f"{', '.join(others)} {last} {end}" if others else end


def exploded(items: Iterable[str], brackets: str) -> str:
    """Return a collection with an item a line, which the formatter leaves as it is."""
    return (
        brackets[0] + "\n" + indent("".join(f"{item},\n" for item in items), "    ") + brackets[1]
    )
