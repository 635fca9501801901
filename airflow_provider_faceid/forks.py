"""What a forked process must not go on with: locks its parent's threads held, and what they guarded.

A fork copies memory as it is, also in the middle of a change, and none of the parent's other threads.
A lock that one of them held stays locked in the child for ever.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something a fork concerns."""

    def after_fork(self, *, is_child: bool) -> None:
        """Begin anew in the child; take note in the parent that there is one."""


_CONCERNED: WeakSet[Forked] = WeakSet()


def concerns(one: Forked) -> None:
    """Tell something of every fork from now on, as long as it lives."""
    _CONCERNED.add(one)


def _tell(*, is_child: bool) -> None:
    for one in list(_CONCERNED):
        one.after_fork(is_child=is_child)


os.register_at_fork(
    after_in_child=lambda: _tell(is_child=True), after_in_parent=lambda: _tell(is_child=False)
)
