"""What docs/security.md claims is proved by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
PROOF = re.compile(r"\[`(test_\w+)`\]\(([^)]+)\)")


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_is_where_it_is_said_to_be():
    missing = [
        f"{path}: {name}"
        for name, path in PROOF.findall(PAGE)
        if name not in functions_of(DOCS / path)
    ]
    assert missing == []


def test_every_threat_has_a_test():
    threats, _, _ = PAGE.partition("\n## ")
    rows = [line for line in threats.splitlines() if line.startswith("| ") and "threat" not in line]
    assert len(rows) >= 14
    assert [row for row in rows if not PROOF.search(row)] == []
