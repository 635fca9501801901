"""``forget``: a person or a row is erased from tables, history, reviews and ledger, with a receipt."""

from __future__ import annotations

import getpass
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._common import (
    FACEID_CONNECTION,
    KEY,
    KEYS_FILE,
    OUTPUT,
    STATE_CONNECTION,
    TABLES,
    WAREHOUSE_CONNECTION,
    hook_of,
    keys_of,
    known_action,
    lines_of,
    names_of,
    warehouse_of,
)
from .definition import DONE, FOUND, Answer, Argument, Command

if TYPE_CHECKING:
    from ..batch.erasure import Forgotten, Request

ASKED = ("id_card", "name", "phone", "bank_card")
"""Columns of a person that the prompt asks for."""

PERSON = Argument(
    "--person-file",
    metavar="PATH",
    help='JSON object with values of a person, such as {"id_card": "...", "name": "...", "phone": ["...", '
    '"..."]}; - for standard input. In place of keys: arguments would show in the list of processes',
)
PROMPT = Argument(
    "--ask-person", action="store_true", help="ask for the values of a person, without showing them"
)
WHOLE_PERSON = Argument(
    "--whole-person",
    action="store_true",
    help="all rows of the people behind the keys, in all campaigns; else the rows of the keys alone",
)
CAMPAIGN = Argument("--campaign", default="", metavar="NAME", help="rows of this campaign only")
ACTION = Argument("--action", default="", metavar="ACTION", help="rows of this Action only")
EARLIER = Argument(
    "--earlier-hash-keys-file",
    metavar="PATH",
    help="file with hash keys that the connection had before, one in each line; - for standard input",
)
REQUESTED_BY = Argument(
    "--requested-by",
    metavar="NAME",
    help="who asks for it, for the receipt (default: the user of this process)",
)
REFERENCE = Argument(
    "--reference", default="", metavar="TEXT", help="number of the request, for the receipt"
)
SKIP_UNKNOWN = Argument(
    "--skip-unknown", action="store_true", help="leave keys out that are not known"
)
NO_REWRITE = Argument(
    "--no-rewrite",
    action="store_true",
    help="do not rewrite files, which locks tables meanwhile: deleted bytes stay in them",
)
REQUEST_IDS = Argument(
    "--request-ids-file",
    metavar="PATH",
    help="write the RequestIds there before they are erased, to ask Tencent Cloud to erase its own log",
)
DRY_RUN = Argument("--dry-run", action="store_true", help="show what would be erased")
YES = Argument("--yes", action="store_true", help="do not ask for confirmation")


def run(arguments: Namespace) -> Answer:
    """Erase, or show what would be erased."""
    from ..batch.erasure import Forgetting  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..batch.erasure_words import lines_of as words  # noqa: PLC0415 - the same
    from ..batch.erasure_words import remains_of, warnings_of  # noqa: PLC0415 - the same
    from ..clock import SYSTEM_CLOCK  # noqa: PLC0415 - the same
    from ..hooks.state_store import shared_store  # noqa: PLC0415 - the same

    request = _request(arguments)
    settings = hook_of(arguments).settings
    warehouse = warehouse_of(arguments)
    try:
        forgetting = Forgetting(
            request,
            warehouse=warehouse,
            names=names_of(arguments),
            store=shared_store(settings, arguments.state_conn_id),
            settings=settings,
            clock=SYSTEM_CLOCK,
            earlier_secrets=lines_of(arguments.earlier_hash_keys_file, EARLIER.flags[0]),
        )
        if arguments.dry_run:
            told = forgetting.look()
        else:
            told = forgetting.run(partial(_before, arguments, words))
    finally:
        warehouse.close()
    data = {
        "receipt": told.receipt or None,
        "rows": told.rows,
        "calls": told.calls,
        "sources": told.sources,
        "request_ids": len(told.request_ids),
        "unknown_keys": len(told.unknown_keys),
        "finished": told.finished,
        "warnings": warnings_of(told),
        "remains": remains_of(told),
    }
    is_whole = bool(told.rows or told.calls or told.finished) and not warnings_of(told)
    return Answer(data, "\n".join(words(told)), DONE if is_whole else FOUND)


