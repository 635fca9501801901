"""The reference: every operator, the hook, every option, read from signatures and docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator

from airflow_provider_faceid import exceptions
from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.hooks.checks import Checks
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.single_call import Idempotency
from airflow_provider_faceid.operators import verify, verify_batch
from airflow_provider_faceid.operators.error_mapping import RECOVERIES

PARAM = re.compile(
    r"^\s*:(?:(?:param|ivar) (?P<name>\w+)|(?P<other>return|raises \w+)): ?(?P<text>.*?)(?=^\s*:|\Z)",
    re.MULTILINE | re.DOTALL,
)
PACKAGE = "airflow_provider_faceid"
PUBLIC: Mapping[str, tuple[str, ...]] = {
    "operators.verify_batch": tuple(verify_batch.__all__),
    "operators.verify": tuple(verify.__all__),
    "operators.validate": ("FaceIdValidateOperator",),
    "operators.check_results": ("FaceIdCheckResultsOperator",),
    "operators.shards": ("FaceIdShardsOperator",),
    "operators.release": ("FaceIdReleaseOperator",),
    "operators.review_queue": ("FaceIdQueueReviewsOperator", "FaceIdOpenReviewsOperator"),
    "operators.review_decide": ("FaceIdDecideReviewOperator",),
    "operators.forget": ("FaceIdForgetOperator",),
    "operators.funnel": ("FaceIdFunnelOperator",),
    "operators.views": ("FaceIdViewsOperator",),
    "operators.reconcile": ("FaceIdReconcileOperator",),
    "operators.export": ("FaceIdExportOperator",),
    "operators.report": ("FaceIdReportOperator",),
    "notifications.faceid": ("FaceIdNotifier",),
    "operators.error_mapping": ("retry_policy",),
    "notifications.deadline": ("tell_missed_deadline",),
    "hooks.faceid": ("FaceIdHook",),
    "hooks.single_call": ("Idempotency",),
    "quality.expectations": (
        "ExpectColumnValuesToKeepInputRule",
        "ExpectMulticolumnValuesToKeepResultRule",
        "ExpectMulticolumnValuesToKeepRowRule",
    ),
    "api.verdict": ("Verdict",),
    "api.codes": ("Outcome", "Step"),
    "api.encryption": ("Encrypter",),
    "exceptions": tuple(name for name, value in vars(exceptions).items() if inspect.isclass(value)),
    "testing": (
        "faceid_simulator",
        "faceid_connection",
        "faceid_simulator_server",
        "faceid_simulator_options",
    ),
    "simulator": ("SimulatorServer", "simulator", "KEY"),
    "simulator.faults": ("FaultRule", "Nth"),
    "simulator.faults.effects": (
        "AccountState",
        "ClockOffset",
        "Code",
        "Delay",
        "Dribble",
        "DropAfter",
        "DropBefore",
        "HtmlAfter",
        "HtmlBefore",
        "Quota",
        "ResetAfter",
        "ResetBefore",
        "Status",
        "StatusAfter",
        "Truncate",
    ),
    "pii_scan": ("PiiScan", "Hit", "Searched"),
}
"""The public surface: names that code of users imports, by module."""

LONGEST_DEFAULT = 60
"""Characters; a longer one is in the code."""

METHODS = (
    *(method for name, method in vars(Checks).items() if not name.startswith("_")),
    FaceIdHook.call,
    FaceIdHook.test_connection,
    FaceIdHook.get_conn,
    FaceIdHook.rate_limiter,
    FaceIdHook.ledger,
    FaceIdHook.identity_counts,
)
"""Methods of the hook for the code of a DAG, the most useful first."""


def operators() -> dict[str, str]:
    """Return the module of each operator the provider declares, by the operator's name, sorted."""
    found = {}
    for module in map(
        importlib.import_module, get_provider_info()["operators"][0]["python-modules"]
    ):
        own = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value)
            and issubclass(value, BaseOperator)
            and value.__module__ == module.__name__
        ]
        found |= dict.fromkeys(getattr(module, "__all__", own), module.__name__)
    return dict(sorted(found.items()))


def operator_sections() -> str:
    """Return a section for each operator."""
    return "\n".join(
        _section(name, getattr(importlib.import_module(module), name), module)
        for name, module in operators().items()
    )


def hook_sections() -> str:
    """Return a section for the hook and one for each of its methods."""
    sections = [_section("FaceIdHook", FaceIdHook, FaceIdHook.__module__)]
    sections += [_section(f"FaceIdHook.{method.__name__}", method) for method in METHODS]
    return "\n".join([*sections, _section("Idempotency", Idempotency, Idempotency.__module__)])


def options() -> str:
    """Return a table of the options of Airflow's configuration."""
    declared = get_provider_info()["config"]["faceid"]["options"]
    return _table(
        ("option", "default", "what it does"),
        (
            (
                f"`{name}`",
                f"`{option['default']}`" if option["default"] else "",
                option["description"],
            )
            for name, option in declared.items()
        ),
    )


def surface() -> str:
    """Return a table of the public names."""
    return _table(
        ("module", "names"),
        (
            (f"`{PACKAGE}.{module}`", ", ".join(f"`{name}`" for name in names))
            for module, names in PUBLIC.items()
        ),
    )


