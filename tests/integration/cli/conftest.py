"""Commands in this process, on a simulator and a SQLite warehouse; connections from the environment."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from airflow_provider_faceid.cli.commands import get_parser
from airflow_provider_faceid.operators.verify_batch import IdCardVerificationBatchOperator
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import DropAfter
from tests.integration.operators.conftest import airflow, bench, context, running

__all__ = ["airflow", "bench", "context", "running"]


class Printed(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Return standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys, bench):
    """Return what runs a command."""

    def run(*arguments: str) -> Printed:
        capsys.readouterr()
        code = 0
        options = get_parser().parse_args(arguments)
        try:
            options.func(options)
        except SystemExit as ended:
            code = ended.code
        return Printed(code, *capsys.readouterr())

    return run


@pytest.fixture
def held(bench, context):
    """Eight rows of campaign ``dag``, of which three got no answer."""
    people = bench.ordinary[:8]
    bench.fill([(n, person.id_card, person.name) for n, person in enumerate(people)])
    bench.server.faults.add(FaultRule(DropAfter(), nth=Nth(2, 4)))
    verify(context)
    bench.server.faults.clear()
    return bench


def verify(context, **more):
    return IdCardVerificationBatchOperator(
        task_id="verify", source_conn_id="warehouse", source="people", **more
    ).execute(context)
