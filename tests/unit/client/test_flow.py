"""The flow of one call, driven by hand: what it asks for next, and how it ends."""

from __future__ import annotations

import json

import pytest

from airflow_provider_faceid.client.flow import (
    BACK_OFF_BASE,
    BACK_OFF_CAP,
    Pause,
    Send,
    TakeSlot,
    Throttled,
    call_flow,
)
from airflow_provider_faceid.client.settings import Credentials, Settings
from airflow_provider_faceid.exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FatalError,
    NotSentError,
    RequestRefusedError,
    RetryError,
    ThrottledError,
    UnavailableError,
    UncertainError,
)
from airflow_provider_faceid.service.envelope import read_reply
from airflow_provider_faceid.service.outcomes import COMMON, RESULTS, Outcome, Step, look_up

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
PERSON = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
SETTINGS = Settings(Credentials("an-id", "hush-hush"), conn_id="kyc")


def result(code, **fields):
    return {"Result": code, "Description": "as it is", "RequestId": "r-1", **fields}


def refused(code, message="no"):
    return {"Error": {"Code": code, "Message": message}, "RequestId": "r-1"}


MATCH, DOWN, TOO_FAST = result("0"), result("-4"), refused("RequestLimitExceeded")


class Driver:
    """Answers every Send with the next answer of a list; writes down what else is asked for."""

    def __init__(self, clock, answers, *, action=ID_CARD, params=PERSON, settings=SETTINGS):
        self.clock, self.answers = clock, iter(answers)
        self.action, self.params, self.settings = action, params, settings
        self.effects = []

    def run(self):
        flow = call_flow(self.action, self.params, self.settings, self.clock)
        reply = None
        try:
            effect = next(flow)
            while True:
                self.effects.append(effect)
                if not isinstance(effect, Send):
                    effect = flow.send(None)
                    continue
                self.clock.seconds += 0.25
                answer = next(self.answers)
                if isinstance(answer, Exception):
                    effect = flow.throw(answer)
                else:
                    body = json.dumps({"Response": answer}).encode()
                    reply = read_reply(effect.action, 200, body, effect.personal)
                    effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value

    @property
    def kinds(self):
        return [type(effect) for effect in self.effects]

    @property
    def sent(self):
        return self.kinds.count(Send)

    @property
    def pauses(self):
        return [effect.seconds for effect in self.effects if isinstance(effect, Pause)]


@pytest.fixture
def drive(clock):
    def drive(*answers, **more):
        return Driver(clock, answers, **more)

    return drive


def test_an_answer_at_the_first_time_is_one_slot_and_one_request(drive):
    driver = drive(MATCH)
    verdict = driver.run()
    assert verdict.outcome is Outcome.MATCH
    assert (verdict.attempts, verdict.throttled, verdict.latency_ms) == (1, 0, 250)
    assert driver.kinds == [TakeSlot, Send]


def test_the_request_is_built_once_and_sent_again_as_it_was(drive):
    driver = drive(DOWN, MATCH)
    driver.run()
    first, second = (effect for effect in driver.effects if isinstance(effect, Send))
    assert first is second
    assert json.loads(bytes(first.body)) == PERSON
    assert "11010519491231002X" not in repr(first)


def test_every_request_takes_a_slot_of_its_own(drive):
    driver = drive(DOWN, TOO_FAST, NotSentError("no route"), MATCH)
    driver.run()
    assert driver.kinds == [
        *(TakeSlot, Send, Pause),
        *(TakeSlot, Send, Throttled, Pause),
        *(TakeSlot, Send, Pause),
        *(TakeSlot, Send),
    ]


@pytest.mark.parametrize(
    "trouble",
    [DOWN, refused("InternalError"), refused("FailedOperation.UnKnown"), NotSentError("no route")],
)
def test_what_was_not_charged_is_asked_again(drive, trouble):
    verdict = drive(trouble, trouble, MATCH).run()
    assert verdict.outcome is Outcome.MATCH
    assert (verdict.attempts, verdict.throttled) == (3, 0)


