"""Airflow, given a home of its own and allowed to warn of itself once."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import warnings

import pytest

if "airflow" not in sys.modules and "AIRFLOW_HOME" not in os.environ:
    # Airflow writes into its home as soon as it is imported.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def airflow_has_warned():
    """Look up a connection: Airflow 3.1 then imports what is deprecated in 3.1."""
    from airflow.sdk import BaseHook  # noqa: PLC0415 - after its home is set

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
        patch.setenv("AIRFLOW_CONN_WARM_UP", '{"conn_type": "sqlite"}')
        BaseHook.get_hook("warm_up")
