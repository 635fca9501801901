"""Code blocks of the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TRANSLATED = "*.zh-CN.md"
"""Their blocks are those of the English pages, see test_translations.py."""
PAGES = [
    PROJECT / "README.md",
    *sorted(page for page in (PROJECT / "docs").glob("*.md") if not page.match(TRANSLATED)),
    *sorted((PROJECT / "docs" / "decisions").glob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def title(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(language: str | None = None) -> list[Block]:
    """Return all blocks, or those of one language."""
    found = [
        Block(page, text[: match.start()].count("\n") + 1, match[1], match[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if language in {None, block.language}]


SINCE_3_3 = ("retry_policy", "PartitionedAssetTimetable")


def runs_here(block: Block) -> bool:
    """Say whether Airflow has what a block shows."""
    major, minor = version("apache-airflow").split(".")[:2]
    is_new = any(word in block.text for word in SINCE_3_3)
    return not is_new or (int(major), int(minor)) >= (3, 3)


def python_blocks(*, dags: bool) -> list:
    found = filter(runs_here, blocks("python"))
    chosen = [block for block in found if ("with DAG(" in block.text) is dags]
    return [pytest.param(block, id=block.title) for block in chosen]
