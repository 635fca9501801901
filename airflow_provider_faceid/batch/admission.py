"""Lets calls pass the identity limits: many rows in one step of the state store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from ..client.settings import Settings
from ..clock import Clock
from ..exceptions import FaceIdError
from ..service.actions import Action
from ..state.limits import IdentityCounts, Use, uses_of

MOST_AT_ONCE = 500
"""Calls counted in one step; SQLite takes 32,766 values in a statement."""

GATHER_SECONDS = 0.1
"""Rows gather for so long after a step; each has to wait longer than that for its slot anyway."""


class _Waiting(NamedTuple):
    uses: tuple[Use, ...]
    answer: asyncio.Future[float | None]


class Admission:
    """
    Counts the calls of one Action before they leave.

    A step of the state store costs much the same for one row and for many, so rows gather while one
    is under way and a little longer, and go together.

    :param counts: the counters all workers share.
    """

    def __init__(
        self, counts: IdentityCounts, action: Action, settings: Settings, clock: Clock
    ) -> None:
        self._counts, self._action, self._clock = counts, action, clock
        self._limits = settings.limits(action.name)
        self._secret = settings.credentials.secret_key
        self._waiting: list[_Waiting] = []
        self._unused: list[tuple[Use, ...]] = []
        self._steps: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Forget what is over."""
        await asyncio.to_thread(self._counts.forget, self._clock.now())

    async def ask(self, params: Mapping[str, object]) -> float | None:
        """
        Count a call if the limits allow it.

        :param params: the request fields, normalised.
        :return: None if it may be made, otherwise the Unix second to wait for.
        :raises StateStoreError: the state store cannot be used.
        """
        uses = self._uses(params)
        if not uses:
            return None
        waiting = _Waiting(uses, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._steps is None or self._steps.done():
            self._steps = asyncio.create_task(self._step_by_step())
        return await waiting.answer

    def give_back(self, params: Mapping[str, object]) -> None:
        """Take note that a counted call was not made after all; :meth:`close` tells the others."""
        self._unused.append(self._uses(params))

    async def close(self) -> None:
        """
        Uncount the calls that were not made.

        :raises StateStoreError: the state store cannot be used; they stay counted.
        """
        if self._unused:
            await asyncio.to_thread(self._counts.release, self._unused)

    async def after_refusal(self, params: Mapping[str, object]) -> float:
        """Return when to call again after the service has refused a call as over a limit."""
        uses, now = self._uses(params), self._clock.now()
        return await asyncio.to_thread(self._counts.after_refusal, uses, now)

    def _uses(self, params: Mapping[str, object]) -> tuple[Use, ...]:
        return uses_of(self._action, self._limits, self._secret, params, self._clock.now())

    async def _step_by_step(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                waits = await asyncio.to_thread(self._counts.reserve, [row.uses for row in now])
            except FaceIdError as error:
                for row in now:
                    if not row.answer.done():
                        row.answer.set_exception(error)
            else:
                for row, wait in zip(now, waits, strict=True):
                    if not row.answer.done():  # cancelled meanwhile
                        row.answer.set_result(wait)
            await self._clock.asleep(GATHER_SECONDS)
