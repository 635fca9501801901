"""Rules of text fields: a needed value is there, and none is longer than its page allows."""

from __future__ import annotations

import random
from functools import cache

from .rules import InputField, Rule, is_missing, without_invisible

MISSING, NOT_TEXT, LENGTH = "text_missing", "text_not_text", "text_length"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SAMPLE_LENGTH = 8


def normalise(text: str) -> str:
    """Return a text without marks that show nothing, and without outer blanks."""
    return without_invisible(text)


@cache
def field(required: bool, max_length: int) -> InputField:  # noqa: FBT001 - as field types ask it
    """
    Return the input rules of a text field.

    :param required: whether a value is needed.
    :param max_length: longest value in characters; 0 for any.
    """
    return InputField(
        rules=(
            Rule(MISSING, "a value is needed", lambda value, _: required and _is_missing(value)),
            Rule(
                NOT_TEXT,
                "the value must be text",
                lambda value, _: not isinstance(value, str | None),
            ),
            Rule(
                LENGTH,
                f"the value has at most {max_length} characters"
                if max_length
                else "the value is no longer than the API allows",
                lambda value, _: bool(max_length) and len(value or "") > max_length,
            ),
        ),
        read=_read,
    )


def sample(chance: random.Random) -> str:
    """Return an invented text."""
    return "".join(chance.choices(_LETTERS, k=_SAMPLE_LENGTH))


def _read(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    return normalise(str(value))


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, str) and is_missing(value))
