"""A process that has imported everything and forks a worker whenever it is told to.

A worker so starts in some 10 ms in place of a second. Told through stdin, a line each: ``start``
and a JSON object, answered by the pid; ``wait`` and a pid, answered by the exit code; ``poll``
likewise, answered by ``running`` if there is none yet.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import worker


def start(told: str) -> int:
    """Fork a worker; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        job = json.loads(told)
        log = os.open(job.pop("log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        worker.main(**job)
        code = 0
    except BaseException:  # noqa: BLE001 - a process ends here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int, options: int) -> str:
    """Return the exit code of a worker, negative for a signal, or ``running``."""
    found, status = os.waitpid(pid, options)
    return str(os.waitstatus_to_exitcode(status)) if found else "running"


for line in sys.stdin:
    order, _, rest = line.strip().partition(" ")
    if order == "start":
        answer = str(start(rest))
    else:
        answer = ended(int(rest), os.WNOHANG if order == "poll" else 0)
    print(answer, flush=True)  # noqa: T201 - the test reads it
