"""Line breaks and other control characters: refused, or harmless on the wire; never a header."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError, FaceIdError, InvalidInputError

NUMBER, NAME = "11010519491231002X", "Li Lei"
SMUGGLED = "\r\nX-Smuggled: yes\r\n\r\nPOST / HTTP/1.1"
CONTROL = ["\0", "\x1b[2J", "\x7f", "\x9b"]
INVISIBLE = ["\u200b", "\u202e", "\ufeff"]
SURROGATE = "\ud800"


@pytest.fixture
def server(serve, match):
    return serve(lambda line: line.say(match))


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, SURROGATE])
def test_they_are_refused_in_an_id_number(connect, server, text):
    for number in (NUMBER[:9] + text + NUMBER[9:], NUMBER + text + NUMBER):
        with pytest.raises(InvalidInputError) as error:
            connect(server.url).id_card_verification(number, NAME)
        assert error.value.rule in {"id_card_length", "id_card_characters"}
    assert server.requests == []


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, SURROGATE])
def test_they_are_refused_in_a_name(connect, server, text):
    with pytest.raises(InvalidInputError) as error:
        connect(server.url).id_card_verification(NUMBER, f"Li{text}Lei")
    assert error.value.rule == "name_characters"
    assert server.requests == []


@pytest.mark.parametrize("mark", INVISIBLE)
def test_marks_that_show_nothing_are_not_sent(connect, server, mark):
    connect(server.url).id_card_verification(NUMBER[:9] + mark + NUMBER[9:], f"Li{mark} Lei")
    (request,) = server.requests
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"IdCard": NUMBER, "Name": NAME}


@pytest.mark.parametrize("blank", ["\r\n", "\n", "\t", "\v", "\x1f", "\u2028", "\x85", "\u3000"])
def test_blanks_of_any_kind_in_a_name_are_one_space(connect, server, blank):
    connect(server.url).id_card_verification(
        f"{blank}{NUMBER}{blank}", f"{blank}Li{blank}Lei{blank}"
    )
    (request,) = server.requests
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"IdCard": NUMBER, "Name": NAME}


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, *INVISIBLE, "\r\n"])
def test_values_that_are_sent_as_they_are_stay_in_the_body(
    client, connect, server, headers_of, *, text
):
    """Those of hook.call, and Extra."""
    params = {"IdCard": text, "Name": text, "Extra": text[:10], text: text}
    client.ask(connect(server.url), "ImageRecognitionV2", params)
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"Smuggled" not in head
    assert "x-smuggled" not in headers_of(request)
    assert json.loads(body) == params
    assert not any(byte < 32 for byte in body)


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, SURROGATE])
def test_they_are_refused_in_the_name_of_an_action(client, connect, server, text):
    with pytest.raises(ConfigurationError, match="is no API Action"):
        client.ask(connect(server.url), f"IdCardVerification{text}", {})
    assert server.requests == []


FIELDS = [
    "login",
    "password",
    "session_token",
    "hash_secret",
    "region",
    "state_conn_id",
    "language",
]


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, *INVISIBLE])
@pytest.mark.parametrize("field", FIELDS)
def test_they_are_refused_in_a_field_of_the_connection(connect, server, field, text):
    hook = connect(server.url, **{field: f"sixteen-letters-and-more{text}"})
    with pytest.raises(ConfigurationError) as error:
        hook.id_card_verification(NUMBER, NAME)
    assert "sixteen" not in str(error.value)
    assert str(error.value).isprintable()
    assert server.requests == []


@pytest.mark.parametrize(
    "text", [SMUGGLED, *CONTROL, *INVISIBLE, "/path", "?query", "#part", "@host"]
)
def test_they_are_refused_in_the_endpoint(connect, server, text):
    with pytest.raises(ConfigurationError, match="Endpoint must be a host name"):
        connect(server.url + text).id_card_verification(NUMBER, NAME)
    assert server.requests == []


@pytest.mark.parametrize("text", [SMUGGLED, *CONTROL, *INVISIBLE])
def test_in_a_proxy_they_send_nothing(client, connect, server, text):
    hook = connect("http://faceid.example", proxies={"http": server.url + text}, max_attempts=1)
    with pytest.raises(FaceIdError) as error:
        client.ask(hook, "IdCardVerification", {"IdCard": NUMBER, "Name": NAME})
    assert "Smuggled" not in str(error.value)
    assert not any(b"Smuggled" in request for request in server.requests)
