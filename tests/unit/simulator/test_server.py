from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import aiohttp
import pytest
import requests

from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.__main__ import latency, parse, quotas
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.support.patience import in_some_try, soon


def test_a_server_stops_and_closes_its_port():
    before = set(threading.enumerate())
    server = SimulatorServer(people=20).start()
    assert requests.get(f"{server.url}/_sim/bill", timeout=5).ok
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/_sim/bill", timeout=5)
    assert set(threading.enumerate()) <= before


def test_servers_do_not_share_anything(caller, ordinary):
    caller.id_card(ordinary.id_card, ordinary.name)
    with SimulatorServer(people=20) as other:
        assert requests.get(f"{other.url}/_sim/ledger", timeout=5).json() == []


def test_a_taken_port_is_an_error(server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        SimulatorServer(people=20, port=port).start()


def test_only_the_loopback_address_is_listened_on(server):
    assert server.url.startswith("http://127.0.0.1:")


def test_calls_wait_out_their_latency_side_by_side_and_refusals_come_at_once(caller, ordinary):
    """Under the clock of the test a wait moves the time on."""
    with SimulatorServer(people=60, latency_ms=(200, 200), quotas={ID_CARD: 1}) as slow:
        own = type(caller)(slow, slow.account.clock)
        body = b'{"IdCard": "1", "Name": "Li Si"}'

        async def ask_twice() -> list[tuple[float, bool]]:
            loop = asyncio.get_running_loop()
            async with aiohttp.ClientSession() as session:

                async def ask() -> tuple[float, bool]:
                    headers = own.headers(ID_CARD, body)
                    async with session.post(own.url, data=body, headers=headers) as answer:
                        error = "Error" in (await answer.json())["Response"]
                        return loop.time() - start, error

                # Begin just after a full second, so that both fall into one window.
                await asyncio.sleep(1.01 - slow.account.clock.now() % 1)
                start = loop.time()
                return await asyncio.gather(ask(), ask())

        def refused_at_once(_: int) -> bool:
            (answered, _), (refused, _) = sorted(asyncio.run(ask_twice()), key=lambda one: one[1])
            assert answered >= 0.2
            return refused < 0.15

        assert in_some_try(refused_at_once)


@pytest.mark.parametrize("sent", ["half", "whole"])
def test_a_caller_who_hangs_up_makes_no_noise(ordinary, caller, caplog, sent):
    """A request that came in whole is answered and billed all the same."""
    with SimulatorServer(people=60, latency_ms=(150, 150)) as server:
        own = type(caller)(server, server.account.clock)
        body = json.dumps({"IdCard": ordinary.id_card, "Name": ordinary.name}).encode()
        headers = own.headers(ID_CARD, body) | {"Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as line:
            line.sendall(f"POST / HTTP/1.1\r\n{head}\r\n".encode())
            line.sendall(body if sent == "whole" else body[:9])
            time.sleep(0.05)
        if sent == "half":
            time.sleep(0.2)  # for what must not come
        whole = sent == "whole"
        assert soon(lambda: own.get("/_sim/bill")[ID_CARD] == whole)
        assert len(own.get("/_sim/ledger")) == whole
    assert not caplog.records


def test_it_names_somebody_to_ask_about_and_their_photo(caller, server):
    somebody = server.person()
    assert caller.id_card(somebody.id_card, somebody.name)["Result"] == "0"
    for code in ("-1", "-5", "-7"):
        person = server.person(code=code)
        assert caller.id_card(person.id_card, person.name)["Result"] == code
    stranger = server.person(FACE, "FailedOperation.CompareLowSimilarity")
    answer = caller.face(stranger.id_card, stranger.name, server.photo(stranger))
    assert answer["Result"] == "FailedOperation.CompareLowSimilarity"
    with pytest.raises(LookupError, match="-99"):
        server.person(code="-99")


@pytest.mark.parametrize(
    ("text", "pair"), [("50-150", (50, 150)), ("0", (0, 0)), ("0-0", (0, 0)), ("20", (20, 20))]
)
def test_latency_is_read_from_the_command_line(text, pair):
    assert latency(text) == pair


def test_quotas_are_read_from_the_command_line():
    assert quotas("IdCardVerification=5,ImageRecognitionV2=0") == {
        "IdCardVerification": 5,
        "ImageRecognitionV2": 0,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--latency-ms", "150-50"],
        ["--latency-ms", "fast"],
        ["--quota", "Describe=1"],
        ["--quota", "IdCardVerification"],
        ["--quota", "IdCardVerification=-1"],
        ["--host", "0.0.0.0"],
        ["--keys", "an-id=a-key"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        ("{", "this is no JSON"),
        ('[{"effect": "delay"}]', "rule 1: `wait_s` is missing: `delay` needs it"),
    ],
)
def test_a_wrong_file_of_fault_rules_is_refused(tmp_path, capsys, text, said):
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        parse(["--faults", str(file)])
    assert f"{file}: {said}" in capsys.readouterr().err
