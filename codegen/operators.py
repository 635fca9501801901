"""Source of the named operators, from each Action and from the generic operators."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent, wrap

from named import (
    FUTURE,
    WIDTH,
    WORDS,
    WRITTEN,
    Listed,
    annotation,
    comma_list,
    docstring,
    exploded,
    noun,
    param,
)

from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.api.fields import PHOTO
from airflow_provider_faceid.operators.verify_one import FaceIdVerifyOperator
from airflow_provider_faceid.operators.verify_table import FaceIdVerifyTableOperator

PARAM = re.compile(r"^:(?:param (?P<name>\w+)|return):.*?(?=^:|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Generic:
    """
    The operator that takes any Action, as far as the named ones repeat it.

    :param operator: the class.
    :param base: name of the class that it and the named ones extend.
    :param suffix: of the named ones' names.
    :param module: that exports all of the kind.
    """

    operator: type
    base: str
    suffix: str
    module: str
    title: str

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Return its parameters; Airflow's are one ``**kwargs``."""
        found = dict(inspect.signature(self.operator).parameters)
        del found["kwargs"]
        return found

    @property
    def paragraphs(self) -> list[str]:
        """Return its docs, without parameters, from the third paragraph on: those of every operator."""
        text = inspect.getdoc(self.operator) or ""
        return text[: text.index("\n:param")].strip().split("\n\n")[2:]

    @property
    def told(self) -> dict[str, str]:
        """Return the docs of each parameter by name, and of what is returned by ``return``."""
        text = inspect.getdoc(self.operator) or ""
        return {m["name"] or "return": m[0].rstrip() for m in PARAM.finditer(text)}

    @property
    def source(self) -> str:
        """Return the name of the module it is in."""
        return self.operator.__module__.rpartition(".")[2]


ONE = Generic(
    FaceIdVerifyOperator,
    "VerifyOnePerson",
    "Operator",
    "verify",
    "Operators for one person: for trying out, and for DAGs started by an event.",
)
TABLE = Generic(
    FaceIdVerifyTableOperator,
    "VerifyTable",
    "BatchOperator",
    "verify_batch",
    "Operators for a whole table: every row answered once.",
)


