"""
Pytest fixtures for tests of your own DAGs: a local Face ID simulator, and a connection to it.

In ``conftest.py``::

    pytest_plugins = ["airflow_provider_faceid.testing"]

The simulator needs Pillow: ``pip install 'airflow-provider-faceid[simulator]'``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .simulator import KEY

if TYPE_CHECKING:
    from .simulator import SimulatorServer

CONN_ID = "faceid_default"
STATE_CONN_ID = "faceid_testing_state"


@pytest.fixture(scope="session")
def faceid_simulator_options() -> dict[str, Any]:
    """
    Return parameters of :class:`~airflow_provider_faceid.simulator.SimulatorServer`.

    Override it for other people, quotas or faults from the start.
    """
    return {}


@pytest.fixture(scope="session")
def faceid_simulator_server(faceid_simulator_options: dict[str, Any]) -> Iterator[SimulatorServer]:
    """One server for all tests; a test requests ``faceid_simulator``."""
    from .simulator import SimulatorServer  # noqa: PLC0415 - only this fixture needs Pillow

    with SimulatorServer(**faceid_simulator_options) as server:
        yield server


@pytest.fixture
def faceid_simulator(faceid_simulator_server: SimulatorServer) -> SimulatorServer:
    """A simulator in its initial state: no calls, nothing billed, the present day."""
    faceid_simulator_server.account.reset()
    return faceid_simulator_server


@pytest.fixture
def faceid_connection(
    faceid_simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """
    Id of a connection to the simulator, which hooks and operators use by default.

    Each test has a new state store (rate limiter, ledger, limits per identity): otherwise the answers of
    earlier tests would be reused.
    """
    state = {"conn_type": "sqlite", "host": str(tmp_path / "faceid-state.sqlite")}
    connection = {
        "conn_type": "faceid",
        "host": faceid_simulator.url,
        **KEY,
        "extra": {"state_conn_id": STATE_CONN_ID},
    }
    for conn_id, fields in ((STATE_CONN_ID, state), (CONN_ID, connection)):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    return CONN_ID
