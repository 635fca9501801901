"""The official command line tool, ``tccli``: one process for each call.

Parameters are given in a file: no list of processes shows people, and a parameter may be missing,
which the options of the tool do not allow. The tool keeps a log of all it is told in its home, so
it gets one that is thrown away.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance.cases import Case
from tests.conformance.client import Client, Said

TOOL = Path(sys.executable).with_name("tccli")
CALL_SECONDS = 60
_ERROR = re.compile(
    r"\[(?P<kind>\w+)\] code:(?P<code>\S+) message:(?P<message>.+) requestId:(?P<request_id>\S+)\n",
    re.DOTALL,
)


def _ask(url: str, case: Case) -> Said:
    caller = case.caller
    with TemporaryDirectory() as home:
        asked = Path(home, "params.json")
        asked.write_text(json.dumps(case.params))
        options = {
            "--endpoint": url,  # with its http://, or the tool asks by HTTPS
            "--secretId": caller.secret_id,
            "--secretKey": caller.secret_key,
            "--token": caller.token,
            "--region": caller.region,
            "--cli-input-json": asked.as_uri(),
        }
        given = [word for option in options.items() if option[1] is not None for word in option]
        done = subprocess.run(
            [TOOL, "faceid", case.action, *given],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=CALL_SECONDS,
            check=False,
        )
    if done.returncode == 0:
        return Said(json.loads(done.stdout))
    told = _ERROR.fullmatch(done.stderr)
    assert told, done.stderr
    return Said(**told.groupdict())


TCCLI = Client("tccli", "TencentCloudSDKException", _ask)