def test_latency_is_that_of_the_last_request_alone(drive):
    assert drive(DOWN, DOWN, MATCH).run().latency_ms == 250


def test_pauses_double_up_to_a_cap(drive):
    driver = drive(*[DOWN] * 9, MATCH, settings=Settings(SETTINGS.credentials, max_attempts=10))
    driver.run()
    assert driver.pauses == [0.5, 1, 2, 4, 8, 16, 20, 20, 20]
    assert (driver.pauses[0], driver.pauses[-1]) == (BACK_OFF_BASE, BACK_OFF_CAP)


@pytest.mark.parametrize(("chance", "factor"), [(0, 0.5), (1, 1.5)])
def test_pauses_are_spread_by_half_either_way(drive, clock, chance, factor):
    clock.chance = chance
    driver = drive(DOWN, DOWN, TOO_FAST, MATCH)
    driver.run()
    assert driver.pauses == [0.5 * factor, 1 * factor, factor]
    assert set(clock.jitters) == {(0.5, 1.5)}


@pytest.mark.parametrize("attempts", [1, 2, 6])
def test_an_unavailable_service_is_given_up_after_the_attempts_of_the_connection(drive, attempts):
    driver = drive(*[DOWN] * 9, settings=Settings(SETTINGS.credentials, max_attempts=attempts))
    with pytest.raises(UnavailableError) as error:
        driver.run()
    assert driver.sent == attempts
    assert len(driver.pauses) == attempts - 1
    assert (error.value.requests, error.value.throttled) == (attempts, 0)


def test_a_throttled_answer_uses_up_no_attempt(drive):
    settings = Settings(SETTINGS.credentials, max_attempts=2)
    driver = drive(*[TOO_FAST] * 5, DOWN, *[TOO_FAST] * 5, MATCH, settings=settings)
    verdict = driver.run()
    assert (verdict.attempts, verdict.throttled) == (12, 10)
    assert driver.kinds.count(Throttled) == 10


def test_throttled_and_failed_requests_are_told_apart_on_the_error(drive):
    settings = Settings(SETTINGS.credentials, max_attempts=2)
    with pytest.raises(UnavailableError) as error:
        drive(TOO_FAST, DOWN, TOO_FAST, TOO_FAST, DOWN, settings=settings).run()
    assert (error.value.requests, error.value.throttled) == (5, 3)


def test_patience_with_throttling_ends(drive):
    patience = SETTINGS.throttle_patience
    driver = drive(*[TOO_FAST] * (patience + 9))
    with pytest.raises(ThrottledError) as error:
        driver.run()
    assert driver.sent == error.value.requests == error.value.throttled == patience + 1
    assert "Lower the connection's quota or pace share" in str(error.value)


def test_an_uncertain_request_is_never_repeated(drive):
    driver = drive(UncertainError("no complete answer"), MATCH)
    with pytest.raises(UncertainError) as error:
        driver.run()
    assert driver.sent == 1
    assert (error.value.requests, error.value.throttled) == (1, 0)


def test_an_uncertain_request_counts_those_before_it(drive):
    with pytest.raises(UncertainError) as error:
        drive(DOWN, TOO_FAST, UncertainError("no complete answer")).run()
    assert (error.value.requests, error.value.throttled) == (3, 1)


def test_a_request_that_cannot_be_sent_is_given_up(drive):
    driver = drive(*[NotSentError("no route")] * 9)
    with pytest.raises(NotSentError, match="no route"):
        driver.run()
    assert driver.sent == SETTINGS.max_attempts


def test_a_wrong_configuration_is_never_repeated(drive):
    driver = drive(ConfigurationError("certificate"), MATCH)
    with pytest.raises(ConfigurationError):
        driver.run()
    assert driver.sent == 1


