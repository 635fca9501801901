"""The reference: every operator, the hook, every option, read from signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator

from airflow.sdk import BaseOperator

from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.hooks.single_call import Idempotency

PARAM = re.compile(
    r"^\s*:(?:param (?P<name>\w+)|(?P<other>return|raises \w+)): ?(?P<text>.*?)(?=^\s*:|\Z)",
    re.MULTILINE | re.DOTALL,
)
METHODS = (
    FaceIdHook.id_card_verification,
    FaceIdHook.image_recognition_v2,
    FaceIdHook.call,
    FaceIdHook.test_connection,
    FaceIdHook.get_conn,
    FaceIdHook.rate_limiter,
    FaceIdHook.ledger,
    FaceIdHook.identity_counts,
)
"""Methods of the hook for the code of a DAG, the most useful first."""


def operators() -> list[type[BaseOperator]]:
    """Return the operators the provider declares, by name."""
    listed = get_provider_info()["operators"][0]["python-modules"]
    found = {
        value
        for module in map(importlib.import_module, listed)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseOperator)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    }
    return sorted(found, key=lambda operator: operator.__name__)


def operator_sections() -> str:
    """Return a section for each operator."""
    return "\n".join(
        _section(operator.__name__, operator, operator.__module__) for operator in operators()
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


def _section(title: str, what: Callable[..., object], module: str = "") -> str:
    text = inspect.getdoc(what) or ""
    intro = _markdown(text[: found.start()] if (found := PARAM.search(text)) else text)
    where = f"`from {module} import {title}`\n\n" if module else ""
    told = {m["name"] or m["other"]: _flat(m["text"]) for m in PARAM.finditer(text)}
    rows = list(_parameters(what, told))
    returned = [f"Returns: {told['return']}\n"] if "return" in told else []
    table = [_table(("parameter", "type", "default", "what it means"), rows)] if rows else []
    return f"### {title}\n\n{where}" + "\n".join([intro + "\n", *table, *returned])


def _parameters(
    what: Callable[..., object], told: dict[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    for name, parameter in inspect.signature(what).parameters.items():
        if name == "self" or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        needed = parameter.default is inspect.Parameter.empty
        default = "needed" if needed else f"`{parameter.default!r}`"
        kind = str(parameter.annotation).replace("|", "\\|")
        yield f"`{name}`", f"`{kind}`", default, told.get(name, "")


def _markdown(text: str) -> str:
    """Return text of a docstring as Markdown."""
    plain = re.sub(r":(?:class|meth|func|data|mod):`[~.]*([\w.]+)`", r"`\1`", text)
    return plain.replace("``", "`").strip()


def _flat(text: str) -> str:
    return _markdown(" ".join(text.split())).replace("|", "\\|")


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
