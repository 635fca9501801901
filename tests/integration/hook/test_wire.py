"""What goes over the wire: headers, connections, proxies, redirects."""

from __future__ import annotations

import gzip
import json

import pytest

from airflow_provider_faceid.exceptions import FaceIdError, NotSentError, RequestRefusedError

ID_CARD = "IdCardVerification"
PARAMS = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
OWN = {
    *("host", "content-type", "content-length", "authorization"),
    *("x-tc-action", "x-tc-version", "x-tc-timestamp", "x-tc-language"),
}
LIBRARY = {"user-agent", "accept", "accept-encoding", "connection"}


@pytest.fixture
def server(serve, match):
    return serve(lambda line: line.say(match))


def test_a_request_is_a_signed_post_of_ascii_json(
    client, connect, server, headers_of, assert_signed
):
    client.ask(connect(server.url), ID_CARD, PARAMS)
    (request,) = server.requests
    body = request.partition(b"\r\n\r\n")[2]
    headers = headers_of(request)
    assert request.startswith(b"POST / HTTP/1.1\r\n")
    assert json.loads(body) == PARAMS
    assert body.isascii()
    assert headers["content-type"] == "application/json"
    assert headers["host"] == server.url.removeprefix("http://")
    assert_signed(request)


EXTRA = {
    "session_token": "hush-token",
    "hash_secret": "hush-hush-hashes",
    "proxies": {"https": "http://hush:hush@127.0.0.1:1"},
    "verify": True,
}


def test_fields_of_the_connection_never_become_headers(client, connect, server, headers_of):
    client.ask(connect(server.url, **EXTRA), ID_CARD, PARAMS)
    (request,) = server.requests
    headers = headers_of(request)
    assert set(headers) - LIBRARY == OWN | {"x-tc-token"}
    assert headers.pop("x-tc-token") == "hush-token"
    assert "hush" not in str(headers)


def test_the_raw_session_signs_what_it_sends_and_adds_no_field(
    connect, server, headers_of, assert_signed
):
    hook = connect(server.url, **EXTRA)
    answer = hook.get_conn(headers={"X-Own": "1"}).post(
        hook.settings.url, json=PARAMS, headers={"X-TC-Action": "DetectAuth"}
    )
    assert answer.ok
    assert_signed(server.requests[0])
    headers = headers_of(server.requests[0])
    assert set(headers) - LIBRARY == OWN | {"x-tc-token", "x-own"}
    assert headers["x-tc-action"] == "DetectAuth"


def test_run_of_the_http_hook_works_too(connect, simulator, ordinary):
    hook = connect(simulator.url, session_token="simulator-token")
    answer = hook.run(
        "/",
        data=json.dumps({"IdCard": ordinary.id_card, "Name": ordinary.name}),
        headers={"X-TC-Action": ID_CARD},
    )
    assert answer.json()["Response"]["Result"] == "0"


def test_run_says_nothing_of_a_bad_answer_but_its_status(connect, serve, caplog):
    server = serve(lambda line: line.say(b"hush: 11010519491231002X", "500 hush"))
    hook = connect(server.url)
    with pytest.raises(FaceIdError) as error, caplog.at_level("DEBUG"):
        hook.run("/", data=json.dumps(PARAMS), headers={"X-TC-Action": ID_CARD})
    assert str(error.value) == f"HTTP 500 from {server.url.removeprefix('http://')}"
    assert "hush" not in caplog.text
    assert "11010519491231002X" not in caplog.text


def test_twenty_calls_are_one_connection(client, connect, server):
    client.ask_all(connect(server.url), [(ID_CARD, PARAMS)] * 20)
    assert (len(server.requests), server.connections) == (20, 1)


def test_a_connection_the_server_closed_is_opened_again(client, connect, serve, match):
    server = serve(lambda line: line.say(match, "200 OK", "Connection: close") or False)
    client.ask_all(connect(server.url), [(ID_CARD, PARAMS)] * 3)
    assert (len(server.requests), server.connections) == (3, 3)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(client, connect, serve, server, status):
    where = f"Location: {server.url}/"
    elsewhere = serve(lambda line: line.say(b"", f"{status} Moved", where))
    with pytest.raises(RequestRefusedError, match=f"sends elsewhere.*code http:{status}"):
        client.ask(connect(elsewhere.url), ID_CARD, PARAMS)
    assert len(elsewhere.requests) == 1
    assert server.requests == []


