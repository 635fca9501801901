"""Table of the commands, and what Airflow adds to its own command line (provider info ``cli``)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import doctor, estimate, forget, pause, release, report, status
from .definition import Argument, Command

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

GROUP = "faceid"
HELP = "Tencent Cloud Face ID: what runs, waits and costs, and what people decide"

COMMANDS: tuple[Command, ...] = (
    doctor.COMMAND,
    estimate.COMMAND,
    forget.COMMAND,
    pause.PAUSE,
    release.COMMAND,
    report.COMMAND,
    pause.RESUME,
    status.COMMAND,
)  # fmt: skip


def _airflow_argument(argument: Argument) -> Any:
    from airflow.cli.cli_config import Arg  # noqa: PLC0415 - Airflow's own command line has it anyway

    new: Any = Arg
    return new(argument.flags, **argument.options)


def get_faceid_commands() -> list[CLICommand]:
    """Return the group ``faceid`` for Airflow's command line."""
    from airflow.cli.cli_config import ActionCommand, GroupCommand  # noqa: PLC0415 - the same

    return [
        GroupCommand(
            name=GROUP,
            help=HELP,
            subcommands=tuple(
                ActionCommand(
                    name=one.name,
                    help=one.help,
                    description=one.description or one.help,
                    func=_function(one),
                    args=tuple(_airflow_argument(arg) for arg in one.arguments),
                )
                for one in COMMANDS
            ),
        )
    ]


def get_parser() -> ArgumentParser:
    """Return the parser of ``python -m airflow_provider_faceid``."""
    parser = ArgumentParser("python -m airflow_provider_faceid", description=HELP)
    commands = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for one in COMMANDS:
        sub = commands.add_parser(one.name, help=one.help, description=one.description or one.help)
        one.add_arguments(sub)
        sub.set_defaults(func=_function(one))
    return parser


def _function(command: Command) -> Callable[[Namespace], None]:
    def run(arguments: Namespace) -> None:
        from .edge import execute  # noqa: PLC0415 - keeps Airflow's start cheap

        code = execute(command, arguments)
        if code:
            sys.exit(code)

    return run
