"""All Actions: tables, single calls, the hook, encrypted fields, bad rows, and services that say people back."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseHook, task

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators import verify, verify_batch
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator

DAY = datetime(2026, 1, 1, tzinfo=UTC)
WAREHOUSE = "faceid_warehouse"
APPLICANTS = {"source_conn_id": WAREHOUSE, "source": "applicants", "key_column": "applicant_id"}
OTHERS = [name for name in ACTIONS if name not in {"IdCardVerification", "ImageRecognitionV2"}]
"""Actions that the example DAGs do not ask about every row."""
VALIDATED = ("PhoneVerification", "BankCard4EVerification", "CheckIdNameDate")
"""Actions that have, between them, every kind of value."""
ENCRYPTED = {
    "PhoneVerification": "faceid_kms",
    "BankCard4EVerification": "faceid_sm4",
    "CheckIdNameDate": "faceid_aes",
}
"""Connection by Action; the others send their fields in the clear."""
ASKED, DATES_TURNED, SHORT_PHONE = 12, 54, 56

log = logging.getLogger("airflow.task")


def _values(action: str, key: int) -> dict[str, Any]:
    """Return the source values of an Action's fields, numbers as the column holds them."""
    columns = ACTIONS[action].columns
    with sqlite3.connect(BaseHook.get_connection(WAREHOUSE).host) as connection:
        sql = f"SELECT {', '.join(columns.values())} FROM applicants WHERE applicant_id = ?"
        row = connection.execute(sql, [key]).fetchone()
    return dict(zip(columns, row, strict=True))


@task
def uses_the_hook(key: int) -> dict[str, str]:
    """Ask every Action, print what comes back, and return the outcomes."""
    hook, outcomes = FaceIdHook(), {}
    for action in ACTIONS:
        verdict = hook.verify(action, _values(action, key))
        log.info("%s %r", hook, verdict)
        outcomes[action] = verdict.outcome.value
    return outcomes


@task
def echoed_numbers(key: int) -> list[str]:
    """Call a service that says everything back, with numbers that are no text; return the codes."""
    hook, codes = FaceIdHook("faceid_echo"), []
    for action in OTHERS:
        values = {
            field: int(value) if str(value).isdigit() else value
            for field, value in _values(action, key).items()
        }
        try:
            hook.call(action, values, idempotency=None)  # the ledger has an answer already
        except FaceIdError as error:
            log.exception("No answer")
            codes.append(error.code)
    return codes


with DAG("family", schedule=None, start_date=DAY):
    uses_the_hook(ASKED)
    echoed_numbers(ASKED)
    for name in OTHERS:
        table = getattr(verify_batch, f"{name}BatchOperator")(
            task_id=f"table_{name}",
            faceid_conn_id=ENCRYPTED.get(name, "faceid_default"),
            retries=2,
            **APPLICANTS,
        )
        if name in VALIDATED:
            (
                FaceIdValidateOperator(
                    task_id=f"validate_{name}", action=name, max_bad_fraction=0.2, **APPLICANTS
                )
                >> table
            )
        single = getattr(verify, f"{name}Operator")
        single(task_id=f"single_{name}", key=ASKED, campaign="one by one", **APPLICANTS)
    verify.PhoneVerificationOperator(task_id="of_a_short_phone", key=SHORT_PHONE, **APPLICANTS)
    verify.CheckIdNameDateOperator(task_id="of_turned_dates", key=DATES_TURNED, **APPLICANTS)
    verify.PhoneVerificationOperator(
        task_id="not_encrypted_so",
        key=31,
        campaign="not sent",
        faceid_conn_id="faceid_sm4",
        **APPLICANTS,
    )
    verify.BankCard4EVerificationOperator(
        task_id="echoed_page",
        key=13,
        campaign="echoes",
        faceid_conn_id="faceid_echo_page",
        **APPLICANTS,
    )
    verify_batch.BankCard2EVerificationBatchOperator(
        task_id="echoed_table", campaign="echoes", faceid_conn_id="faceid_echo", **APPLICANTS
    )
