"""Four processes that write the tables of one campaign at once lose nothing, and write nothing twice."""

from __future__ import annotations

import random

from tests.support import loader
from tests.support.homes import homes
from tests.support.patience import PATIENCE

WRITERS, EACH, SHARED = 4, 1500, 500
PAGE = 200


@homes("sqlite", "postgresql", "mariadb")
def test_four_processes_that_write_the_same_and_other_rows_lose_nothing(home, forks):
    """DuckDB lets one process write; ClickHouse's four writers are threads, in its own tests."""
    shared = [f"shared {number}" for number in range(SHARED)]
    jobs = []
    for writer in range(WRITERS):
        keys = [f"{writer} {number}" for number in range(EACH)] + shared
        random.Random(writer).shuffle(keys)
        work = (home.address, keys, f"by {writer}", PAGE, home.dialect.name)
        jobs.append(forks.Process(target=loader.write, args=work))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(PATIENCE)
    assert [job.exitcode for job in jobs] == [0] * WRITERS
    rows = dict(home.query("SELECT source_key, status FROM faceid_results"))
    assert len(rows) == WRITERS * EACH + SHARED
    assert set(rows.values()) == {"answered"}  # no held row replaced an answer
    ((history,),) = home.query("SELECT COUNT(*) FROM faceid_history")
    assert history == WRITERS * (EACH + SHARED)
    twice = home.query(
        "SELECT source_key FROM faceid_history GROUP BY source_key, answer_id HAVING COUNT(*) > 1"
    )
    assert twice == []
