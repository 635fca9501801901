"""Parameters as they are after rendering: read, checked and typed, by their names.

A template renders to text, or to a Python object where a DAG has ``render_template_as_native_obj``.
Both are read alike, so that ``max_charged="{{ params.budget }}"`` is a number in each of them. An
optional parameter that renders to nothing or to ``None`` counts as not given: a campaign must not be
called ``None`` because a DAG was triggered without one. Besides, what the operators share: what our
tables say of a task, asset events, the manifest of a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from ..compat import is_reschedule
from ..exceptions import NAME_SHOWN, ConfigurationError, nearest
from ..process import safe_message
from ..report.thresholds import read_thresholds
from ._partitions import add_partitions, check_partitions
from ._values import (
    NOTHING,
    band,
    by_reason,
    column,
    column_list,
    columns_by_field,
    hitl_answer,
    key_columns,
    names,
    number,
    parsed,
    percent,
    reasons,
    reasons_or_flag,
    text,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from ..warehouse.records import RunContext


def work_of(context: Context, campaign: str, action: str, source: str = "") -> RunContext:
    """
    Return what our tables say of the work of a task.

    :param source: where its rows are.
    """
    from ..warehouse.records import RunContext  # noqa: PLC0415 - keeps reading a DAG file cheap

    ti: Any = context["ti"]
    map_index = int(getattr(ti, "map_index", -1))
    task_id = str(ti.task_id)
    return RunContext(campaign, action, str(ti.run_id), map_index, str(ti.dag_id), source, task_id)


def describe_outlets(context: Context, outlets: Iterable[Any], facts: Mapping[str, Any]) -> None:
    """Attach counts to the asset events of a task's outlets, and to its lineage; nothing per row."""
    keep_facts(context, facts)
    for outlet in outlets:
        event = context["outlet_events"][outlet]
        event.extra = dict(facts)
        add_partitions(context, outlet, event, facts)


def keep_facts(context: Context, facts: Mapping[str, Any]) -> None:
    """Keep the counts of a task for its lineage, see :class:`~.lineage.ReportsLineage`."""
    task: Any = context.get("task")
    if task is not None:
        task.lineage_facts = dict(facts)


@contextmanager
def manifest_on_failure(context: Context, manifest: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """
    Push what a task would have returned, and why it did not, if it fails.

    A task that fails returns nothing; one after it with ``trigger_rule="all_done"`` would meet None.

    :param manifest: returns the counts so far.
    """
    try:
        yield
    except BaseException as error:
        if not is_reschedule(error):
            failed = {**manifest(), "success": False, "error": safe_message(error)}
            keep_facts(context, failed)
            with suppress(Exception):  # why the task fails says more
                context["ti"].xcom_push(key="return_value", value=failed)
        raise


Reader = Callable[[Any], Any]
"""Returns a value as it is used; raises ``ValueError`` with the words that say what it should be."""

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_AFTER = "the name of an Action, or {'action': ..., 'outcomes': [...]}, or a list of these"
_AFTER_KEYS = {"action", "outcomes"}
_PLACES = ("answered", "postponed", "held", "quarantined")
_PRICE_KEYS = {"action", "price", "currency", "valid_from", "valid_to"}
_DAYS_AND_CLOCK = re.compile(
    r"(?:(?P<days>\d+) ?d(?:ays?)?)?(?:, ?|(?<=[sdy]) |^|$)"
    r"(?:(?P<hours>\d+):(?P<minutes>\d\d)(?::(?P<seconds>\d\d(?:\.\d+)?))?)?"
)
_ISO_8601 = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def read_parameters(operator: BaseOperator, *needed: str) -> None:
    """
    Read the templated parameters of an operator, once they are rendered.

    :param needed: names of those that must not render to nothing.
    :raises ConfigurationError: some are not what they should be; all of them are named.
    """
    check_partitions(operator.outlets)
    wrong = []
    for name in operator.template_fields:
        value = getattr(operator, name)
        reader = text if name in needed else reader_of(name)
        try:
            setattr(operator, name, reader(value))
        except ValueError as error:
            shown = repr(value)
            shown = shown if len(shown) <= NAME_SHOWN else f"{shown[:NAME_SHOWN]}..."
            wrong.append(f"{name.removeprefix('is_')}={shown}: {error}")
    if wrong:
        raise ConfigurationError(f"Task '{operator.task_id}': {'; '.join(wrong)}")
    if (name_tables := getattr(operator, "name_tables", None)) is not None:
        name_tables()  # for its lineage


def whole_number(value: Any, *, least: int) -> int:
    """Read a whole number."""
    number = value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9][0-9_]*\s*", value):
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError(f"it is a whole number from {least}")
    return number


def share(value: Any) -> float:
    """Read a share."""
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:
        raise ValueError("it is a share from 0 to 1")
    return number


