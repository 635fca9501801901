"""The dbt package in ``dbt/``: sources, staging models, a mart for each view, macros, tests, exposures.

A mart is the query of its view, over the staging models. What differs between databases are macros made
of the dialects, so that dbt has no definition of its own.

Tests take no arguments in YAML: dbt 1.8 reads them in one place, its successors in another. Which
columns and values a test is about stands in its macro.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from sql_layout import INDENT, laid_out
from warehouse_facts import (
    ACCEPTED,
    ERROR_AFTER_HOURS,
    FRESH_TABLE,
    IF_ASKED,
    LOADED_AT,
    RANGES,
    WARN_AFTER_HOURS,
    Definitions,
    about,
    has_own_columns,
    is_optional,
    key_of,
    short,
)

from airflow_provider_faceid import __version__
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.sql.database import DUCKDB, POSTGRESQL, Dialect
from airflow_provider_faceid.warehouse.tables import Table
from airflow_provider_faceid.warehouse.views.views import View

PROJECT = "faceid"
ADAPTERS: Mapping[str, Dialect] = {"duckdb": DUCKDB, "postgres": POSTGRESQL}
"""Dialect by dbt's name of it."""
DBT_VERSIONS = [">=1.8.0", "<3.0.0"]
WRITTEN = "Written by codegen/generate.py (make docs) from the definitions of tables and views."
HEADER = f"# {WRITTEN}\n"

EXPOSURES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "faceid_report": (
        "Report of verifications",
        "Outcomes, rates, funnel, codes, latency, and the rows that wait or have to be mended.",
        (
            *("daily", "rates", "codes", "funnel", "similarity", "thresholds", "latency"),
            *("quarantine_reasons", "waiting"),
        ),
    ),
    "faceid_bill": (
        "Comparison with the vendor's bill",
        "Charges by the service's day, costs by campaign, and calls in doubt that may be billed.",
        ("charges", "costs", "in_doubt"),
    ),
    "faceid_review": (
        "Review queue",
        "Cases that people decide: open, overdue, time to decision, overturn rate.",
        ("review_queue", "latest"),
    ),
}
"""Label, description and marts of each exposure."""

_OWN = "FACEID_OWN_COLUMNS"
_DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "real_type": ("", "Type of a fraction."),
    "whole_number_type": ("", "Type to which a sum of counts is cast."),
    "floor": ("number", "Whole number below a number from 0."),
    "service_day": ("moment", "The service's day (Beijing) of a timestamp."),
    "this_moment": ("", "This moment."),
}
"""Argument and meaning of each macro that is dispatched by the database."""


@dataclass(frozen=True)
class _Jinja(Dialect):
    """A dialect in whose place dbt puts that of its database."""

    def quote(self, name: str) -> str:
        return name

    def quote_table(self, name: str) -> str:
        return f"{{{{ ref('{name}') }}}}"


def _call(macro: str, argument: str = "") -> str:
    """Return the call of a macro, as a template of :class:`Dialect`."""
    return f"{{{{{{{{ {PROJECT}.{macro}({argument}) }}}}}}}}"


JINJA = _Jinja(
    **{
        # Not DuckDB's own way to find the newest row: the one that is quick enough everywhere.
        **vars(replace(DUCKDB, name="dbt", newest_by="keys")),
        "types": {"real": _call("real_type").format()},
        "whole_number": _call("whole_number_type").format(),
        "floor": _call("floor", '"{0}"'),
        "service_day": _call("service_day", '"{0}"'),
        "now": _call("this_moment").format(),
    }
)


def dbt_files(of: Definitions) -> dict[str, str]:
    """Return the text of each file of the package, by its path below ``dbt/``."""
    staging = {f"models/staging/{_staging(t)}.sql": _staging_model(t) for t in of.tables}
    marts = {f"models/marts/{_mart(view)}.sql": _mart_model(view, of) for view in of.views}
    return {
        "dbt_project.yml": _project(of.tables),
        "macros/dialects.sql": _dialects(),
        "macros/own_columns.sql": _own_columns(of),
        "macros/tests.sql": _tests(of),
        "models/sources.yml": _sources(of),
        "models/exposures.yml": _exposures(),
        **staging,
        "models/staging/staging.yml": _staging_words(of),
        **marts,
        "models/marts/marts.yml": _mart_words(of),
    }


