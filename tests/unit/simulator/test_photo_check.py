from __future__ import annotations

import threading
from base64 import b64encode

import pytest

from airflow_provider_faceid.simulator.people import photos as photo_check
from airflow_provider_faceid.simulator.people import photos as pictures
from airflow_provider_faceid.simulator.people.photos import Memory

PHOTO = b64encode(pictures.portrait("7:1")).decode()


def test_a_photo_seen_before_is_known_and_gets_the_same_answer():
    text = PHOTO[:-8] + "AAAAAAA="  # behind the end mark: a photo no other test sends
    assert photo_check.recall(text) is None
    found = photo_check.examine(text)
    assert photo_check.recall("".join(list(text))) is found


@pytest.mark.parametrize("other", ["b" + "a" * 2999, "a" * 2999 + "b", "a" * 3001])
def test_a_photo_that_differs_in_one_character_is_another_one(other):
    memory = Memory(10_000)
    memory.keep("a" * 3000, "seen")
    assert memory.recall("a" * 3000) == "seen"
    assert memory.recall(other) is None


def test_what_is_kept_stays_within_its_bounds_and_the_oldest_goes_first():
    memory = Memory(1000)
    for letter in "abc":
        memory.keep(letter * 400, letter)
    assert [memory.recall(letter * 400) for letter in "abc"] == [None, "b", "c"]
    memory.keep("d" * 1001, "d")
    assert [memory.recall(text) for text in ("b" * 400, "c" * 400, "d" * 1001)] == [None] * 3
    memory.keep("e" * 1000, "e")
    assert memory.recall("e" * 1000) == "e"


def test_the_same_photo_twice_counts_once():
    memory = Memory(1000)
    for _ in range(5):
        memory.keep("a" * 600, "a")
    memory.keep("b" * 400, "b")
    assert [memory.recall("a" * 600), memory.recall("b" * 400)] == ["a", "b"]


def test_threads_may_keep_photos_at_the_same_time():
    memory = Memory(50)

    def keep(letter: str) -> None:
        for number in range(2000):
            memory.keep(letter * (number % 40 + 1), letter)

    threads = [threading.Thread(target=keep, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < sum(len(text) for text, _ in memory._found.values()) <= 50
