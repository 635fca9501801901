"""How fast a run is. How much memory it takes is fault 38, in tests/faults/test_scale.py."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.clock import utc_seconds
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.support.departures import busiest_second, too_fast
from tests.support.patience import in_some_try

pytestmark = [pytest.mark.long, pytest.mark.source]


@pytest.mark.parametrize(("action", "seconds"), [(ID_CARD, 3), (FACE, 4)])
def test_the_quota_is_used_and_never_exceeded(sqlite_bench, action, seconds):
    bench = sqlite_bench
    quota = {ID_CARD: 100, FACE: 20}[action]
    bench.server.account.windows.quotas[action] = quota
    people = bench.ordinary[: quota * seconds]
    photos = {person: bench.photo(person) for person in set(people)}
    bench.fill([(key, p.id_card, p.name, photos[p]) for key, p in enumerate(people)], "BLOB")

    def used(number: int) -> bool:
        manifest = bench.run(action, campaign=str(number), settings={"quotas": {}})
        assert manifest["answered"] == manifest["calls"] - manifest["throttled"] == len(people)
        arrived = [utc_seconds(call["at"]) for call in bench.calls()]
        assert too_fast(quota, bench.left, arrived) == []
        return busiest_second(bench.left) >= 0.97 * 0.97 * quota

    assert in_some_try(used)
