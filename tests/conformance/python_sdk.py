"""The official Python SDK, sync and async, with its typed requests."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, faceid_client_async, models

from tests.conformance.cases import Case
from tests.conformance.client import Client, Said


def _connection(url: str, case: Case) -> tuple[Credential, str, ClientProfile]:
    """Return what both clients are made of."""
    caller = case.caller
    http = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"), reqTimeout=20)
    credential = Credential(caller.secret_id, caller.secret_key, caller.token)
    return credential, caller.region, ClientProfile(httpProfile=http)


def _request(case: Case) -> Any:
    request = getattr(models, f"{case.action}Request")()
    request.from_json_string(json.dumps(case.params))
    return request


def _said(error: TencentCloudSDKException) -> Said:
    return Said({}, type(error).__name__, error.code, error.message, error.requestId)


def _ask(url: str, case: Case) -> Said:
    client = faceid_client.FaceidClient(*_connection(url, case))
    try:
        answer = getattr(client, case.action)(_request(case))
    except TencentCloudSDKException as error:
        return _said(error)
    return Said(json.loads(answer.to_json_string()))


async def _ask_async(url: str, case: Case) -> Said:
    async with faceid_client_async.FaceidClient(*_connection(url, case)) as client:
        try:
            answer = await getattr(client, case.action)(_request(case))
        except TencentCloudSDKException as error:
            return _said(error)
    return Said(json.loads(answer.to_json_string()))


SYNC = Client("python", "TencentCloudSDKException", _ask)
ASYNC = Client(
    "python_async",
    "TencentCloudSDKException",
    lambda url, case: asyncio.run(_ask_async(url, case)),
)