def duration(value: Any) -> timedelta:
    """Read a duration: ``timedelta``, its text (``30 days, 0:00:00``), or ISO 8601 (``P30D``)."""
    found: timedelta | None = value if isinstance(value, timedelta) else None
    if isinstance(value, str):
        written = value.strip()
        for form in (_ISO_8601, _DAYS_AND_CLOCK):
            if match := form.fullmatch(written):
                parts = {
                    unit: float(number) for unit, number in match.groupdict().items() if number
                }
                found = timedelta(**parts)
                break
    if found is None or found <= timedelta(0):
        raise ValueError("it is a timedelta of more than nothing, or its text such as 'P30D'")
    return found


def flag(value: Any) -> bool:
    """Read true or false; the text ``False`` is not true."""
    found = _FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if found is None:
        raise ValueError("it is True or False")
    return found


def choice(value: Any, *, of: tuple[str, ...]) -> str:
    """Read one of a few words."""
    if value not in of:
        *others, last = map(repr, of)
        hint = nearest(str(value), of)
        near = f"; did you mean '{hint}'?" if hint else ""
        raise ValueError(f"it is {', '.join(others)} or {last}{near}")
    return str(value)


def action(value: Any) -> str:
    """Read the name of an Action."""
    from ..api.actions import listed  # noqa: PLC0415 - keeps reading a DAG file cheap

    try:
        return listed(str(value)).name
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def prerequisites(value: Any) -> list[dict[str, Any]]:
    """
    Read the earlier verdicts a row needs: the name of an Action, or a dict, or a list of these.

    :return: one dict for each Action: ``action`` and ``outcomes``; none for an empty list.
    """
    from ..api.codes import Outcome  # noqa: PLC0415 - keeps reading a DAG file cheap
    from ..warehouse.sources.prerequisites import PASSING  # noqa: PLC0415 - the same

    found = parsed(value) if isinstance(value, str) else value
    if found is None:
        found = value
    given = [found] if isinstance(found, str | Mapping) else found
    if not isinstance(given, list | tuple):
        raise ValueError(f"it is {_AFTER}")  # noqa: TRY004 - one kind to catch
    read = []
    for one in given:
        needed = {"action": one} if isinstance(one, str) else one
        if not isinstance(needed, Mapping) or not {"action"} <= needed.keys() <= _AFTER_KEYS:
            raise ValueError(f"it is {_AFTER}")
        outcomes = names(needed.get("outcomes") or PASSING)
        if not set(outcomes) <= set(Outcome):
            raise ValueError(f"outcomes are among {', '.join(Outcome)}")
        read.append({"action": action(needed["action"]), "outcomes": list(map(str, outcomes))})
    return read


def prices(value: Any) -> dict[str, Decimal]:
    """Read the price of one charged call by Action."""
    found = parsed(value) if isinstance(value, str) else value
    wrong = "it is a dict of prices from 0, by Action"
    if not isinstance(found, Mapping):
        raise ValueError(wrong)  # noqa: TRY004 - one kind to catch
    read = {}
    for name, price in found.items():
        try:
            amount = Decimal(str(price))
        except ArithmeticError:
            raise ValueError(wrong) from None
        if not amount.is_finite() or amount < 0:
            raise ValueError(wrong)
        read[action(name)] = amount
    return read


def price_list(value: Any) -> list[dict[str, Any]]:
    """Read prices with currency and validity, see :class:`~..warehouse.prices.Price`."""
    wrong = (
        "it is a list of dicts with action, price (from 0) and currency, and with valid_from and "
        "valid_to (days) if need be"
    )
    read = []
    for line in dictionaries(value):
        if not {"action", "price", "currency"} <= line.keys() <= _PRICE_KEYS:
            raise ValueError(wrong)
        days = {name: day(line[name]) for name in ("valid_from", "valid_to") if line.get(name)}
        ((name, amount),) = prices({line["action"]: line["price"]}).items()
        read.append(
            {"action": name, "price": float(amount), "currency": text(line["currency"]), **days}
        )
    return read


def day(value: Any) -> date:
    """Read a day: a date, or its text in ISO 8601."""
    if isinstance(value, datetime):
        return value.date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError("a day is written as 2026-11-28") from None


def names_by_name(value: Any) -> dict[str, str]:
    """Read names by names, also from the text a template makes of a dict."""
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise ValueError("it is a dict of names by names")  # noqa: TRY004 - one kind to catch
    return {str(key): text(name) for key, name in found.items()}


def dictionaries(value: Any) -> list[dict[str, Any]]:
    """Read a list of dicts, also from JSON."""
    found = names(value)
    if not all(isinstance(one, Mapping) for one in found):
        raise ValueError("it is a list of dicts")
    return found


def path_or_function(value: Any) -> Any:
    """Read a path or URL; a function is left as it is."""
    return value if callable(value) else text(value)


def flag_or_suite(value: Any) -> Any:
    """Read true or false, or where a suite is."""
    try:
        return flag(value)
    except ValueError:
        return path_or_function(value)


def manifests(value: Any) -> list[dict[str, Any]]:
    """Read the manifest of a task, or those of a mapped one."""
    found = parsed(value) if isinstance(value, str) else value
    listed = [found] if isinstance(found, Mapping) else found
    wrong = "it is the manifest of a task that verified a table, or a list of these"
    if not isinstance(listed, Iterable):
        raise ValueError(wrong)  # noqa: TRY004 - one kind to catch
    read = list(listed)
    for one in read:
        counts = [one.get(p) for p in _PLACES] if isinstance(one, Mapping) else [None]
        if not all(type(count) is int for count in counts):
            raise ValueError(wrong)
    return [dict(one) for one in read]


