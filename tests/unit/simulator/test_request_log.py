from __future__ import annotations

import logging
import re
import time

import pytest

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.account import LOGGER
from airflow_provider_faceid.simulator.faults import FaultRule
from airflow_provider_faceid.simulator.faults.effects import Code, DropAfter
from airflow_provider_faceid.simulator.people import ID_CARD


@pytest.fixture
def logging_caller(caller, clock, caplog):
    """A caller of a simulator that logs its requests."""
    caplog.set_level(logging.INFO, LOGGER.name)
    with SimulatorServer(people=60, clock=clock, log_requests=True) as server:
        yield type(caller)(server, clock)


@pytest.fixture
def lines(caplog):
    """Waits for so many lines: a request is over when its answer has already come."""

    def wait(count: int) -> list[str]:
        end = time.monotonic() + 5
        while len(caplog.messages) < count and time.monotonic() < end:
            time.sleep(0.005)
        return caplog.messages

    return wait


def test_a_line_says_what_happened_and_nothing_of_the_person(logging_caller, lines, ordinary):
    answer = logging_caller.id_card(ordinary.id_card, ordinary.name)
    (line,) = lines(1)
    shown = f"{ordinary.id_card[:2]}{'*' * 14}{ordinary.id_card[-2:]}"
    assert re.fullmatch(
        rf"2026-06-01T04:00:00\.000\+00:00 {ID_CARD} {re.escape(shown)} 0 - charged \d+ ms "
        rf"{answer['RequestId']}",
        line,
    )
    assert ordinary.name not in line


def test_refusals_and_faults_have_a_line_too(logging_caller, lines, ordinary):
    logging_caller.server.faults.add(
        FaultRule(Code(code="Wei Xiaobao, 1"), action=ID_CARD, times=1)
    )
    logging_caller.id_card(ordinary.id_card, ordinary.name)
    logging_caller.post("Wei-Xiaobao", {"IdCard": ordinary.name})
    forced, refused = (line.split(" ") for line in lines(2))
    assert forced[3:6] == ["-", "fault=code", "free"]
    assert refused[1] == "(unknown)"
    assert "InvalidAction" in refused
    assert "Xiaobao" not in "".join(lines(2))


def test_a_call_without_an_answer_is_logged(logging_caller, lines, ordinary):
    logging_caller.server.faults.add(FaultRule(DropAfter()))
    with pytest.raises(OSError, match="Connection aborted"):
        logging_caller.id_card(ordinary.id_card, ordinary.name)
    assert " 0 fault=drop_after charged " in lines(1)[0]


def test_nothing_is_logged_unasked(caller, caplog, ordinary):
    caplog.set_level(logging.DEBUG)
    caller.id_card(ordinary.id_card, ordinary.name)
    assert LOGGER.name not in {record.name for record in caplog.records}
