"""How many photos a host uploads at once, on a model of its uplink."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_faceid.clock import SYSTEM_CLOCK, Clock
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.state.uplink import (
    IDLE_WINDOW,
    INITIAL_WINDOW,
    STALE_SECONDS,
    TARGET_UPLOAD_SECONDS,
    Member,
    MemoryUplink,
    Report,
    StoredUplink,
    Uplink,
    UploadTurn,
    after_step,
    new_member,
    share_of,
)

PHOTO = 2_500_000
TICK = 0.05
ALL = Member(39, 1e9)


def run(
    carries: float,
    seconds: float,
    *,
    each: float = 1e12,
    buffer: int = 200_000,
    uplink: Uplink | None = None,
    begin: float = 0.0,
) -> tuple[Uplink, float]:
    """
    Upload through a modelled link; return the uplink, and the share of the link that was used.

    :param carries: bytes a second of the link.
    :param each: most bytes a second of one connection, as its distance allows.
    :param buffer: bytes of each upload that are taken at once.
    """
    uplink, now, under_way, report = uplink or Uplink(), begin, [], Report()
    through = 0.0
    for tick in range(round(seconds / TICK)):
        now = begin + tick * TICK
        allowed = share_of(uplink, "run", now) if uplink.members else INITIAL_WINDOW
        while len(under_way) < allowed:
            under_way.append(PHOTO - buffer)
            report += Report(moved=buffer, begun=1, begun_bytes=PHOTO)
        part = min(each, carries / len(under_way)) * TICK
        through += part * len(under_way)
        report += Report(int(part) * len(under_way), len(under_way) * TICK)
        under_way = [left - part for left in under_way if left > part]
        if tick % 10 == 0:
            uplink, report = after_step(uplink, now, "run", ALL, report), Report()
    return uplink, through / (carries * seconds)


@pytest.mark.parametrize("mbit", [4, 10, 20, 100, 400])
def test_a_link_is_used_and_no_upload_takes_longer_than_it_should(mbit):
    carries = mbit * 125_000
    uplink, used = run(carries, 120)
    assert used > 0.95
    assert uplink.window * PHOTO / carries <= TARGET_UPLOAD_SECONDS * 1.5


def test_a_slow_link_carries_two_at_once():
    uplink, used = run(125_000, 300)
    assert uplink.window == 2
    assert used > 0.95


@pytest.mark.parametrize(
    ("demand", "busy", "photo", "window"),
    [
        (100, 99, 0, IDLE_WINDOW),
        (100, 99, 200_000, IDLE_WINDOW),
        (100, 99, 4_000_000, INITIAL_WINDOW),  # each slot holds one in memory
        (3, 3, 0, INITIAL_WINDOW),
    ],
)
def test_an_idle_uplink_does_not_hold_a_run_back(demand, busy, photo, window):
    """Small photos are no uploads: their slots are taken for the claim and the pace."""
    uplink = after_step(Uplink(), 0.0, "run", Member(1, 1e9), Report())
    report = Report(begun=10, begun_bytes=10 * photo) if photo else Report()
    for now in range(20):
        member = Member(demand, 1e9, min(busy, uplink.window))
        uplink = after_step(uplink, now, "run", member, report)
    assert uplink.window == window


def test_a_window_that_grew_while_the_uplink_was_idle_shrinks_to_what_a_slow_link_carries():
    uplink = replace(Uplink(), window=IDLE_WINDOW)
    uplink, used = run(250_000, 400, uplink=uplink)
    assert uplink.window * PHOTO / 250_000 <= TARGET_UPLOAD_SECONDS * 1.5
    assert used > 0.95


def test_a_long_fat_line_is_filled_by_more_at_once():
    """128 KB under way for 200 ms are 5 Mbit/s a connection: 100 Mbit/s take twenty."""
    uplink, used = run(12_500_000, 60, each=640_000)
    assert uplink.window >= 16
    assert used > 0.85


def test_a_window_follows_a_link_that_becomes_slower():
    wide, _ = run(12_500_000, 60)
    narrow, _ = run(500_000, 60, uplink=wide, begin=60)
    assert narrow.window <= 6


def test_uploads_that_the_pace_holds_back_say_nothing_of_the_link():
    uplink = Uplink()
    for tick in range(100):
        uplink = after_step(uplink, tick * 0.5, "run", ALL, Report(10**8, 0.4, 4, 4 * PHOTO))
    assert uplink.window == INITIAL_WINDOW
    assert uplink.rate == 0


def test_a_window_that_was_not_in_use_is_measured_anew():
    wide, _ = run(12_500_000, 60)
    assert wide.window > INITIAL_WINDOW
    later = after_step(wide, 60 + STALE_SECONDS + 1, "run", ALL, Report())
    assert later.window == INITIAL_WINDOW


def test_a_clock_that_was_put_back_begins_anew():
    wide, _ = run(12_500_000, 60)
    assert after_step(wide, 10, "run", ALL, Report()).window == INITIAL_WINDOW


def members(*demands: int) -> Uplink:
    uplink = Uplink(seen_at=1)
    for number, demand in enumerate(demands):
        uplink = after_step(uplink, 1, str(number), Member(demand, 100), Report())
    return uplink


@pytest.mark.parametrize(
    ("demands", "shares"),
    [((10,), [4]), ((1,), [4]), ((9, 9), [2, 2]), ((1, 9), [1, 3]), ((9, 9, 9, 9), [1] * 4)],
)
def test_members_share_the_window_and_what_others_do_not_want(demands, shares):
    uplink = members(*demands)
    assert [share_of(uplink, str(number), 1) for number in range(len(demands))] == shares


def test_more_members_than_places_take_turns():
    uplink = members(*[9] * 10)
    turns = [[share_of(uplink, str(n), 20.0 * turn) for n in range(10)] for turn in range(10)]
    assert {sum(turn) for turn in turns} == {INITIAL_WINDOW}
    assert {sum(turn[n] for turn in turns) for n in range(10)} == {INITIAL_WINDOW}


def test_a_share_is_taken_up_as_others_end_theirs():
    uplink = after_step(Uplink(since=1, seen_at=1), 1, "a", Member(9, 100, busy=4), Report())
    uplink = after_step(uplink, 1, "b", Member(9, 100), Report())
    assert (share_of(uplink, "a", 1), share_of(uplink, "b", 1)) == (2, 0)
    uplink = after_step(uplink, 1, "a", Member(9, 100, busy=3), Report())
    assert (share_of(uplink, "a", 1), share_of(uplink, "b", 1)) == (2, 1)


def test_a_member_that_does_not_report_any_more_is_forgotten():
    uplink = members(9, 9)
    later = after_step(uplink, 101, "0", Member(9, 200), Report())
    assert set(later.members) == {"0"}


def test_a_member_without_demand_leaves():
    assert members(9, 0).members.keys() == {"0"}


@pytest.fixture(params=["memory", "stored"])
def row(request, tmp_path):
    if request.param == "memory":
        yield MemoryUplink()
        return
    store = StateStore(f"sqlite:///{tmp_path / 'state'}", SYSTEM_CLOCK)
    yield StoredUplink(store, "host")
    store.close()


def test_runs_of_a_host_meet_in_one_row(row):
    first, second = new_member(), new_member()
    assert row.step(first, 9, 0, Report())[1] == INITIAL_WINDOW
    assert row.step(second, 9, 0, Report())[1] == INITIAL_WINDOW / 2
    assert row.step(first, 9, 0, Report(begun=1, begun_bytes=PHOTO))[1] == INITIAL_WINDOW / 2
    uplink, _ = row.step(second, 0, 0, Report())
    assert uplink.mean_bytes == PHOTO
    assert uplink.members.keys() == {first}


def test_a_row_that_cannot_be_read_is_measured_anew(tmp_path):
    store = StateStore(f"sqlite:///{tmp_path / 'state'}", SYSTEM_CLOCK)
    row = StoredUplink(store, "host")
    row.step("a", 1, 0, Report())
    with store.transaction() as cursor:
        cursor.execute("UPDATE faceid_uplinks SET state = '{\"members\": 7}'")
    assert row.step("a", 1, 0, Report())[1] == INITIAL_WINDOW
    store.close()


class HaltedError(Exception):
    """The caller would have waited."""


class NoWaiting(Clock):
    """A clock on which waiting is an error."""

    def sleep(self, seconds: float) -> None:
        raise HaltedError


def test_single_calls_take_turns_with_all_that_upload_from_the_host(row):
    turns = [UploadTurn(row, NoWaiting()) for _ in range(INITIAL_WINDOW)]
    for turn in turns:
        turn.take()
        turn.take()  # it has it already
        turn.began(PHOTO)
    late = UploadTurn(row, NoWaiting())
    with pytest.raises(HaltedError):
        late.take()
    late.ended()
    turns[0].moved(PHOTO)
    turns[0].ended()
    late.take()
    late.ended()
    for turn in turns:
        turn.ended()
    uplink, _ = row.step("looks", 0, 0, Report())
    assert not uplink.members
    assert uplink.mean_bytes == PHOTO
