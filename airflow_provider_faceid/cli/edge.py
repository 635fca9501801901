"""The edge to the shell: runs a command, prints its answer or its error, returns the exit code.

Only the answer goes to standard output. Log lines and errors go to standard error; an error is its
message, which has cause, next step and RequestId, without a traceback and without a person's data.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from ..compat import connections_of_metadata
from ..exceptions import FaceIdError
from ..process import safe_message, strip_frames
from ._common import printable
from .definition import FAILED, Answer, Command

INTERRUPTED = 130
"""Exit code after SIGINT, as shells have it."""


def execute(command: Command, arguments: Namespace) -> int:
    """Run a command and print; return the exit code."""
    try:
        with connections_of_metadata(), _only_answers_on_stdout():
            answer = command.run(arguments)
    except KeyboardInterrupt:
        _say(command, "interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a traceback is no message, and may hold a person's data
        _say(command, message(error))
        return FAILED
    code = _print(answer, arguments.output)
    for problem in answer.problems:
        _say(command, problem)
    return code


def message(error: Exception) -> str:
    """Return the message of an error: cause and next step."""
    if isinstance(error, AirflowNotFoundException):
        return (
            f"{error}. Create it in Admin > Connections or with: airflow connections add; "
            "airflow connections list has those that are there"
        )
    if isinstance(error, FaceIdError):
        return str(error)
    stripped = strip_frames(error)
    return str(stripped) if isinstance(stripped, FaceIdError) else safe_message(error)


def _say(command: Command, text: str) -> None:
    print(f"faceid {command.name}: {printable(text)}", file=sys.stderr)  # noqa: T201 - a command


def _print(answer: Answer, output: str) -> int:
    text = printable(answer.text)
    if output == "json":
        text = json.dumps(answer.data, indent=2, allow_nan=False, default=_plain)
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)  # noqa: T201 - the same
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return answer.exit_code


def _plain(value: Any) -> Any:
    """Return what a database gave as JSON has it: a fraction as a number, a day as text."""
    return float(value) if isinstance(value, Decimal) else str(value)


@contextmanager
def _only_answers_on_stdout() -> Iterator[None]:
    """Send what others print, and the log, to standard error."""
    moved: list[tuple[Any, Any]] = [
        (handler, handler.stream)
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout
    ]
    for handler, _ in moved:
        handler.setStream(sys.stderr)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)
