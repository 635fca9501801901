"""Process state: attempts and calls under way that the ledgers of one process share."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from .. import process as forks


class ProcessState:
    """
    State that the ledgers of one process share.

    :ivar attempts: attempts begun, by owner: fencing token, and whether there are keys of earlier
        versions. A forked child continues those of its parent.
    :ivar is_shared: whether other processes may continue them, too.
    :ivar calling: number of threads that claim or call, by key.
    :ivar unwritten: keys of calls that have ended in this process and are not recorded.
    :ivar lock: guards ``calling`` and ``unwritten``.
    :ivar joining: lock, held while an attempt is begun.
    """

    def __init__(self) -> None:
        self.attempts: dict[str, tuple[int, bool]] = {}
        self.is_shared = False
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Share the attempts with a child, which begins without calls of its own."""
        self.is_shared = self.is_shared or bool(self.attempts)
        if is_child:
            self.calling: dict[str, int] = {}
            self.unwritten: set[str] = set()
            self.lock, self.joining = threading.Lock(), threading.Lock()

    def begin(self, keys: Iterable[str]) -> None:
        """Register keys that are about to be claimed."""
        with self.lock:
            for key in keys:
                self.calling[key] = self.calling.get(key, 0) + 1

    def end(self, keys: Iterable[str]) -> None:
        """Unregister keys that are not, or no longer, called for."""
        with self.lock:
            for key in keys:
                left = self.calling.pop(key, 0) - 1
                if left > 0:
                    self.calling[key] = left
