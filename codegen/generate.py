"""Write the operators of all Actions, the dbt package and the data contract; ``--check`` compares only.

Written are, from the data of each Action and from signature and docstring of the generic operators: a
module of operators for each Action, the two modules that export them all, and the hook's methods; from
the definitions of tables and views: the dbt package and the data contract.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_contract import contract
from dbt_package import dbt_files
from hook_methods import hook
from named import Listed, listed
from operators import ONE, TABLE, exports, module
from warehouse_facts import definitions

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


def warehouse_files(project: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of the dbt package and the data contract, with its text."""
    of = definitions()
    for name, text in dbt_files(of).items():
        yield project / "dbt" / name, text
    yield project / "contracts" / "faceid.odcs.yaml", contract(of)


def main(*, check: bool) -> int:
    """Write the files, or say which of them differ; one that is not made any more is removed."""
    project = PACKAGE.parent
    made = {**dict(files(listed())), **dict(warehouse_files(project))}
    there = {path for path in MODULES.glob("*.py") if path.name != "__init__.py"}
    there |= {path for path in (project / "dbt").glob("m*/**/*") if path.is_file()}
    stale = [
        path
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    gone = sorted(there - made.keys())
    if not check:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
        for path in gone:
            path.unlink()
    if stale or gone:
        names = ", ".join(str(path.relative_to(project)) for path in [*stale, *gone])
        print(f"{'differs from the definitions' if check else 'rewritten'}: {names}")
    return 1 if check and (stale or gone) else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
