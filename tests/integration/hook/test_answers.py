"""What the hook makes of everything the service may say."""

from __future__ import annotations

from base64 import b64encode

import pytest

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import Outcome, Step
from airflow_provider_faceid.api.fields import PHOTO
from airflow_provider_faceid.exceptions import (
    AccountError,
    FaceIdError,
    FatalError,
    RequestRefusedError,
    UnavailableError,
)
from airflow_provider_faceid.simulator.people import PERSONAS

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
NUMBERS = range(len(PERSONAS))


def code_of(number: int, action: str) -> str:
    return PERSONAS[number].codes[action]


def test_an_ordinary_person_matches(hook, ordinary, ledger):
    verdict = hook.id_card_verification(ordinary.id_card, ordinary.name)
    (row,) = ledger()
    assert verdict.is_match
    assert (verdict.code, verdict.charged, verdict.similarity) == ("0", True, None)
    assert verdict.request_id == row["request_id"]
    assert (row["result"], row["charged"], row["id_card"]) == ("0", True, ordinary.id_card)


def test_an_ordinary_photo_matches(hook, ordinary, photo, ledger):
    verdict = hook.image_recognition_v2(ordinary.id_card, ordinary.name, photo, extra="case-77")
    (row,) = ledger()
    assert verdict.is_match
    assert verdict.similarity == 100
    assert verdict.fields["Extra"] == "case-77"
    assert (row["action"], row["result"], row["charged"]) == (FACE, "Success", True)


def ask(hook, simulator, number, action):
    person = simulator.account.people.personas[number]
    submitted = simulator.account.gallery.submitted
    return hook.verify(
        action,
        {
            field.name: submitted(person) if field.type is PHOTO else person.value(field)
            for field in ACTIONS[action].fields
            if field.column
        },
    )


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("number", NUMBERS)
def test_every_special_person_gets_the_outcome_of_the_table(
    hook, simulator, ledger, number, action
):
    persona = PERSONAS[number]
    expected = code_row(action, persona.final_code(action))
    if expected.step is Step.FATAL:
        with pytest.raises(FatalError) as error:
            ask(hook, simulator, number, action)
        assert error.value.code == expected.code
        assert error.value.request_id == ledger()[-1]["request_id"]
        assert len(ledger()) == 1
        return
    verdict = ask(hook, simulator, number, action)
    assert (verdict.outcome, verdict.step) == (expected.outcome, expected.step)
    assert verdict.code == expected.code
    assert verdict.charged is ledger()[-1]["charged"]
    at_first = persona.code(action) != persona.final_code(action)
    assert verdict.attempts == len(ledger()) == (persona.calls + 1 if at_first else 1)


@pytest.mark.usefixtures("short_pauses")
def test_a_transient_person_is_charged_once(hook, simulator, ledger):
    number = next(n for n in NUMBERS if code_of(n, ID_CARD) == "-4")
    verdict = ask(hook, simulator, number, ID_CARD)
    assert verdict.is_match
    assert [row["result"] for row in ledger()] == ["-4", "-4", "0"]
    assert simulator.account.ledger.bill[ID_CARD] == 1


@pytest.mark.usefixtures("short_pauses")
def test_a_service_that_stays_away_is_given_up(connect, simulator, ledger):
    hook = connect(simulator.url, max_attempts=2)
    number = next(n for n in NUMBERS if code_of(n, ID_CARD) == "-6")
    with pytest.raises(UnavailableError, match="code -6") as error:
        ask(hook, simulator, number, ID_CARD)
    assert error.value.requests == len(ledger()) == 2
    assert not any(row["charged"] for row in ledger())


