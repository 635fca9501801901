"""Every official client, unmodified, with every case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter, encrypt_request
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.faults import read_rules
from tests.conformance.cases import ANSWERS, FAILURES, PEOPLE, SIBLING_ANSWERS, Case
from tests.conformance.client import Client, Said
from tests.conformance.command_line import TCCLI
from tests.conformance.node_sdk import NODE, NODE_BY_DEFAULT
from tests.conformance.python_sdk import ASYNC, SYNC

CLIENTS = (SYNC, ASYNC, TCCLI, NODE, NODE_BY_DEFAULT)

pytestmark = [
    pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name),
    pytest.mark.filterwarnings(
        # The SDK asks for UTC in the way Python 3.12 deprecates.
        r"ignore:datetime\.datetime\.utcfromtimestamp\(\) is deprecated:DeprecationWarning"
    ),
]


class StoppedClock(Clock):
    """The time of its making: a second of the service is long enough for the slowest client."""

    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> float:
        return self._now


def encrypted(server: SimulatorServer, case: Case) -> Case:
    """Return a case with its fields encrypted for a simulator, in the form of its Action."""
    keys = server.account.encryption_keys.published()
    if case.encryption == "KMS":
        encrypter = KmsEncrypter(keys["KMS"]["Plaintext"], keys["KMS"]["CiphertextBlob"])
    else:
        encrypter = Encrypter(case.encryption, keys[case.encryption])
    return replace(case, params=dict(encrypt_request(encrypter, case.action, case.params)))


def ask(client: Client, case: Case) -> tuple[Said, list[dict[str, Any]]]:
    """Return what a client says at last, and what the service saw of it."""
    rules = read_rules(list(case.faults))
    with SimulatorServer(people=PEOPLE, clock=StoppedClock(), faults=rules) as server:
        if case.encryption:
            case = encrypted(server, case)
        for _ in range(case.calls):
            said = client.ask(server.url, case)
        return said, list(server.account.ledger.rows())


@pytest.mark.parametrize("case", [*ANSWERS, *SIBLING_ANSWERS], ids=lambda case: case.name)
def test_it_reads_the_answer(client, case):
    said, seen = ask(client, case)
    assert said.code == ""
    assert {name: said.answer[name] for name in case.answer} == case.answer
    assert said.answer["Description"]
    assert [call["result"] for call in seen] == [case.answer["Result"]]
    assert UUID(said.answer["RequestId"]) == UUID(seen[-1]["request_id"])


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.name)
def test_it_is_told_the_error(client, case):
    said, seen = ask(client, case)
    assert (said.kind, said.code) == (client.error, case.error)
    assert len(said.message.split()) > 1
    assert len(seen) == case.calls
    assert seen[-1]["error"] == case.error
    assert UUID(said.request_id) == UUID(seen[-1]["request_id"])
    assert not seen[-1]["charged"]
