"""Places for a rate: this process, a file, a server; and a clock of the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.clock import SYSTEM_CLOCK, Clock
from airflow_provider_faceid.state.rate_limiter import SlotRateLimiter
from airflow_provider_faceid.state.rate_rows import MemoryRow, RateRow, StoredRow
from airflow_provider_faceid.state.store import Moment, StateStore

SCHEMAS = count()
START = 1000.0
HOURLY = 1 / 3600
"""A rate at which no slot passes while a test runs, however slow the machine is."""


class SleepClock(Clock):
    """
    Moves on by sleeping only; the next sleep takes longer than asked by ``oversleep``.

    :ivar woken: the moment each sleep ended, from the start.
    :ivar held: coroutines fall asleep and are not woken while it is set.
    """

    def __init__(self) -> None:
        self.seconds = START
        self.oversleep = 0.0
        self.woken: list[float] = []
        self.held = self.is_asleep = False

    def now(self) -> float:
        return self.seconds + 5000

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds) + self.oversleep
        self.oversleep = 0.0
        self.woken.append(round(self.seconds - START, 6))

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.is_asleep = True
        while self.held:  # noqa: ASYNC110 - one clock serves many event loops
            await asyncio.sleep(0.001)
        self.is_asleep = False
        self.sleep(seconds)


class StoreOnClock(StateStore):
    """A store whose database has the clock of the test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now_sql = "NULL"

    def moment(self, now) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())


class Place:
    """
    Where a rate is kept in one test.

    :param url: of the state store, None for this process's memory.
    """

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._rows: dict[str, MemoryRow] = {}
        self._stores: list[StateStore] = []

    def pace(
        self, rate: float, clock: Clock = SYSTEM_CLOCK, name: str = "account"
    ) -> SlotRateLimiter:
        """Return a pace of its own over the row of that name."""
        return SlotRateLimiter(self.row(clock, name), rate, clock)

    def row(self, clock: Clock = SYSTEM_CLOCK, name: str = "account") -> RateRow:
        """Return the row of that name, through a store of its own."""
        if self.url is None:
            return self._rows.setdefault(name, MemoryRow(clock))
        kind = StateStore if clock is SYSTEM_CLOCK else StoreOnClock
        self._stores.append(kind(self.url, clock))
        return StoredRow(self._stores[-1], name)

    def close(self) -> None:
        """Close all stores."""
        for store in self._stores:
            store.close()


def connect(url: str, **more: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to a state store as somebody else would."""
    parts = make_url(url)
    options = {name: str(value) for name, value in parts.query.items()}
    return psycopg.connect(dbname=parts.database, user=parts.username, **options, **more)


@pytest.fixture
def clock() -> SleepClock:
    return SleepClock()


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """A PostgreSQL state store without tables."""
    schema = f"state_{next(SCHEMAS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    url = make_url(postgres).set(drivername="postgresql+psycopg")
    url = url.update_query_dict({"options": f"-c search_path={schema}"})
    return url.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request) -> str:
    """Both kinds of store."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request) -> Iterator[Place]:
    """All three places."""
    names = {"memory": None, "sqlite": "sqlite_url", "postgresql": "postgres_url"}
    name = names[request.param]
    place = Place(name and request.getfixturevalue(name))
    yield place
    place.close()


@pytest.fixture
def stores() -> Iterator[Callable[..., StateStore]]:
    """Make stores that are closed when the test ends."""
    made: list[StateStore] = []

    def make(*args: object) -> StateStore:
        made.append(StateStore(*args))
        return made[-1]

    yield make
    for store in made:
        store.close()
