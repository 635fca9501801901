"""Photos over a slow uplink: nothing is billed that was given up, and patience counts progress."""

from __future__ import annotations

import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_faceid.exceptions import NotSentError
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE
from tests.support.patience import soon
from tests.support.photos import grown
from tests.support.slow_link import slow_link

PHOTO_BYTES = 600_000
"""Of a photo, which takes 800 kB as Base64."""
TIMEOUT = 1.5


@pytest.fixture(scope="module")
def service():
    with SimulatorServer(people=60, quotas={FACE: 0}, latency_ms=(0, 0)) as server:
        yield server


def port_of(service: SimulatorServer) -> int:
    return int(service.url.rpartition(":")[2])


@pytest.fixture
def ask_about(service, client, connect):
    """Return what asks about one of the ordinary people through a link."""
    service.account.reset()
    people = [person for person in service.account.people.listed if not person.persona]

    def ask(link, number=0, **extra):
        hook = connect(link.url, timeout=TIMEOUT, **extra)
        person = people[number]
        photo = grown(service.account.gallery.submitted(person), PHOTO_BYTES)
        params = {"IdCard": person.id_card, "Name": person.name, "ImageBase64": b64encode(photo)}
        return client.ask(hook, FACE, params)

    return ask


def test_a_photo_that_takes_longer_than_the_timeout_is_answered(service, ask_about):
    """At 2 Mbit/s it takes twice the time that is given to the answer."""
    with slow_link(port_of(service), 2_000_000) as link:
        assert ask_about(link).is_match
        assert link.line.busy_seconds > TIMEOUT
    assert service.account.ledger.bill[FACE] == 1


def test_an_upload_that_stalls_is_not_sent_and_never_billed_afterwards(service, ask_about):
    """The line opens again after it was given up: what was on its way stays incomplete."""
    with slow_link(port_of(service), 2_000_000) as link:
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(ask_about, link, max_attempts=1)
            assert soon(lambda: link.line.passed > PHOTO_BYTES / 3)
            link.line.stalled = True
            with pytest.raises(NotSentError, match="upload stalled"):
                asked.result()
        link.line.stalled = False
        time.sleep(1)
        assert ask_about(link, 1).is_match  # the line is free
    assert service.account.ledger.bill[FACE] == len(service.account.ledger) == 1


def test_an_upload_that_stalls_is_repeated_when_the_network_is_back(service, ask_about):
    with slow_link(port_of(service), 2_000_000) as link, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(ask_about, link)
        assert soon(lambda: link.line.passed > PHOTO_BYTES / 3)
        link.line.stalled = True
        time.sleep(TIMEOUT + 0.3)
        link.line.stalled = False
        assert asked.result().is_match
    assert service.account.ledger.bill[FACE] == len(service.account.ledger) == 1
