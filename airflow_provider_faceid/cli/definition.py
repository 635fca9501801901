"""Command definitions: arguments and commands as data, for argparse and for Airflow's command line.

Airflow makes a parser of every command at each start, so this module and those of the commands import
nothing but the standard library; a command imports what it needs when it runs.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DONE, FAILED, WRONG_USAGE, FOUND = 0, 1, 2, 3
"""Exit codes: done; failed, or refused; argparse's; done, and something was found that wants attention."""


class Argument:
    """
    An argument of a command.

    :param flags: such as ``--campaign``, or a bare name for a positional argument.
    :param options: of ``ArgumentParser.add_argument``: ``help`` and others.
    """

    def __init__(self, *flags: str, **options: Any) -> None:
        self.flags, self.options = flags, options


@dataclass(frozen=True)
class Answer:
    """
    What a command found or did.

    :param data: what ``--output json`` prints.
    :param text: what ``--output table`` prints.
    :param exit_code: :data:`DONE`, :data:`FOUND`, or :data:`FAILED` where a part failed.
    :param problems: what could not be done or read beside the rest, printed to standard error.
    """

    data: Mapping[str, Any]
    text: str
    exit_code: int = DONE
    problems: Sequence[str] = ()


@dataclass(frozen=True)
class Command:
    """
    A command.

    :param name: what is typed.
    :param help: one line.
    :param description: some sentences.
    :param run: does it; raises a ``FaceIdError`` whose message has the cause and the next step.
    """

    name: str
    help: str
    run: Callable[[Namespace], Answer]
    arguments: Sequence[Argument] = field(default=())
    description: str = ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments to a parser."""
        for argument in self.arguments:
            parser.add_argument(*argument.flags, **argument.options)
