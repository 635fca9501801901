"""Certificates that are not trusted, and TLS that breaks."""

from __future__ import annotations

import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from socket import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_faceid.exceptions import ConfigurationError, UncertainError

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
REFUSED = "TLS certificate or handshake is refused.*nothing was sent"
unverified = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Write a certificate for 127.0.0.1 that is signed by itself; key and certificate in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_self_signed_certificate_is_refused_at_once(client, connect, serve, tls, match):
    server = serve(lambda line: line.say(match), tls)
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match=REFUSED) as error:
        client.ask(connect(server.url), ID_CARD, PARAMS)
    assert time.monotonic() - began < 1
    assert error.value.requests == 1
    assert (server.connections, server.requests) == (1, [])


def test_plain_http_where_tls_is_expected_is_refused_at_once(client, connect, simulator, ledger):
    with pytest.raises(ConfigurationError, match=REFUSED):
        client.ask(connect(simulator.url.replace("http:", "https:")), ID_CARD, PARAMS)
    assert ledger() == []


@unverified
def test_the_check_can_be_switched_off(client, connect, serve, tls, match):
    server = serve(lambda line: line.say(match), tls)
    assert client.ask(connect(server.url, verify=False), ID_CARD, PARAMS).is_match


@unverified
def test_the_environment_does_not_switch_it_on_again(
    client, connect, serve, *, tls, match, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().openssl_cafile)
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")
    server = serve(lambda line: line.say(match), tls)
    assert client.ask(connect(server.url, verify=False), ID_CARD, PARAMS).is_match


def test_a_certificate_the_machine_trusts_is_accepted(
    client, connect, serve, *, tls, match, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = serve(lambda line: line.say(match), tls)
    assert client.ask(connect(server.url), ID_CARD, PARAMS).is_match


def test_a_bundle_of_certificates_that_is_not_there_is_said_to_be(client, connect, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="no certificates to check it against"):
        client.ask(connect("https://127.0.0.1:1"), ID_CARD, PARAMS)


@unverified
@pytest.mark.parametrize("after", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_tls_that_breaks_after_the_request_leaves_doubt(client, connect, serve, tls, after):
    """It is no configuration error: the service has the request."""

    def answer(line):
        if after:
            line.send(after)
        socket.sendall(line.request, b"this is no record of TLS at all")
        return False

    server = serve(answer, tls)
    with pytest.raises(UncertainError, match="may have been processed"):
        client.ask(connect(server.url, verify=False), ID_CARD, PARAMS)
    assert len(server.requests) == 1


@unverified
def test_twenty_calls_are_one_handshake(client, connect, serve, tls, match):
    server = serve(lambda line: line.say(match), tls)
    client.ask_all(connect(server.url, verify=False), [(ID_CARD, PARAMS)] * 20)
    assert (len(server.requests), server.connections) == (20, 1)


@unverified
def test_a_photo_of_megabytes_arrives_whole(client, connect, serve, tls):
    server = serve(lambda line: line.say(b'{"Response": {"Result": "Success", "Sim": 99}}'), tls)
    params = {**PARAMS, "ImageBase64": b"ABCD" * 750_000}
    hook = connect(server.url, verify=False)
    assert client.ask(hook, "ImageRecognitionV2", params).is_match
    (request,) = server.requests
    assert json.loads(request.partition(b"\r\n\r\n")[2])["ImageBase64"] == "ABCD" * 750_000
