"""The kinds of value a request holds, each with its input rules: the one place that knows them all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from ..exceptions import ConfigurationError
from . import id_card, name, photo
from .actions import Action, Kind
from .id_card import Check
from .messages import Fields
from .rules import NO_RULES, InputField, Rule

FIELDS: Mapping[Kind, InputField] = {
    Kind.ID_CARD: id_card.FIELD,
    Kind.NAME: name.FIELD,
    Kind.PHOTO: photo.FIELD,
}
"""By what a field holds; other kinds have no rules."""

KIND_OF_RULE: Mapping[str, Kind] = {
    rule.name: kind for kind, known in FIELDS.items() for rule in known.rules
}
OPTIONAL: tuple[str, ...] = tuple(
    rule.name for known in FIELDS.values() for rule in known.rules if rule.is_optional
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

    def first_broken(self, kind: Kind, value: object) -> Rule | None:
        """Return the first rule a value breaks, or None."""
        return FIELDS[kind].first_broken(value, self.today, self.not_asked)

    def asked(self, kinds: Iterable[Kind]) -> list[Rule]:
        """Return the rules that are asked of some kinds of value, in order."""
        return [
            rule for kind in kinds for rule in FIELDS[kind].rules if rule.name not in self.not_asked
        ]

    def request_fields(self, action: Action, values: Mapping[str, object]) -> Fields:
        """
        Return the request fields of one row, normalised.

        :param values: source value by API field.
        :raises InvalidInputError: a value breaks a rule; the error names the rule, not the value.
        """
        return Fields(
            (asked.name, self._prepared(asked.kind, values[asked.name], action))
            for asked in action.fields
            if asked.name in values
        )

    def _prepared(self, kind: Kind, value: object, action: Action) -> object:
        if kind is Kind.PHOTO:
            return photo.prepare(value, action.max_photo_base64)
        if kind in FIELDS:
            return FIELDS[kind].prepare(value, self.today, self.not_asked)
        if kind is Kind.TEXT and value is not None:
            return str(value)
        return value
