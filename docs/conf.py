"""Sphinx: the documentation as a site, made from the same Markdown that is read in the repository.

The source folder is the project's, so that a link means the same here and there. The navigation is
the list of pages in the README, and in each folder's README: a page that is in none is a warning, and
warnings are errors (``make docs``).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PROJECT = Path(__file__).resolve().parents[1]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = DECLARED["name"]
html_title = project
copyright = "Apache License 2.0"  # noqa: A001 - Sphinx's name
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/decisions/*.md"]
exclude_patterns = [".*", "site", "tests", "build", "dist"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False
# Everything comes with the theme: a page asks no other host for anything.
html_theme_options = {"navigation_with_keys": True}
suppress_warnings = ["myst.header"]  # the README's parts begin below its title

ENTRY = re.compile(
    r"^(?:\*\*(?P<part>.+)\*\*|- \[(?P<title>[^\]]+)\]\((?P<page>[^)#]+)\.md\).*)$", re.MULTILINE
)
HUBS = {root_doc, "docs/decisions/README"}
HOME = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=README.html">\n'


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append to a page that lists others what Sphinx makes its navigation of."""
    del app
    if docname not in HUBS:
        return
    caption, lines = "", []
    for entry in ENTRY.finditer(source[0]):
        if entry["part"]:
            caption = entry["part"]
            continue
        page = PurePosixPath(docname).parent / entry["page"]
        if caption or not lines:
            lines += ["```", "", "```{toctree}", ":hidden:"]
            lines += [f":caption: {caption}", ""] if caption else [""]
            caption = ""
        lines.append(f"{entry['title']} </{page}>")
    source[0] = "\n".join([source[0], "", *lines[2:], "```", ""])


def add_home(app: Sphinx, error: Exception | None) -> None:
    """Lead from the site's address to its first page."""
    if error is None:
        (Path(app.outdir) / "index.html").write_text(HOME, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_home)
