"""A run over the rows with an earlier verdict, while it writes into the table it reads them from."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_faceid.simulator.people import FACE, ID_CARD

pytestmark = [pytest.mark.long, pytest.mark.source]

PEOPLE = 620
"""More than a page."""


def test_a_run_reads_the_matches_of_the_earlier_action_from_the_table_it_writes_to(bench):
    people = bench.ordinary[:PEOPLE]
    wrong = set(range(0, PEOPLE, 10))
    bench.fill(
        [
            (n, p.id_card, "王八" if n in wrong else p.name, bench.photo(p))
            for n, p in enumerate(people)
        ],
        photo="BYTEA" if bench.home.dialect.name == "postgresql" else "BLOB",
    )
    assert bench.run()["outcomes"] == {"match": PEOPLE - len(wrong), "mismatch": len(wrong)}
    faces = bench.run(FACE, after=ID_CARD)
    assert (faces["rows_in"], faces["calls"]) == (PEOPLE - len(wrong), PEOPLE - len(wrong))
    keys = {person.id_card: key for key, person in enumerate(people)}
    called = Counter(keys[call["id_card"]] for call in bench.calls() if call["action"] == FACE)
    assert called == dict.fromkeys(set(range(PEOPLE)) - wrong, 1)
    again = bench.run(FACE, after=ID_CARD)
    assert (again["rows_in"], again["calls"]) == (PEOPLE - len(wrong), 0)
    assert bench.run(FACE, campaign="another", after=ID_CARD, min_rows=0)["rows_in"] == 0
