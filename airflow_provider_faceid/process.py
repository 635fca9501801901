"""Process edges: privacy of tracebacks that leave the package, and hooks after a fork.

*Tracebacks.* The local variables of frames hold names, numbers and photos, and an error tracker such as
Sentry, a debugger or a traceback with locals prints them. So at each edge, where an error goes from this
package to Airflow or to a DAG's code, its traceback is stripped. Class, message and RequestId stay. The
place of the error becomes a note; for an internal error the whole stack, without values, is logged.

*Forks.* A fork copies memory as it is, also in the middle of a change, but none of the parent's other
threads. A lock that one of them held stays locked in the child for ever, so objects with locks register
a hook that replaces them.
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


class ForkAware(Protocol):
    """An object with a hook that runs after a fork."""

    def after_fork(self, *, is_child: bool) -> None:
        """Replace locks in the child; record in the parent that there is a child."""


_REGISTERED: WeakSet[ForkAware] = WeakSet()


def register_fork_hook(one: ForkAware) -> None:
    """Run an object's hook after each fork, in parent and child, as long as the object lives."""
    _REGISTERED.add(one)


def _run_hooks(*, is_child: bool) -> None:
    for one in list(_REGISTERED):
        one.after_fork(is_child=is_child)


os.register_at_fork(
    after_in_child=lambda: _run_hooks(is_child=True),
    after_in_parent=lambda: _run_hooks(is_child=False),
)


P = ParamSpec("P")
T = TypeVar("T")

PACKAGE = Path(__file__).parent
FRAMES = 30
"""Most frames of a logged stack, counted from the place of the error."""
CHAIN = 5
"""Most errors of a chain of causes whose stacks are logged."""
_SAFE_PACKAGES = frozenset({"airflow", "requests", "tenacity"})
"""Packages whose error messages quote no row: they are about tasks, addresses and retries."""

log = logging.getLogger(__name__)


def without_frames(work: Callable[P, T]) -> Callable[P, T]:
    """
    Decorate a function so that its errors carry no frames, not even its own with its arguments.

    Errors of this package and of Airflow keep their class. The message of any other may quote a value,
    as ``KeyError('name')`` does, so an :class:`InternalError` with its class and place replaces it.
    """

    @functools.wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again, strip_frames
            stripped = strip_frames(error)
        args, kwargs = (), {}  # type: ignore[assignment]  # debuggers look for them: not deleted
        try:
            raise stripped
        finally:
            del stripped  # otherwise the frame of its traceback would refer to it

    return call


def strip_frames(error: BaseException) -> BaseException:
    """
    Return an error without frames, its causes likewise, or the :class:`InternalError` in its place.

    :param error: any error; its traceback, cause and context are changed.
    """
    if isinstance(error, BaseExceptionGroup):
        parts = [strip_frames(part) for part in error.exceptions]
        return BaseExceptionGroup(f"{len(parts)} errors", parts)
    trace = error.__traceback__
    if not _has_safe_message(error) and not _is_signature_mismatch(error):
        log.warning(
            "%s; its message is left out, as it may quote a person\n%s",
            safe_message(error),
            _stacks(error),
        )
        return InternalError(
            f"{safe_message(error)}. The task's log has the stack. Please report it if it comes again"
        )
    cause, context, is_suppressed = error.__cause__, error.__context__, error.__suppress_context__
    error.__traceback__ = error.__cause__ = error.__context__ = None  # a chain may be a ring
    error.__cause__ = (
        strip_frames(cause) if cause is not None and _has_safe_message(cause) else None
    )
    error.__context__ = (
        strip_frames(context) if context is not None and _has_safe_message(context) else None
    )
    error.__suppress_context__ = is_suppressed
    if trace is not None and not hasattr(error, "__notes__"):
        notes = getattr(error.__cause__, "__notes__", [f"raised at {_place(trace)}"])
        error.__notes__ = list(notes)
    return error


def safe_message(error: BaseException) -> str:
    """Return an error's message, or its class and place if the message may quote a person."""
    if _has_safe_message(error):
        return str(error)
    reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    trace = error.__traceback__
    return type(error).__qualname__ + reason + (f" at {_place(trace)}" if trace else "")


def _has_safe_message(error: BaseException) -> bool:
    """Return whether an error's message quotes no value of a row."""
    if isinstance(error, FaceIdError | ImportError) or not isinstance(error, Exception):
        return True
    return type(error).__module__.partition(".")[0] in _SAFE_PACKAGES


def _is_signature_mismatch(error: BaseException) -> bool:
    """Return whether the error is that the decorated function was called with wrong arguments."""
    trace = error.__traceback__
    return isinstance(error, TypeError) and trace is not None and trace.tb_next is None


def _place(trace: TracebackType) -> str:
    """Return the place of an error: the innermost frame in this package, else the innermost one."""
    frames = list(traceback.walk_tb(trace))
    ours = [at for at in frames if _is_ours(at[0].f_code.co_filename)]
    frame, line = (ours or frames)[-1]
    path = Path(frame.f_code.co_filename)
    shown = path.relative_to(PACKAGE.parent) if ours else path.name
    return f"{shown}:{line} in {frame.f_code.co_name}"


def _is_ours(file: str) -> bool:
    return file != __file__ and Path(file).is_relative_to(PACKAGE)


def _stacks(error: BaseException) -> str:
    """Return the stacks of an error and its causes: places and code, no values."""
    lines: list[str] = []
    reached: BaseException | None = error
    for _ in range(CHAIN):
        if reached is None:
            break
        lines += [type(reached).__qualname__, *traceback.format_tb(reached.__traceback__, -FRAMES)]
        reached = reached.__cause__ or reached.__context__
    return "\n".join(line.rstrip() for line in lines)
