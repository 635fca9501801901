"""Source of the hook's methods, one for each Action."""

from __future__ import annotations

from collections.abc import Sequence
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

from airflow_provider_faceid.api.codes import Step


def method(of: Listed) -> str:
    """Return the source of the hook's method for an Action."""
    action = of.action
    told = [param(f.column, f"{WORDS[f.type].to_hook or noun(f)}.") for f in of.fields]
    told += [
        param(
            note.name.lower(),
            f"a note of at most {note.max_length} characters, which is no part of the question.",
        )
        for note in of.notes
    ]
    found = [row.outcome for row in action.results.values() if row.step is not Step.RETRY]
    similarity = ", with a similarity of 0-100 where photos were compared" * action.compares_faces
    extra = ", ".join(f"``{o.column}``" for o in action.outputs)
    also = f"; ``outputs`` has {extra}" if extra else ""
    answers = comma_list(dict.fromkeys(map(str, found)), "or")
    returned = "\n    ".join(wrap(f":return: {answers}{similarity}{also}.", WIDTH - 12))
    told += [
        ":param idempotency: as for :meth:`verify`.",
        ":param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.",
        ":param priority: as for :meth:`verify`.",
        returned,
        ":raises InvalidInputError: a value breaks a rule; nothing was sent.",
        ":raises FaceIdError: there is no answer; the type says what to do next.",
    ]
    values = [f"{f.name}={f.column}" for f in of.fields]
    values += [f"{note.name}={note.name.lower()}" for note in of.notes]
    passed = [f'"{action.name}"', "values", "idempotency=idempotency", "skip_rules=skip_rules"]
    passed.append("priority=priority")
    signature = [
        "self",
        *(f"{f.column}: {annotation(f)}" for f in of.fields),
        *(f"{note.name.lower()}: str | None = None" for note in of.notes),
        "*",
        "idempotency: Idempotency | None = PER_DAG_RUN",
        "skip_rules: Collection[str] = ()",
        "priority: bool = False",
    ]
    body = [
        docstring(f"Ask {action.title}.", [], told).rstrip(),
        f"values = Fields{exploded(values, '()')}",
        f"return self.verify{exploded(passed, '()')}",
    ]
    lines = [
        "@without_frames",
        f"def {of.module}(",
        indent("".join(f"{part},\n" for part in signature), "    ").rstrip(),
        ") -> Verdict:",
        indent("\n".join(body), "    "),
    ]
    return "\n".join(lines) + "\n"


HOOK_HEAD = f'''"""Hook methods, one for each Action: parameters with types, for completion and type checkers."""

{WRITTEN}
{FUTURE}
from abc import abstractmethod
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from ..api.messages import Fields
from ..process import without_frames
from .single_call import PER_DAG_RUN, Idempotency

if TYPE_CHECKING:
    from ..api.verdict import Verdict


class Checks:
    """Base of the hook: a method for each listed Action."""

    @abstractmethod
    def verify(
        self,
        action: str,
        values: Mapping[str, object],
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """Check some values by the input rules of an Action, and ask it about them."""

'''


def hook(every: Sequence[Listed]) -> str:
    """Return the source of the hook's methods."""
    return HOOK_HEAD + indent("\n".join(map(method, every)), "    ")
