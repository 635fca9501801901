"""The places of one run: how many uploads it begins, how far it reads ahead, what it says."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest

from airflow_provider_faceid.batch.photos import AHEAD, AHEAD_AT_FIRST, FURTHEST_AHEAD, Uploads
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import StateStoreError
from airflow_provider_faceid.state.uplink import INITIAL_WINDOW, MemoryUplink, Report, Uplink

RATE = 19.4
LOG = logging.getLogger("test.uploads")


class Row:
    """An uplink that gives what a test says and keeps what it is told."""

    def __init__(self, share: int = 2, uplink: Uplink | None = None) -> None:
        self.share, self.uplink = share, uplink or Uplink()
        self.told: list[tuple[int, Report]] = []

    def step(self, name: str, demand: int, busy: int, report: Report) -> tuple[Uplink, int]:
        self.told.append((demand, report))
        if self.share < 0:
            raise StateStoreError("away")
        return self.uplink, self.share


def uploads(row=None) -> Uploads:
    return Uploads(row or MemoryUplink(), RATE, SYSTEM_CLOCK, LOG)


async def taken(some: Uploads, wanted: int) -> tuple[int, list[asyncio.Task[None]]]:
    """Want some places; return how many were given, and who wants them."""
    tasks = [asyncio.create_task(some.take()) for _ in range(wanted)]
    await asyncio.wait(tasks, timeout=0.2)
    return sum(task.done() for task in tasks), tasks


async def leave(tasks) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_no_more_places_are_given_than_the_share():
    async def run() -> None:
        some = uploads()
        given, tasks = await taken(some, 10)
        assert given == INITIAL_WINDOW
        some.give_back()
        await asyncio.sleep(0)
        assert sum(task.done() for task in tasks) == INITIAL_WINDOW + 1
        await leave(tasks)

    asyncio.run(run())


def test_a_place_that_nobody_waits_for_any_more_goes_to_the_next():
    async def run() -> None:
        some = uploads(Row(share=1))
        _, (first, second, third) = await taken(some, 3)
        some.give_back()
        second.cancel()  # in the same turn of the loop in which it gets its place
        await asyncio.wait([first, second, third], timeout=1)
        assert third.done()
        assert not third.cancelled()

    asyncio.run(run())


def test_a_row_gives_its_place_back_once_and_may_take_another():
    async def run() -> None:
        some = uploads(Row(share=1))
        place = some.slot()
        await place.take()
        place.began(100)
        place.moved(100)
        place.ended()
        place.give_back()
        await place.take()
        assert (await taken(some, 1))[0] == 0
        place.ended()

    asyncio.run(run())


def test_the_first_photos_do_not_wait_for_each_other():
    async def run() -> None:
        some = uploads()
        async with AsyncExitStack() as stack:
            for _ in range(AHEAD_AT_FIRST):
                await asyncio.wait_for(stack.enter_async_context(some.ahead()), 1)
        some.has_read(0.5)
        async with AsyncExitStack() as stack:
            for _ in range(15):
                await asyncio.wait_for(stack.enter_async_context(some.ahead()), 1)

    asyncio.run(run())


@pytest.mark.parametrize(("seconds", "ahead"), [(0.001, AHEAD), (0.5, 15), (9.0, FURTHEST_AHEAD)])
def test_the_slower_photos_are_read_the_more_are_read_at_once(seconds, ahead):
    async def run() -> int:
        some, reading = uploads(), 0
        for _ in range(100):
            some.has_read(seconds)
        async with AsyncExitStack() as stack:
            while reading < 100:
                try:
                    await asyncio.wait_for(stack.enter_async_context(some.ahead()), 0.1)
                except TimeoutError:
                    break
                reading += 1
        return reading

    assert asyncio.run(run()) == ahead


def test_what_was_uploaded_is_reported_and_the_run_leaves():
    row = Row()

    async def run() -> None:
        some = uploads(row)
        async with some.reporting(asyncio.create_task):
            place = some.slot()
            await place.take()
            place.began(1000)
            place.moved(600)
            place.moved(400)
            place.ended()

    asyncio.run(run())
    assert row.told[0][0] == 1
    assert row.told[-1][0] == 0
    total = sum((report for _, report in row.told), Report())
    assert (total.moved, total.begun, total.begun_bytes) == (1000, 1, 1000)


def test_a_run_goes_on_with_its_share_while_the_state_store_is_away(caplog):
    async def run() -> None:
        some = uploads(Row(share=-1))
        given, tasks = await taken(some, 10)
        assert given == INITIAL_WINDOW
        await leave(tasks)

    asyncio.run(run())
    assert "Other tasks' uploads are not known: away" in caplog.text


SLOW = Uplink(window=3, rate=1.2e6, mean_bytes=2.4e6)


def test_a_slow_uplink_is_told_with_what_follows_from_it():
    async def run() -> str:
        some = uploads(Row(uplink=SLOW))
        await some.take()
        return some.line()

    assert asyncio.run(run()) == (
        "the uplink carries 1.2 MB/s: 0.5 photos/s in place of 19.4, 3 uploads at once on this host"
    )


@pytest.mark.parametrize("uplink", [Uplink(), Uplink(rate=1e8, mean_bytes=2.4e6)])
def test_an_uplink_that_holds_nothing_back_is_not_mentioned(uplink):
    async def run() -> str:
        some = uploads(Row(uplink=uplink))
        await some.take()
        return some.line()

    assert asyncio.run(run()) == ""
