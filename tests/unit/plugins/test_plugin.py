"""The plugin costs other processes nothing, is found by its entry point, and a fault in it stops nobody."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_provider_faceid.get_provider_info import get_provider_info
from airflow_provider_faceid.plugins.faceid_plugin import FaceIdPlugin, LazyApp

SCRIPT = """
import json, sys, time
import airflow.sdk, airflow.plugins_manager
before, started = set(sys.modules), time.process_time()
import airflow_provider_faceid.plugins.faceid_plugin
ms = (time.process_time() - started) * 1000
print(json.dumps([ms, sorted(set(sys.modules) - before)]))
"""


def test_airflow_finds_it_by_its_entry_point():
    (found,) = entry_points(group="airflow.plugins", name="faceid")
    assert found.load() is FaceIdPlugin
    assert (
        "plugins" not in get_provider_info()
    )  # it would be loaded twice, and reported as an error


def test_importing_it_imports_next_to_nothing():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    ms, new = json.loads(ran.stdout.splitlines()[-1])
    ours = [name for name in new if name.startswith("airflow_provider_faceid")]
    assert set(ours) <= {
        "airflow_provider_faceid",
        "airflow_provider_faceid.plugins",
        "airflow_provider_faceid.plugins.faceid_plugin",
    }
    assert not [name for name in new if name.partition(".")[0] in {"fastapi", "starlette"}]
    assert not [name for name in new if name.startswith("airflow.api_fastapi")]
    assert ms < 60


def mounted(app: LazyApp) -> TestClient:
    """Return a client of an api-server that has an application of a plugin mounted."""
    server = FastAPI()
    server.mount("/faceid", app)
    server.get("/health")(lambda: "well")
    return TestClient(server)


def test_a_fault_when_it_is_imported_is_a_page_and_a_line_in_the_log(caplog):
    working = FastAPI()
    working.get("/")(lambda: "pages")
    answers = iter([ImportError("no module named jinja2"), working])

    def load():
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    with mounted(LazyApp(load)) as client, caplog.at_level(logging.ERROR):
        broken = client.get("/faceid/")
        assert client.get("/health").json() == "well"
        assert client.get("/faceid/").json() == "pages"  # the next request tries again
        assert client.get("/faceid/").json() == "pages"  # and the one after it does not
    assert broken.status_code == 503
    assert "The Face ID pages cannot be loaded" in broken.text
    assert "jinja2" not in broken.text  # whoever is logged out may read this
    assert "no module named jinja2" in caplog.text


def test_the_menu_entry_is_relative_for_an_airflow_below_a_path():
    (view,) = FaceIdPlugin.external_views
    assert (view["name"], view["category"], view["destination"]) == ("Face ID", "browse", "nav")
    assert view["href"] == "faceid/"
    assert not any(view["destination"] == place for place in ("dag", "task"))


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_requests_are_answered(kind):
    import asyncio  # noqa: PLC0415

    def load():
        raise AssertionError("not asked for")

    asyncio.run(LazyApp(load)({"type": kind}, None, None))
