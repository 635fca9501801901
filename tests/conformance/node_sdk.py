"""The official Node SDK, with both of its signatures: ``node_client.cjs`` is its half."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path

from tests.conformance.cases import Case
from tests.conformance.client import Client, Said

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / ".conformance" / "node_modules"
"""Where ``make conformance`` installs it."""

CALL_SECONDS = 60


def _ask(url: str, case: Case, sign_method: str) -> Said:
    caller = case.caller
    asked = {
        "endpoint": url.removeprefix("http://"),
        "signMethod": sign_method,
        "secretId": caller.secret_id,
        "secretKey": caller.secret_key,
        "token": caller.token,
        "region": caller.region,
        "action": case.action,
        "params": case.params,
    }
    done = subprocess.run(
        ["node", HERE / "node_client.cjs"],
        input=json.dumps(asked),
        env={"NODE_PATH": str(MODULES), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=CALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Said(**json.loads(done.stdout))


ERROR = "TencentCloudSDKHttpException"
NODE = Client("node", ERROR, partial(_ask, sign_method="TC3-HMAC-SHA256"))
NODE_BY_DEFAULT = Client("node_version_1", ERROR, partial(_ask, sign_method="HmacSHA256"))
