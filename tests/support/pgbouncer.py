"""A real pgbouncer in transaction mode, as most PostgreSQL servers of companies stand behind one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

START_SECONDS = 20.0
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
SETTINGS = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool}
server_login_retry = 1
"""


class PgBouncer:
    """
    One in front of a server.

    :ivar port: where it listens on 127.0.0.1.
    """

    def __init__(self, server: str, folder: Path, pool: int) -> None:
        url = make_url(server)
        self._user = url.username or "postgres"
        self.port = _free_port()
        text = SETTINGS.format(
            host=url.query.get("host", url.host),
            port=url.port or 5432,
            listen=self.port,
            folder=folder,
            pool=pool,
        )
        (folder / "pgbouncer.ini").write_text(text.replace("* =", f"* = user={self._user}"))
        (folder / "users").write_text(f'"{self._user}" ""\n')
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [_program(), str(folder / "pgbouncer.ini")],
                stdout=subprocess.DEVNULL,
                stderr=log,
                **_as_owner_of(Path(str(url.query.get("host", folder)))),
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            said = (folder / "log").read_text()
            assert self._process.poll() is None, f"pgbouncer ended: {said[-2000:]}"
            assert time.monotonic() < end, f"pgbouncer does not answer: {said[-2000:]}"
            time.sleep(0.05)

    def url(self, database: str, driver: str = "postgresql+psycopg") -> str:
        """Return the address of a database behind it."""
        return f"{driver}://{self._user}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End it at once."""
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def pgbouncer(server: str, pool: int = 4) -> Iterator[PgBouncer]:
    """
    Start one and stop it.

    :param server: address of the PostgreSQL server.
    :param pool: connections to each of its databases at most.
    """
    with tempfile.TemporaryDirectory(prefix="faceid-pgbouncer-") as folder:
        Path(folder).chmod(0o755)  # it runs as somebody else if we are root
        one = PgBouncer(server, Path(folder), pool)
        try:
            yield one
        finally:
            one.stop()


def _program() -> str:
    found = shutil.which("pgbouncer", path=PLACES)
    assert found, "pgbouncer is not on the PATH: `make pgbouncer`, or install it with its package"
    return found


def _as_owner_of(folder: Path) -> dict[str, int | list[int]]:
    """Return for whom to start it: it refuses to run as root, and its server's socket is somebody's."""
    if os.geteuid():
        return {}
    owner = pwd.getpwuid(folder.stat().st_uid or 65534)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _free_port() -> int:
    """Return a port that is free now: it cannot be told to choose one itself."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
