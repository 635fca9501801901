"""What a DAG must not do; the search has to find each of these."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseHook, task

from airflow_provider_faceid.api.bank_card import masked as card_masked
from airflow_provider_faceid.api.phone import masked as phone_masked

DAY = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("name", "id_card", "photo", "phone", "bank_card")


def _warehouse() -> sqlite3.Connection:
    return sqlite3.connect(BaseHook.get_connection("faceid_warehouse").host)


def _person(what: str) -> dict[str, str]:
    with _warehouse() as connection:
        sql = f"SELECT {', '.join(COLUMNS)} FROM careless WHERE what = ?"
        row = connection.execute(sql, [what]).fetchone()
    return dict(zip(COLUMNS, row, strict=True))


@task
def shows() -> list[object]:
    """Print, log, note and export people, and return numbers."""
    printed = _person("printed")
    phone, card = printed["phone"], printed["bank_card"]
    print(f"verified {printed['name']}")  # noqa: T201 - one of the mistakes
    print(f"call {phone[:3]} {phone[3:7]} {phone[7:]}")  # noqa: T201 - another
    logging.getLogger("requests").info("params: %s", {"BankCard": int(card)})
    photo = base64.b64decode(_person("logged")["photo"])
    body = b'{"ImageBase64": "' + base64.b64encode(b"a" + photo) + b'"}'
    logging.getLogger("requests").info("sent %s...", body[:200])
    with _warehouse() as connection:
        connection.execute("CREATE TABLE notes (note TEXT, phone INTEGER, card TEXT)")
        noted = _person("noted")
        card = noted["bank_card"]
        in_fours = " ".join(card[at : at + 4] for at in range(0, len(card), 4))
        note = json.dumps(noted["name"])
        connection.execute(
            "INSERT INTO notes VALUES (?, ?, ?)", [note, int(noted["phone"]), in_fours]
        )
    export = Path(tempfile.gettempdir()) / "export.csv.gz"
    exported = _person("exported")
    export.write_bytes(gzip.compress(exported["id_card"].encode()))
    print("masked:", phone_masked(exported["phone"]), card_masked(exported["bank_card"]))  # noqa: T201 - no mistake
    returned = _person("returned")
    return [returned["id_card"], int(returned["phone"]), returned["bank_card"]]


@task
def fails() -> None:
    """Name the person in an error."""
    raised = _person("raised")
    raise ValueError(
        f"no answer for {raised['id_card']}, phone {float(raised['phone']):.10e}, "
        f"card {raised['bank_card'][-12:]}"
    )


with DAG("careless", schedule=None, start_date=DAY):
    shows()
    fails()
    BashOperator(
        task_id="renders", bash_command="true", env={"WHO": "{{ dag_run.conf['id_card'] }}"}
    )
