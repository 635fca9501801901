"""The official SDK, unmodified, against the simulator, and its signature against ours."""

from __future__ import annotations

import json
import string
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301.faceid_client import FaceidClient
from tencentcloud.faceid.v20180301.models import (
    IdCardVerificationRequest,
    ImageRecognitionV2Request,
)

from airflow_provider_faceid.api import signing
from airflow_provider_faceid.api.messages import build_body
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, How, expects
from airflow_provider_faceid.simulator.people.photos import portrait

pytestmark = pytest.mark.filterwarnings(
    # The SDK asks for UTC in the way Python 3.12 deprecates.
    r"ignore:datetime\.datetime\.utcfromtimestamp\(\) is deprecated:DeprecationWarning"
)


PHOTO = portrait("anybody")


def connect(
    url: str, secret_id: str = "simulator-id", secret_key: str = "simulator-key", **profile: object
) -> FaceidClient:
    token, unsigned = profile.pop("token", None), profile.pop("unsignedPayload", False)
    http = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"), reqTimeout=10)
    client_profile = ClientProfile(httpProfile=http, **profile)
    client_profile.unsignedPayload = unsigned
    return FaceidClient(Credential(secret_id, secret_key, token), "", client_profile)


def ask_id_card(client: FaceidClient, number: str | None, name: str):
    request = IdCardVerificationRequest()
    request.IdCard, request.Name = number, name
    return client.IdCardVerification(request)


def ask_face(client: FaceidClient, number: str, name: str, photo: bytes):
    request = ImageRecognitionV2Request()
    request.IdCard, request.Name = number, name
    request.ImageBase64 = b64encode(photo).decode()
    return client.ImageRecognitionV2(request)


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(people=60, quotas={ID_CARD: 0, FACE: 0}) as running:
        yield running


@pytest.fixture
def client(server) -> FaceidClient:
    server.account.reset()
    return connect(server.url)


def test_it_gets_the_expected_answers_for_both_actions(server, client):
    people = [
        person
        for person in server.account.people.listed
        if not (person.persona and person.persona.how is How.AT_FIRST)
    ]
    for person in people:
        photo = server.account.gallery.submitted(person)
        for action, ask in (
            (ID_CARD, lambda p=person: ask_id_card(client, p.id_card, p.name)),
            (FACE, lambda p=person, f=photo: ask_face(client, p.id_card, p.name, f)),
        ):
            try:
                answered = ask().Result
            except TencentCloudSDKException as error:
                answered = error.code
            assert answered == expects(person)[action]


def test_it_reads_every_field(client):
    answer = ask_face(client, "11204416541220243X", "Wei Xiaobao", PHOTO)
    assert (answer.Sim, answer.Result, answer.Description) == (89.88, "Success", "Success")
    assert answer.Extra == ""
    assert len(answer.RequestId) == 36


def test_it_gets_the_service_s_errors(server):
    """All other errors, and all other clients: ``make conformance``."""
    with pytest.raises(TencentCloudSDKException) as caught:
        ask_id_card(connect(server.url, secret_key="wrong"), "11204416541220243X", "Wei Xiaobao")
    assert caught.value.code == "AuthFailure.SignatureFailure"
    assert len(caught.value.requestId) == 36


@pytest.mark.parametrize(
    "profile",
    [
        {"unsignedPayload": True},
        {"language": "zh-CN"},
        {"signMethod": "TC3-HMAC-SHA256"},
        {"signMethod": "HmacSHA256"},
        {"signMethod": "HmacSHA1"},
    ],
    ids=["unsigned_payload", "chinese", "signature_v3", "v1_sha256", "v1_sha1"],
)
def test_its_other_ways_of_asking_are_understood(server, client, profile):
    asker = connect(server.url, **profile)
    assert ask_id_card(asker, "11204416541220243X", "韦小宝").Result == "0"


def test_it_may_ask_by_get(server):
    asker = connect(server.url)
    asker.profile.httpProfile.reqMethod = "GET"
    assert ask_id_card(asker, "11204416541220243X", "Wei Xiaobao").Result == "0"


class Listener(ThreadingHTTPServer):
    """Keeps the last request it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Recorder)
        self.headers: dict[str, str] = {}
        self.body = b""


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for head and body

    def do_POST(self) -> None:
        self.server.headers = dict(self.headers)
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"Response": {"Result": "0", "RequestId": "r"}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


KEYS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=40)


@given(
    secret_id=KEYS,
    secret_key=KEYS,
    number=st.text(max_size=30),
    name=st.text(max_size=60),
    extra=st.one_of(st.none(), st.text(max_size=20)),
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_its_authorization_header_and_body_are_ours(  # noqa: PLR0917 - one argument per part
    listener, secret_id, secret_key, number, name, extra
):
    client = connect(f"http://127.0.0.1:{listener.server_port}", secret_id, secret_key)
    request = ImageRecognitionV2Request()
    request.IdCard, request.Name, request.Extra = number, name, extra
    request.ImageBase64 = "/9j/"
    client.ImageRecognitionV2(request)
    sent, body = listener.headers, listener.body
    assert sent["Authorization"] == signing.authorization(
        secret_id=secret_id,
        secret_key=secret_key,
        timestamp=int(sent["X-TC-Timestamp"]),
        service="faceid",
        headers={"Content-Type": sent["Content-Type"], "Host": sent["Host"]},
        hashed_payload=signing.payload_hash(body),
    )
    params = {"IdCard": number, "Name": name, "ImageBase64": b"/9j/", "Extra": extra}
    assert body == bytes(build_body(params))
