"""Write the tables in the docs that are made from the code; ``--check`` only says if they differ.

A table stands between two comments, ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields as fields_of
from pathlib import Path

import export_sql
import picture
import reach
import reference_tables

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import COMMON, PROVEN, CodeRow
from airflow_provider_faceid.api.fields import FIELD_OF_RULE
from airflow_provider_faceid.cli.commands import COMMANDS
from airflow_provider_faceid.cli.definition import Argument
from airflow_provider_faceid.client.connection_schema import form_fields
from airflow_provider_faceid.client.retry import RULES
from airflow_provider_faceid.hooks import doctor
from airflow_provider_faceid.hooks.datasets import NAMINGS, Naming
from airflow_provider_faceid.hooks.doctor.problems import PROBLEMS
from airflow_provider_faceid.hooks.stats import METRICS
from airflow_provider_faceid.operators import verify
from airflow_provider_faceid.quality.result_rules import RESULT_RULES
from airflow_provider_faceid.report import definitions as report_definitions
from airflow_provider_faceid.report import stand_out, texts
from airflow_provider_faceid.simulator.account import Assumptions
from airflow_provider_faceid.warehouse import tables
from airflow_provider_faceid.warehouse.records import ROW_RULES
from airflow_provider_faceid.warehouse.views import metrics
from airflow_provider_faceid.warehouse.views.definitions import VIEWS

DOCS = Path(__file__).resolve().parent
MARK = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    lines = [list(header), *[list(map(str, row)) for row in rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def codes(rows: dict[str, CodeRow]) -> str:
    """Return a table of result codes."""
    return table(
        ("code", "outcome", "charged", "next", "meaning"),
        ((f"`{r.code}`", r.outcome, r.charged, r.step, r.meaning) for r in rows.values()),
    )


def by_action(mark: str, part: Callable[[str], str]) -> str:
    """Return a part of a page for each Action, below a heading."""
    return "\n".join(f"{mark} `{name}`\n\n{part(name)}" for name in ACTIONS)


def columns(of: tables.Table) -> str:
    """Return a table of a warehouse table's columns."""
    return table(
        ("column", "type", "meaning"),
        (
            (f"`{name}`" + (" (key)" if name in of.key else ""), column.type, column.meaning)
            for name, column in of.columns.items()
        ),
    )


def actions() -> str:
    """Return a table of the Actions."""
    return table(
        ("Action", "calls/s", "asks", "required fields", "page"),
        (
            (
                f"`{action.name}`",
                action.quota,
                action.title,
                ", ".join(f"`{f.name}`" for f in action.fields if f.required),
                f"[API page]({action.docs})",
            )
            for action in ACTIONS.values()
        ),
    )


def fields() -> str:
    """Return a table of the connection's extra fields."""
    return table(
        ("field", "in Extra", "what it does"),
        ((f["label"], f"`{key}`", f["description"]) for key, f in form_fields().items()),
    )


def rules() -> str:
    """Return a table of the input rules."""
    of_values = [rule for field in dict.fromkeys(FIELD_OF_RULE.values()) for rule in field.rules]
    of_rows = {rule.name: rule for action in ACTIONS.values() for rule in action.row_rules}
    return table(
        ("rule", "what it asks for", "a row that breaks it", "can be switched off"),
        [
            (
                f"`{rule.name}`",
                rule.asks,
                "is counted, and sent" if rule.is_warning else "goes to quarantine",
                "yes" if rule.is_optional else "",
            )
            for rule in of_values
        ]
        + [(f"`{name}`", rule.asks, "goes to quarantine", "") for name, rule in of_rows.items()],
    )


def result_rules() -> str:
    """Return a table of the rules of result rows."""
    return table(
        ("rule", "what it asks for", "severity", "columns"),
        (
            (f"`{r.name}`", r.asks, r.severity, ", ".join(f"`{c}`" for c in r.columns))
            for r in RESULT_RULES.values()
        ),
    )


