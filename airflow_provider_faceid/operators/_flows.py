"""What each kind of operator reads and writes, for OpenLineage: see :mod:`.lineage`.

Each function takes an operator whose parameters were read, and the counts of its task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..api.action import Action
from ..api.actions import ACTIONS
from ..api.fields import PHOTO
from ..hooks.datasets import DatasetName, Tables, catalog_name, file_name
from ..hooks.warehouses import DIALECTS
from ..warehouse.names import Names
from ..warehouse.tables import (
    CHECKS,
    ERASURES,
    HISTORY,
    PRICES,
    QUARANTINE,
    RECONCILIATION,
    RECONCILIATION_CALLS,
    RESULTS,
    REVIEW_LOG,
    REVIEWS,
    RUNS,
    Table,
)
from ..warehouse.views.definitions import VIEWS
from ..warehouse.views.views import View
from ._datasets import Check, Dataset, Feed, Lineage, Origins, view_feeds
from ._values import source_columns
from .files import NUMBERS, PAGE

_VERDICT = "answer of the Face ID service"
_HASH = "keyed hash"
_MASK = "mask"
_VERDICT_COLUMNS = ("outcome", "code", "description")


class Warehouse:
    """
    The datasets of our tables.

    :param operator: whose warehouse and tables they are.
    """

    def __init__(self, operator: Any) -> None:
        conn_id = operator.warehouse_conn_id or operator.source_conn_id
        self.tables: Tables = operator.lineage_tables[conn_id]
        self.dialect = DIALECTS[self.tables.conn_type]
        self.names = Names(
            operator.result_table,
            getattr(operator, "quarantine_table", QUARANTINE.name),
            getattr(operator, "run_table", RUNS.name),
        )

    def dataset(self, table: Table, name: str, **more: Any) -> Dataset:
        """Return the dataset of a table of ours."""
        columns = {
            column: (type_, table.columns[column].meaning)
            for column, type_ in table.declared(self.dialect).items()
        }
        feeds = {
            column: feeds
            for column, feeds in more.pop("feeds", {}).items()
            if column in columns and feeds
        }
        return Dataset(self.tables.name(name), columns, feeds, **more)

    def results(self, action: str = "", **more: Any) -> Dataset:
        """Return the result table, with the columns of an Action."""
        return self.dataset(_of(RESULTS, action), self.names.results, **more)

    def history(self, action: str = "", **more: Any) -> Dataset:
        """Return the history."""
        return self.dataset(_of(HISTORY, action), self.names.history, **more)

    def quarantine(self, **more: Any) -> Dataset:
        """Return the quarantine table."""
        return self.dataset(QUARANTINE, self.names.quarantine, **more)

    def runs(self, **more: Any) -> Dataset:
        """Return the table of runs."""
        return self.dataset(RUNS, self.names.runs, **more)

    def beside(self, table: Table, **more: Any) -> Dataset:
        """Return a table that is named after the result table."""
        name = self.names.beside(table.name.removeprefix("faceid_"))
        return self.dataset(table, name, **more)

    def view(self, view: View, feeds: Mapping[str, Sequence[Feed]] | None = None) -> Dataset:
        """Return a view."""
        columns = {
            name: (self.dialect.types[column.type], column.meaning)
            for name, column in view.columns.items()
        }
        return Dataset(self.tables.name(self.names.beside(view.name)), columns, feeds or {})


def _of(table: Table, action: str) -> Table:
    return table.with_columns_of(ACTIONS[action].result_columns) if action else table


def verify_table(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return what a batch operator reads and writes; a dry run writes its run only."""
    action, here = ACTIONS[operator.action], Warehouse(operator)
    by_field = dict(operator.by_field)
    version = [operator.version_column] if operator.version_column else []
    origins = Origins(operator, [*by_field.values(), *version], facts.get("rows_in"))
    feeds = _feeds_of_answers(action, by_field, origins, version)
    inputs = [*origins.datasets, here.quarantine()]
    if operator.after:
        inputs.append(here.results())
    if operator.is_dry_run:
        return Lineage(inputs, [here.runs()])
    written = _written(operator) if facts else None
    rows = {} if written is None else {kind: {"rows": count} for kind, count in written.items()}
    outputs = [
        here.results(operator.action, feeds=feeds, **rows.get("results", {})),
        here.history(operator.action, feeds=feeds, **rows.get("history", {})),
        here.quarantine(feeds=feeds, **rows.get("quarantine", {})),
        here.runs(**({"rows": 1} if facts else {})),
    ]
    checked = getattr(operator, "_checked", None)
    if operator.check_results:
        counts = [] if checked is None else [count.as_dict() for count in checked.counts]
        inputs.append(here.results(operator.action, checks=_checks(counts)))
        outputs.append(here.beside(CHECKS, **({"rows": len(counts)} if counts else {})))
    return Lineage(inputs, outputs)


