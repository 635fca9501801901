"""The Chinese pages say what the English ones do: same code blocks, same parts, same links and tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CHINESE = sorted([*PROJECT.glob("*.zh-CN.md"), *(PROJECT / "docs").glob("*.zh-CN.md")])
FENCE = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def english(page: Path) -> str:
    return page.with_name(page.name.replace(".zh-CN", "")).read_text(encoding="utf-8")


def test_readme_and_quickstart_are_there():
    assert [page.name for page in CHINESE] == ["README.zh-CN.md", "quickstart.zh-CN.md"]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_code_blocks_are_equal(page):
    blocks = FENCE.findall(english(page))
    assert len(blocks) >= 3
    assert FENCE.findall(page.read_text(encoding="utf-8")) == blocks


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_parts_tables_and_pictures_are_the_same(page):
    def shape(text):
        prose = FENCE.sub("", text)
        return {
            "headings": [m.count("#") for m in re.findall(r"^#+ ", prose, re.MULTILINE)],
            "rows of tables": len(re.findall(r"^\|", prose, re.MULTILINE)),
            "points of lists": len(re.findall(r"^- ", prose, re.MULTILINE)),
            "links": sorted(
                target.replace(".zh-CN", "")
                for target in LINK.findall(prose)
                if "README" not in target
            ),
        }

    assert shape(page.read_text(encoding="utf-8")) == shape(english(page))


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_the_prose_is_chinese(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 400
