"""Keys that encrypt fields, each wrapped so that only the service can open it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ... import process as forks
from ...clock import Clock


@dataclass(frozen=True, slots=True)
class DataKey:
    """
    A symmetric key.

    :param key: the key itself; never printed.
    :param blob: the same for the service alone, as ``CiphertextBlob`` has it.
    """

    key: bytes = field(repr=False)
    blob: str


class Wrapped:
    """
    Gives out one key until it has served often or long enough, then the next.

    Threads may share it.

    :param make: makes a key and wraps it.
    :param max_uses: requests one key serves; 1 makes one for each.
    :param max_age_s: seconds one key serves.
    :param clock: what age is measured with.
    """

    def __init__(
        self, make: Callable[[], DataKey], *, max_uses: int, max_age_s: float, clock: Clock
    ) -> None:
        self._make, self._max_uses, self._max_age_s = make, max_uses, max_age_s
        self._clock = clock
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)
        self._uses = 0
        self._since = 0.0

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child make keys of its own: one may only be used so often."""
        if is_child:
            self._lock = threading.Lock()
            self._held: DataKey | None = None

    def take(self) -> DataKey:
        """Return the key of one request."""
        with self._lock:
            now = self._clock.monotonic()
            worn = self._uses >= self._max_uses or now - self._since >= self._max_age_s
            if self._held is None or worn:
                self._held, self._uses, self._since = self._make(), 0, now
            self._uses += 1
            return self._held
