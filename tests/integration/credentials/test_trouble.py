"""Metadata and STS that are away, slow, wrong or hostile: an error that names them, in time."""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import replace

import pytest

from airflow_provider_faceid.api.messages import UNPACKED
from airflow_provider_faceid.client.credentials import MAX_BYTES, Credentials
from airflow_provider_faceid.client.credentials import providers as cvm_role
from airflow_provider_faceid.client.credentials import sts as web
from airflow_provider_faceid.client.credentials.providers import InstanceRole, ProviderChain
from airflow_provider_faceid.client.credentials.sts import AssumedRole, HttpOptions, Sts, TkeOidc
from airflow_provider_faceid.clock import SYSTEM_CLOCK
from airflow_provider_faceid.exceptions import CredentialsError, UnavailableError
from tests.support.cloud import METADATA, ROLE, ROLE_ARN, Cloud
from tests.support.patience import SOON

KEY = Credentials("simulator-id", "simulator-key")
QUICK = HttpOptions(direct=True, seconds=0.5)
unverified = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


def assumed(cloud: Cloud, **changes) -> AssumedRole:
    """Return a role the cloud can be asked for."""
    return replace(AssumedRole(KEY, ROLE_ARN, sts=Sts(cloud.url)), **changes)


@pytest.fixture
def refusal(told):
    """Fetch in vain; return what is said, which holds no secret, and how long it took."""

    def refusal(provider, kind=CredentialsError):
        began = time.monotonic()
        with pytest.raises(kind) as error:
            provider.fetch(SYSTEM_CLOCK)
        assert type(error.value) is kind
        return told(error.value), time.monotonic() - began

    return refusal


@pytest.fixture(params=["cvm_role", "role", "tke_oidc"])
def provider(request, metadata, pod):
    """Each provider that asks over the network, and how its messages begin."""
    return {
        "cvm_role": InstanceRole(),
        "role": assumed(metadata),
        "tke_oidc": TkeOidc(sts=Sts(metadata.url)),
    }[request.param]


def hurry(monkeypatch, provider):
    """Let a provider wait for less long."""
    monkeypatch.setattr(cvm_role, "METADATA_OPTIONS", QUICK)
    return (
        provider
        if isinstance(provider, InstanceRole)
        else replace(provider, sts=Sts(provider.sts.url, QUICK))
    )


def test_limits_of_time_are_short():
    assert (
        cvm_role.METADATA_OPTIONS.direct,
        cvm_role.METADATA_OPTIONS.seconds,
        HttpOptions().seconds,
    ) == (True, 5.0, 10.0)
    assert web.CONNECT_SECONDS == 2.0


def test_an_address_nobody_listens_at_is_named(refusal, monkeypatch, provider, metadata):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setattr(cvm_role, "METADATA", f"http://{address}{METADATA}")
    if not isinstance(provider, InstanceRole):
        provider = replace(provider, sts=Sts(f"http://{address}"))
    message, seconds = refusal(provider, UnavailableError)
    assert message.startswith(f"{provider.name}: {address} cannot be reached (NewConnectionError)")
    assert seconds < SOON


def test_a_server_that_does_not_answer_is_not_waited_for(refusal, monkeypatch, provider, metadata):
    metadata.trouble = lambda _: metadata.stopping.wait(60)
    message, seconds = refusal(hurry(monkeypatch, provider), UnavailableError)
    assert "127.0.0.1" in message
    assert message.startswith(f"{provider.name}: 127.0.0.1")
    assert 0.4 < seconds < SOON


def test_a_server_that_dribbles_is_not_waited_for(refusal, monkeypatch, provider, metadata):
    """Every byte resets the time limit of a read; that of the whole goes on."""

    def dribble(answering):
        answering.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(600):
            answering.wfile.write(b"X")
            if metadata.stopping.wait(0.1):
                break

    metadata.trouble = dribble
    message, seconds = refusal(hurry(monkeypatch, provider), UnavailableError)
    assert "does not answer within 0.5 s" in message
    assert seconds < SOON


