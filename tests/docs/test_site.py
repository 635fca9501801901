"""The site builds strictly, asks no other host for anything, and a dead link is an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE

pytestmark = pytest.mark.skipif(
    find_spec("sphinx") is None or find_spec("myst_parser") is None or find_spec("furo") is None,
    reason="the dependency group docs is not installed (pip install --group docs)",
)

PROJECT = Path(__file__).parents[2]
STRICTLY = ["-q", "-E", "-a", "-W", "--keep-going", "-n"]
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//"
    r"|<link\b[^>]*\brel=\"(?:stylesheet|preload|preconnect|icon)\"[^>]*\bhref=\"(?:https?:)?//"
)
FETCHED_BY_STYLE = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", *STRICTLY, "-c", source / "docs", source, site]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_make_docs_builds_as_here():
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert f"-m sphinx {' '.join(STRICTLY)} -c docs . site" in makefile


def test_it_builds_without_a_warning_and_holds_every_page(tmp_path):
    built = build(PROJECT, tmp_path)
    assert (built.returncode, built.stderr) == (0, "")

    pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    names = [page.relative_to(PROJECT).with_suffix(".html") for page in pages]
    assert [name for name in names if not (tmp_path / name).exists()] == []
    assert "README.html" in (tmp_path / "index.html").read_text(encoding="utf-8")

    made = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert [path.name for path, text in made.items() if FETCHED.search(text)] == []
    styles = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css")}
    assert [path.name for path, text in styles.items() if FETCHED_BY_STYLE.search(text)] == []


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("[one](docs/other.md#not-there)", "not-there"),
        ("[one](docs/gone.md)", "gone"),
        ("![a picture](docs/images/gone.png)", "gone.png"),
    ],
)
def test_what_leads_nowhere_is_an_error(tmp_path, page, complaint):
    (tmp_path / "docs").mkdir()
    for name in ("conf.py", "_static"):
        copy = shutil.copytree if (PROJECT / "docs" / name).is_dir() else shutil.copy
        copy(PROJECT / "docs" / name, tmp_path / "docs" / name)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").write_text(f"# Title\n\n{page}\n\n- [Other](docs/other.md)\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert complaint in built.stderr


def test_a_page_that_no_list_names_is_an_error(tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(PROJECT / "docs" / "conf.py", tmp_path / "docs")
    shutil.copytree(PROJECT / "docs" / "_static", tmp_path / "docs" / "_static")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").write_text("# Title\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert "toctree" in built.stderr