def named() -> str:
    """Return a table of the operators of each Action, with the columns they read."""
    return table(
        ("Action", "one person", "a table", "hook", "columns it reads"),
        (
            (
                f"`{action.name}`",
                f"`{one.__name__}`",
                f"`{action.name}BatchOperator`",
                f"`{one.__module__.rpartition('.')[2]}`",
                ", ".join(f"`{column}`" for column in action.columns.values()),
            )
            for action in ACTIONS.values()
            for one in [getattr(verify, f"{action.name}Operator")]
        ),
    )


def action_columns() -> str:
    """Return a table of the columns that only some Actions have in the result table."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for action in ACTIONS.values():
        for column in action.result_columns:
            rows.setdefault((f"`{column.column}`", column.type, column.meaning), []).append(
                f"`{action.name}`"
            )
    return table(
        ("column", "type", "meaning", "Actions"),
        ((*column, ", ".join(names)) for column, names in rows.items()),
    )


def identity_limits() -> str:
    """Return a table of how often one value may be asked about."""
    return table(
        ("Action", "limits"),
        (
            (
                f"`{action.name}`",
                ", ".join(f"`{n}` {limit:,}" for n, limit in action.identity_limits.items()),
            )
            for action in ACTIONS.values()
        ),
    )


def ways(of: Iterable[tuple[str, str]]) -> str:
    """Return a table of how codes are brought about with the simulator."""
    listed = dict(of)
    rows = [(f"`{code}`", way) for code, way in listed.items() if way]
    rest = ", ".join(f"`{code}`" for code, way in listed.items() if not way)
    return table(("code", "how"), rows + ([(rest, "by a rule only")] if rest else []))


def assumptions() -> str:
    """Return a table of the simulator's settings for what no page says; their texts are the class's."""
    told = dict(
        re.findall(r":param (\w+): (.+?)(?=\n\s*:param|\Z)", str(Assumptions.__doc__), re.DOTALL)
    )
    return table(
        ("setting", "default", "what it says"),
        (
            (
                f"`{field.name}`",
                f"`{json.dumps(field.default)}`",
                " ".join(told[field.name].split()),
            )
            for field in fields_of(Assumptions)
        ),
    )


def decisions() -> str:
    """Return a table of what a call does after each end of a request."""
    return table(
        ("request", "outcome", "code", "next", "why"),
        ((r.delivery, r.outcome, f"`{r.code}`", r.decision, r.reason) for r in RULES),
    )


def way() -> str:
    """Return a table of the modules a row passes, and of those that are asked about it."""
    numbered = [(str(number), room) for number, room in enumerate(picture.WAY, 1)]
    asked = [(f"asked by {picture.GUARDS[room]}", room) for room in picture.GUARDS]
    return table(
        ("step", "module", "what happens to the row"),
        (
            (step.replace("by ", "by `") + "`" * ("by " in step), f"`{room.module}`", room.work)
            for step, room in (*numbered, *asked)
        ),
    )


def views() -> str:
    """Return a table of the views."""
    return table(
        ("view", "one row for"),
        ((f"[`faceid_{v.name}`](#faceid_{v.name})", v.grain) for v in VIEWS),
    )


def view_sections() -> str:
    """Return a section for each view: its grain, its columns, a query."""
    sections = []
    for view in VIEWS:
        own = "\nColumns of single Actions follow, where there are any.\n" * view.with_own_columns
        listed = table(
            ("column", "type", "meaning"),
            ((f"`{name}`", c.type, c.meaning) for name, c in view.columns.items()),
        )
        sections.append(
            f"### `faceid_{view.name}`\n\nOne row for: {view.grain}.\n\n{listed}{own}\n"
            f"```sql\n{view.example}\n```\n"
        )
    return "\n".join(sections)


def dbt_staging() -> str:
    """Return a table of the sources and staging models of the dbt package."""
    listed = [value for value in vars(tables).values() if isinstance(value, tables.Table)]
    short = [of.name.removeprefix("faceid_") for of in listed]
    return table(
        ("source", "staging model", "one row for each"),
        (
            (f"`faceid.{name}`", f"`stg_faceid__{name}`", ", ".join(f"`{c}`" for c in of.key))
            for name, of in zip(short, listed, strict=True)
        ),
    )


def dbt_marts() -> str:
    """Return a table of the marts of the dbt package."""
    return table(
        ("mart", "one row for"),
        ((f"[`faceid__{v.name}`](views.md#faceid_{v.name})", v.grain) for v in VIEWS),
    )


def counts() -> str:
    """Return a table of the counts of rows."""
    answers = [(f"`{name}`", count.meaning) for name, count in metrics.COUNTS.items()]
    places = [(f"`{name}`", meaning) for name, meaning in metrics.ROW_COUNTS.items()]
    return table(("count", "what is counted"), answers + places)


def rates() -> str:
    """Return a table of rates and amounts."""
    listed = [(f"`{name}`", rate.meaning) for name, rate in metrics.RATES.items()]
    money = [(f"`{name}`", meaning) for name, meaning in metrics.AMOUNTS.items()]
    return table(("metric", "definition"), listed + money)


def report_numbers() -> str:
    """Return a table of the numbers of a report, with the names they have on the page."""
    return table(
        ("in the JSON", "on the page", "definition"),
        (
            (f"`{name}`", texts.NAMES[name].en, meaning)
            for name, meaning in sorted(report_definitions.DEFINITIONS.items())
        ),
    )


def report_watched() -> str:
    """Return a table of the numbers of a run that are compared with the runs before it."""
    return table(
        ("number", "smallest difference from the median that is said"),
        (
            (
                texts.NAMES[one.name].en,
                f"{100 * one.least:g} percentage points"
                if one.unit == "share"
                else f"{100 * one.least:g} % of it",
            )
            for one in stand_out.WATCHED
        ),
    )


def metrics_of_airflow() -> str:
    """Return a table of the counters that go to Airflow's metrics."""
    return table(
        ("counter", "labels", "counts"),
        (
            (f"`{name}`", ", ".join(f"`{label}`" for label in one.labels), one.meaning)
            for name, one in METRICS.items()
        ),
    )