def test_a_server_that_hangs_up_may_come_back(refusal, provider, metadata):
    metadata.trouble = lambda answering: answering.connection.shutdown(socket.SHUT_RDWR)
    assert "127.0.0.1" in refusal(provider, UnavailableError)[0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(refusal, provider, metadata, status):
    asked = threading.Event()

    def redirect(answering):
        if "elsewhere" in answering.path:
            asked.set()
        answering.say(status, b"", Location=f"{metadata.url}/elsewhere")

    metadata.trouble = redirect
    message, _ = refusal(provider)
    assert str(status) in message
    assert not asked.is_set()
    assert len(metadata.requests) == 1


GARBAGE = [
    b"",
    b"hush hush",
    b"<html>hush-hush</html>",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"[" * 60_000,
    b'{"Response": []}',
    b'{"Response": {"Credentials": "hush", "ExpiredTime": 1}}',
    b'{"Code": "Success", "TmpSecretId": ["hush"], "ExpiredTime": 1}',
    b'{"Code": "Success", "Code": "Success"}',
]


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
def test_garbage_is_no_key_and_not_shown(refusal, provider, metadata, body):
    metadata.trouble = lambda answering: answering.say(200, body)
    with pytest.raises((CredentialsError, UnavailableError)) as error:
        provider.fetch(SYSTEM_CLOCK)
    assert str(error.value).startswith(f"{provider.name}: 127.0.0.1")
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
def test_garbage_behind_the_name_of_a_role_is_no_key(refusal, metadata, body):
    metadata.trouble = lambda answering: answering.path != METADATA and answering.say(200, body)
    message, _ = refusal(InstanceRole())
    assert message.startswith("cvm_role: 127.0.0.1")


@pytest.mark.parametrize("length", [MAX_BYTES + 1, 10**9])
def test_an_answer_that_is_too_long_is_not_read(refusal, provider, metadata, length):
    def flood(answering):
        answering.send_response_only(200)
        answering.send_header("Content-Length", str(length))
        answering.end_headers()
        left = length
        while left > 0 and not metadata.stopping.is_set():
            try:
                answering.wfile.write(b"x" * min(left, 2**16))
            except OSError:
                return
            left -= 2**16

    metadata.trouble = flood
    message, seconds = refusal(provider)
    assert message.endswith(
        f"127.0.0.1:{metadata.url[17:]} sends more than 65536 bytes, which is no key"
    )
    assert seconds < SOON


def test_a_packed_answer_is_asked_for_by_nobody_and_not_unpacked(provider, metadata, refusal):
    seen = []
    metadata.trouble = lambda answering: (
        seen.append(answering.headers["Accept-Encoding"])
        or (answering.say(200, b"\x1f\x8b\x08\x00", Content_Encoding="gzip"))
    )
    with pytest.raises((CredentialsError, UnavailableError)):
        provider.fetch(SYSTEM_CLOCK)
    assert seen == [UNPACKED["Accept-Encoding"]] == ["identity"]


@pytest.mark.parametrize(
    ("path", "status", "kind", "words"),
    [
        (METADATA, 404, CredentialsError, "answers HTTP 404. Bind a role to this instance"),
        (METADATA + ROLE, 404, CredentialsError, "answers HTTP 404. Bind a role to this instance"),
        (METADATA, 403, CredentialsError, "answers HTTP 403"),
        (METADATA, 500, UnavailableError, "answers HTTP 500"),
        (METADATA + ROLE, 503, UnavailableError, "answers HTTP 503"),
    ],
)
def test_an_instance_without_a_role_is_said_to_be(refusal, metadata, *, path, status, kind, words):
    metadata.trouble = lambda answering: answering.path == path and answering.say(status, b"no")
    assert words in refusal(InstanceRole(), kind)[0]


@pytest.mark.parametrize(
    "name", [b"two words", b"a/b", b"../x", "角色".encode(), b"x" * 129, b"a\nb"]
)
def test_what_is_no_name_of_a_role_is_not_asked_for(refusal, metadata, name):
    metadata.trouble = lambda answering: answering.say(200, name)
    assert refusal(InstanceRole())[0].endswith(
        "answers no name of a role. Bind one to this instance"
    )
    assert metadata.requests == [METADATA]


def test_a_role_that_gets_no_key_is_named_with_the_code(refusal, metadata):
    metadata.trouble = lambda answering: (
        answering.path != METADATA and answering.say(200, b'{"Code": "Failed", "Message": "hush"}')
    )
    assert refusal(InstanceRole())[0].endswith("gives no key of role 'faceid': Failed")


@pytest.mark.parametrize("seconds", [0, -60])
def test_a_key_that_has_expired_already_is_none(refusal, provider, metadata, seconds):
    metadata.seconds = seconds
    assert "Check this machine's clock (NTP)" in refusal(provider)[0]


@pytest.mark.parametrize("ahead_s", [-4000, 4000])
def test_a_wrong_clock_of_this_machine_is_no_trouble(provider, metadata, ahead_s):
    metadata.ahead_s = ahead_s
    assert provider.fetch(SYSTEM_CLOCK).seconds == pytest.approx(7200, abs=3)


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("AuthFailure.SecretIdNotFound", CredentialsError, "Check the key it is asked with"),
        ("AuthFailure.TokenFailure", CredentialsError, "Check the key it is asked with"),
        ("UnauthorizedOperation", CredentialsError, "Check that the role may be assumed"),
        ("ResourceNotFound.RoleNotFound", CredentialsError, "Check the name of the role"),
        ("InvalidParameter.ParamError", CredentialsError, "Check the role, its duration"),
        ("Unheard.Of", CredentialsError, "Check the STS endpoint"),
        ("InternalError.SystemError", UnavailableError, " cannot answer Assume"),
        ("RequestLimitExceeded", UnavailableError, " cannot answer Assume"),
    ],
)
def test_what_sts_refuses_is_told_with_code_and_request_id(
    refusal, metadata, pod, *, code, kind, advice
):
    metadata.trouble = lambda answering: answering.refuse(code) or True
    for provider in (assumed(metadata), TkeOidc(sts=Sts(metadata.url))):
        message, _ = refusal(provider, kind)
        assert message.startswith(f"{provider.name}: 127.0.0.1")
        assert advice in message
        assert message.endswith(f"[code {code}, RequestId r-1]")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role_arn": "qcs::cam::uin/1:roleName/other"}, "ResourceNotFound.RoleNotFound"),
        ({"external_id": "hush-other"}, "UnauthorizedOperation"),
        ({"base": Credentials("simulator-id", "hush-other")}, "AuthFailure.SignatureFailure"),
        ({"base": Credentials("nobody", "hush-other")}, "AuthFailure.SecretIdNotFound"),
    ],
)
def test_a_role_asked_for_wrongly_is_refused(refusal, cloud, changes, code):
    assert refusal(assumed(cloud, **changes))[0].endswith(f"[code {code}, RequestId r-1]")