@pytest.mark.parametrize(
    ("action", "params", "code", "outcome"),
    [
        (ID_CARD, {"IdCard": "1", "Name": "Li Lei"}, "-2", Outcome.INVALID_INPUT),
        (ID_CARD, {"IdCard": "11010519491231002X", "Name": "1"}, "-3", Outcome.INVALID_INPUT),
        (
            FACE,
            {"IdCard": "1", "Name": "Li Lei", "ImageBase64": None},
            "FailedOperation.IdFormatError",
            Outcome.INVALID_INPUT,
        ),
        (
            FACE,
            {"IdCard": "11010519491231002X", "Name": "1", "ImageBase64": None},
            "FailedOperation.NameFormatError",
            Outcome.INVALID_INPUT,
        ),
        (
            FACE,
            {"IdCard": "1", "Name": "Li Lei", "ImageBase64": "?"},
            "InvalidParameterValue",
            Outcome.INVALID_INPUT,
        ),
    ],
)
def test_what_the_service_refuses_for_free_is_an_answer(
    client, hook, photo, *, action, params, code, outcome
):
    if "ImageBase64" in params and params["ImageBase64"] is None:
        params = {**params, "ImageBase64": b64encode(photo)}
    verdict = client.ask(hook, action, params)
    assert (verdict.code, verdict.outcome, verdict.charged) == (code, outcome, False)


def test_an_unknown_action_is_refused_in_words(client, hook, ledger):
    with pytest.raises(RequestRefusedError) as error:
        client.ask(hook, "DetectAuth", {"RuleId": "1"})
    assert str(error.value) == (
        "DetectAuth through connection 'faceid_test': no such Action at this endpoint. Check the "
        "connection's Endpoint and the parameters "
        f"[code InvalidAction, RequestId {error.value.request_id}]"
    )
    assert len(ledger()) == 1


def test_a_missing_parameter_is_refused(client, hook):
    with pytest.raises(RequestRefusedError, match="MissingParameter"):
        client.ask(hook, ID_CARD, {"IdCard": "1"})


def test_an_account_that_may_not_is_told(client, hook, simulator):
    number = next(n for n in NUMBERS if "StsUnAuthErrError" in code_of(n, ID_CARD))
    person = simulator.account.people.personas[number]
    with pytest.raises(AccountError, match="Check the account and the key's policy"):
        client.ask(hook, ID_CARD, {"IdCard": person.id_card, "Name": person.name})


def test_both_clients_send_the_same(hook, client, ordinary, photo, ledger):
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name}
    verdicts = client.ask_all(
        hook, [(ID_CARD, params), (FACE, {**params, "ImageBase64": b64encode(photo)})]
    )
    assert [verdict.is_match for verdict in verdicts] == [True, True]
    assert [row["request_id"] for row in ledger()] == [one.request_id for one in verdicts]


def test_a_photo_of_2_megabytes_goes_through(hook, client, ordinary, photo, ledger):
    """A JPEG may carry anything behind its end mark; aiohttp warns of bodies in one piece."""
    picture = photo + b"\0" * 2_000_000 + photo[-2:]
    params = {"IdCard": ordinary.id_card, "Name": ordinary.name, "ImageBase64": b64encode(picture)}
    assert client.ask(hook, FACE, params).is_match
    assert len(ledger()) == 1


def test_descriptions_come_in_the_language_of_the_connection(connect, simulator, ordinary):
    told = {
        language: connect(simulator.url, language=language)
        .id_card_verification(ordinary.id_card, ordinary.name)
        .description
        for language in ("en-US", "zh-CN")
    }
    assert told["en-US"].isascii()
    assert not told["zh-CN"].isascii()


def test_the_threshold_of_the_connection_makes_a_match_a_review(connect, simulator):
    """The sample of the API page has a similarity of 89.88."""
    picture = simulator.account.gallery.submitted(simulator.account.people.listed[0])
    sample = ("11204416541220243X", "Wei Xiaobao", picture)
    lenient = connect(simulator.url, id_card_check="format", similarity_threshold=89)
    assert lenient.image_recognition_v2(*sample).outcome is Outcome.MATCH
    strict = connect(simulator.url, id_card_check="format", similarity_threshold=90)
    assert strict.image_recognition_v2(*sample).outcome is Outcome.REVIEW


def test_every_error_is_of_one_tree(client, connect, simulator):
    with pytest.raises(FaceIdError):
        client.ask(connect(simulator.url, password="another"), ID_CARD, {"IdCard": "1"})