def dataset_names() -> str:
    """Return a table of what OpenLineage calls the tables of each type of connection."""

    def namespace(one: Naming) -> str:
        return (
            f"{one.scheme}://{{host}}:{{port, {one.port}}}"
            if one.port
            else f"{one.scheme}://{{path}}"
        )

    return table(
        ("connection", "namespace", "name"),
        (
            (
                f"`{kind}`",
                f"`{namespace(one)}`",
                f"`{'.'.join((*(part.format('{database}') for part in one.schemas), '{table}'))}`",
            )
            for kind, one in NAMINGS.items()
        ),
    )


BLANK = re.compile(r"\{\w+\}")
"""What a template of the doctor's texts asks for."""


def doctor_checks() -> str:
    """Return a table of the doctor's checks."""
    return table(("check", "looks at"), ((f"`{c.name}`", c.looks_at) for c in doctor.CHECKS))


def doctor_problems() -> str:
    """Return a table of the problems the doctor knows."""
    return table(
        ("problem", "check", "severity", "what is wrong", "next step"),
        (
            (
                f"`{one.name}`",
                one.check,
                one.severity,
                *(_blanks(text) for text in (one.cause, one.remedy)),
            )
            for one in PROBLEMS.values()
        ),
    )


def _blanks(template: str) -> str:
    return BLANK.sub("…", template).replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def commands() -> str:
    """Return a table of the commands."""
    return table(
        ("command", "what it does"), ((f"[`{c.name}`](#{c.name})", c.help) for c in COMMANDS)
    )


def command_sections() -> str:
    """Return a section for each command: what it does, its arguments."""
    return "\n".join(
        f"### `{command.name}`\n\n{command.description or command.help}\n\n"
        + table(
            ("argument", "what it says"),
            ((argument_name(a), str(a.options["help"])) for a in command.arguments),
        )
        for command in COMMANDS
    )


def argument_name(argument: Argument) -> str:
    """Return how an argument is typed."""
    options = argument.options
    choices = "\\|".join(options.get("choices", ()))
    value = "" if options.get("action") == "store_true" else options.get("metavar", choices)
    typed = ", ".join(f"`{flag}`" for flag in argument.flags)
    needed = " (required)" if options.get("required") else ""
    return f"{typed} {value and f'`{value}`'}".rstrip() + needed


