"""Whoever watches a client is told how each of its requests has ended."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_faceid.client.call import Attempt
from airflow_provider_faceid.client.transport_async import AsyncClient
from airflow_provider_faceid.exceptions import FaceIdError, UncertainError
from airflow_provider_faceid.simulator.faults import FaultRule, Nth
from airflow_provider_faceid.simulator.faults.effects import Code, DropAfter

ID_CARD = "IdCardVerification"


@pytest.mark.usefixtures("short_pauses")
def test_it_is_told_of_every_request_in_order(hook, simulator, ordinary):
    troubles = [Code("-4"), Code("RequestLimitExceeded"), None, DropAfter()]
    for number, trouble in enumerate(troubles, 1):
        if trouble is not None:
            simulator.faults.add(FaultRule(trouble, nth=Nth(number, number)))
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name}
    seen: list[FaceIdError | None] = []

    def watch(problem: FaceIdError | None, _: Attempt) -> None:
        seen.append(problem)

    async def run() -> None:
        async with AsyncClient(hook.settings, hook.rate_limiter(ID_CARD), watch=watch) as client:
            assert (await client.call(ID_CARD, params)).is_match
            assert [type(problem).__name__ for problem in seen] == [
                *("UnavailableError", "ThrottledError", "NoneType")
            ]
            with pytest.raises(UncertainError) as error:
                await client.call(ID_CARD, params)
            assert seen[3:] == [error.value]

    asyncio.run(run())
    assert len(simulator.account.ledger) == 4
