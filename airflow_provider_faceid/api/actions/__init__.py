"""The API Actions, one file each: a new one is a file here that says ``ACTION = Action(...)``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..action import Action
from ..codes import CodeRow, look_up

ACTIONS: dict[str, Action] = {
    action.name: action
    for module in sorted(found.name for found in iter_modules(__path__))
    for action in [import_module(f"{__name__}.{module}").ACTION]
}
"""By name. Everything that depends on an Action asks here when it is used, not when it is imported."""


def code_row(action: str, code: str) -> CodeRow:
    """
    Return what a code means as an answer to an Action.

    The codes of an Action that is not listed are ``unjudged``, but for the common ones.
    """
    known = ACTIONS.get(action)
    return look_up(known.results if known is not None else None, code)