def dump(value: Any, header: str = HEADER) -> str:
    """Return YAML below a header."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return f"{header}\n{text}"


def _staging(table: Table) -> str:
    return f"stg_faceid__{short(table)}"


def _mart(view: View) -> str:
    return f"faceid__{view.name}"


def _project(tables: Sequence[Table]) -> str:
    variables: dict[str, Any] = {
        "faceid_database": "",
        "faceid_schema": "",
        "faceid_prefix": PROJECT,
        "faceid_warn_after_hours": WARN_AFTER_HOURS,
        "faceid_error_after_hours": ERROR_AFTER_HOURS,
    }
    variables |= {_has(table): False for table in tables if is_optional(table)}
    variables |= {_identifier(table): "" for table in tables}
    return dump(
        {
            "name": PROJECT,
            "version": __version__,
            "config-version": 2,
            "require-dbt-version": DBT_VERSIONS,
            "model-paths": ["models"],
            "macro-paths": ["macros"],
            "clean-targets": ["target", "dbt_packages"],
            "vars": {PROJECT: variables},
            "models": {
                PROJECT: {
                    "staging": {"+materialized": "view"},
                    "marts": {"+materialized": "table"},
                }
            },
        }
    )


def _identifier(table: Table) -> str:
    return f"faceid_{short(table)}_identifier"


def _has(table: Table) -> str:
    return f"faceid_has_{short(table)}"


def _name_in_warehouse(table: Table) -> str:
    """Return Jinja for the name of a table: one of its own, or one beside the result table."""
    names, beside = Names(), short(table) != "quarantine" and short(table) != "runs"
    usual = f"(var('faceid_prefix', '{PROJECT}') ~ '_{short(table)}')"
    if not beside:
        usual = f"'{vars(names)[short(table)]}'"
    return f"{{{{ var('{_identifier(table)}', '') or {usual} }}}}"


def _sources(of: Definitions) -> str:
    hours = {
        "warn_after": ("faceid_warn_after_hours", WARN_AFTER_HOURS),
        "error_after": ("faceid_error_after_hours", ERROR_AFTER_HOURS),
    }
    listed = []
    for table in of.tables:
        one: dict[str, Any] = {
            "name": short(table),
            "identifier": _name_in_warehouse(table),
            "description": about(table),
        }
        if is_optional(table):
            one["config"] = {"enabled": f"{{{{ var('{_has(table)}', false) }}}}"}
        if LOADED_AT in table.columns:
            one["loaded_at_field"] = LOADED_AT
        if short(table) == FRESH_TABLE:
            one["freshness"] = {
                name: {"count": f"{{{{ var('{var}', {count}) | int }}}}", "period": "hour"}
                for name, (var, count) in hours.items()
            }
        one["data_tests"] = [_key_test(short(table))]
        one["columns"] = list(_columns_of(table, of, is_tested=True))
        listed.append(one)
    source = {
        "name": PROJECT,
        "description": "Tables that airflow-provider-faceid writes. No name, number or photo.",
        "database": "{{ var('faceid_database', '') or target.database }}",
        "schema": "{{ var('faceid_schema', '') or target.schema }}",
        "tables": listed,
    }
    return dump({"version": 2, "sources": [source]})


def _columns_of(table: Table, of: Definitions, *, is_tested: bool) -> Iterator[dict[str, Any]]:
    for name, column in table.columns.items():
        tests = ["not_null"] if name in table.key else []
        if (short(table), name) in ACCEPTED:
            tests.append(_values_test(short(table), name))
        if name in RANGES and column.type == "real":
            tests.append(_range_test(name))
        one: dict[str, Any] = {"name": name, "description": column.meaning}
        yield one | ({"data_tests": tests} if tests and is_tested else {})
    if has_own_columns(table):
        yield from _own_words(of)


def _own_words(of: Definitions) -> list[dict[str, Any]]:
    return [{"name": o.column, "description": f"{o.meaning}; {IF_ASKED}"} for o in of.own]


def _key_test(name: str) -> str:
    return f"faceid_key_of_{name}"


def _values_test(table: str, column: str) -> str:
    return f"faceid_values_of_{table}_{column}"


def _range_test(column: str) -> str:
    least, greatest = RANGES[column]
    return f"faceid_from_{least}_to_{greatest}"


def _staging_model(table: Table) -> str:
    source = f"source('{PROJECT}', '{short(table)}')"
    head = f"{{#- {WRITTEN} -#}}\n"
    if is_optional(table):
        head += f"{{{{ config(enabled=var('{_has(table)}', false)) }}}}\n"
    columns = f",\n{INDENT}".join(table.columns)
    own = f"{{{{ {PROJECT}.own_columns({source}) }}}}" if has_own_columns(table) else ""
    return f"{head}SELECT\n{INDENT}{columns}{own}\nFROM {{{{ {source} }}}}\n"


def _staging_words(of: Definitions) -> str:
    models = [
        {
            "name": _staging(table),
            "description": about(table),
            "columns": list(_columns_of(table, of, is_tested=False)),
        }
        for table in of.tables
    ]
    return dump({"version": 2, "models": models})


def _mart_model(view: View, of: Definitions) -> str:
    names = {short_name: f"stg_faceid__{short_name}" for short_name in Names().all}
    own = [_OWN] if view.with_own_columns else []
    text = laid_out(view.select(JINJA, names, own))
    if own:
        staged = set(re.findall(r"ref\('(\w+)'\)", text))
        (staging,) = staged & {_staging(table) for table in of.tables if has_own_columns(table)}
        call = f"{{{{ {PROJECT}.own_columns(ref('{staging}')) }}}}"
        text = re.sub(rf",\s+{_OWN}(?: AS {_OWN})?", call, text)
    return f"{{#- {WRITTEN} -#}}\n{text}"


def _mart_words(of: Definitions) -> str:
    models = []
    for view in of.views:
        columns = []
        for name, column in view.columns.items():
            one: dict[str, Any] = {"name": name, "description": column.meaning}
            tests = [_range_test(name)] if name in RANGES and column.type == "real" else []
            columns.append(one | ({"data_tests": tests} if tests else {}))
        if view.with_own_columns:
            columns += _own_words(of)
        models.append(
            {
                "name": _mart(view),
                "description": f"One row for: {view.grain}.",
                "data_tests": [_key_test(f"mart_{view.name}")],
                "columns": columns,
            }
        )
    return dump({"version": 2, "models": models})


def _exposures() -> str:
    listed = [
        {
            "name": name,
            "label": label,
            "type": "analysis",
            "description": description,
            "depends_on": [f"ref('faceid__{mart}')" for mart in marts],
            "owner": {"name": "Data team"},
        }
        for name, (label, description, marts) in EXPOSURES.items()
    ]
    return dump({"version": 2, "exposures": listed})


def _macro(name: str, arguments: str, body: str) -> str:
    return f"{{% macro {name}({arguments}) -%}}\n{body}\n{{%- endmacro %}}\n"


def _dialects() -> str:
    parts = [f"{{#- {WRITTEN} -#}}\n"]
    for name, (argument, meaning) in _DIFFERENCES.items():
        call = f"{{{{ return(adapter.dispatch('{name}', '{PROJECT}')({argument})) }}}}"
        parts.append(f"{{# {meaning} #}}\n{_macro(name, argument, call)}")
        for adapter, dialect in ADAPTERS.items():
            expression = {
                "real_type": dialect.nullable.format(dialect.types["real"]),
                "whole_number_type": dialect.whole_number,
                "floor": dialect.floor.format(f"{{{{ {argument} }}}}"),
                "service_day": dialect.service_day.format(f"{{{{ {argument} }}}}"),
                "this_moment": dialect.now,
            }[name]
            parts.append(_macro(f"{adapter}__{name}", argument, expression))
        error = (
            f"{{{{ exceptions.raise_compiler_error(\"faceid: macro '{name}' is not known for \" ~ "
            f'target.type ~ "; define \'" ~ target.type ~ "__{name}\' in your project") }}}}'
        )
        parts.append(_macro(f"default__{name}", argument, error))
    return "\n".join(parts)


def _own_columns(of: Definitions) -> str:
    names = json.dumps([own.column for own in of.own], indent=4)
    return f"""{{#- {WRITTEN} -#}}

{{#
  Columns that only some Actions have, as far as a relation has them, each behind a comma. A table gets
  them when such an Action is asked for the first time.
#}}
{{% macro own_columns(relation) -%}}
{{%- if execute -%}}
{{%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}}
{{%- for name in {names} if name in there -%}}
, {{{{ name }}}}
{{%- endfor -%}}
{{%- endif -%}}
{{%- endmacro %}}
"""


def _tests(of: Definitions) -> str:
    parts = [f"{{#- {WRITTEN} A row that a test returns is one that fails it. -#}}\n"]
    keys = {short(table): table.key for table in of.tables}
    keys |= {f"mart_{view.name}": key_of(view) for view in of.views}
    for name, key in keys.items():
        columns = ", ".join(key)
        sql = (
            f"SELECT {columns}, COUNT(*) AS found\nFROM {{{{ model }}}}\n"
            f"GROUP BY {columns}\nHAVING COUNT(*) > 1"
        )
        parts.append(_test(_key_test(name), "model", sql))
    for (table, column), values in ACCEPTED.items():
        listed = ", ".join(_literals(values))
        sql = (
            "SELECT {{ column_name }} AS found, COUNT(*) AS found_in\nFROM {{ model }}\n"
            f"WHERE {{{{ column_name }}}} NOT IN ({listed})\nGROUP BY {{{{ column_name }}}}"
        )
        parts.append(_test(_values_test(table, column), "model, column_name", sql))
    for column in {RANGES[c]: c for c in RANGES}.values():
        least, greatest = RANGES[column]
        sql = (
            "SELECT {{ column_name }} AS found\nFROM {{ model }}\n"
            f"WHERE NOT ({{{{ column_name }}}} BETWEEN {least} AND {greatest})"
        )
        parts.append(_test(_range_test(column), "model, column_name", sql))
    return "\n".join(parts)


def _test(name: str, arguments: str, sql: str) -> str:
    return f"{{% test {name}({arguments}) %}}\n{sql}\n{{% endtest %}}\n"


def _literals(values: Collection[str | int]) -> Iterable[str]:
    return (f"'{value}'" if isinstance(value, str) else str(value) for value in values)
