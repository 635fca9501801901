"""Pure parts of the doctor: its table of problems, what a line carries, file systems on a network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from airflow_provider_faceid.hooks import doctor
from airflow_provider_faceid.hooks.doctor import CHECKS
from airflow_provider_faceid.hooks.doctor.problems import PROBLEMS
from airflow_provider_faceid.hooks.doctor.state import file_system_of
from airflow_provider_faceid.hooks.doctor.uplink import BODY_BYTES, carried_by, throughput
from airflow_provider_faceid.state.uplink import Uplink

SOURCES = Path(doctor.__file__).parent


def test_each_problem_belongs_to_a_check_and_is_found_somewhere():
    texts = {
        node.value
        for file in SOURCES.glob("*.py")
        if file.name != "problems.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    names = {check.name for check in CHECKS} | {"any"}
    assert {one.check for one in PROBLEMS.values()} <= names
    assert set(PROBLEMS) - {"extra_missing"} <= texts


def test_each_problem_says_what_to_do():
    for one in PROBLEMS.values():
        assert len(one.cause) > 20
        assert one.remedy[0].isupper()
        assert not one.remedy.endswith(".")


def seconds_of(bits_per_second: float = 0, latency: float = 0.0):
    """Return how long requests at once take on a line of a bandwidth, and of a latency a request."""

    def seconds_of(count: int) -> float:
        line = count * BODY_BYTES * 8 / bits_per_second if bits_per_second else 0.0
        return 0.1 + max(line, latency)

    return seconds_of


@pytest.mark.parametrize("megabits", [1, 4, 10, 20])
def test_a_line_that_carries_too_little(megabits):
    carried = throughput(seconds_of(megabits * 1e6), 0.1, wanted=5e6)
    assert carried == pytest.approx(megabits * 1e6 / 8)


@pytest.mark.parametrize(
    "line",
    [seconds_of(1e9), seconds_of(latency=0.9), seconds_of(50e6, latency=0.3)],
    ids=["enough", "far away", "enough, and far away"],
)
def test_a_line_that_carries_enough_or_more_with_more_uploads(line):
    assert throughput(line, 0.1, wanted=5e6) == 0


def test_a_machine_that_is_busy_for_a_moment():
    waits = iter([3.0, 0.15])
    assert throughput(lambda _: next(waits), 0.1, wanted=5e6) == 0


@pytest.mark.parametrize(
    ("uplink", "carried"),
    [
        (Uplink(), 0),
        (Uplink(rate=1e6), 1e6),
        (Uplink(proven=8, proven_rate=9e6), 0),
        (Uplink(proven=8, proven_rate=9e6, is_found=True), 9e6),
    ],
)
def test_an_uplink_is_the_bottleneck_where_a_larger_window_is_no_use(uplink, carried):
    assert carried_by(uplink) == carried


MOUNTS = [
    "/dev/sda1 / ext4 rw 0 0",
    "server:/x /mnt/share nfs4 rw 0 0",
    "tmpfs /mnt/share/local tmpfs rw 0 0",
    "other /with\\040blank cifs rw 0 0",
]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/opt/airflow", "ext4"),
        ("/mnt/share/airflow", "nfs4"),
        ("/mnt/share/local/airflow", "tmpfs"),
        ("/mnt/shared", "ext4"),
        ("/with blank/airflow", "cifs"),
    ],
)
def test_the_file_system_of_a_folder(folder, kind):
    assert file_system_of(Path(folder), MOUNTS) == kind
