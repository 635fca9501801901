"""Validity of HTML by html-validate, and accessibility of a page in a browser by axe-core."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.patience import PATIENCE

MODULES = Path(__file__).parents[2] / ".browser" / "node_modules"
"""Where ``make test-browser`` installs both."""
AXE = MODULES / "axe-core" / "axe.min.js"
HTML_VALIDATE = MODULES / "html-validate" / "bin" / "html-validate.mjs"
RULES = {
    "root": True,
    "extends": ["html-validate:standard", "html-validate:document"],
    # Style and script of the api-server itself need no hash.
    "rules": {"require-sri": ["error", {"target": "crossorigin"}]},
}

RUN_AXE = """
const done = arguments[0];
axe.run(document, {runOnly: {type: "tag", values: [
  "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}})
  .then((found) => done(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)])));
"""


def axe_findings(browser: Any) -> list[Any]:
    """Return what axe-core finds on the page that is shown: rule, and the elements that break it."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found: list[Any] = browser.execute_async_script(RUN_AXE)
    return found


def invalid(pages: Mapping[str, str], folder: Path) -> list[str]:
    """
    Return what is not valid HTML: page, line, rule and its message.

    :param pages: their text by name, which ends up as the name of a file.
    :param folder: an empty one, for these files.
    """
    (folder / ".htmlvalidate.json").write_text(json.dumps(RULES), encoding="utf-8")
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    names = [f"{name}.html" for name in pages]
    done = subprocess.run(
        [shutil.which("node"), HTML_VALIDATE, "--formatter", "json", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return [
        f"{Path(page['filePath']).stem}:{one['line']}: {one['ruleId']}: {one['message']}"
        for page in json.loads(done.stdout)
        for one in page["messages"]
    ]