def public(module: str, name: str) -> Any:
    """Return what a public name stands for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Great Expectations' own imports
        return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)


def sections(*modules: str) -> str:
    """Return a section for each public name of some modules."""
    return "\n".join(
        _section(name, public(module, name), f"{PACKAGE}.{module}") + _methods(public(module, name))
        for module in modules
        for name in PUBLIC[module]
        if callable(public(module, name))
    )


def expectations() -> str:
    """Return a table of our expectations, read without the seconds that Great Expectations takes."""
    package = Path(exceptions.__file__).parent
    text = (package / "quality" / "expectations.py").read_text(encoding="utf-8")
    told = {
        node.name: ast.get_docstring(node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }
    return _table(
        ("class", "what it expects", "arguments"),
        (
            (
                f"`{name}`",
                _flat(told[name].split("\n\n")[0]),
                "; ".join(
                    f"`{m['name']}`: {_flat(m['text']).removesuffix('.')}"
                    for m in PARAM.finditer(told[name])
                ),
            )
            for name in PUBLIC["quality.expectations"]
        ),
    )


def effects() -> str:
    """Return a table of the effects of fault rules."""
    module = "simulator.faults.effects"
    return _table(
        ("class", "what it does"),
        ((f"`{name}`", _summary(public(module, name))) for name in PUBLIC[module]),
    )


def fixtures() -> str:
    """Return a table of the fixtures for tests of DAGs."""
    found = {name: public("testing", name) for name in PUBLIC["testing"]}
    return _table(
        ("fixture", "scope", "what it is"),
        (
            (f"`{name}`", f"`{_scope(fixture)}`", _flat(_doc(fixture)))
            for name, fixture in found.items()
        ),
    )


def errors() -> str:
    """Return a table of all exceptions, each below what it is a kind of."""
    listed = [public("exceptions", name) for name in PUBLIC["exceptions"]]
    return _table(
        ("exception", "kind of", "what it says", "a task with it"),
        (
            (
                f"`{error.__name__}`",
                f"`{error.__bases__[0].__name__}`",
                _summary(error),
                next((r.reaction for r in RECOVERIES if issubclass(error, r.error)), ""),
            )
            for error in listed
        ),
    )


def _methods(of: object) -> str:
    """Return a table of a class's own methods and properties, empty if there are none."""
    if not inspect.isclass(of) or issubclass(of, StrEnum):
        return ""
    rows = [
        (f"`{_call(name, value)}`", _summary(value))
        for name, value in vars(of).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    ]
    return f"\n{_table(('member', 'what it does'), rows)}" if rows else ""


def _call(name: str, member: object) -> str:
    """Return how a member is used."""
    if not inspect.isfunction(member):
        return name
    named = [str(p).split(":")[0] for p in inspect.signature(member).parameters.values()]
    return f"{name}({', '.join(named[1:])})"


def _scope(fixture: Any) -> str:
    return str(fixture._fixture_function_marker.scope)  # noqa: SLF001 - pytest has no other way


def _doc(fixture: Any) -> str:
    return inspect.getdoc(fixture._get_wrapped_function()) or ""  # noqa: SLF001 - as above


def _summary(what: object) -> str:
    """Return the first paragraph of a docstring."""
    return _flat((inspect.getdoc(what) or "").split("\n\n")[0])


def _section(title: str, what: Callable[..., object], module: str = "") -> str:
    text = inspect.getdoc(what) or ""
    intro = _markdown(text[: found.start()] if (found := PARAM.search(text)) else text)
    where = f"`from {module} import {title}`\n\n" if module else ""
    told = {m["name"] or m["other"]: _flat(m["text"]) for m in PARAM.finditer(text)}
    rows = (
        [] if inspect.isclass(what) and issubclass(what, StrEnum) else list(_parameters(what, told))
    )
    returned = [f"Returns: {told['return']}\n"] if "return" in told else []
    table = [_table(("parameter", "type", "default", "what it means"), rows)] if rows else []
    if inspect.isclass(what) and issubclass(what, StrEnum):
        table = [", ".join(f"`{member}`" for member in what) + "\n"]
    return f"### {title}\n\n{where}" + "\n".join([intro + "\n", *table, *returned])


def _parameters(
    what: Callable[..., object], told: dict[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    for name, parameter in inspect.signature(what).parameters.items():
        if name == "self" or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        needed = parameter.default is inspect.Parameter.empty
        default = "needed" if needed else f"`{_written(parameter.default)}`"
        annotation = parameter.annotation
        kind = str(getattr(annotation, "__forward_arg__", annotation)).replace("|", "\\|")
        yield f"`{name}`", f"`{kind}`", default, told.get(name, "")


def _written(default: Any) -> str:
    """Return a default as it would be written, or what it is if that says nothing."""
    if is_dataclass(default) and default == type(default)():
        return f"{type(default).__name__}()"
    written = repr(default)
    if " at 0x" in written or "<factory>" in written or len(written) > LONGEST_DEFAULT:
        return "..."
    return written


def _markdown(text: str) -> str:
    """Return text of a docstring as Markdown."""
    plain = re.sub(r":(?:class|meth|func|data|mod):`[~.]*([\w.]+)`", r"`\1`", text)
    return plain.replace("``", "`").strip()


def _flat(text: str) -> str:
    return _markdown(" ".join(text.split())).replace("|", "\\|")


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
