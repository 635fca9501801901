"""The table of faults, and what the tests of faults stand on: trials in-process, plants with processes."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.sql.database import SQLITE
from tests.integration.batch.conftest import UNLIMITED, stub
from tests.integration.hook.test_tls import certificate, tls
from tests.integration.state.conftest import postgres_url
from tests.integration.warehouse.conftest import Home, home

from .findings import FAILED, MEASURED, TRIALS, Findings
from .plant import ACTION, Plant
from .trial import ServiceTime, Trial

__all__ = ["certificate", "home", "postgres_url", "stub", "tls"]

SHOWN = 25
"""People a trial's service knows beyond its ordinary ones."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``make faults`` ask for the table."""
    parser.addoption(
        "--faults-table",
        type=Path,
        metavar="PAGE",
        help="test with the full numbers, print the table of faults and rewrite it in this page",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect what the tests find."""
    page = config.getoption("--faults-table", default=None)
    if page and (config.getoption("numprocesses", default=None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--faults-table measures: its tests run one by one, without -n")
    config.pluginmanager.register(Findings(page))


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether to test with the full numbers, as the list has them, which takes its time."""
    return pytestconfig.getoption("--faults-table", default=None) is not None


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say in a short phrase what was measured."""
    return lambda text: record_property(MEASURED, text)


@pytest.fixture
def told(caplog, capfd) -> Callable[[], str]:
    """Return everything that was logged or printed so far."""
    caplog.set_level(logging.DEBUG)
    printed: list[str] = []

    def tell() -> str:
        printed.extend(capfd.readouterr())  # which gives each line once only
        return caplog.text + "".join(printed)

    return tell


Trials = Callable[..., Trial]


@pytest.fixture
def trials(request, tmp_path, told) -> Iterator[Trials]:
    """Make trials; each must hold its facts against the invariants."""
    made: list[Trial] = []
    with ExitStack() as stack:

        def make(
            people: int = 400,
            latency_ms: tuple[float, float] = (0, 0),
            limits: dict[str, IdentityLimits] | None = None,
            *,
            start: bool = True,
            home: Home | None = None,
            **more: Any,
        ) -> Trial:
            server = SimulatorServer(
                people=people + SHOWN,
                quotas=more.pop("quotas", UNLIMITED),
                latency_ms=latency_ms,
                identity_limits=limits or {},
                **more,
            )
            stack.callback(server.stop)
            if start:
                server.start()
            home = home or Home(SQLITE, str(tmp_path / "here.sqlite"), sqlite3.connect)
            stack.callback(home.close)
            store = StateStore(f"sqlite:///{tmp_path / 'state.sqlite'}", ServiceTime(server.clock))
            stack.callback(store.close)
            made.append(Trial(server, home, store, tmp_path, told))
            request.node.stash[TRIALS] = made
            return made[-1]

        yield make
        assert request.node.stash[FAILED] or all(trial.held for trial in made)


@pytest.fixture
def trial(trials: Trials) -> Trial:
    """A trial as most tests need it."""
    return trials()


Plants = Callable[..., Plant]


@pytest.fixture
def plants(request, tmp_path) -> Iterator[Plants]:
    """Make plants; each must hold its facts against the invariants."""
    made: list[Plant] = []
    with ExitStack() as stack:

        def make(
            rows: int = 600,
            latency_ms: tuple[float, float] = (10, 60),
            state: str = "",
            **more: Any,
        ) -> Plant:
            server = SimulatorServer(
                people=rows + SHOWN,
                quotas={ACTION: 0},
                latency_ms=latency_ms,
                identity_limits={},
                **more,
            )
            stack.enter_context(server)
            made.append(Plant(tmp_path, server, rows, state))
            stack.callback(made[-1].stop)
            return made[-1]

        yield make
    assert request.node.stash[FAILED] or all(plant.held for plant in made)