def test_the_duration_is_asked_for(cloud, pod):
    for provider in (assumed(cloud, seconds=900), TkeOidc(900, Sts(cloud.url))):
        provider.fetch(SYSTEM_CLOCK)
    assert [params["DurationSeconds"] for params in cloud.params] == [900, 900]


def test_the_token_of_a_pod_is_read_each_time(cloud, pod, refusal):
    provider = TkeOidc(sts=Sts(cloud.url))
    provider.fetch(SYSTEM_CLOCK)
    pod.write_text("hush-hush-new-token\n")
    refusal(provider)
    assert cloud.params[1]["WebIdentityToken"] == "hush-hush-new-token"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "TKE_WEB_IDENTITY_TOKEN_FILE cannot be read (No such file or directory)"),
        (b"", "holds no token"),
        (b"\xff", "TKE_WEB_IDENTITY_TOKEN_FILE cannot be read (it is no token)"),
        (b"x" * (MAX_BYTES + 1), "holds no token"),
    ],
)
def test_a_pod_without_a_token_is_said_to_be(refusal, cloud, pod, content, fault):
    pod.unlink()
    if content is not None:
        pod.write_bytes(content)
    message, _ = refusal(TkeOidc(sts=Sts(cloud.url)))
    assert message.startswith(f"tke_oidc: the file {pod} ")
    assert message.endswith(fault)
    assert cloud.requests == []


