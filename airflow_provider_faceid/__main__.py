"""The commands of ``airflow faceid`` as ``python -m airflow_provider_faceid``, for Airflow before 3.2."""

from __future__ import annotations

from collections.abc import Sequence

from .cli.commands import get_parser


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run a command.

    :raises SystemExit: it failed, or found something; see :mod:`.cli.definition` for the codes.
    """
    options = get_parser().parse_args(arguments)
    options.func(options)


if __name__ == "__main__":
    main()
