"""The pages are true to the code: generated tables, links, glossary."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from airflow_provider_faceid import exceptions
from airflow_provider_faceid.api.codes import Outcome, Step
from tests.support.patience import PATIENCE
from tests.unit.operators.conftest import OPERATORS

PROJECT = Path(__file__).parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


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


def test_every_page_of_the_docs_is_in_the_readme():
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in (PROJECT / "docs").glob("*.md")]
    assert [name for name in pages if f"(docs/{name})" not in readme] == []


def test_every_operator_and_parameter_is_in_the_reference():
    page = (PROJECT / "docs" / "reference.md").read_text(encoding="utf-8")
    for operator in OPERATORS:
        section = page.split(f"### {operator.__name__}\n", 1)[1].split("\n### ", 1)[0]
        for name in inspect.signature(operator).parameters:
            assert f"| `{name}` | `" in section or name == "kwargs"


def test_every_extra_is_on_the_install_page_and_is_for_users():
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(declared["project"]["optional-dependencies"])
    page = (PROJECT / "docs" / "install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `\[(\w+)\]` \|", page, re.MULTILINE)) == extras
    assert not extras & set(declared["dependency-groups"])


def test_the_archive_holds_what_its_tests_need():
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    included = declared["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert [path for path in included if not (PROJECT / path.lstrip("/")).exists()] == []
    tracked = {path.name for path in PROJECT.iterdir() if not path.name.startswith(".")}
    always = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}
    made = {"build", "dist", "site"}
    assert tracked - always - made <= {path.lstrip("/") for path in included}


def test_every_next_step_is_explained():
    page = (PROJECT / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(f"| {step} |" in page for step in Step)


def test_outcomes_a_row_can_have_are_in_the_docs():
    page = (PROJECT / "docs" / "results.md").read_text(encoding="utf-8")
    recorded = set(Outcome) - {
        Outcome.UNCERTAIN,
        Outcome.CREDENTIALS,
        Outcome.ACCOUNT,
        Outcome.UNJUDGED,
    }
    assert all(f"| {outcome} |" in page or f"`{outcome}`" in page for outcome in recorded)


TROUBLESHOOTING = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def test_every_exception_is_on_the_page_of_troubleshooting():
    classes = [c.__name__ for c in vars(exceptions).values() if inspect.isclass(c)]
    headings = set(re.findall(r"^#+ (\w+Error)\b", TROUBLESHOOTING, re.MULTILINE))
    assert len(classes) > 20
    assert [name for name in classes if name not in headings | {"FaceIdError"}] == []
    assert headings <= set(classes)
    assert "`FaceIdError`" in TROUBLESHOOTING


def _texts() -> str:
    """Return every text of the package, with … where a value is put in."""
    found = []
    for path in (PROJECT / "airflow_provider_faceid").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\{\w*\}", "…", node.value))
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                )
    return "\n".join(found)


def test_texts_of_errors_are_quoted_as_they_are():
    quoted = re.findall(r"^\| `([^`]+)` \|", TROUBLESHOOTING, re.MULTILINE)
    quoted += re.findall(r"^`([^`]+)`:", TROUBLESHOOTING, re.MULTILINE)
    texts = _texts()
    assert len(quoted) > 30
    assert [text for text in quoted if not text.endswith("Error") and text not in texts] == []


STANDARD_TERMS = (
    "backoff",
    "circuit breaker",
    "fencing token",
    "heartbeat",
    "idempotency",
    "keyset pagination",
    "lease",
    "pseudonym",
    "rate limiter",
)


def test_standard_terms_are_where_the_glossary_says():
    page = (PROJECT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w /-]+) \| .+ \| `([\w/]+\.py)` \|$", page, re.MULTILINE)
    assert set(STANDARD_TERMS) <= {term for term, _ in rows}
    assert [term for term, _ in rows] == sorted((term for term, _ in rows), key=str.lower)
    for term, name in rows:
        text = (PROJECT / "airflow_provider_faceid" / name).read_text(encoding="utf-8")
        squeezed = re.sub(r"[^a-z]", "", text.lower())
        assert re.sub(r"[^a-z]", "", term.lower()) in squeezed, f"{term} is not in {name}"


OLD_NAMES = re.compile(
    r"\b(?:service/|canary|suites\.py`? of the service|client/(?:flow|fate|wire|blocking|aio|within"
    r"|extra|address|service_clock)\b|credentials/(?:choice|keys|web)\b|state/(?:pace|rows|limits"
    r"|calls)\b|hooks/(?:once|caution|state)\b(?!_)|batch/(?:store|health|gate|later|halt|aside|places"
    r"|prepare|identity|claims)\b|operators/(?:common|photos|recovery)\b|local service)",
    re.IGNORECASE,
)
RENAMED_ON = {"CHANGELOG.md", "upgrading.md"}


def test_no_old_name_is_left():
    left = [
        f"{page.name}: {found}"
        for page in PAGES
        if page.name not in RENAMED_ON
        for found in OLD_NAMES.findall(page.read_text(encoding="utf-8"))
    ]
    assert left == []


SUBJECT = re.compile(r"\b[Ww]hoever\b|(?:^|[.:] |\| )(?:Who|Nobody) [^?\n]*$", re.MULTILINE)


def test_no_sentence_has_who_for_a_subject():
    left = [
        f"{page.name}: {found.strip()}"
        for page in PAGES
        if page.name != "reference.md"  # made of docstrings
        for found in SUBJECT.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    ]
    assert left == []


def test_every_module_that_is_named_exists():
    below = (PROJECT, PROJECT / "airflow_provider_faceid", PROJECT / "tests")
    left = [
        f"{page.name}: {name}"
        for page in PAGES
        if page.name not in RENAMED_ON
        for name in re.findall(r"`((?:\w+/)+\w+\.py)\b", page.read_text(encoding="utf-8"))
        if not any((folder / name).exists() for folder in below)
    ]
    assert left == []