def test_a_compressed_answer_is_read(client, connect, serve, match):
    server = serve(lambda line: line.say(gzip.compress(match), "200 OK", "Content-Encoding: gzip"))
    assert client.ask(connect(server.url), ID_CARD, PARAMS).is_match


def test_an_answer_in_pieces_is_read(client, connect, serve, match):
    def answer(line):
        line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (match[:10], match[10:]):
            line.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.send(b"0\r\n\r\n")

    assert client.ask(connect(serve(answer).url), ID_CARD, PARAMS).is_match


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json; charset=utf-8"])
def test_the_content_type_of_an_answer_is_not_asked(client, connect, serve, match, kind):
    server = serve(lambda line: line.say(match, "200 OK", f"Content-Type: {kind}"))
    assert client.ask(connect(server.url), ID_CARD, PARAMS).is_match


class TestProxies:
    """The raw server is the proxy; nobody is at home at the endpoint."""

    ENDPOINT = "http://faceid.example"
    NOBODY = "http://127.0.0.1:1"

    @pytest.mark.parametrize("key", ["http", "all", "http://faceid.example"])
    def test_the_proxy_of_the_connection_is_taken(
        self, client, connect, server, headers_of, *, key
    ):
        hook = connect(self.ENDPOINT, proxies={key: server.url})
        assert client.ask(hook, ID_CARD, PARAMS).is_match
        assert server.requests[0].startswith(b"POST http://faceid.example/ HTTP/1.1\r\n")
        assert headers_of(server.requests[0])["host"] == "faceid.example"

    def test_a_proxy_may_want_a_password(self, client, connect, server, headers_of):
        proxy = server.url.replace("http://", "http://user:hush@")
        assert client.ask(connect(self.ENDPOINT, proxies={"http": proxy}), ID_CARD, PARAMS).is_match
        assert headers_of(server.requests[0])["proxy-authorization"] == "Basic dXNlcjpodXNo"

    def test_a_proxy_may_go_without_a_scheme(self, client, connect, server):
        proxies = {"http": server.url.removeprefix("http://")}
        assert client.ask(connect(self.ENDPOINT, proxies=proxies), ID_CARD, PARAMS).is_match

    def test_the_proxy_of_another_scheme_is_not_taken(self, client, connect, server):
        hook = connect(server.url, proxies={"https": self.NOBODY})
        assert client.ask(hook, ID_CARD, PARAMS).is_match

    def test_the_proxy_of_the_environment_is_taken(self, client, connect, server, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.setenv("http_proxy", server.url)
        assert client.ask(connect(self.ENDPOINT), ID_CARD, PARAMS).is_match

    def test_the_connection_overrules_the_environment(self, client, connect, server, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", self.NOBODY)
        monkeypatch.setenv("http_proxy", self.NOBODY)
        hook = connect(self.ENDPOINT, proxies={"http": server.url})
        assert client.ask(hook, ID_CARD, PARAMS).is_match

    def test_hosts_the_environment_excepts_are_asked_directly(
        self, client, connect, server, monkeypatch
    ):
        monkeypatch.setenv("http_proxy", self.NOBODY)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert client.ask(connect(server.url), ID_CARD, PARAMS).is_match

    @pytest.mark.parametrize("endpoint", [ENDPOINT, "https://faceid.example"])
    def test_a_proxy_that_is_not_there_has_sent_nothing(self, client, connect, endpoint):
        hook = connect(endpoint, proxies={"all": "http://user:hush@127.0.0.1:1"}, max_attempts=1)
        with pytest.raises(NotSentError, match="nothing was sent") as error:
            client.ask(hook, ID_CARD, PARAMS)
        assert "hush" not in str(error.value)

    def test_a_proxy_that_refuses_a_tunnel_has_sent_nothing(self, client, connect, serve):
        proxy = serve(lambda line: line.say(b"", "403 Forbidden") or False)
        hook = connect("https://faceid.example", proxies={"https": proxy.url}, max_attempts=1)
        with pytest.raises(NotSentError):
            client.ask(hook, ID_CARD, PARAMS)
        assert proxy.requests[0].startswith(b"CONNECT faceid.example:443 HTTP/1.")
