"""The API Actions, one file each: a new one is a file here that says ``ACTION = Action(...)``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ...exceptions import ConfigurationError, unknown
from ..action import Action
from ..codes import CodeRow, look_up

ACTIONS: dict[str, Action] = {
    action.name: action
    for module in sorted(found.name for found in iter_modules(__path__))
    for action in [import_module(f"{__name__}.{module}").ACTION]
}
"""By name. Everything that depends on an Action asks here when it is used, not when it is imported."""


ANSWERS_ARE_PEOPLE = {
    "IdCardOCRVerification": "what is read from a photo of an ID card: name, address, number",
    "CheckIdCardInformation": "what is read from a photo of an ID card, and its portrait",
}
"""Actions that are not listed on purpose, with what they answer. Tables of verdicts have no place for
such answers, see docs/security.md."""


def listed(name: str) -> Action:
    """
    Return the Action of a name.

    :raises ConfigurationError: it is not listed; the message says why, or names the nearest that is.
    """
    if name in ANSWERS_ARE_PEOPLE:
        raise ConfigurationError(
            f"{name} is refused: its answer is a person ({ANSWERS_ARE_PEOPLE[name]}), and this provider "
            "keeps no person's data. hook.call makes the call all the same; where its answer may live is "
            "for you to decide first (docs/security.md)"
        )
    if name not in ACTIONS:
        raise ConfigurationError(f"There is no Action {unknown([name], ACTIONS)}")
    return ACTIONS[name]


def code_row(action: str, code: str) -> CodeRow:
    """
    Return what a code means as an answer to an Action.

    The codes of an Action that is not listed are ``unjudged``, but for the common ones.
    """
    known = ACTIONS.get(action)
    return look_up(known.results if known is not None else None, code)
