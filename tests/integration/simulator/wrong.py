"""Requests as bytes: right as they are, wrong as soon as one of their fields is given."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from hypothesis import assume

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.simulator.api import gateway as signature_v1
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from airflow_provider_faceid.simulator.people.photos import portrait

WEI = {"IdCard": "11204416541220243X", "Name": "Wei Xiaobao"}
RIGHT: dict[str, dict[str, str]] = {
    ID_CARD: WEI,
    FACE: {**WEI, "ImageBase64": b64encode(portrait("anybody")).decode()},
}
"""What is answered and billed."""

Headers = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Wrong:
    """A request of signature version 3; the last four fields change what was signed."""

    method: str = "POST"
    action: str = ID_CARD
    body: bytes | None = None
    key: tuple[str, str] = ("simulator-id", "simulator-key")
    late_s: int = 0
    headers: Headers = field(default_factory=dict)
    sent_body: bytes | None = None
    cut: tuple[float, int, bytes] | None = None

    def raw(self, host: str) -> bytes:
        get, right = self.method == "GET", RIGHT[self.action]
        body = json.dumps(right).encode() if self.body is None else self.body
        body, query = (b"", urlencode(right)) if get else (body, "")
        moment = int(time.time()) + self.late_s
        signed = {"Content-Type": "application/json", "Host": host}
        authorization = signing.authorization(
            secret_id=self.key[0],
            secret_key=self.key[1],
            timestamp=moment,
            service="faceid",
            headers=signed,
            hashed_payload=signing.payload_hash(body),
            method=self.method,
            query=query,
        )
        headers: dict[str, bytes | None] = {
            **{name: value.encode() for name, value in signed.items()},
            "X-TC-Action": self.action.encode(),
            "X-TC-Version": b"2018-03-01",
            "X-TC-Timestamp": str(moment).encode(),
            "Authorization": mangled(authorization.encode(), self.cut),
        }
        sent = body if self.sent_body is None else self.sent_body
        target = f"/?{query}" if get else "/"
        return request(self.method, target, headers | dict(self.headers), sent)


@dataclass(frozen=True)
class WrongForm:
    """A request of signature version 1; the last field changes what was signed."""

    method: str = "POST"
    parameters: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""
    key: str = "simulator-key"
    changed: Mapping[str, str] = field(default_factory=dict)

    def raw(self, host: str) -> bytes:
        parameters = {
            "Action": ID_CARD,
            "Version": "2018-03-01",
            "Timestamp": str(int(time.time())),
            "Nonce": "1",
            "SecretId": "simulator-id",
            **WEI,
            **self.parameters,
        }
        parameters.pop(self.missing, None)
        to_sign = signature_v1.string_to_sign_v1(self.method, host, parameters.items())
        made = signature_v1.signature_v1(
            self.key,
            parameters.get("SignatureMethod", ""),
            to_sign.encode(errors="replace").decode(),
        )
        query = urlencode({"Signature": made, **parameters, **self.changed}, errors="replace")
        headers = {"Host": host.encode(), "Content-Type": b"application/x-www-form-urlencoded"}
        if self.method == "GET":
            return request("GET", f"/?{query}", headers, b"")
        return request(self.method, "/", headers, query.encode())


def request(method: str, target: str, headers: Headers, body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1".encode()]
    given_headers = {"Content-Length": str(len(body)).encode(), **headers}
    lines += [
        name.encode() + b": " + value for name, value in given_headers.items() if value is not None
    ]
    return b"\r\n".join([*lines, b"", body])


def mangled(value: bytes, cut: tuple[float, int, bytes] | None) -> bytes:
    """Return a value with a piece taken out and another put in."""
    if cut is None:
        return value
    start = int(cut[0] * len(value))
    changed = value[:start] + cut[2] + value[start + cut[1] :]
    assume(b"".join(changed.split()) != b"".join(value.split()))
    return changed
