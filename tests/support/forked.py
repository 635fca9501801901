"""Processes forked from a server that has imported what they need: they begin at once, and may be killed."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from tests.support.patience import PATIENCE

FORKED = get_context("forkserver")
"""Start method whose server has no thread, connection or file of the tests that a child would inherit."""

FORKED.set_forkserver_preload(
    ["tests.support.erasures", "tests.support.exports", "airflow_provider_faceid.state.store"]
)


def exit_code(work: Callable[..., None], *arguments: Any) -> int | None:
    """
    Run a function in a process of its own, and return the code the process ends with.

    :param work: function of a module.
    :return: negative the number of the signal it died of; None if it did not end.
    """
    process = FORKED.Process(target=work, args=arguments, daemon=True)
    process.start()
    process.join(PATIENCE)
    try:
        return process.exitcode
    finally:
        process.kill()
        process.join()
        process.close()
