"""``estimate``: what verifying a table would cost and take, without a call and without writing anything."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._common import (
    ACTION,
    CAMPAIGN,
    FACEID_CONNECTION,
    OUTPUT,
    STATE_CONNECTION,
    TABLES,
    duration,
    hook_of,
    known_action,
    names_of,
    table,
)
from .definition import DONE, FOUND, Answer, Argument, Command

if TYPE_CHECKING:
    from ..batch.estimate import Estimate, Estimator
    from ..warehouse.prices import Price
    from ..warehouse.sql.database import Database

WAREHOUSE = Argument(
    "--warehouse-conn-id",
    metavar="ID",
    help="connection of the result table; the source's if not given",
)
SOURCE_CONNECTION = Argument(
    "--source-conn-id", required=True, metavar="ID", help="connection of the source"
)
SOURCE = Argument(
    "--source", required=True, metavar="TABLE", help="table, SELECT, or on DuckDB the path of files"
)
KEY_COLUMN = Argument(
    "--key-column",
    action="append",
    metavar="COLUMN",
    help="column that names a row (default: id); repeated for a key of several columns",
)
COLUMN = Argument(
    "--column",
    action="append",
    metavar="FIELD=COLUMN",
    help="source column of an API field, such as IdCard=id_no, where it is not the default one; may be "
    "repeated",
)
AFTER = Argument(
    "--after",
    action="append",
    metavar="ACTION",
    help="Action of an earlier task whose verdict a row needs; may be repeated",
)
VERSION_COLUMN = Argument(
    "--version-column",
    metavar="COLUMN",
    help="source column that changes whenever the row does",
)
VALID_FOR = Argument(
    "--valid-for", metavar="P30D", help="for how long an answer is good; for ever if not given"
)
REUSE = Argument(
    "--reuse-within",
    metavar="P30D",
    help="for how long the answer of another campaign is good; not at all if not given",
)
IN_DOUBT = Argument(
    "--on-in-doubt",
    choices=("hold", "retry"),
    default="hold",
    help="hold or retry rows that may have been charged without an answer (default: hold)",
)
MAX_CHANGED = Argument(
    "--max-changed",
    default="0.2",
    metavar="SHARE",
    help="share of answered rows that may ask something else (default: 0.2)",
)
SKIP = Argument(
    "--skip-rule",
    action="append",
    metavar="RULE",
    help="input rule that is not asked; may be repeated",
)
_READ = (
    "key_column",
    "after",
    "version_column",
    "valid_for",
    "reuse_within",
    "max_changed",
    "source",
)


def run(arguments: Namespace) -> Answer:
    """Estimate the run."""
    known_action(arguments.action)
    given = _parameters(arguments)
    settings = hook_of(arguments).settings
    warehouse = _warehouse(given.warehouse_conn_id)
    found = _estimator(given, settings, warehouse).run()
    price = _price(given, _warehouse(given.warehouse_conn_id))
    data = _data(given, found, price, settings.rate(given.action))
    problems = [*found.warnings, *([found.refusal] if found.refusal else [])]
    return Answer(data, _text(data), FOUND if found.refusal else DONE, problems)


def _parameters(arguments: Namespace) -> Namespace:
    """
    Return the parameters read as operators read theirs.

    :raises ConfigurationError: some are not what they should be; all of them are named.
    """
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..operators._common import reader_of  # noqa: PLC0415 - the same

    given = Namespace(**vars(arguments))
    given.key_column = arguments.key_column or ["id"]
    given.warehouse_conn_id = arguments.warehouse_conn_id or arguments.source_conn_id
    given.skip_rules, given.photo_is_path = arguments.skip_rule or [], False
    given.columns = dict(part.partition("=")[::2] for part in arguments.column or ())
    wrong = []
    for name in (*_READ, "columns"):
        try:
            setattr(given, name, reader_of(name)(getattr(given, name)))
        except ValueError as error:
            flag = "column" if name == "columns" else name.replace("_", "-")
            wrong.append(f"--{flag}: {error}")
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return given


def _warehouse(conn_id: str) -> Database:
    from ..hooks.readers import refuse_missing_file  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.warehouses import database  # noqa: PLC0415 - the same

    found = database(conn_id)
    refuse_missing_file(found)
    return found


def _estimator(given: Namespace, settings: Any, warehouse: Database) -> Estimator:
    from ..api.actions import ACTIONS  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..batch.estimate import Estimator  # noqa: PLC0415 - the same
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - the same
    from ..operators._values import source_columns  # noqa: PLC0415 - the same
    from ..operators.table_source import table_columns, table_source  # noqa: PLC0415 - the same
    from ..warehouse.known import KnownAnswers, KnownRows  # noqa: PLC0415 - the same
    from ..warehouse.records import RunContext  # noqa: PLC0415 - the same

    action = ACTIONS[given.action]
    _warehouse(given.source_conn_id)  # opening a file that is not there would make it
    source = table_source(given, given.campaign, given.action)
    known = KnownRows(
        warehouse,
        RunContext(given.campaign, given.action, "", source=source.label),
        SYSTEM_CLOCK,
        names=names_of(given),
        valid_for=given.valid_for.total_seconds() if given.valid_for is not None else None,
    )
    since = None
    if given.reuse_within is not None:
        since = SYSTEM_CLOCK.now() - given.reuse_within.total_seconds()
    return Estimator(
        action=action,
        source=source,
        columns=table_columns(given, source_columns(action, given.columns)),
        known=known,
        ledger=KnownAnswers(_state(given, settings), since),
        settings=settings,
        clock=SYSTEM_CLOCK,
        retry_held=given.on_in_doubt == "retry",
        max_changed=given.max_changed,
    )


def _state(given: Namespace, settings: Any) -> Database | None:
    """Return the state store, None if the first run is to make it."""
    from ..hooks.readers import MissingFileError, state_database  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..hooks.state_store import option  # noqa: PLC0415 - the same

    conn_id = given.state_conn_id or settings.state_conn_id or option("state_conn_id")
    with suppress(MissingFileError):
        return state_database(conn_id)
    return None


def _price(given: Namespace, warehouse: Database) -> Price | None:
    from ..clock import SYSTEM_CLOCK, beijing_date  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..warehouse.prices import current_price  # noqa: PLC0415 - the same

    try:
        today = beijing_date(SYSTEM_CLOCK.now())
        return current_price(warehouse, names_of(given).prices, given.action, today)
    finally:
        warehouse.close()


def _data(given: Namespace, found: Estimate, price: Price | None, rate: float) -> dict[str, Any]:
    plan = found.plan.as_dict()
    return {
        "campaign": given.campaign,
        "action": given.action,
        "rows_in": found.rows_in,
        **{name: count for name, count in plan.items() if name.startswith("due_")},
        "still_valid": found.plan.still_valid,
        "quarantined": found.quarantined.total(),
        "quarantined_by_rule": dict(sorted(found.quarantined.items())),
        "postponed": found.postponed,
        "held": found.held,
        "reused": found.reused if found.has_ledger else None,
        "shared": found.shared if found.has_ledger else None,
        "calls": found.calls,
        "calls_per_second": rate,
        "seconds": round(found.seconds, 1),
        "price": price.price if price else None,
        "currency": price.currency if price else None,
        "amount": round(found.calls * price.price, 6) if price else None,
        "is_refused": bool(found.refusal),
        "problems": [*found.warnings, *([found.refusal] if found.refusal else [])],
    }


def _text(data: Mapping[str, Any]) -> str:
    rows = [
        *(
            {"rows": count, "": f"due: {name.removeprefix('due_')}"}
            for name, count in data.items()
            if name.startswith("due_") and count
        ),
        {"rows": data["still_valid"], "": "answered, still valid"},
        *(
            {"rows": count, "": f"quarantine: {rule}"}
            for rule, count in data["quarantined_by_rule"].items()
        ),
        {"rows": data["postponed"], "": "postponed"},
        {"rows": data["held"], "": "held: maybe charged, not called again"},
        {"rows": data["rows_in"], "": "in all"},
    ]
    lines = [
        f"Campaign '{data['campaign']}', {data['action']}",
        table([row for row in rows if row["rows"] or row[""] == "in all"]),
        "",
    ]
    if data["reused"] is None:
        lines.append("Photos are not read: what the ledger would answer is not counted")
    else:
        lines.append(
            f"Of the due rows the ledger answers {data['reused']:,}, and {data['shared']:,} share a call"
        )
    lines.append(f"Calls, each of which may be charged: at most {data['calls']:,}")
    took = duration(data["seconds"]) if data["calls"] else "none"
    lines.append(
        f"Time at {data['calls_per_second']:g} calls/s, if nothing else uses the quota: {took}"
    )
    if data["price"] is None:
        lines.append("Price: none in the price table, see FaceIdViewsOperator(price_list=...)")
    else:
        lines.append(
            f"Price: at most {data['amount']:,.2f} {data['currency']}, at {data['price']:g} a call"
        )
    return "\n".join(lines)


COMMAND = Command(
    name="estimate",
    help="Estimate what verifying a table would cost and take",
    description="Estimate what verifying a table would cost and take: rows due and why, rows that go to "
    "quarantine, answers the ledger has, calls at most, their price and the time at the quota. It reads "
    "the source as a run does, makes no call and writes nothing. Exit code 3: the run would be refused "
    "before its first call.",
    run=run,
    arguments=(
        ACTION,
        CAMPAIGN,
        SOURCE_CONNECTION,
        SOURCE,
        KEY_COLUMN,
        COLUMN,
        AFTER,
        VERSION_COLUMN,
        WAREHOUSE,
        *TABLES,
        VALID_FOR,
        REUSE,
        IN_DOUBT,
        MAX_CHANGED,
        SKIP,
        FACEID_CONNECTION,
        STATE_CONNECTION,
        OUTPUT,
    ),
)