def _request(arguments: Namespace) -> Request:
    """
    Return what is asked for.

    :raises ConfigurationError: it is neither keys nor one person, or the person cannot be read.
    """
    from ..api.person import read_person  # noqa: PLC0415 - keeps Airflow's start cheap
    from ..batch.erasure import Request  # noqa: PLC0415 - the same
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - the same

    keys = keys_of(arguments)
    if sum((keys is not None, arguments.person_file is not None, arguments.ask_person)) != 1:
        raise ConfigurationError(
            "Say who or what is forgotten: --source-key or --source-keys-file, --person-file, or "
            "--ask-person"
        )
    person: dict[str, Any] = {}
    if arguments.person_file is not None:
        person = _read(arguments.person_file)
    elif arguments.ask_person:
        given = {column: getpass.getpass(f"{column} (empty for none): ") for column in ASKED}
        person = {column: value for column, value in given.items() if value.strip()}
    return Request(
        keys=keys or (),
        person={} if keys is not None else read_person(person),
        campaign=arguments.campaign,
        action=known_action(arguments.action) if arguments.action else "",
        is_whole_person=arguments.whole_person,
        requested_by=arguments.requested_by or getpass.getuser(),
        reference=arguments.reference,
        skips_unknown=arguments.skip_unknown,
        rewrites=not arguments.no_rewrite,
    )


def _read(path: str) -> dict[str, Any]:
    """
    Return the values of a person from a file.

    :raises ConfigurationError: it cannot be read, or is no JSON object. Nothing of it is quoted.
    """
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap

    try:
        found = json.loads("\n".join(lines_of(path, PERSON.flags[0])))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(f"--person-file {path} is no JSON object")
    return found


def _before(arguments: Namespace, words: Callable[[Forgotten], list[str]], told: Forgotten) -> None:
    """
    Ask for confirmation, and write the RequestIds.

    :raises ConfigurationError: there is none, or the file cannot be written: nothing is erased.
    """
    from ..exceptions import ConfigurationError  # noqa: PLC0415 - keeps Airflow's start cheap

    if not arguments.yes:
        if not sys.stdin.isatty():
            raise ConfigurationError("Nothing was erased: confirm it with --yes")
        print("\n".join(words(told)))  # noqa: T201 - a command; to standard error
        if input("Erase this? It cannot be undone (yes/no): ").strip().lower() != "yes":
            raise ConfigurationError("Nothing was erased: it was not confirmed")
    if arguments.request_ids_file is not None:
        path = Path(arguments.request_ids_file)
        text = "".join(f"{one}\n" for one in told.request_ids)
        try:
            with os.fdopen(
                os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a"
            ) as file:
                file.write(text)
        except OSError as error:
            raise ConfigurationError(
                f"--request-ids-file {path} cannot be written: {error.strerror}. Nothing was erased"
            ) from None


COMMAND = Command(
    name="forget",
    help="Erase a person or a row from tables, history, reviews and ledger, with a receipt",
    description="Erase a person or a row: results, history, quarantine, reviews, answers in the ledger and "
    "counters. Charges stay countable, without a person. Delete the row from its source first: what is "
    "still there is verified again. A row that is asked about at this moment is refused. After an "
    "interruption the same command finishes the work.",
    run=run,
    arguments=(
        KEY,
        KEYS_FILE,
        PERSON,
        PROMPT,
        WHOLE_PERSON,
        CAMPAIGN,
        ACTION,
        FACEID_CONNECTION,
        EARLIER,
        STATE_CONNECTION,
        WAREHOUSE_CONNECTION,
        *TABLES,
        REQUESTED_BY,
        REFERENCE,
        SKIP_UNKNOWN,
        NO_REWRITE,
        REQUEST_IDS,
        DRY_RUN,
        YES,
        OUTPUT,
    ),
)
