"""A process that has imported Airflow and forks whenever it is given an example to run.

So an example starts at once. Told through stdin, a line each: a JSON object with ``title`` and
``text`` of the example and the file for its ``output``; answered by the exit code.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # Airflow may print while it is imported

from airflow.sdk import BaseOperator  # noqa: E402 - as above

import airflow_provider_faceid.hooks.faceid  # noqa: E402, F401 - all examples need it
from tests.support.outlet_events import OutletEvents  # noqa: E402 - as above


def run(title: str, text: str) -> None:
    """Run an example, and every task it makes."""
    scope: dict[str, Any] = {}
    exec(compile(text, title, "exec"), scope)
    for task in [value for value in scope.values() if isinstance(value, BaseOperator)]:
        if "{{" in str(getattr(task, "key", "")):
            task.key = 1  # what its template would render to
        if task.task_id == "release":
            task.on_nothing_released = "ignore"  # as the table of an example is
        ti = SimpleNamespace(dag_id="docs", run_id="docs", task_id=task.task_id, map_index=-1)
        ti.xcom_push = lambda key, value: None
        dag_run = SimpleNamespace(dag_id="docs", logical_date=None, run_id=title)
        context = {
            "run_id": "docs",
            "ti": ti,
            "outlet_events": OutletEvents(),
            "dag_run": dag_run,
        }
        print(task.execute(context))  # noqa: T201 - the test reads it


def start(title: str, text: str, output: str) -> int:
    """Run an example in a process of its own; return its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        run(title, text)
        code = 0
    except BaseException:  # noqa: BLE001 - a process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


for line in sys.stdin:
    print(start(**json.loads(line)), file=answers)
