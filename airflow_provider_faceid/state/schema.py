"""Schema of the state store: its tables, as migrations from version to version."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE faceid_pace (
            name VARCHAR(200) PRIMARY KEY,
            next_at DOUBLE PRECISION NOT NULL,
            factor DOUBLE PRECISION NOT NULL,
            factor_at DOUBLE PRECISION NOT NULL
        )""",
    ),
    (
        """CREATE TABLE faceid_identity_uses (
            counter BIGINT PRIMARY KEY,
            used INTEGER NOT NULL,
            ends DOUBLE PRECISION NOT NULL
        )""",
    ),
    (
        """CREATE TABLE faceid_tries (
            owner VARCHAR(500) PRIMARY KEY,
            number INTEGER NOT NULL,
            seen_at DOUBLE PRECISION NOT NULL
        )""",
        """CREATE TABLE faceid_calls (
            call_key CHAR(40) PRIMARY KEY,
            source_key TEXT NOT NULL,
            owner VARCHAR(500) NOT NULL,
            try_number INTEGER NOT NULL,
            state VARCHAR(10) NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            answer TEXT
        )""",
    ),
    ("ALTER TABLE faceid_tries ADD COLUMN charged INTEGER NOT NULL DEFAULT 0",),
    # From here on, keys of calls begin with their version. Workers of an earlier version would not
    # find answers of a later one, so they must stop.
    (),
    ("CREATE TABLE faceid_uplinks (host VARCHAR(200) PRIMARY KEY, state TEXT NOT NULL)",),
    # Rows carry the hour in which they began, and an index finds expired ones. A column without a
    # default and a partial index read a large table once and sort nothing: housekeeping backfills the
    # hour of existing rows, a few hundred at a time.
    (
        "ALTER TABLE faceid_calls ADD COLUMN claimed_hour INTEGER",
        (
            "CREATE INDEX faceid_calls_by_hour ON faceid_calls (claimed_hour) "
            "WHERE claimed_hour IS NOT NULL"
        ),
        "ALTER TABLE faceid_tries ADD COLUMN begun_hour INTEGER",
        (
            "CREATE INDEX faceid_tries_by_hour ON faceid_tries (begun_hour) "
            "WHERE begun_hour IS NOT NULL"
        ),
        # Each container is a new host, so hosts expire as well.
        "ALTER TABLE faceid_uplinks ADD COLUMN seen_hour INTEGER",
        "CREATE INDEX faceid_uplinks_by_hour ON faceid_uplinks (seen_hour)",
        "CREATE INDEX faceid_identity_uses_by_end ON faceid_identity_uses (ends)",
        """CREATE TABLE faceid_housekeeping (
            name VARCHAR(50) PRIMARY KEY,
            began_at DOUBLE PRECISION NOT NULL,
            owner VARCHAR(500) NOT NULL,
            walked_to VARCHAR(500) NOT NULL
        )""",
        "INSERT INTO faceid_housekeeping VALUES ('turn', 0, '', '')",
        (
            "INSERT INTO faceid_housekeeping SELECT 'faceid_calls', 0, '', '' "
            "WHERE EXISTS (SELECT 1 FROM faceid_calls)"
        ),
        (
            "INSERT INTO faceid_housekeeping SELECT 'faceid_tries', 0, '', '' "
            "WHERE EXISTS (SELECT 1 FROM faceid_tries)"
        ),
    ),
    ("ALTER TABLE faceid_tries ADD COLUMN attempt_id VARCHAR(100)",),
    # The priority lane is a column of the rate's row: a statement that waits for the row's lock finds
    # the newest version of that row, and of no other. NULL until the lane is used. Running workers of
    # an earlier version keep the pace, and neither see the lane nor obey a pause.
    (
        "ALTER TABLE faceid_pace ADD COLUMN lane TEXT",
        """CREATE TABLE faceid_pauses (
            name VARCHAR(200) NOT NULL,
            paused_at DOUBLE PRECISION NOT NULL,
            paused_by VARCHAR(200) NOT NULL,
            reason VARCHAR(500) NOT NULL,
            resumed_at DOUBLE PRECISION,
            resumed_by VARCHAR(200)
        )""",
        # At most one pause at a time, whoever pauses at the same moment.
        "CREATE UNIQUE INDEX faceid_pauses_in_force ON faceid_pauses (name) WHERE resumed_at IS NULL",
        # Housekeeping finds those that ended long ago.
        (
            "CREATE INDEX faceid_pauses_by_end ON faceid_pauses (resumed_at) "
            "WHERE resumed_at IS NOT NULL"
        ),
    ),
)
"""Statements of each migration. Append only: never change one that was released."""

_WITHOUT_MARK = (3, 4)
"""Schema versions in which keys of calls carry no version."""

log = logging.getLogger(__name__)

_ADVISORY_LOCK = 0xFACE1D
"""Key of the PostgreSQL advisory lock under which processes migrate one after the other."""


def migrate(cursor: DBAPICursor, *, is_sqlite: bool) -> None:
    """
    Migrate the tables to the present version, within the caller's transaction.

    :param cursor: of the transaction.
    :param is_sqlite: whether the database is SQLite, else PostgreSQL.
    :raises ConfigurationError: the tables are of a newer version than this provider.
    """
    run = cursor.execute
    if not is_sqlite:
        # A role's statement_timeout is meant for ordinary statements; a migration may take longer.
        run("SET LOCAL statement_timeout = 0")
        run(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    run("CREATE TABLE IF NOT EXISTS faceid_state_version (version INTEGER NOT NULL)")
    run("SELECT COALESCE(MAX(version), 0) FROM faceid_state_version")
    version = cursor.fetchall()[0][0]
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"The state store is of version {version}, newer than this provider knows "
            f"({len(MIGRATIONS)}). Bring all workers to the same version"
        )
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            run(statement)
        run(f"INSERT INTO faceid_state_version VALUES ({number})")
    if version in _WITHOUT_MARK:
        run("SELECT EXISTS (SELECT 1 FROM faceid_calls)")
        if cursor.fetchall()[0][0]:
            log.warning(
                "The state store was migrated from version %d to %d. Its answers are found by the "
                "same question in the same campaign. Not found: answers to photos sent with an "
                "Extra, and those of campaigns without a name, which were named after a run's date. "
                "Result tables keep their verdicts all the same",
                version,
                len(MIGRATIONS),
            )
