"""Certificates that are not trusted, and TLS that breaks."""

from __future__ import annotations

import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from socket import create_connection, socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_faceid.exceptions import ConfigurationError, UncertainError
from airflow_provider_faceid.hooks import connection_form
from tests.support.patience import SOON

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
REFUSED = "TLS certificate or handshake is refused.*nothing was sent"
unverified = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


DAY = timedelta(days=1)
HERE = x509.IPAddress(ip_address("127.0.0.1"))


def write_certificate(folder, name=HERE, *, ends_in=DAY):
    """Write a certificate that is signed by itself; return the file of key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * DAY)
        .not_valid_after(now + ends_in)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Return the file of a certificate for 127.0.0.1."""
    return write_certificate(tmp_path_factory.mktemp("tls"))


def context_of(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def tls(certificate) -> ssl.SSLContext:
    return context_of(certificate)


def test_a_self_signed_certificate_is_refused_at_once(client, connect, serve, tls, match):
    server = serve(lambda line: line.say(match), tls)
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match=REFUSED) as error:
        client.ask(connect(server.url), ID_CARD, PARAMS)
    assert time.monotonic() - began < SOON
    assert error.value.requests == 1
    assert (server.connections, server.requests) == (1, [])


NOT_FOR_US = {
    "another host": {"name": x509.DNSName("faceid.example")},
    "another address": {"name": x509.IPAddress(ip_address("127.0.0.2"))},
    "its common name alone": {"name": x509.DNSName("also.example")},
    "expired": {"ends_in": -DAY},
}


@pytest.mark.parametrize("kind", NOT_FOR_US.values(), ids=NOT_FOR_US)
def test_a_trusted_certificate_of_another_host_or_time_is_refused(
    client, connect, serve, *, match, tmp_path, monkeypatch, kind
):
    path = write_certificate(tmp_path, **kind)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    server = serve(lambda line: line.say(match), context_of(path))
    with pytest.raises(ConfigurationError, match=REFUSED):
        client.ask(connect(server.url), ID_CARD, PARAMS)
    assert server.requests == []


@unverified
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_version_of_tls_that_is_broken_is_refused_even_unverified(
    client, connect, serve, *, match, tls, version
):
    tls.minimum_version, tls.maximum_version = version, version
    tls.set_ciphers("ALL:@SECLEVEL=0")
    server = serve(lambda line: line.say(match), tls)
    with pytest.raises(ConfigurationError, match=REFUSED):
        client.ask(connect(server.url, verify=False), ID_CARD, PARAMS)
    assert server.requests == []
    # It was the version: a client that takes anything is served.
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lenient.check_hostname, lenient.verify_mode = False, ssl.CERT_NONE
    lenient.minimum_version = version
    lenient.set_ciphers("ALL:@SECLEVEL=0")
    with (
        create_connection(server.server_address, timeout=5) as raw,
        lenient.wrap_socket(raw) as line,
    ):
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert line.recv(99).startswith(b"HTTP/1.1 200 OK")


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


@unverified
def test_a_connection_that_does_not_check_is_warned_of_once(connect, serve, tls, match, caplog):
    connection_form._warn.cache_clear()
    server = serve(lambda line: line.say(match), tls)
    for _ in range(2):
        connect(server.url, verify=False).call(ID_CARD, PARAMS)
    warnings = [text for text in caplog.messages if "does not verify the TLS certificate" in text]
    assert len(warnings) == 1
    assert "'faceid_test'" in warnings[0]
