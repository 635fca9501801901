"""An upload: without its last byte nothing was sent; patience counts progress."""

from __future__ import annotations

import socket

import pytest

from airflow_provider_faceid.api.messages import Pieces
from airflow_provider_faceid.client.delivery import Ending, error_of
from airflow_provider_faceid.client.upload import (
    LARGE_BYTES,
    MAX_UPLOAD_SECONDS,
    PART_BYTES,
    UNSENT_BYTES,
    AbandonedError,
    Upload,
    error_of_upload,
    new_socket,
    poll_intervals,
    unsent_bytes,
)
from airflow_provider_faceid.exceptions import NotSentError, SlowUploadError, UncertainError

ACTION = "ImageRecognitionV2"
PHOTO = Pieces([b'{"ImageBase64": "', b"A" * 200_000, b'"}'])
TIMEOUT = 30.0


class Now:
    """A monotonic clock."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class RequestEnded:
    """Traffic as a list of what was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def began(self, size: int) -> None:
        self.told.append(f"{size} began")

    def moved(self, count: int) -> None:
        self.told.append(count)

    def ended(self) -> None:
        self.told.append("ended")


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def upload(now):
    return Upload(PHOTO, TIMEOUT, now)


def test_a_body_goes_out_in_parts_and_its_last_byte_alone(upload):
    parts = list(upload.parts())
    assert max(map(len, parts)) <= PART_BYTES
    assert not upload.is_complete
    assert b"".join(parts) + upload.last_byte() == bytes(PHOTO)
    assert upload.is_complete


def test_a_short_body_counts_as_sent_from_the_beginning(now):
    upload = Upload(Pieces([b"{}"]), TIMEOUT, now)
    assert not upload.is_large
    assert upload.is_complete
    assert upload.end == now() + TIMEOUT
    assert isinstance(
        error_of_upload(error_of(ACTION, Ending.NO_ANSWER, "reset"), upload, ACTION), UncertainError
    )


def test_patience_begins_anew_with_each_part_and_with_the_last_byte(now, upload):
    for _ in upload.parts():
        now.seconds += 20
        assert not upload.is_stalled
    now.seconds += 20
    upload.last_byte()
    assert upload.end == now() + TIMEOUT


def test_no_upload_outlives_its_signature(now, upload):
    for number, _ in enumerate(upload.parts()):
        now.seconds += 29
        assert upload.end <= 100 + MAX_UPLOAD_SECONDS
        if number > 1:
            break
    now.seconds = 100 + MAX_UPLOAD_SECONDS
    upload._moved = now()
    error = error_of_upload(error_of(ACTION, Ending.NO_ANSWER, "TimeoutError"), upload, ACTION)
    assert isinstance(error, SlowUploadError)
    assert "DNS" not in str(error)


def test_an_upload_that_stalls_was_not_sent_and_says_how_far_it_came(now, upload):
    next(parts := upload.parts())
    next(parts)
    now.seconds += TIMEOUT
    error = error_of_upload(error_of(ACTION, Ending.NO_ANSWER, "TimeoutError"), upload, ACTION)
    assert type(error) is NotSentError
    assert "stalled after 0.0 of 0.2 MB in 30 s" in str(error)


def test_a_connection_that_breaks_during_an_upload_has_sent_nothing(upload):
    next(upload.parts())
    error = error_of_upload(error_of(ACTION, Ending.NO_ANSWER, "reset"), upload, ACTION)
    assert type(error) is NotSentError
    assert "nothing was charged" in str(error)


def test_a_connection_that_breaks_after_the_last_byte_is_in_doubt(upload):
    list(upload.parts())
    upload.last_byte()
    assert isinstance(
        error_of_upload(error_of(ACTION, Ending.NO_ANSWER, "reset"), upload, ACTION), UncertainError
    )


def test_an_upload_that_was_given_up_hands_nothing_more_out(upload):
    parts = upload.parts()
    next(parts)
    assert upload.abandon()
    with pytest.raises(AbandonedError):
        next(parts)
    with pytest.raises(AbandonedError):
        upload.last_byte()


def test_the_last_byte_waits_until_all_before_it_has_left_and_that_is_progress(now, upload):
    list(upload.parts())
    now.seconds += 10
    assert upload.must_wait(5000)
    assert upload.taken == PHOTO.length - 1 - 5000
    now.seconds += 10
    assert upload.must_wait(4000)
    assert upload.end == now() + TIMEOUT
    now.seconds += 10
    assert upload.must_wait(4000)
    assert upload.end == now() + TIMEOUT - 10
    assert not upload.must_wait(0)


@pytest.mark.parametrize("is_complete", [True, False])
def test_traffic_is_told_once_when_an_upload_ends(now, is_complete):
    seen = RequestEnded()
    upload = Upload(PHOTO, TIMEOUT, now, seen)
    list(upload.parts())
    if is_complete:
        upload.last_byte()
    upload.abandon()
    upload.abandon()
    first, *moved, last = seen.told
    assert first == f"{PHOTO.length} began"
    assert sum(moved) == PHOTO.length - (not is_complete)
    assert last == "ended"


def test_traffic_is_told_of_a_short_body_only_that_the_uplink_is_free(now):
    seen = RequestEnded()
    Upload(Pieces([b"{}"]), TIMEOUT, now, seen)
    assert seen.told == ["ended"]


def test_what_has_not_left_is_looked_at_often_and_then_less():
    seconds = [pause for pause, _ in zip(poll_intervals(), range(10), strict=False)]
    assert seconds == sorted(seconds)
    assert seconds[0] < 0.01
    assert seconds[-1] < 0.1


def test_a_connection_keeps_little_unsent_and_says_how_much():
    """The other side reads nothing: its buffers fill, then ours."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = socket.getaddrinfo(*deaf.getsockname(), type=socket.SOCK_STREAM)[0]
        with new_socket(address) as ours:
            ours.connect(deaf.getsockname())
            assert unsent_bytes(ours) == 0
            ours.settimeout(0.5)
            with pytest.raises(TimeoutError):
                ours.sendall(bytes(100_000_000))
            assert 0 < unsent_bytes(ours) <= UNSENT_BYTES + LARGE_BYTES
            ours.close()
            assert unsent_bytes(ours) == 0
