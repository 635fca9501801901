"""Whether a run goes on: it was asked to stop, or something failed that all rows would meet."""

from __future__ import annotations

from ..frames import told
from .progress import Log


class Halt:
    """
    Why a run calls for no further rows.

    :param action: name of the API Action, for the log.
    :ivar failure: what failed first; raised once the answers that are on their way are in.
    """

    def __init__(self, action: str, log: Log) -> None:
        self.failure: BaseException | None = None
        self._action, self._log = action, log
        self._stopping = False

    def stop(self) -> None:
        """Call for no further rows. Safe from a signal handler."""
        self._stopping = True

    def fail(self, error: BaseException) -> None:
        """Call for no further rows because of an error."""
        if not self.is_on:
            self._log.error("%s stops: %s", self._action, told(error))
        if self.failure is None:
            self.failure = error

    @property
    def is_on(self) -> bool:
        """Say whether the run has halted."""
        return self._stopping or self.failure is not None
