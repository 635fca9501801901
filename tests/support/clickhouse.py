"""The ClickHouse of a test process: chdb, in the process, behind ClickHouse's own client."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

QUICK = {"max_threads": 1}
"""Settings with which statements about a handful of rows are quick."""


class ClickHouse(NamedTuple):
    """
    The one engine that a process can have.

    :param path: folder of its data.
    """

    path: str

    def open(self, database: str) -> Any:
        """Open a client of a database, as Airflow's hook does for a connection."""
        import clickhouse_connect  # noqa: PLC0415 - only these tests have it

        return clickhouse_connect.get_client(
            dsn=f"chdb://{self.path}", database=database, settings=QUICK
        )

    def run(self, *statements: str) -> None:
        """Run statements outside of any database of the tests."""
        client = self.open("default")
        for statement in statements:
            client.command(statement)
        client.close()


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[ClickHouse]:
    """
    A ClickHouse of the tests' own, one for each process.

    A test has a database of its own in it.
    """
    with tempfile.TemporaryDirectory(prefix="faceid-clickhouse-") as folder:
        engine = ClickHouse(folder)
        kept = engine.open("default")  # the engine ends with its last client
        yield engine
        kept.close()
