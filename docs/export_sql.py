"""SQL of the page about exports: column lists from the definition of the result table."""

# ruff: noqa: S608 - shown on a page, and run by its tests only

from __future__ import annotations

from airflow_provider_faceid.warehouse.export.batches import PARTITION
from airflow_provider_faceid.warehouse.tables import RESULTS

TYPES = {
    "snowflake": {
        "text": "VARCHAR",
        "integer": "NUMBER(38, 0)",
        "real": "FLOAT",
        "timestamp": "TIMESTAMP_TZ",
        "date": "DATE",
    },
    "redshift": {
        "text": "VARCHAR(1000)",
        "integer": "BIGINT",
        "real": "DOUBLE PRECISION",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
    },
}
"""Type of a column of the loading table by database."""

WIDTH = 98
"""Characters of a line."""
LOAD, TARGET = "faceid_results_load", "faceid_results"
ONE = {"campaign": "'onboarding'", "action": "'IdCardVerification'"}
IN_FILES = [name for name in RESULTS.columns if name not in PARTITION]


def block(dialect: str, *statements: str) -> str:
    """Return statements as a block of SQL whose first line names the dialect."""
    text = "\n\n".join(statements)
    return f"```sql\n-- {dialect}\n{text}\n```\n"


def wrapped(words: list[str], indent: str = "  ") -> str:
    """Return a list with commas, in lines."""
    lines, line = [], indent
    for n, word in enumerate(words):
        more = word + ("," if n < len(words) - 1 else "")
        if len(line) + len(more) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += more + " "
    return "\n".join([*lines, line.rstrip()])


def replace_rows() -> str:
    """Return the statements that replace the rows of an Action."""
    where = " AND ".join(f"{name} = {value}" for name, value in ONE.items())
    return block(
        "any",
        "BEGIN TRANSACTION;",
        f"DELETE FROM {TARGET} WHERE {where};",
        f"INSERT INTO {TARGET} (\n{wrapped([*ONE, *IN_FILES])}\n)\n"
        f"SELECT\n{wrapped([*ONE.values(), *IN_FILES])}\nFROM {LOAD};",
        "COMMIT;",
    )


def merge() -> str:
    """Return the statements that update, insert and delete rows of an Action one by one."""
    matched = "\n  AND ".join(f"{TARGET}.{name} = {value}" for name, value in ONE.items())
    values = [name for name in IN_FILES if name != "source_key"]
    return block(
        "any",
        f"MERGE INTO {TARGET} USING {LOAD} AS loaded\n"
        f"ON {matched}\n  AND {TARGET}.source_key = loaded.source_key\n"
        f"WHEN MATCHED THEN UPDATE SET\n{wrapped([f'{c} = loaded.{c}' for c in values])}\n"
        f"WHEN NOT MATCHED THEN INSERT (\n{wrapped([*ONE, *IN_FILES])}\n) VALUES (\n"
        f"{wrapped([*ONE.values(), *(f'loaded.{c}' for c in IN_FILES)])}\n);",
        f"DELETE FROM {TARGET} WHERE {' AND '.join(f'{n} = {v}' for n, v in ONE.items())}\n"
        f"  AND source_key NOT IN (SELECT source_key FROM {LOAD});",
    )


def load(dialect: str) -> str:
    """Return the statements that load the file of an Action into a table of its columns."""
    types = TYPES[dialect]
    columns = [f"{name} {types[RESULTS.columns[name].type]}" for name in IN_FILES]
    folder = "campaign=onboarding/action=IdCardVerification"
    made = f"CREATE TEMPORARY TABLE {LOAD} (\n{wrapped(columns)}\n);"
    if dialect == "redshift":
        copied = (
            f"COPY {LOAD} FROM 's3://lake/faceid/results/{folder}/faceid_results.parquet'\n"
            "IAM_ROLE DEFAULT FORMAT AS PARQUET;"
        )
        return block(dialect, made, copied)
    stage = (
        "CREATE STAGE IF NOT EXISTS faceid_stage URL = 's3://lake/faceid/results/' "
        "STORAGE_INTEGRATION = lake;"
    )
    copied = (
        f"COPY INTO {LOAD} FROM @faceid_stage/{folder}/\n"
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;"
    )
    return block(dialect, stage, made, copied)
