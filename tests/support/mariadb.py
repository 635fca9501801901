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
QUICK = (
    # Its data need not outlive this machine, and the disk is busy.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",  # as Debian's own configuration has it
)
TRIES = 3
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
    usual = ["--no-defaults", f"--datadir={folder / 'data'}"]
    usual += ["--user=root"] if os.getuid() == 0 else []
    # A server that starts, as one that makes the tables, deletes the temporary tables of all others in the
    # same folder.
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    if not (folder / "data").exists():
        _fill(usual, folder / "tmp")
    with (folder / "server.log").open("ab") as log:
        for _ in range(TRIES):  # somebody may take the port before the server does
            server = _start(folder, [*usual, *options], log)
            if _answers(server):
                break
            _stop(server.process)
        else:
            raise AssertionError((folder / "server.log").read_text()[-3000:])
        try:
            _add_user(server)
            yield server
        finally:
            _stop(server.process)


def _fill(usual: list[str], temporary: Path) -> None:
    """Make the tables of a new server."""
    more = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    made = subprocess.run(
        [program(PROGRAMS[0]), *usual, *more],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert made.returncode == 0, f"{made.stdout[-2000:]}{made.stderr[-2000:]}"


def _start(folder: Path, options: list[str], log: Any) -> MariaDB:
    """Start a server on a free port, and on a socket, whose path has 107 bytes at most."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = str(folder / "socket")
    places = [
        f"--socket={path}",
        f"--pid-file={folder / 'pid'}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
    ]
    places += [f"--tmpdir={folder / 'tmp'}"]
    command = [program(PROGRAMS[1]), *options, *places, *QUICK]
    return MariaDB(port, path, subprocess.Popen(command, stdout=log, stderr=log))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(server: MariaDB) -> bool:
    """Wait until it answers; say whether it does."""
    import MySQLdb  # noqa: PLC0415 - only these tests have it

    end = time.monotonic() + PATIENCE
    while server.process.poll() is None and time.monotonic() < end:
        try:
            MySQLdb.connect(unix_socket=server.socket, user="root").close()
        except MySQLdb.OperationalError:
            time.sleep(0.1)
        else:
            return True
    return False


def _add_user(server: MariaDB) -> None:
    """Give the tests a user of their own, for both ways to the server."""
    import MySQLdb  # noqa: PLC0415 - only these tests have it

    connection = MySQLdb.connect(unix_socket=server.socket, user="root")
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
