"""Errors leave the package without the frames they have passed, whose variables are people.

Whatever prints the variables of a traceback's frames shows the names, numbers and photos that were
just being worked on: an error tracker such as Sentry, which Airflow can send every failed task to, a
debugger, a traceback with locals. So at every edge, where an error goes from us to Airflow or to the
code of a DAG, its traceback begins anew. Type, message and RequestId stay; the place it came from
becomes a note, and for a fault of our own the whole stack, without values, a line of the log.
"""

from __future__ import annotations

import functools
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from .exceptions import FaceIdError, InternalError

# What a forked process must not go on with: locks its parent's threads held, and what they guarded.
#
# A fork copies memory as it is, also in the middle of a change, and none of the parent's other threads.
# A lock that one of them held stays locked in the child for ever.
#


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


P = ParamSpec("P")
T = TypeVar("T")

PACKAGE = Path(__file__).parent
FRAMES = 30
"""Frames of a stack that are logged, counted from the place of the error."""
CHAIN = 5
"""Errors that led to one another, of which stacks are logged."""
_SPEAK_OF_NOBODY = frozenset({"airflow", "requests", "tenacity"})
"""Packages whose errors are passed on: their words are about tasks, addresses and tries."""

log = logging.getLogger(__name__)


def without_frames(work: Callable[P, T]) -> Callable[P, T]:
    """
    Let errors leave a function without frames; the function's own, with its arguments, included.

    Errors of ours and of Airflow stay what they are. Any other may quote a value in its message, as
    ``KeyError('name')`` does, so an :class:`InternalError` with its type and place is raised instead.
    """

    @functools.wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again, bare
            left = bare(error)
        args, kwargs = (), {}  # type: ignore[assignment]  # debuggers look for them: not deleted
        try:
            raise left
        finally:
            del left  # or it would hold its own traceback's frame

    return call


def bare(error: BaseException) -> BaseException:
    """Return an error without frames, and what led to it likewise; or what is raised in its place."""
    if isinstance(error, BaseExceptionGroup):
        parts = [bare(part) for part in error.exceptions]
        return BaseExceptionGroup(f"{len(parts)} errors", parts)
    trace = error.__traceback__
    if not _speaks_of_nobody(error) and not _is_of_the_call(error):
        log.warning(
            "%s; its message is left out, as it may quote a person\n%s", told(error), _stacks(error)
        )
        return InternalError(
            f"{told(error)}. The task's log has the stack. Please report it if it comes again"
        )
    cause, context, is_suppressed = error.__cause__, error.__context__, error.__suppress_context__
    error.__traceback__ = error.__cause__ = error.__context__ = None  # a chain may be a ring
    error.__cause__ = bare(cause) if cause is not None and _speaks_of_nobody(cause) else None
    error.__context__ = (
        bare(context) if context is not None and _speaks_of_nobody(context) else None
    )
    error.__suppress_context__ = is_suppressed
    if trace is not None and not hasattr(error, "__notes__"):
        notes = getattr(error.__cause__, "__notes__", [f"raised at {_place(trace)}"])
        error.__notes__ = list(notes)
    return error


def told(error: BaseException) -> str:
    """Return what may be told of an error: its message, or its type and place if that may quote a person."""
    if _speaks_of_nobody(error):
        return str(error)
    reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    trace = error.__traceback__
    return type(error).__qualname__ + reason + (f" at {_place(trace)}" if trace else "")


def _speaks_of_nobody(error: BaseException) -> bool:
    """Say whether the message of an error is none that quotes a value."""
    if isinstance(error, FaceIdError | ImportError) or not isinstance(error, Exception):
        return True
    return type(error).__module__.partition(".")[0] in _SPEAK_OF_NOBODY


def _is_of_the_call(error: BaseException) -> bool:
    """Say whether a function was called with other arguments than it has."""
    trace = error.__traceback__
    return isinstance(error, TypeError) and trace is not None and trace.tb_next is None


def _place(trace: TracebackType) -> str:
    """Return where in this package an error came from: the innermost of our own frames."""
    frames = list(traceback.walk_tb(trace))
    ours = [at for at in frames if _is_ours(at[0].f_code.co_filename)]
    frame, line = (ours or frames)[-1]
    path = Path(frame.f_code.co_filename)
    shown = path.relative_to(PACKAGE.parent) if ours else path.name
    return f"{shown}:{line} in {frame.f_code.co_name}"


def _is_ours(file: str) -> bool:
    return file != __file__ and Path(file).is_relative_to(PACKAGE)


def _stacks(error: BaseException) -> str:
    """Return the stacks of an error and of those that led to it: places and code, no values."""
    lines: list[str] = []
    reached: BaseException | None = error
    for _ in range(CHAIN):
        if reached is None:
            break
        lines += [type(reached).__qualname__, *traceback.format_tb(reached.__traceback__, -FRAMES)]
        reached = reached.__cause__ or reached.__context__
    return "\n".join(line.rstrip() for line in lines)
