"""Write the named operators and hook methods of all Actions; ``--check`` only says if files differ.

Written are, from the data of each Action and from signature and docstring of the generic operators: a
module of operators for each Action, the two modules that export them all, and the hook's methods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hook_methods import hook
from named import Listed, listed
from operators import ONE, TABLE, exports, module

import airflow_provider_faceid

PACKAGE = Path(airflow_provider_faceid.__file__).parent
MODULES = PACKAGE / "operators" / "actions"


def files(every: Sequence[Listed]) -> Iterator[tuple[Path, str]]:
    """Yield each file that is written, with its text."""
    for of in every:
        yield MODULES / f"{of.module}.py", module(of)
    for generic in (ONE, TABLE):
        yield PACKAGE / "operators" / f"{generic.module}.py", exports(every, generic)
    yield PACKAGE / "hooks" / "checks.py", hook(every)


def main(*, check: bool) -> int:
    """Write the files, or say which of them differ; a module without an Action is removed."""
    made = dict(files(listed()))
    there = {path for path in MODULES.glob("*.py") if path.name != "__init__.py"}
    stale = [
        path
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    gone = sorted(there - made.keys())
    if not check:
        for path in stale:
            path.write_text(made[path], encoding="utf-8")
        for path in gone:
            path.unlink()
    if stale or gone:
        names = ", ".join(str(path.relative_to(PACKAGE)) for path in [*stale, *gone])
        print(f"{'differs from the Actions' if check else 'rewritten'}: {names}")
    return 1 if check and (stale or gone) else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