@pytest.mark.parametrize("number", range(4))
def test_a_variable_of_the_pod_that_is_missing_is_named(refusal, cloud, pod, monkeypatch, number):
    names = ("REGION", "PROVIDER_ID", "WEB_IDENTITY_TOKEN_FILE", "ROLE_ARN")
    monkeypatch.setenv(f"TKE_{names[number]}", "")
    message, _ = refusal(TkeOidc(sts=Sts(cloud.url)))
    assert message == f"tke_oidc: TKE_{names[number]} is missing in the environment"


@pytest.mark.parametrize("region", ["ap\r\nX-Evil: 1", "地区", "a b"])
def test_a_region_that_is_none_gets_into_no_header(refusal, cloud, pod, monkeypatch, region):
    monkeypatch.setenv("TKE_REGION", region)
    assert refusal(TkeOidc(sts=Sts(cloud.url)))[0] == "tke_oidc: TKE_REGION is no region"


def test_a_chain_tells_what_each_one_says(refusal, metadata):
    metadata.trouble = lambda answering: answering.say(404, b"")
    message, _ = refusal(ProviderChain((InstanceRole(), TkeOidc())))
    assert re.fullmatch(
        r"cvm_role: \S+ answers HTTP 404\. Bind a role to this instance; tke_oidc: TKE_REGION is "
        "missing in the environment",
        message,
    )


def test_no_proxy_sees_the_metadata_and_the_right_one_sts(
    metadata, clouds, monkeypatch, serve_proxy
):
    proxy = serve_proxy()
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
    InstanceRole().fetch(SYSTEM_CLOCK)
    assert proxy.requests == []
    with pytest.raises((UnavailableError, CredentialsError)):
        AssumedRole(KEY, ROLE_ARN, sts=Sts("http://sts.example")).fetch(SYSTEM_CLOCK)
    assert len(proxy.requests) == 1
    own = serve_proxy()
    way = HttpOptions(proxies=(("http", own.url),))
    with pytest.raises((UnavailableError, CredentialsError)):
        AssumedRole(KEY, ROLE_ARN, sts=Sts("http://sts.example", way)).fetch(SYSTEM_CLOCK)
    assert (len(proxy.requests), len(own.requests)) == (1, 1)


def test_a_netrc_of_this_machine_does_not_touch_the_signature(cloud, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password hush-hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert assumed(cloud).fetch(SYSTEM_CLOCK).account == ROLE_ARN


class TestTls:
    """STS is trusted as Face ID is."""

    def test_a_certificate_nobody_knows_is_refused(self, refusal, clouds, tls):
        cloud = clouds(tls)
        message, _ = refusal(assumed(cloud))
        assert message.startswith(
            f"role '{ROLE_ARN}' assumed with the connection's key: {cloud.url[8:]}: its TLS "
            "certificate or handshake is refused (SSLError)"
        )
        assert cloud.requests == []

    def test_one_that_was_made_known_is_taken(self, clouds, tls, certificate, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert assumed(clouds(tls)).fetch(SYSTEM_CLOCK).account == ROLE_ARN

    def test_a_file_of_certificates_that_is_missing_is_said_to_be(
        self, refusal, clouds, tls, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
        assert "no certificates to check its own against" in refusal(assumed(clouds(tls)))[0]

    def test_a_handshake_that_is_ended_may_pass(self, refusal):
        """A load balancer restarts: it is asked again later, and is no fault of a certificate."""
        with socket.create_server(("127.0.0.1", 0)) as balancer:
            url = f"https://127.0.0.1:{balancer.getsockname()[1]}"

            def hang_up() -> None:
                balancer.accept()[0].close()

            hangs_up = threading.Thread(target=hang_up)
            hangs_up.start()
            provider = AssumedRole(KEY, ROLE_ARN, sts=Sts(url))
            message, _ = refusal(provider, UnavailableError)
            hangs_up.join(10)
        assert "cannot be reached" in message

    @unverified
    def test_a_connection_that_checks_none_checks_none_here(self, clouds, tls):
        cloud = clouds(tls)
        provider = assumed(cloud, sts=Sts(cloud.url, HttpOptions(verify=False)))
        assert provider.fetch(SYSTEM_CLOCK).account == ROLE_ARN
