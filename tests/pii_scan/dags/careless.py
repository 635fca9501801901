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

DAY = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("name", "id_card", "photo")


def _warehouse() -> sqlite3.Connection:
    return sqlite3.connect(BaseHook.get_connection("faceid_warehouse").host)


def _person(what: str) -> dict[str, str]:
    with _warehouse() as connection:
        sql = f"SELECT {', '.join(COLUMNS)} FROM careless WHERE what = ?"
        row = connection.execute(sql, [what]).fetchone()
    return dict(zip(COLUMNS, row, strict=True))


@task
def shows() -> str:
    """Print a name, log a photo, note and export people, and return a number."""
    print(f"verified {_person('printed')['name']}")  # noqa: T201 - one of the mistakes
    photo = base64.b64decode(_person("logged")["photo"])
    body = b'{"ImageBase64": "' + base64.b64encode(b"a" + photo) + b'"}'
    logging.getLogger("requests").info("sent %s...", body[:200])
    with _warehouse() as connection:
        connection.execute("CREATE TABLE notes (note TEXT)")
        note = json.dumps(_person("noted")["name"])
        connection.execute("INSERT INTO notes VALUES (?)", [note])
    export = Path(tempfile.gettempdir()) / "export.csv.gz"
    export.write_bytes(gzip.compress(_person("exported")["id_card"].encode()))
    return _person("returned")["id_card"]


@task
def fails() -> None:
    """Name the person in an error."""
    raise ValueError(f"no answer for {_person('raised')['id_card']}")


with DAG("careless", schedule=None, start_date=DAY):
    shows()
    fails()
    BashOperator(
        task_id="renders", bash_command="true", env={"WHO": "{{ dag_run.conf['id_card'] }}"}
    )
