"""The pages are true to the code: generated tables, links, glossary."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from airflow_provider_faceid.service.outcomes import Outcome, Step
from tests.patience import PATIENCE

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def test_generated_tables_are_current():
    done = subprocess.run(
        [sys.executable, PROJECT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}run: make docs"


def test_links_between_pages_lead_somewhere():
    dead = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_next_step_is_explained():
    page = (PROJECT / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(f"| {step} |" in page for step in Step)


def test_outcomes_a_row_can_have_are_in_the_docs():
    page = (PROJECT / "docs" / "results.md").read_text(encoding="utf-8")
    recorded = set(Outcome) - {Outcome.UNCERTAIN, Outcome.CREDENTIALS, Outcome.ACCOUNT}
    assert all(f"| {outcome} |" in page or f"`{outcome}`" in page for outcome in recorded)
