"""An imitation of the metadata of an instance and of STS, on one port of this machine."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from airflow_provider_faceid.api.signing import authorization, payload_hash
from airflow_provider_faceid.clock import Clock
from airflow_provider_faceid.simulator import SimulatorServer

METADATA = "/latest/meta-data/cam/security-credentials/"
ROLE, ROLE_ARN = "faceid", "qcs::cam::uin/100000000001:roleName/faceid"
OIDC_TOKEN = "hush-hush-pod-token"
EXTERNAL_ID = "hush-customer"
WEB_IDENTITY = "AssumeRoleWithWebIdentity"
SIGNED = re.compile(r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/.*")


class Expiring(dict[str, tuple[str, float]]):
    """SecretKey by SecretId, each until a moment: a service does not know what has expired."""

    def __init__(self, clock: Clock, keys: dict[str, tuple[str, float]]) -> None:
        super().__init__(keys)
        self.clock = clock

    def __contains__(self, secret_id: object) -> bool:
        return super().__contains__(secret_id) and self.clock.now() < dict.get(self, secret_id)[1]

    def __getitem__(self, secret_id: str) -> str:
        return super().__getitem__(secret_id)[0]


class Cloud:
    """
    Gives temporary keys that a simulator accepts until they expire.

    :ivar seconds: how long the next key is good.
    :ivar issued: the keys given so far, SecretId and SecretKey.
    :ivar requests: what was asked, ``GET`` paths and Actions.
    :ivar trouble: answers a request in place of the cloud, unless it returns False.
    :ivar ahead_s: seconds the cloud's clock is ahead of the right one.
    :ivar grace_s: seconds for which the simulator accepts a key that has expired.
    """

    def __init__(self, server: SimulatorServer, tls: ssl.SSLContext | None = None) -> None:
        self.simulator, self.seconds = server, 7200
        self.ahead_s = self.grace_s = 0.0
        self.issued: list[tuple[str, str]] = []
        self.expires = 0.0
        self.requests: list[str] = []
        self.params: list[dict[str, object]] = []
        self.trouble: Callable[[Answering], object] = lambda _: False
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        cloud = self

        class Handler(Answering):
            of = cloud

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop and close the port."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def now(self) -> float:
        return self.simulator.clock.now() + self.ahead_s

    def issue(self) -> dict[str, object]:
        """Make a key and let the simulator know it."""
        with self._lock:
            number = len(self.issued) + 1
            key = (f"tmp-id-{number}", f"hush-hush-tmp-key-{number}")
            self.issued.append(key)
            account = self.simulator.account
            self.expires = self.simulator.clock.now() + self.seconds
            known = {
                name: dict.get(account.account_state.keys, name)
                for name in account.account_state.keys
            }
            known = {
                name: value if isinstance(value, tuple) else (value, float("inf"))
                for name, value in known.items()
            }
            known[key[0]] = (key[1], self.expires + self.grace_s)
            keys = Expiring(self.simulator.clock, known)
            account.account_state = replace(account.account_state, keys=keys)
        return {
            "TmpSecretId": key[0],
            "TmpSecretKey": key[1],
            "Token": account.account_state.token,
            "ExpiredTime": int(self.now) + self.seconds,
        }


class Answering(BaseHTTPRequestHandler):
    """One request to the cloud."""

    of: Cloud
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.of.requests.append(self.path)
        if self.of.trouble(self) is not False:
            return
        if self.path == METADATA:
            self.say(200, ROLE.encode())
        elif self.path == METADATA + ROLE:
            self.say(200, json.dumps({"Code": "Success", **self.of.issue()}).encode())
        else:
            self.say(404, b"not found")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers["X-TC-Action"]
        self.of.requests.append(action)
        self.of.params.append(params := json.loads(body))
        if self.of.trouble(self) is not False:
            return
        if code := self._refusal(action, params, body):
            self.refuse(code)
            return
        issued = self.of.issue()
        expired_time = issued.pop("ExpiredTime")
        self.respond({"Credentials": issued, "ExpiredTime": expired_time})

    def _refusal(self, action: str, params: dict[str, object], body: bytes) -> str:
        assert self.headers["X-TC-Version"] == "2018-08-13"
        assert self.headers["X-TC-Region"]
        assert params["RoleSessionName"] == "airflow-provider-faceid"
        if params["RoleArn"] != ROLE_ARN:
            return "ResourceNotFound.RoleNotFound"
        if action == WEB_IDENTITY:
            assert self.headers["Authorization"] == "SKIP"
            good = params["WebIdentityToken"] == OIDC_TOKEN and params["ProviderId"] == "a-provider"
            return "" if good else "InvalidParameter.WebIdentityTokenError"
        if params.get("ExternalId", EXTERNAL_ID) != EXTERNAL_ID:
            return "UnauthorizedOperation"
        return self._signature_refusal(body)

    def _signature_refusal(self, body: bytes) -> str:
        standing = self.of.simulator.account.account_state
        secret_id = SIGNED.match(self.headers["Authorization"])["id"]
        if secret_id not in standing.keys:
            return "AuthFailure.SecretIdNotFound"
        timestamp = int(self.headers["X-TC-Timestamp"])
        if abs(timestamp - self.of.now) > 300:
            return "AuthFailure.SignatureExpire"
        if self.headers.get("X-TC-Token", standing.token) != standing.token:
            return "AuthFailure.TokenFailure"
        expected = authorization(
            secret_id=secret_id,
            secret_key=standing.keys[secret_id],
            timestamp=timestamp,
            service="sts",
            headers={"content-type": "application/json", "host": self.headers["Host"]},
            hashed_payload=payload_hash(body),
        )
        return "" if self.headers["Authorization"] == expected else "AuthFailure.SignatureFailure"

    def respond(self, response: dict[str, object]) -> None:
        """Answer as STS does."""
        self.say(200, json.dumps({"Response": {**response, "RequestId": "r-1"}}).encode())

    def refuse(self, code: str) -> None:
        """Answer with an error of STS."""
        self.respond({"Error": {"Code": code, "Message": "hush-hush: look at this"}})

    def say(self, status: int, body: bytes, **headers: str) -> None:
        """Write an answer of HTTP."""
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.of.now, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""
