"""The MariaDB server of a test process: Debian's, on a socket and a port of 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.patience import PATIENCE

PROGRAMS = ("mariadb-install-db", "mariadbd")
USER, PASSWORD = "faceid", 'faceid\'s "own" %s'


class MariaDB(NamedTuple):
    """
    A server that runs.

    :param port: on 127.0.0.1.
    :param socket: path of its socket.
    :param process: the server; a test that stops it starts another one.
    """

    port: int
    socket: str
    process: subprocess.Popen[bytes]

    def address(self, database: str) -> str:
        """Return, as JSON, what another process hands to mysqlclient."""
        return json.dumps(
            {"unix_socket": self.socket, "user": USER, "passwd": PASSWORD, "db": database}
        )

    @staticmethod
    def open(address: str) -> Any:
        """Open a connection of mysqlclient by its address."""
        import MySQLdb  # noqa: PLC0415 - only these tests have it

        return MySQLdb.connect(**json.loads(address))

    def run(self, *statements: str) -> None:
        """Run statements outside of any database."""
        connection = self.open(self.address(""))
        for statement in statements:
            connection.cursor().execute(statement)
        connection.close()


def program(name: str) -> str:
    """Return the path of a program; Debian's server is in a folder that is on root's path only."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None, f"{name} is not installed: make test-databases installs it"
    return found


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[MariaDB]:
    """
    Run a server on a folder of its own, and stop it by its id.

    :param folder: a new one is filled; the data of an earlier server is found again.
    :param options: more options of the server.
    """
    data, path = folder / "data", str(folder / "socket")  # a socket's path has 107 bytes at most
    usual = ["--no-defaults", f"--datadir={data}"] + (["--user=root"] if os.getuid() == 0 else [])
    if not data.exists():
        subprocess.run(
            [
                program(PROGRAMS[0]),
                *usual,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quick = (
        # Its data need not outlive this machine, and the disk is busy.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--innodb-buffer-pool-size=64M",
        "--skip-log-bin",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",  # as Debian's own configuration has it
    )
    log = (folder / "server.log").open("ab")
    process = subprocess.Popen(
        [
            program(PROGRAMS[1]),
            *usual,
            f"--socket={path}",
            f"--pid-file={folder / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            *quick,
            *options,
        ],
        stdout=log,
        stderr=log,
    )
    server = MariaDB(port, path, process)
    try:
        _wait_for(server, folder)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_for(server: MariaDB, folder: Path) -> None:
    """Wait until it answers, and give the tests a user of their own, which is not all-powerful."""
    import MySQLdb  # noqa: PLC0415 - only these tests have it

    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection = MySQLdb.connect(unix_socket=server.socket, user="root")
            break
        except MySQLdb.OperationalError:
            ended = server.process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError((folder / "server.log").read_text()[-2000:]) from None
            time.sleep(0.1)
    cursor = connection.cursor()
    for host in ("localhost", "127.0.0.1"):
        cursor.execute(f"CREATE USER IF NOT EXISTS {USER}@'{host}' IDENTIFIED BY %s", [PASSWORD])
        cursor.execute(f"GRANT ALL ON *.* TO {USER}@'{host}' WITH GRANT OPTION")
    connection.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """
    A MariaDB server of the tests' own, one for each process.

    A test has a database of its own in it.
    """
    with (
        tempfile.TemporaryDirectory(prefix="faceid-mariadb-") as folder,
        serve(Path(folder)) as server,
    ):
        yield server
