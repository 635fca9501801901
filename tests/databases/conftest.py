"""A MariaDB of the tests' own, and the benches of other folders on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from airflow_provider_faceid.warehouse.sql.database import MYSQL
from tests.integration.batch.conftest import Bench, running, server, state
from tests.integration.warehouse.conftest import Home
from tests.support.loader import forks
from tests.support.mariadb import MariaDB

__all__ = ["forks", "running", "server", "state"]

NAMES = count()


@pytest.fixture
def database_name(mariadb: MariaDB) -> str:
    """A new database, as an administrator makes one who knows nothing of us."""
    name = f"own_{next(NAMES)}"
    mariadb.run(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def home(mariadb: MariaDB, database_name: str) -> Iterator[Home]:
    """That database, opened by mysqlclient."""
    one = Home(MYSQL, mariadb.address(database_name), mariadb.open)
    yield one
    one.close()


@pytest.fixture
def bench(server, home: Home, state) -> Bench:
    """Runs over tables in it."""
    return Bench(server, home, state)