def _written(operator: Any) -> dict[str, int]:
    """Return how many rows a run has written into each table."""
    batch = operator._batch  # noqa: SLF001 - the operator's own
    if batch is None:
        return dict.fromkeys(("results", "history", "quarantine"), 0)
    settled = batch.manifest.settled
    results = settled.total() - settled["quarantined"]
    final = results - settled["postponed"] - settled["held"]
    return {"results": results, "history": final, "quarantine": settled["quarantined"]}


def validate(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return what a validation reads and writes."""
    action, here = ACTIONS[operator.action], Warehouse(operator)
    named = {
        "id_card": operator.id_card_column,
        "name": operator.name_column,
        "photo": operator.photo_column,
    }
    by_field = source_columns(action, operator.columns, named)
    shown = {action.columns[field]: column for field, column in by_field.items()}
    checks = _checks(facts.get("expectations", ()), shown)
    checks += [
        Check(rule, is_kept=False, severity="critical", evaluated=facts["rows"], unexpected=count)
        for rule, count in facts.get("unusable_by_rule", {}).items()
    ]
    read = [*by_field.values(), *operator.other_columns]
    origins = Origins(operator, read, facts.get("rows"), checks)
    feeds = _feeds_of_answers(action, by_field, origins, ())
    feeds["rule"] = origins.feeds(read, "TRANSFORMATION", "input rules", is_masked=True)
    bad = facts.get("quarantined_rows")
    outputs = [here.quarantine(feeds=feeds, rows=bad), here.beside(CHECKS)]
    inputs = [*origins.datasets]
    if operator.after:
        inputs.append(here.results())
    return Lineage(inputs, [*outputs, *_files(operator, "result_path", "data_docs_path")])


def check_results(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return what a check of results reads and writes."""
    here, counts = Warehouse(operator), facts.get("expectations", ())
    results = here.results(operator.action, rows=facts.get("rows"), checks=_checks(counts))
    outputs = [
        here.beside(CHECKS, rows=len(counts) if counts else None),
        *_files(operator, "result_path", "data_docs_path"),
    ]
    return Lineage([results, here.quarantine()], outputs)


def verify_one(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the source of a single call, if the person is in one; its verdict is in XCom only."""
    if operator.source_conn_id is None or operator.source is None:
        return Lineage()
    return Lineage(Origins(operator, list(operator.by_field.values())).datasets)


def shards(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the source that is cut."""
    inputs = [*Origins(operator, ()).datasets]
    if operator.after:
        inputs.append(Warehouse(operator).results())
    return Lineage(inputs)


def release(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the result table, whose held rows are released."""
    here = Warehouse(operator)
    results = here.results(operator.action)
    return Lineage([results], [here.results(operator.action, rows=facts.get("released"))])


def forget(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the tables whose rows are erased, and that of receipts."""
    here = Warehouse(operator)
    tables = [here.results(), here.history(), here.quarantine()]
    tables += [here.beside(REVIEWS), here.beside(REVIEW_LOG)]
    return Lineage(tables, [*tables, here.beside(ERASURES)])


_OF_ANSWER = ("campaign", "action", "source_key", "outcome", "code", "similarity", "answered_at")


def queue_reviews(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the results and the history that cases are made of, and the queue."""
    here = Warehouse(operator)
    results = here.results(operator.action)
    feeds = {column: [Feed(results.name, column)] for column in _OF_ANSWER}
    entered = facts.get("entered")
    outputs = [
        here.beside(REVIEWS, feeds=feeds, rows=entered),
        here.beside(REVIEW_LOG, rows=entered),
    ]
    return Lineage([results, here.history(operator.action)], outputs)


def list_reviews(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the queue, whose cases go to XCom only."""
    return Lineage([Warehouse(operator).beside(REVIEWS)])


def decide_review(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the queue, its log, and the results of which one may be released."""
    here = Warehouse(operator)
    rows = {"rows": 1} if facts else {}
    is_recheck = facts.get("decision") == "recheck" and facts.get("status") == "resolved"
    outputs = [here.beside(REVIEWS, **rows), here.beside(REVIEW_LOG, **rows)]
    return Lineage([here.beside(REVIEWS)], [*outputs, *([here.results()] if is_recheck else [])])


def views(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the tables behind the views, the views, and the prices if they are written."""
    here = Warehouse(operator)
    outputs = [here.view(view, dict(_of_view(here, view))) for view in VIEWS]
    if operator.price_list is not None:
        outputs.append(here.beside(PRICES, rows=facts.get("prices")))
    inputs = [here.results(), here.history(), here.quarantine(), here.runs()]
    return Lineage([*inputs, here.beside(PRICES), here.beside(REVIEWS)], outputs)


def _of_view(here: Warehouse, view: View) -> Iterator[tuple[str, list[Feed]]]:
    names = {word: here.tables.name(name) for word, name in here.names.all.items()}
    for column, origins in view_feeds(view).items():
        kind = "AGGREGATION" if view.group_by else "TRANSFORMATION"
        is_same = view.columns[column].sql in {column, f"answer.{column}"}
        yield (
            column,
            [
                Feed(names[word], origin, "IDENTITY" if is_same and origin == column else kind)
                for word, origin in origins
            ],
        )


def funnel(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the tables of a funnel, which goes to XCom only."""
    here = Warehouse(operator)
    return Lineage([here.results(), here.quarantine(), here.runs()])


def reconcile(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the views of charges, the bill if it is a file, and what differs."""
    here = Warehouse(operator)
    read = [here.view(view) for view in VIEWS if view.name in {"charges", "in_doubt"}]
    by_name = {dataset.name.name.rpartition("_")[2]: dataset for dataset in read}
    feeds = {
        column: [Feed(one.name, column) for one in by_name.values() if column in one.columns]
        for column in RECONCILIATION_CALLS.key
    }
    outputs = [
        here.beside(RECONCILIATION, feeds=feeds, rows=facts.get("differences")),
        here.beside(RECONCILIATION_CALLS, feeds=feeds),
    ]
    return Lineage([*read, *_files(operator, "bill_file")], outputs)


def report(operator: Any, _: Mapping[str, Any]) -> Lineage:
    """Return the tables and views of a report, and its two files."""
    here = Warehouse(operator)
    tables = [here.results(), here.history(), here.quarantine(), here.runs(), here.beside(PRICES)]
    outputs = _files(operator, "path")
    outputs.append(Dataset(file_name(operator.path.removesuffix(PAGE) + NUMBERS)))
    return Lineage([*tables, *map(here.view, VIEWS)], outputs)


def export(operator: Any, facts: Mapping[str, Any]) -> Lineage:
    """Return the exported table and the target."""
    from ..warehouse.export.batches import TABLES  # noqa: PLC0415 - it imports much

    here = Warehouse(operator)
    table, name_in = TABLES[operator.table]
    actions = operator.actions or ACTIONS
    if operator.table in {"results", "history"}:
        own = (one for action in actions for one in ACTIONS[action].result_columns)
        table = table.with_columns_of(own)
    source = here.dataset(table, name_in(here.names), rows=facts.get("rows"))
    other = dict.fromkeys(operator.other_columns, ("", ""))
    columns = {**{name: ("", said) for name, (_, said) in source.columns.items()}, **other}
    feeds = {column: [Feed(source.name, column)] for column in columns}
    target = _target(operator)
    if target is None:
        return Lineage([source])
    return Lineage([source], [Dataset(target, columns, feeds, facts.get("rows"))])


def _target(operator: Any) -> DatasetName | None:
    """Return the name of the target; of an Iceberg table it is known once its catalog was opened."""
    if operator.format != "iceberg":
        return file_name(operator.path)
    properties = operator.lineage_catalog
    return None if properties is None else catalog_name(properties, operator.iceberg_table)


def _files(operator: Any, *parameters: str) -> list[Dataset]:
    """Return the files that some parameters name, as far as they are given."""
    paths = (getattr(operator, parameter) for parameter in parameters)
    return [Dataset(file_name(path)) for path in paths if path]


def _checks(counts: Sequence[Mapping[str, Any]], columns: Mapping[str, str] = {}) -> list[Check]:
    """
    Return the rules that a dataset was asked.

    :param columns: column of the dataset by the column that the rule names.
    """
    return [
        Check(
            str(one["rule"]),
            bool(one["success"]),
            str(one["severity"]),
            columns.get(str(one["column"]), str(one["column"])),
            int(one["evaluated"]),
            int(one["unexpected"]),
            float(one["mostly"]),
        )
        for one in counts
    ]


def _feeds_of_answers(
    action: Action, by_field: Mapping[str, str], origins: Origins, version: Sequence[str]
) -> dict[str, list[Feed]]:
    """
    Return what the columns of results, history and quarantine are made of.

    A hash or mask is made of one value or all of them, and a verdict is the service's answer to them.

    :param by_field: source column by API field.
    """
    asked = list(by_field.values())
    feeds = {
        "source_key": origins.key_feeds(),
        "question_hash": origins.feeds(asked, "TRANSFORMATION", _HASH, is_masked=True),
        "row_hash": origins.feeds([*asked, *version], "TRANSFORMATION", _HASH, is_masked=True),
    }
    for field in action.pseudonyms:
        hashed, masked = field.type.pseudonym_columns
        if column := by_field.get(field.name):
            feeds[hashed] = origins.feeds([column], "TRANSFORMATION", _HASH, is_masked=True)
            feeds[masked] = origins.feeds([column], "TRANSFORMATION", _MASK, is_masked=True)
    outputs = [output.column for output in action.outputs]
    if action.field_of(PHOTO) is not None:
        outputs.append("similarity")
    for column in (*_VERDICT_COLUMNS, *outputs):
        feeds[column] = origins.feeds(asked, "TRANSFORMATION", _VERDICT, is_masked=True)
    return feeds
