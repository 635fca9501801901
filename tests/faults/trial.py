"""A bench of the engine's tests that remembers what it did, and holds it against the invariants."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_faceid.batch.engine import Batch
from airflow_provider_faceid.client.settings import Settings
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import FaceIdError
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.people import ID_CARD
from airflow_provider_faceid.state.ledger import Ledger
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.records import RunContext, usable_key
from airflow_provider_faceid.warehouse.results import ResultsRepository
from tests.integration.batch.conftest import Bench
from tests.integration.warehouse.conftest import Home

from .invariants import Facts, hold
from .plant import contents

PATIENCE_SECONDS = 900.0


class ServiceTime(Clock):
    """The time of the service, which a test may put forward; waits take as long as they do."""

    def __init__(self, time: Clock) -> None:
        self._time = time

    def now(self) -> float:
        return self._time.now()


class Trial(Bench):
    """
    A bench whose runs are held against the invariants.

    :param told: returns what was logged and printed so far.
    :ivar held: whether :meth:`hold` was called.
    :ivar table: name of the table of people.
    :ivar ours: names of the tables we write: results, quarantine, runs.
    :ivar run_id: the DAG run to which the next run belongs.
    """

    def __init__(
        self,
        server: SimulatorServer,
        home: Home,
        state: StateStore,
        folder: Path,
        told: Callable[[], str],
    ) -> None:
        super().__init__(server, home, state)
        self.clock = ServiceTime(server.clock)
        self.folder, self._told = folder, told
        self.held = False
        self.table = "people"
        self.ours = ("faceid_results", "faceid_quarantine", "faceid_runs")
        self.run_id = "run"
        self.manifests: list[dict[str, Any]] = []
        self._errors: list[str] = []

    def settings(self, **changes: Any) -> Settings:
        """Return the settings of an account that is not held back and as patient as usual."""
        return super().settings(**{"outage_patience": PATIENCE_SECONDS} | changes)

    def arm(self, *rules: FaultRule) -> None:
        """Let the service go wrong."""
        self.server.faults.add(*rules)

    def store(
        self, campaign: str = "c", action: str = ID_CARD, valid_for: float | None = None
    ) -> ResultsRepository:
        """Return the tables of a campaign."""
        work = RunContext(campaign, action, self.run_id, dag_id="dag", source="here:people")
        names = Names(*self.ours)
        return ResultsRepository(
            self.home.open(), work, self.clock, names=names, valid_for=valid_for
        )

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return some columns of a table, whatever its name."""
        return self.home.query(f"SELECT {columns} FROM {self.home.dialect.quote(table)}")

    def batch(self, *parts: Any, max_charged: int | None = None, **more: Any) -> Batch:
        """Return a run that has not started, with a budget if one is given."""
        batch = super().batch(*parts, **more)
        if max_charged is not None:
            owner = more.get("owner", "work")
            batch._ledger_client._ledger = Ledger(self.state, owner, max_charged=max_charged)
        return batch

    def run(self, *parts: Any, **more: Any) -> dict[str, Any]:
        """Run and return the manifest."""
        self.manifests.append(super().run(*parts, **more))
        return self.manifests[-1]

    def fail(self, kind: type[FaceIdError], *parts: Any, **more: Any) -> tuple[FaceIdError, Any]:
        """Run, expect an error, and return it with the manifest so far."""
        error, manifest = super().fail(kind, *parts, **more)
        self.manifests.append(manifest)
        self._errors.append(repr(error) + str(error))
        return error, manifest

    def hold(
        self,
        *parts: Any,
        retries: int = 0,
        quota: int = 0,
        **more: Any,
    ) -> None:
        """
        Assert all invariants, with one more run to see that it calls nobody.

        :param parts: of the run, as for :meth:`run`, and ``more`` as well.
        :param retries: calls of rows in doubt the policy allows.
        :param quota: calls a second, if the runs were held back.
        """
        self.held = True
        charged = sum(manifest["charged"] for manifest in self.manifests)
        unknown = sum(manifest["charge_unknown"] for manifest in self.manifests)
        before, left = self.calls(), list(self.left)
        self.server.faults.clear()
        again = self.run(*parts, **more)
        unanswered = [call for call in before if not call["answered"] and not call["error"]]
        results, quarantine, _ = self.ours
        facts = Facts(
            source={
                usable_key(str(key), key): str(number) for key, number, *_ in self.rows(self.table)
            },
            results=self.rows(results, "source_key, status"),
            quarantine=[key for (key,) in self.rows(quarantine, "source_key")],
            calls=before,
            retries=retries,
            most_in_doubt=len(unanswered),
            quota=quota,
            left=left,
            texts=self.texts(),
            identities=self.identities(),
            charged=charged,
            charge_unknown=unknown,
            calls_again=len(self.calls()) - len(before) or again["calls"],
        )
        hold(facts)

    def identities(self) -> list[str]:
        """Return every name and ID number of the table."""
        values = [value for row in self.rows(self.table) for value in row[1:3]]
        return sorted({str(value).strip() for value in values} - {"", "None"})

    def texts(self) -> dict[str, bytes]:
        """Return everything that was written down, by where it stands."""
        url = self.state._url.render_as_string(hide_password=False)
        return contents(url) | {
            "log and output": self._told().encode(),
            "errors": "".join(self._errors).encode(),
            "manifests": json.dumps(self.manifests, ensure_ascii=False).encode(),
            "tables": repr([self.rows(table) for table in self.ours]).encode(),
        }