CODES = {**COMMON, **{code: row for rows in RESULTS.values() for code, row in rows.items()}}
ERRORS = {
    Outcome.CREDENTIALS: CredentialsError,
    Outcome.ACCOUNT: AccountError,
    Outcome.REFUSED: RequestRefusedError,
    Outcome.THROTTLED: ThrottledError,
    Outcome.UNAVAILABLE: UnavailableError,
}


@pytest.mark.parametrize("code", [code for code, row in COMMON.items() if row.step is Step.FATAL])
def test_a_fatal_code_is_raised_at_once(drive, code):
    driver = drive(refused(code), MATCH)
    with pytest.raises(FatalError) as error:
        driver.run()
    assert type(error.value) is ERRORS[COMMON[code].outcome]
    assert (error.value.code, error.value.request_id) == (code, "r-1")
    assert driver.kinds == [TakeSlot, Send]


@pytest.mark.parametrize("code", [code for code, row in CODES.items() if row.step is Step.RETRY])
def test_a_code_to_retry_is_retried(drive, code):
    action = next((name for name, rows in RESULTS.items() if code in rows), ID_CARD)
    driver = drive(refused(code), *[refused(code)] * 99, action=action)
    with pytest.raises(RetryError) as error:
        driver.run()
    assert type(error.value) is ERRORS[CODES[code].outcome]
    assert driver.sent > 1


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (action, code)
        for action in RESULTS
        for code in (*RESULTS[action], *COMMON, "SomethingNew")
        if look_up(action, code).step not in {Step.RETRY, Step.FATAL}
    ],
)
def test_every_other_code_is_an_answer(drive, action, code):
    driver = drive(result(code, Sim=95.5), action=action)
    assert driver.run().code == code
    assert driver.sent == 1


def test_a_message_says_connection_code_request_id_and_what_to_do(drive):
    message = "SecretKey of 韦小宝 11010519491231002X"
    with pytest.raises(CredentialsError) as error:
        drive(refused("AuthFailure.SignatureFailure", message)).run()
    assert str(error.value) == (
        "IdCardVerification through connection 'kyc': the signature does not fit: the SecretKey is "
        "wrong. Check SecretId, SecretKey and token of the connection, and this machine's clock "
        "[code AuthFailure.SignatureFailure, RequestId r-1]"
    )


def test_personal_values_are_struck_out_of_descriptions(drive):
    params = {**PERSON, "ImageBase64": b"/9j/", "Extra": "case-77", "Optional": None}
    told = "case-77: 韦小宝 has number 11010519491231002X"
    verdict = drive(
        result("FailedOperation.CompareFail", Description=told), action=FACE, params=params
    ).run()
    assert verdict.description == "***: *** has number ***"
    assert "韦小宝" not in repr(verdict)


def test_a_name_of_one_letter_does_not_strike_out_ordinary_text(drive):
    params = {"IdCard": "11010519491231002X", "Name": "a"}
    assert drive(result("0", Description="a match"), params=params).run().description == "a match"


def test_the_threshold_is_that_of_the_connection(drive):
    answer = result("Success", Sim=80.0)
    strict = Settings(SETTINGS.credentials, similarity_threshold=80.5)
    assert drive(answer, action=FACE).run().outcome is Outcome.MATCH
    assert drive(answer, action=FACE, settings=strict).run().outcome is Outcome.REVIEW


@pytest.mark.parametrize("action", ["", "Id Card", "Id\nCard", "Id-Card", "动作"])
def test_what_cannot_be_an_action_is_refused_before_anything(drive, action):
    driver = drive(MATCH, action=action)
    with pytest.raises(ConfigurationError, match="is no API Action; nothing was sent"):
        driver.run()
    assert driver.effects == []


def test_a_driver_that_answers_nothing_is_told(clock):
    flow = call_flow(ID_CARD, PERSON, SETTINGS, clock)
    assert next(flow) == TakeSlot()
    assert isinstance(next(flow), Send)
    with pytest.raises(TypeError, match="answers Send with a Reply"):
        next(flow)
