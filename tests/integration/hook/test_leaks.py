"""Whole calls, watched: no log line, error or print holds a secret or a person."""

from __future__ import annotations

import json
import logging
import traceback
from base64 import b64encode

import pytest

from airflow_provider_faceid.exceptions import FaceIdError
from tests.integration.hook.conftest import HASH_SECRET

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
KEY, TOKEN = "simulator-key", "simulator-token"


@pytest.fixture
def params(ordinary, photo):
    return {
        "IdCard": ordinary.id_card,
        "Name": ordinary.name,
        "ImageBase64": b64encode(photo),
        "Extra": "case-77",
    }


@pytest.fixture
def watched(params, caplog, capfd):
    """Return everything that was logged, printed or raised, after checking it for secrets."""
    texts = []
    caplog.set_level(logging.DEBUG)
    assert logging.getLogger("urllib3").isEnabledFor(logging.DEBUG)

    def check(*more):
        texts.extend(logging.Formatter().format(record) for record in caplog.records)
        texts.extend((*capfd.readouterr(), *more))
        everything = "\n".join(texts)
        photo = params["ImageBase64"].decode()
        for secret in (
            KEY,
            TOKEN,
            HASH_SECRET,
            params["IdCard"],
            params["Name"],
            photo[:40],
            photo[-40:],
        ):
            assert secret not in everything
        return everything

    return check


def test_a_call_that_is_answered(client, connect, simulator, params, watched):
    hook = connect(simulator.url, session_token=TOKEN)
    short = {name: params[name] for name in ("IdCard", "Name")}
    verdicts = client.ask_all(hook, [(FACE, params), (ID_CARD, short)])
    assert all(verdict.is_match for verdict in verdicts)
    seen = watched(repr(verdicts), repr(hook.settings), repr(hook.settings.credentials))
    assert "similarity=100.0" in seen
    if client.name == "blocking":
        assert '"POST / HTTP/1.1" 200' in seen


def test_the_typed_methods(connect, simulator, ordinary, photo, watched):
    hook = connect(simulator.url, session_token=TOKEN)
    one = hook.id_card_verification(ordinary.id_card, ordinary.name)
    two = hook.image_recognition_v2(ordinary.id_card, ordinary.name, photo)
    watched(repr(one), repr(two), repr(vars(hook)))


def test_a_service_that_says_everything_back(client, connect, serve, params, watched):
    """Into the description, where values are struck out."""
    told = f"{params['Name']} is not {params['IdCard']}"
    response = {"Result": "FailedOperation.CompareFail", "Description": told, "Echo": told}
    body = json.dumps({"Response": response}).encode()
    server = serve(lambda line: line.say(body))
    verdict = client.ask(connect(server.url, session_token=TOKEN), FACE, params)
    assert verdict.description == "*** is not ***"
    watched(repr(verdict), str(verdict))


def echo(line):
    """Answer with the request, which is no answer."""
    line.say(line.server.requests[-1], "500 Oops")


TROUBLE = {
    "echoed": echo,
    "reset": lambda line: line.reset() or False,
    "redirected": lambda line: line.say(b"", "302 Found", "Location: http://127.0.0.1:1/?a=b"),
    "cut off": lambda line: line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") or False,
    "no HTTP": lambda line: line.send(line.server.requests[-1][:200]) or False,
}


@pytest.mark.parametrize("answer", TROUBLE.values(), ids=TROUBLE)
def test_a_call_that_fails(client, connect, serve, params, *, watched, answer):
    hook = connect(serve(answer).url, session_token=TOKEN, max_attempts=1)
    with pytest.raises(FaceIdError) as error:
        client.ask(hook, FACE, params)
    told = "".join(traceback.format_exception(error.value))
    assert type(error.value).__name__ in watched(told, repr(error.value))


def test_a_call_nobody_takes(client, connect, params, watched):
    hook = connect(
        "http://127.0.0.1:1",
        session_token=TOKEN,
        max_attempts=1,
        proxies={"http": f"http://user:{TOKEN}@127.0.0.1:1"},
    )
    with pytest.raises(FaceIdError) as error:
        client.ask(hook, FACE, params)
    watched("".join(traceback.format_exception(error.value)))


@pytest.mark.parametrize("field", ["session_token", "kms_secret", "proxies", "region"])
def test_a_field_that_is_refused(connect, params, watched, field):
    with pytest.raises(FaceIdError) as error:
        connect("http://127.0.0.1:1", **{field: f"{TOKEN}\n"}).call(ID_CARD, params)
    watched("".join(traceback.format_exception(error.value)))
