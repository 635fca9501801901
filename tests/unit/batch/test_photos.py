"""Patience with the store of the photos, on a clock that takes no time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext

import pytest

from airflow_provider_faceid.batch.photos import (
    FAILURES_IN_A_ROW,
    REFUSAL_SECONDS,
    STORE_SECONDS,
    PhotoReader,
    read_patiently,
)
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.exceptions import InvalidInputError, PhotoStoreError

LOG = logging.getLogger("test.photos")


class FastClock(Clock):
    """A clock on which sleeping passes at once."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    async def asleep(self, seconds: float) -> None:
        self.seconds += seconds

    def jitter(self, low: float, high: float) -> float:
        return (low + high) / 2


def fault(*, is_refusal: bool = False) -> PhotoStoreError:
    error = PhotoStoreError("Photos cannot be read from s3://bucket: OSError, HTTP 503")
    error.is_refusal = is_refusal
    return error


class Store:
    """A store that answers as a script says, the last entry again and again."""

    def __init__(self, *script: Exception | bytes, patience: float = 900.0) -> None:
        self.script, self.reads = list(script), 0
        self.clock, self.is_stopping = FastClock(), False
        self.reader = PhotoReader(
            self.read,
            patience=patience,
            is_stopping=lambda: self.is_stopping,
            clock=self.clock,
            log=LOG,
        )

    def read(self, value: object) -> bytes:
        self.reads += 1
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def until_it_ends(self) -> PhotoStoreError:
        """Read photos until the run gives up; return why."""

        async def read() -> PhotoStoreError:
            while True:
                try:
                    await self.reader.read("path")
                except PhotoStoreError as error:
                    if error.is_outage:
                        return error

        try:
            return asyncio.run(read())
        finally:
            self.reader.close()

    def once(self) -> bytes:
        return asyncio.run(self.reader.read("path"))


@pytest.mark.parametrize(
    ("is_refusal", "patience", "seconds"),
    [(False, 900, STORE_SECONDS), (True, 900, REFUSAL_SECONDS), (False, 20, 20), (True, 2, 2)],
)
def test_a_store_is_given_up_after_its_time_and_asked_ever_more_slowly(
    is_refusal, patience, seconds
):
    store = Store(fault(is_refusal=is_refusal), patience=patience)
    store.until_it_ends()
    waited = store.clock.seconds - 100.0
    assert seconds <= waited <= seconds + 8
    assert FAILURES_IN_A_ROW < store.reads < FAILURES_IN_A_ROW + 25


@pytest.mark.parametrize("answer", [b"a photo", InvalidInputError("photo_unreadable", "none")])
def test_an_answer_ends_an_outage(answer, caplog):
    caplog.set_level(logging.INFO)
    store = Store(*[fault()] * 12, answer)
    for _ in range(12):
        with pytest.raises(PhotoStoreError) as error:
            store.once()
        assert not error.value.is_outage
    for _ in range(3):
        before = store.clock.seconds
        with pytest.raises(InvalidInputError) if isinstance(answer, Exception) else nullcontext():
            store.once()
    assert store.clock.seconds == before
    assert "can be read again" in caplog.text
    assert caplog.text.count("Trying again") == 1
    store.reader.close()


def test_a_path_that_is_refused_unread_says_nothing_about_the_store():
    store = Store(*[fault(), InvalidInputError("photo_path", "elsewhere")] * 200, fault())
    with pytest.raises(PhotoStoreError):
        store.once()
    with pytest.raises(InvalidInputError):
        store.once()
    assert store.reader._failures == 1
    store.reader.close()


def test_a_halted_run_waits_for_no_store():
    store = Store(fault())
    for _ in range(FAILURES_IN_A_ROW):
        with pytest.raises(PhotoStoreError):
            store.once()
    store.is_stopping = True
    with pytest.raises(asyncio.CancelledError):
        store.once()
    assert store.reads == FAILURES_IN_A_ROW
    store.reader.close()


def test_a_row_is_tried_again_and_then_left():
    store, error = Store(b""), fault()
    since = store.clock.seconds
    pauses = []
    while (pause := store.reader.pause_after(error, since)) is not None:
        pauses.append(pause)
        store.clock.seconds += pause
    assert pauses == sorted(pauses)
    assert store.clock.seconds - since == pytest.approx(STORE_SECONDS, abs=5)
    store.reader.close()


def test_a_refusal_that_was_waited_for_is_not_waited_for_again():
    store, error = Store(b""), fault(is_refusal=True)
    assert store.reader.pause_after(error, store.clock.seconds) is not None
    assert store.reader.pause_after(error, store.clock.seconds - REFUSAL_SECONDS) is None
    assert store.reader.pause_after(error, store.clock.seconds) is None
    store.reader.close()


def test_a_single_call_is_as_patient():
    store = Store(*[fault()] * 5, b"a photo")
    assert read_patiently(store.read, "path", 900.0, store.clock, LOG) == b"a photo"
    store = Store(fault(is_refusal=True))
    with pytest.raises(PhotoStoreError):
        read_patiently(store.read, "path", 900.0, store.clock, LOG)
    assert REFUSAL_SECONDS <= store.clock.seconds - 100 <= REFUSAL_SECONDS + 8
