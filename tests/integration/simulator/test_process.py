"""The simulator as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from airflow_provider_faceid.simulator import simulator
from tests.support.patience import PATIENCE

COMMAND = [sys.executable, "-m", "airflow_provider_faceid.simulator"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_cleanly(stop):
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--people", "30", "--seed", "7"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        assert len(requests.get(f"{found[1]}/_sim/people", timeout=PATIENCE).json()) == 30
        process.send_signal(stop)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_said_in_one_line():
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip().rpartition(":")[2]
        second = subprocess.run(
            [*COMMAND, "--port", port],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        process.terminate()
    assert second.returncode == 1
    assert second.stderr == f"Cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_it_starts_with_the_fault_rules_of_a_file(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"effect": "drop_after", "nth": {"every": 100}}]')
    with subprocess.Popen(
        [*COMMAND, "--people", "20", "--faults", str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().split()[-1]
        rules = requests.get(f"{url}/_sim/faults", timeout=PATIENCE).json()
        assert [rule["effect"] for rule in rules] == ["drop_after"]
        requests.delete(f"{url}/_sim/faults", timeout=PATIENCE).raise_for_status()
        requests.post(f"{url}/_sim/reset", timeout=PATIENCE).raise_for_status()
        assert requests.get(f"{url}/_sim/faults", timeout=PATIENCE).json() == rules
        process.terminate()


def test_it_logs_requests_on_stderr_when_asked_to():
    with subprocess.Popen(
        [*COMMAND, "--people", "20", "--latency-ms", "0", "--log-requests"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().split()[-1]
        answer = requests.post(url, json={"Name": "Wei Xiaobao"}, timeout=PATIENCE).json()
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert out == ""
    assert re.fullmatch(rf"\S+ - - \w+ - free \d+ ms {answer['Response']['RequestId']}\n", err)


def test_as_a_context_manager_it_is_asked_and_stopped():
    with simulator("--people", "30", "--seed", "7") as process:
        assert process.ask("health")["status"] == "ok"
        assert len(process.ask("people?limit=3")) == 3
        os.kill(process.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    with pytest.raises(requests.ConnectionError):
        requests.get(process.url, timeout=PATIENCE)


def test_as_a_context_manager_it_says_that_it_did_not_start(capfd):
    with pytest.raises(RuntimeError, match="did not start"), simulator("--people", "many"):
        pass
    assert "invalid int value: 'many'" in capfd.readouterr().err


def test_the_context_manager_stops_it_whatever_happens_inside():
    with pytest.raises(KeyError), simulator("--people", "20") as process:
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


WITHOUT_PILLOW = "import sys; sys.modules['PIL'] = None; "


def test_without_pillow_the_command_says_what_to_install():
    code = WITHOUT_PILLOW + (
        "sys.argv = ['simulator']; from airflow_provider_faceid.simulator.__main__ import main; "
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert "pip install 'airflow-provider-faceid[simulator]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_pillow_the_class_says_what_to_install():
    code = WITHOUT_PILLOW + "from airflow_provider_faceid.simulator import SimulatorServer"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert "pip install 'airflow-provider-faceid[simulator]'" in last


def test_importing_the_package_is_light():
    code = (
        "import sys, airflow_provider_faceid.simulator; "
        "assert not {'aiohttp', 'PIL', 'numpy', 'airflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
