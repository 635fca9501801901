"""The data contract of our tables and views, in the Open Data Contract Standard (ODCS 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dbt_package import dump
from warehouse_facts import (
    ACCEPTED,
    ERROR_AFTER_HOURS,
    FRESH_TABLE,
    IF_ASKED,
    LOADED_AT,
    PREFIX,
    RANGES,
    Definitions,
    about,
    has_own_columns,
    is_optional,
    key_of,
    short,
)

from airflow_provider_faceid import __version__
from airflow_provider_faceid.warehouse.tables import Column, Table
from airflow_provider_faceid.warehouse.views.views import View

STANDARD = "v3.1.0"
LOGICAL_TYPES = {
    "text": "string",
    "integer": "integer",
    "real": "number",
    "timestamp": "timestamp",
    "date": "date",
}
"""Type in the standard by column type of ours."""


def contract(of: Definitions) -> str:
    """Return the text of the contract."""
    return dump(
        {
            "apiVersion": STANDARD,
            "kind": "DataContract",
            "id": "airflow-provider-faceid",
            "name": "Verdicts of identity verification",
            "version": __version__,
            "status": "active",
            "description": {
                "purpose": "Verdicts of the Tencent Cloud Face ID API, one for each question, with "
                "their history, their runs and what they cost.",
                "usage": "Join by source_key, or by id_card_hash where the same hash key was used. "
                "Table names are the usual ones; the operators' parameters may say otherwise.",
                "limitations": "No column holds a name, a number or a photo. Dates of the service "
                "are days in Beijing; timestamps are UTC.",
            },
            "schema": [
                *(_table(table, of) for table in of.tables),
                *(_view(view, of) for view in of.views),
            ],
            "slaProperties": [
                {
                    "property": "freshness",
                    "value": ERROR_AFTER_HOURS,
                    "unit": "h",
                    "element": f"{PREFIX}{FRESH_TABLE}.{LOADED_AT}",
                    "driver": "operational",
                    "description": "Each run writes its row there; of a DAG that runs daily.",
                }
            ],
        }
    )


def _table(table: Table, of: Definitions) -> dict[str, Any]:
    """Return the part of a table: columns, key, accepted values."""
    made_by = "; made by the operators that write it" if is_optional(table) else ""
    return {
        "name": table.name,
        "logicalType": "object",
        "physicalType": "table",
        "description": about(table),
        "dataGranularityDescription": ", ".join(table.key) + made_by,
        "properties": [
            *(_column(name, table, column) for name, column in table.columns.items()),
            *(_own_columns(of) if has_own_columns(table) else ()),
        ],
        "quality": [_unique(table.key)],
    }


def _column(name: str, table: Table, column: Column) -> dict[str, Any]:
    found = _property(name, column.type, column.meaning)
    if name in table.key:
        found |= {"required": True, "primaryKey": True}
        found |= {"primaryKeyPosition": table.key.index(name) + 1}
    if values := ACCEPTED.get((short(table), name)):
        found["quality"] = [
            {
                "metric": "invalidValues",
                "description": "One of the known values, or NULL.",
                "arguments": {"validValues": [*values]},
                "dimension": "conformity",
                "mustBe": 0,
                "unit": "rows",
            }
        ]
    return found


def _view(view: View, of: Definitions) -> dict[str, Any]:
    return {
        "name": f"{PREFIX}{view.name}",
        "logicalType": "object",
        "physicalType": "view",
        "description": f"One row for: {view.grain}.",
        "dataGranularityDescription": view.grain,
        "properties": [
            *(
                _property(name, column.type, column.meaning)
                for name, column in view.columns.items()
            ),
            *(_own_columns(of) if view.with_own_columns else ()),
        ],
        "quality": [_unique(key_of(view))],
    }


def _own_columns(of: Definitions) -> Iterator[dict[str, Any]]:
    for own in of.own:
        yield _property(own.column, own.type, f"{own.meaning}; {IF_ASKED}")


def _property(name: str, type_: str, meaning: str) -> dict[str, Any]:
    found = {"name": name, "logicalType": LOGICAL_TYPES[type_], "description": meaning}
    if name in RANGES and type_ == "real":
        least, greatest = RANGES[name]
        found["logicalTypeOptions"] = {"minimum": least, "maximum": greatest}
    return found


def _unique(columns: tuple[str, ...]) -> dict[str, Any]:
    return {
        "metric": "duplicateValues",
        "description": f"No two rows have the same {', '.join(columns)}.",
        "arguments": {"properties": [*columns]},
        "dimension": "uniqueness",
        "mustBe": 0,
        "unit": "rows",
    }
