"""One source row turned into request fields, or refused by a named rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..service import id_card, name, photo
from ..service.actions import Action, Kind
from ..service.envelope import Fields
from ..service.id_card import Check


@dataclass(frozen=True)
class InputRules:
    """
    How values are read before they are sent.

    :param today: the service's day.
    :param id_card_check: how strictly an ID number is read.
    """

    today: date
    id_card_check: Check


def request_fields(action: Action, values: Mapping[str, object], rules: InputRules) -> Fields:
    """
    Return the request fields of one row, normalised.

    :param values: source value by API field.
    :raises InvalidInputError: a value breaks a rule; the error names the rule, not the value.
    """
    return Fields(
        (field.name, _PREPARE[field.kind](values[field.name], action, rules))
        for field in action.fields
        if field.name in values
    )


_PREPARE: dict[Kind, Callable[[Any, Action, InputRules], object]] = {
    Kind.ID_CARD: lambda value, _, rules: id_card.prepare(value, rules.today, rules.id_card_check),
    Kind.NAME: lambda value, _, __: name.prepare(value),
    Kind.PHOTO: lambda value, action, _: photo.prepare(value, action.max_photo_base64),
    Kind.TEXT: lambda value, _, __: None if value is None else str(value),
    Kind.OBJECT: lambda value, _, __: value,
}
