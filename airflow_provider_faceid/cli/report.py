"""``report``: writes the report of a run or of the last days, as ``FaceIdReportOperator`` does."""

from __future__ import annotations

from argparse import Namespace

from ._common import OUTPUT, TABLES, WAREHOUSE_CONNECTION, known_action, names_of, warehouse_of
from .definition import Answer, Argument, Command

LANGUAGES = ("en", "zh")
PATH = Argument(
    "--path",
    required=True,
    metavar="PATH",
    help="where the page is written, ending with .html: a path or a URL as for ObjectStoragePath; its "
    "numbers are beside it, ending with .json",
)
DAYS = Argument(
    "--days",
    type=int,
    metavar="N",
    help="about the service's last N days (Beijing), today included",
)
RUN = Argument("--run-id", metavar="ID", help="about this DAG run; needs --campaign")
CAMPAIGN = Argument("--campaign", metavar="NAME", help="of this campaign; of all if not given")
ACTIONS = Argument(
    "--action", action="append", metavar="ACTION", help="of this API Action; may be repeated"
)
LANGUAGE = Argument("--language", choices=LANGUAGES, default="en", help="of the page (default: en)")
FACEID = Argument(
    "--faceid-conn-id",
    metavar="ID",
    help="connection whose quotas and similarity threshold the numbers are compared with; those of the "
    "API's pages, and 70, if not given",
)
SMALLEST = Argument(
    "--smallest-group",
    type=int,
    default=10,
    metavar="N",
    help="the smallest group of answers whose count is shown (default: 10)",
)


def run(arguments: Namespace) -> Answer:
    """Write the report."""
    from ..exceptions import ConfigurationError, counted  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..operators.report import (  # noqa: PLC0415 - the same
        account_of,
        check_path,
        read_report,
        write_report,
    )
    from ..report.numbers import Scope  # noqa: PLC0415 - the same

    _check(arguments)
    check_path(arguments.path)
    names = names_of(arguments)
    warehouse = warehouse_of(arguments)
    try:
        is_there = warehouse.columns(names.results)
    finally:
        warehouse.close()
    if not is_there:
        raise ConfigurationError(
            f"Connection '{arguments.warehouse_conn_id}' has no such table: {names.results}. Name the "
            "result table of the batch operator"
        )
    about = {"days": arguments.days} if arguments.run_id is None else {"run_id": arguments.run_id}
    scope = Scope(
        arguments.campaign,
        tuple(map(known_action, arguments.action or ())),
        smallest=arguments.smallest_group,
        **about,
        **account_of(arguments.faceid_conn_id),
    )
    numbers = read_report(arguments.warehouse_conn_id, names, scope)
    written = write_report(arguments.path, numbers, arguments.language)
    return Answer(
        written,
        f"Report about {counted(written['rows_in'], 'row')}: {written['path']}\n"
        f"Its numbers: {written['json_path']}",
    )


def _check(arguments: Namespace) -> None:
    """
    Make sure that the arguments go together.

    :raises ConfigurationError: they do not.
    """
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap

    if (arguments.days is None) is (arguments.run_id is None):
        raise ConfigurationError(
            "Give --days or --run-id: a report is about the last days or about one run"
        )
    if arguments.run_id is not None and arguments.campaign is None:
        raise ConfigurationError(
            "--run-id needs --campaign, as two DAGs may have a run of one id: the DAG id by default"
        )
    for name in ("days", "smallest_group"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigurationError(f"--{name.replace('_', '-')} is a whole number from 1")


COMMAND = Command(
    name="report",
    help="Write a report of a run or of the last days",
    description="Write a report as one self-contained HTML page, and the same numbers as JSON beside it. "
    "It makes no call and changes no result.",
    run=run,
    arguments=(
        WAREHOUSE_CONNECTION,
        PATH,
        DAYS,
        RUN,
        CAMPAIGN,
        ACTIONS,
        LANGUAGE,
        FACEID,
        SMALLEST,
        *TABLES,
        OUTPUT,
    ),
)