def outputs(of: Listed) -> list[str]:
    """Return paragraphs about what the answers hold besides the code."""
    action = of.action
    found = []
    if of.photo is not None:
        found.append("Photos are read one at a time, just before their call.")
    if action.code_of(Outcome.FOUND):
        columns = comma_list(o.column for o in action.outputs)
        found.append(
            f"This is a look-up: its outcome is ``found``, and what was found is in {columns}."
        )
    if action.result_columns:
        columns = comma_list(column.column for column in action.result_columns)
        found.append(f"The result table has columns for this Action: {columns}.")
    return ["\n".join(wrap(text, WIDTH - 4, break_on_hyphens=False)) for text in found]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a named operator: its line of the signature, its docs."""

    signature: str
    told: str


def parameters(of: Listed, generic: Generic) -> dict[str, Parameter]:
    """Return the parameters of a named operator, in the order of the generic one."""
    found: dict[str, Parameter] = {}
    for name, known in generic.parameters.items():
        if name == "action":
            found |= columns(of, generic)
        elif name == "values":
            found |= literals(of)
        elif name != "columns" and (name != "photo_is_path" or of.photo is not None):
            found[name] = Parameter(written(known), generic.told[name])
    return found


def written(parameter: inspect.Parameter) -> str:
    """Return a parameter as source."""
    needed = parameter.default is inspect.Parameter.empty
    default = "" if needed else f" = {parameter.default!r}"
    return f"{parameter.name}: {parameter.annotation}{default}".replace("'", '"')


def columns(of: Listed, generic: Generic) -> dict[str, Parameter]:
    """Return a parameter for the source column of each field."""
    found = {}
    for asked in of.fields:
        name, known = f"{asked.column}_column", WORDS[asked.type]
        text = f"column of {noun(asked, 'the ')} in ``source`` (templated)."
        if generic is TABLE:
            text = f"source column of {noun(asked, 'the ')}{known.in_table} (templated)."
        found[name] = Parameter(f'{name}: str = "{asked.column}"', param(name, text))
    return found


def literals(of: Listed) -> dict[str, Parameter]:
    """Return a parameter for the value of each field."""
    found = {}
    for asked in of.fields:
        text = WORDS[asked.type].literal or noun(asked)
        found[asked.column] = Parameter(
            f"{asked.column}: {annotation(asked)} | None = None",
            param(asked.column, f"{text}, for trying out; not templated."),
        )
        if asked.type is PHOTO:
            found["photo_path"] = Parameter(
                "photo_path: str | None = None",
                param(
                    "photo_path",
                    f"instead of ``{asked.column}``, a path or URL below one of ``[faceid] photo_roots``; "
                    "not templated.",
                ),
            )
    return found


def operator(of: Listed, generic: Generic) -> str:
    """Return the source of a named operator."""
    every, shared = parameters(of, generic), generic.parameters
    given = columns(of, generic)
    is_one, photo = generic is ONE, of.photo
    summary = f"Ask {'' if is_one else 'for every row of a table '}{of.action.title}."
    returned = generic.told["return"]
    if is_one and of.action.outputs:
        found = ", ".join(f"``{o.column}``" for o in of.action.outputs)
        returned = returned.replace("request id;", f"request id, {found};")
    paragraphs = [*outputs(of), *generic.paragraphs]
    if is_one:  # whose answer is no row of a table
        paragraphs = generic.paragraphs
    template_fields = [f"*{generic.base}.template_fields", *(f'"{name}"' for name in given)]
    passed = [n for n in shared if n not in {"action", "columns", "photo_is_path", "values"}]
    settings = [f"self.{name} = {name}" for name in given]
    if photo is not None:
        template_fields.append('"photo_is_path"')
        path = " or photo_path is not None" if is_one else ""
        settings.append(f"self.photo_is_path = photo_is_path{path}")
    values = [f'"{f.name}": {f.column}{" or photo_path" * (f is photo)}' for f in of.fields]
    names = [f'"{f.column}"' for f in of.fields]
    tuple_of = exploded(names, "()") if len(names) > 1 else f"({names[0]},)"
    literally = [f"_literals = {tuple_of}"] * is_one
    lines = [
        docstring(summary, paragraphs, [*(p.told for p in every.values()), returned]),
        "template_fields: Sequence[str] = " + exploded(template_fields, "()"),
        f'action = "{of.action.name}"',
        *literally,
        "",
        "def __init__(",
        indent(
            "".join(f"{p},\n" for p in ["self", "*", *(p.signature for p in every.values())]),
            "    ",
        )
        + "    **kwargs: Any,",
        ") -> None:",
        "    super().__init__(",
        *(["        values=" + indent(exploded(values, "{}"), "        ").lstrip() + ","] * is_one),
        *(f"        {name}={name}," for name in passed),
        "        **kwargs,",
        "    )",
        *(f"    {line}" for line in settings),
        "",
        "@property",
        "def by_field(self) -> dict[str, str]:",
        '    """Return the source column of each API field."""',
        "    return "
        + indent(
            exploded((f'"{f.name}": self.{f.column}_column' for f in of.fields), "{}"), "    "
        ).lstrip(),
    ]
    head = f"class {of.action.name}{generic.suffix}({generic.base}):\n"
    return head + indent("\n".join(lines), "    ") + "\n"


def module(of: Listed) -> str:
    """Return the source of the module of an Action's operators."""
    has_dates = any("date" in annotation(field) for field in of.fields)
    return "\n".join(
        [
            f'"""Operators of ``{of.action.name}``: for one person, and for a whole table."""\n',
            WRITTEN,
            FUTURE,
            "from collections.abc import Callable, Sequence",
            f"from datetime import {'date, ' * has_dates}timedelta",
            "from typing import Any, Literal\n",
            f"from ..{ONE.source} import {ONE.base}",
            f"from ..{TABLE.source} import {TABLE.base}\n\n",
            operator(of, ONE),
            "",
            operator(of, TABLE),
        ]
    )


def exports(every: Sequence[Listed], generic: Generic) -> str:
    """Return the source of the module that exports all operators of a kind."""
    names = {f".actions.{of.module}": f"{of.action.name}{generic.suffix}" for of in every}
    names[f".{generic.source}"] = generic.operator.__name__
    imports = [f"from {module} import {name}" for module, name in names.items()]
    listed = exploded((f'"{name}"' for name in sorted(names.values())), "[]")
    return "\n".join(
        [f'"""{generic.title}"""\n', WRITTEN, FUTURE, *imports, f"\n__all__ = {listed}\n"]
    )