def review_metrics() -> str:
    """Return a table of the numbers of the review queue."""
    said = {name: count.meaning for name, count in metrics.REVIEW_COUNTS.items()}
    said |= {name: rate.meaning for name, rate in metrics.REVIEW_RATES.items()}
    said |= metrics.REVIEW_TIMES
    return table(("column", "what it says"), ((f"`{name}`", what) for name, what in said.items()))


TABLES: dict[str, Callable[[], str]] = {
    "review-metrics": review_metrics,
    "doctor-checks": doctor_checks,
    "doctor-problems": doctor_problems,
    "commands": commands,
    "command-sections": command_sections,
    "report-numbers": report_numbers,
    "report-watched": report_watched,
    "export-replace": export_sql.replace_rows,
    "export-merge": export_sql.merge,
    "export-snowflake": lambda: export_sql.load("snowflake"),
    "export-redshift": lambda: export_sql.load("redshift"),
    "way": way,
    "views": views,
    "view-sections": view_sections,
    "dbt-staging": dbt_staging,
    "dbt-marts": dbt_marts,
    "metric-counts": counts,
    "metric-rates": rates,
    "table-prices": lambda: columns(tables.PRICES),
    "table-erasures": lambda: columns(tables.ERASURES),
    "table-checks": lambda: columns(tables.CHECKS),
    "table-reviews": lambda: columns(tables.REVIEWS),
    "table-review-log": lambda: columns(tables.REVIEW_LOG),
    "table-reconciliation": lambda: columns(tables.RECONCILIATION),
    "table-reconciliation-calls": lambda: columns(tables.RECONCILIATION_CALLS),
    "actions": actions,
    "retry-decisions": decisions,
    "connection-fields": fields,
    "input-rules": rules,
    "result-rules": result_rules,
    "named-operators": named,
    "action-columns": action_columns,
    "identity-limits": identity_limits,
    "row-rules": lambda: table(
        ("rule", "what it says"), ((f"`{rule}`", says) for rule, says in ROW_RULES.items())
    ),
    "assumptions": assumptions,
    "ways-common": lambda: ways(reach.common_codes()),
    "ways-actions": lambda: by_action("###", lambda name: ways(reach.own_codes(name))),
    "codes-common": lambda: codes(COMMON | PROVEN),
    "metrics": metrics_of_airflow,
    "dataset-names": dataset_names,
    "reference-operators": reference_tables.operator_sections,
    "reference-hook": reference_tables.hook_sections,
    "reference-config": reference_tables.options,
    "reference-public": reference_tables.surface,
    "reference-answers": lambda: reference_tables.sections("api.verdict", "api.codes"),
    "reference-errors": reference_tables.errors,
    "reference-notifications": lambda: reference_tables.sections(
        "notifications.faceid", "notifications.deadline"
    ),
    "reference-policy": lambda: reference_tables.sections("operators.error_mapping"),
    "reference-testing": reference_tables.fixtures,
    "reference-simulator": lambda: reference_tables.sections(
        "simulator", "simulator.faults", "api.encryption"
    ),
    "reference-effects": reference_tables.effects,
    "reference-expectations": reference_tables.expectations,
    "reference-pii-scan": lambda: reference_tables.sections("pii_scan"),
    "table-results": lambda: columns(tables.RESULTS),
    "table-history": lambda: columns(tables.HISTORY),
    "table-quarantine": lambda: columns(tables.QUARANTINE),
    "table-runs": lambda: columns(tables.RUNS),
    "codes-actions": lambda: by_action("##", lambda name: codes(ACTIONS[name].results)),
}


def generated(page: str) -> str:
    """Return a page with its tables made anew."""
    return MARK.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}{m[3]}", page)


def main(*, check: bool) -> int:
    """Rewrite the pages and the picture, or say which of them differ."""
    pages = {
        path: generated(path.read_text(encoding="utf-8")) for path in sorted(DOCS.glob("*.md"))
    }
    stale = []
    for path, new in (pages | {DOCS / "images" / "row.svg": picture.svg()}).items():
        if not path.exists() or path.read_text(encoding="utf-8") != new:
            stale.append(path.name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if stale:
        print(f"{'differs from the code' if check else 'rewritten'}: {', '.join(stale)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