def optional(value: Any, *, reader: Reader) -> Any:
    """Read a parameter that need not be given."""
    if value is None or (isinstance(value, str) and value.strip().lower() in NOTHING):
        return None
    return reader(value)


def as_it_is(value: Any) -> Any:
    """Return a value that is checked where it is used."""
    return value


def alerts(value: Any) -> Any:
    """Read thresholds on numbers of a report, also from the text a template makes of them."""
    found = parsed(value) if isinstance(value, str) else value
    read_thresholds(found)
    return found


_optional_text = partial(optional, reader=text)
_optional_duration = partial(optional, reader=duration)
_from_zero, _from_one = partial(whole_number, least=0), partial(whole_number, least=1)

READERS: Mapping[str, Reader] = {
    "action": action,
    "actions": partial(optional, reader=lambda value: list(map(action, names(value)))),
    "alerts": partial(optional, reader=alerts),
    "after": partial(optional, reader=prerequisites),
    "answer": partial(optional, reader=hitl_answer),
    "awaits_second": flag,
    "bill": partial(optional, reader=dictionaries),
    "bill_action_names": partial(optional, reader=names_by_name),
    "bill_columns": partial(optional, reader=names_by_name),
    "bill_file": _optional_text,
    "campaign": _optional_text,
    "catalog": partial(optional, reader=names_by_name),
    "catalog_conn_id": _optional_text,
    "columns": partial(optional, reader=columns_by_field),
    "check_results": partial(optional, reader=flag_or_suite),
    "currency": _optional_text,
    "data_docs_path": _optional_text,
    "days": partial(optional, reader=_from_one),
    "decided_by": _optional_text,
    "decision": _optional_text,
    "due_hours": partial(optional, reader=partial(by_reason, reader=number)),
    "expectations": dictionaries,
    "suite": partial(optional, reader=path_or_function),
    "faceid_conn_id": _optional_text,
    "language": partial(choice, of=("en", "zh")),
    "format": partial(choice, of=("parquet", "iceberg", "delta")),
    "four_eyes": partial(optional, reader=reasons_or_flag),
    "iceberg_table": _optional_text,
    "id_card_check": partial(optional, reader=partial(choice, of=("strict", "format"))),
    "is_dry_run": flag,
    "is_priority": flag,
    "key": as_it_is,
    "key_column": key_columns,
    "manifest": partial(optional, reader=manifests),
    "max_bad_fraction": share,
    "max_changed": share,
    "max_charged": partial(optional, reader=_from_zero),
    "max_in_flight": partial(optional, reader=_from_one),
    "min_rows": _from_zero,
    "most_cases": _from_one,
    "note": _optional_text,
    "of_action": partial(optional, reader=action),
    "on_difference": partial(choice, of=("ignore", "warn", "fail")),
    "on_in_doubt": partial(choice, of=("hold", "retry")),
    "on_incomplete": partial(choice, of=("ignore", "warn", "fail")),
    "on_nothing_released": partial(choice, of=("ignore", "warn", "fail")),
    "on_unknown_keys": partial(choice, of=("ignore", "warn", "fail")),
    "on_postponed": partial(choice, of=("leave", "reschedule")),
    "other_columns": column_list,
    "page_size": _from_one,
    "path": _optional_text,
    "photo_is_path": flag,
    "price_list": partial(optional, reader=price_list),
    "prices": partial(optional, reader=prices),
    "priority": partial(optional, reader=partial(by_reason, reader=_from_one)),
    "quarantine_table": text,
    "read_photos": flag,
    "reasons": partial(optional, reader=reasons),
    "reference": _optional_text,
    "requested_by": _optional_text,
    "result_path": _optional_text,
    "result_table": text,
    "reuse_within": _optional_duration,
    "review_id": text,
    "rewrite": flag,
    "reviewers": partial(optional, reader=names),
    "run_id": _optional_text,
    "run_table": text,
    "shards": _from_one,
    "similarity_band": band,
    "skip_rules": names,
    "smallest_group": _from_one,
    "source": _optional_text,
    "source_conn_id": _optional_text,
    "source_keys": partial(optional, reader=names),
    "state_conn_id": _optional_text,
    "storage_conn_id": _optional_text,
    "steps": prerequisites,
    "threshold": percent,
    "table": partial(choice, of=("results", "history", "quarantine", "runs", "checks")),
    "use_default_suite": flag,
    "valid_for": _optional_duration,
    "version_column": partial(optional, reader=column),
    "warehouse_conn_id": _optional_text,
    "whole_person": flag,
}
"""How each parameter is read, by its name: it is read alike by all operators."""


def reader_of(name: str) -> Reader:
    """
    Return how a parameter is read.

    :param name: as the operators have it. The source column of a field, such as ``id_card_column``, is
        text for each Action; what an operator of yours adds besides is left as it is.
    """
    return READERS.get(name, column if name.endswith("_column") else as_it_is)
