"""The flow of one call, driven by hand: what it asks for next, and how it ends."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from email.utils import formatdate

import pytest

from airflow_provider_faceid.api.actions import ACTIONS, code_row
from airflow_provider_faceid.api.codes import COMMON, Outcome, Step
from airflow_provider_faceid.api.messages import MALFORMED, read_reply
from airflow_provider_faceid.client.call import (
    GetCredentials,
    Pause,
    RefreshCredentials,
    RequestEnded,
    Send,
    TakeSlot,
    call_flow,
)
from airflow_provider_faceid.client.credentials.providers import Environment
from airflow_provider_faceid.client.retry import (
    BACKOFF_BASE,
    BACKOFF_CAP,
    MIN_SECONDS_LEFT,
    RETRY_AFTER_CAP,
)
from airflow_provider_faceid.client.settings import Credentials, Settings, encrypt_of
from airflow_provider_faceid.clock import OffsetClock
from airflow_provider_faceid.exceptions import (
    AccountError,
    ConfigurationError,
    CredentialsError,
    FatalError,
    InvalidInputError,
    NotSentError,
    RequestRefusedError,
    RetryError,
    ThrottledError,
    UnavailableError,
    UncertainError,
)

OWN_CODES = {name: action.results for name, action in ACTIONS.items()}
"""Result codes by Action."""


ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
PERSON = {"IdCard": "11010519491231002X", "Name": "韦小宝"}
KEY = Credentials("an-id", "hush-hush")
SETTINGS = Settings(KEY, conn_id="kyc")


def result(code, **fields):
    return {"Result": code, "Description": "as it is", "RequestId": "r-1", **fields}


def refused(code, message="no"):
    return {"Error": {"Code": code, "Message": message}, "RequestId": "r-1"}


def on_the_wire(answer):
    """Return status and body; a code of HTTP is a gateway's, which writes pages."""
    code = answer["Error"]["Code"] if "Error" in answer else answer.get("Result", "")
    if code.startswith("http:"):
        return int(code.removeprefix("http:")), b"<html>"
    return 200, json.dumps({"Response": answer}).encode()


MATCH, DOWN, TOO_FAST = result("0"), result("-4"), refused("RequestLimitExceeded")


EXPIRED, REVOKED = refused("AuthFailure.SignatureExpire"), refused("AuthFailure.TokenFailure")


class Driver:
    """
    Answers every Send with the next answer of a list; writes down what else is asked for.

    A request takes 0.25 s, pauses take as long as they should, a slot takes ``slot_s``. The service
    dates its answers ``ahead_s`` from the machine's clock; without a date if that is None. The key
    is at hand, which is not written down.
    """

    slot_s = 0.0
    ahead_s = None
    retry_after = ""
    key, valid, has, given = KEY, True, 0, 0

    def __init__(
        self, clock, answers, *, action=ID_CARD, params=PERSON, settings=SETTINGS, encrypt=None
    ):
        self.clock, self.answers = clock, iter(answers)
        self.action, self.params, self.settings = action, params, settings
        self.encrypt = encrypt
        self.service = OffsetClock(clock)
        self.effects, self.signed = [], []

    def run(self):
        flow = call_flow(self.action, self.params, self.settings, self.service, self.encrypt)
        try:
            effect = next(flow)
            while True:
                if isinstance(effect, GetCredentials):
                    effect = flow.send(self.key if self.valid else None)
                    continue
                self.effects.append(effect)
                if isinstance(effect, RefreshCredentials):
                    effect = self.renew(flow)
                    continue
                if not isinstance(effect, Send):
                    takes = {Pause: getattr(effect, "seconds", 0.0), TakeSlot: self.slot_s}
                    self.clock.seconds += takes.get(type(effect), 0.0)
                    effect = flow.send(None)
                    continue
                self.signed.append(self.service.now())
                self.clock.seconds += 0.25
                answer = next(self.answers)
                if isinstance(answer, Exception):
                    effect = flow.throw(answer)
                else:
                    status, body = on_the_wire(answer)
                    reply = read_reply(
                        effect.action,
                        status,
                        body,
                        effect.personal,
                        date_header=self.date,
                        retry_after_header=self.retry_after,
                    )
                    effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value

    def renew(self, flow):
        self.given += 1
        if self.given > self.has:
            return flow.throw(CredentialsError("nothing left"))
        self.key = Credentials(f"id-{self.given}", "hush-hush", "a-token")
        return flow.send(self.key)

    @property
    def date(self):
        if self.ahead_s is None:
            return ""
        return formatdate(self.clock.now() + self.ahead_s, usegmt=True)

    @property
    def keys(self):
        return [effect.key.secret_id for effect in self.effects if isinstance(effect, Send)]

    @property
    def kinds(self):
        return [type(effect) for effect in self.effects]

    @property
    def sent(self):
        return self.kinds.count(Send)

    @property
    def pauses(self):
        return [effect.seconds for effect in self.effects if isinstance(effect, Pause)]

    @property
    def seen(self):
        return [type(effect.problem) for effect in self.effects if isinstance(effect, RequestEnded)]

    @property
    def timeouts(self):
        return [effect.timeout for effect in self.effects if isinstance(effect, Send)]


@pytest.fixture
def drive(clock):
    def drive(*answers, slot_s=0.0, ahead_s=None, **more):
        driver = Driver(clock, answers, **more)
        driver.slot_s, driver.ahead_s = slot_s, ahead_s
        return driver

    return drive


def test_an_answer_at_the_first_time_is_one_slot_and_one_request(drive):
    driver = drive(MATCH)
    verdict = driver.run()
    assert verdict.outcome is Outcome.MATCH
    assert (verdict.attempts, verdict.throttled, verdict.latency_ms) == (1, 0, 250)
    assert driver.kinds == [TakeSlot, Send, RequestEnded]


def test_the_request_is_built_once_and_sent_again_as_it_was(drive):
    driver = drive(DOWN, MATCH)
    driver.run()
    first, second = (effect for effect in driver.effects if isinstance(effect, Send))
    assert first == second
    assert first.body is second.body
    assert json.loads(bytes(first.body)) == PERSON
    assert "11010519491231002X" not in repr(first)


def test_every_request_takes_a_slot_of_its_own(drive):
    driver = drive(DOWN, TOO_FAST, NotSentError("no route"), MATCH)
    driver.run()
    assert driver.kinds == [
        *(TakeSlot, Send, RequestEnded, Pause) * 3,
        *(TakeSlot, Send, RequestEnded),
    ]


def test_the_end_of_every_request_is_told(drive):
    driver = drive(DOWN, TOO_FAST, NotSentError("no route"), MATCH)
    driver.run()
    assert driver.seen == [UnavailableError, ThrottledError, NotSentError, type(None)]


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (refused("AuthFailure.SignatureFailure"), CredentialsError),
        (UncertainError("no complete answer"), UncertainError),
        (ConfigurationError("certificate"), ConfigurationError),
    ],
)
def test_the_problem_that_ends_a_call_is_told_before_it_is_raised(drive, last, problem):
    driver = drive(last)
    with pytest.raises(problem) as error:
        driver.run()
    assert driver.effects[-1] == RequestEnded(error.value)


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
    assert (driver.pauses[0], driver.pauses[-1]) == (BACKOFF_BASE, BACKOFF_CAP)


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
    assert driver.seen.count(ThrottledError) == 10


def test_throttled_and_failed_requests_are_told_apart_on_the_error(drive):
    settings = Settings(SETTINGS.credentials, max_attempts=2)
    with pytest.raises(UnavailableError) as error:
        drive(TOO_FAST, DOWN, TOO_FAST, TOO_FAST, DOWN, settings=settings).run()
    assert (error.value.requests, error.value.throttled) == (5, 3)


@pytest.mark.parametrize(
    ("said", "paused"),
    [("0", 0.25), ("7", 7.0), ("900", RETRY_AFTER_CAP), ("soon", None), ("", None)],
)
def test_a_gateway_is_asked_again_when_it_says_within_reason(drive, clock, said, paused):
    clock.chance = 0.0  # the shortest pause of our own is 0.25 s
    driver = drive(result("http:503"), MATCH)
    driver.retry_after = said
    if paused is None:  # it does not say: it may have forwarded the call
        with pytest.raises(UncertainError) as error:
            driver.run()
        assert error.value.gateway_refusals == 0
        return
    verdict = driver.run()
    assert driver.pauses == [paused]
    assert (verdict.attempts, verdict.gateway_refusals) == (2, 1)


def test_each_request_a_gateway_refused_is_counted_on_the_error(drive):
    driver = drive(*[result("http:429")] * 2, UncertainError("reset"))
    with pytest.raises(UncertainError) as error:
        driver.run()
    assert (error.value.requests, error.value.gateway_refusals) == (3, 2)


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


RETRIED = [
    (action, code)
    for action, rows in OWN_CODES.items()
    for code, row in {**COMMON, **rows}.items()
    if row.step is Step.RETRY
]
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
    written_by_the_service = not code.startswith("http:")
    assert (error.value.code, error.value.request_id) == (
        code,
        "r-1" if written_by_the_service else "",
    )
    assert driver.kinds == [TakeSlot, Send, RequestEnded]


@pytest.mark.parametrize(("action", "code"), RETRIED)
def test_a_code_to_retry_is_retried(drive, action, code):
    driver = drive(refused(code), *[refused(code)] * 99, action=action)
    with pytest.raises(RetryError) as error:
        driver.run()
    assert type(error.value) is ERRORS[code_row(action, code).outcome]
    assert driver.sent > 1


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (action, code)
        for action in OWN_CODES
        for code in (*OWN_CODES[action], *COMMON, "SomethingNew")
        if code_row(action, code).step not in {Step.RETRY, Step.FATAL}
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


@pytest.mark.parametrize("mobile", ["13800138000", 13800138000, 13800138000.0, ["13800138000"]])
def test_a_number_is_struck_out_whatever_its_type(drive, mobile):
    told = "no range of 13800138000 is known"
    params = {"Mobile": mobile, "Nested": {"Name": "韦小宝"}}
    answer = result("13800138000", Description=f"{told} of 韦小宝")
    verdict = drive(answer, action="MobileStatus", params=params).run()
    assert verdict.description == "no range of *** is known of ***"
    assert verdict.code == MALFORMED
    assert "13800138000" not in repr(verdict)


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
    flow = call_flow(ID_CARD, PERSON, SETTINGS, OffsetClock(clock))
    assert next(flow) == TakeSlot()
    assert next(flow) == GetCredentials()
    assert isinstance(flow.send(KEY), Send)
    with pytest.raises(TypeError, match="answers Send with a Reply"):
        next(flow)


class TestEncryption:
    """It is the last step before the body of a request."""

    @pytest.fixture(params=["AES-256-CBC", "SM4-GCM"])
    def encrypt(self, request, clock):
        return encrypt_of(replace(SETTINGS, encryption=request.param), clock)

    def bodies(self, driver):
        return [bytes(effect.body) for effect in driver.effects if isinstance(effect, Send)]

    def test_nobody_is_in_the_body_in_the_clear(self, drive, encrypt):
        driver = drive(MATCH, params={**PERSON, "Extra": "case-77"}, encrypt=encrypt)
        driver.run()
        (body,) = self.bodies(driver)
        sent = json.loads(body)
        assert list(sent) == ["IdCard", "Name", "Extra", "Encryption"]
        assert sent["Encryption"]["EncryptList"] == ["IdCard", "Name"]
        assert sent["Extra"] == "case-77"
        shown = body.decode() + json.dumps(sent, ensure_ascii=False)
        assert not any(value in shown for value in PERSON.values())

    def test_every_request_of_a_call_is_encrypted_anew(self, drive, encrypt):
        driver = drive(DOWN, TOO_FAST, MATCH, encrypt=encrypt)
        driver.run()
        sent = [json.loads(body) for body in self.bodies(driver)]
        assert len({one["Encryption"]["Iv"] for one in sent}) == 3
        assert len({one["IdCard"] for one in sent}) == 3

    def test_a_photo_is_not_copied_for_it(self, drive, encrypt):
        photo = b"/9j/" * 1000
        driver = drive(DOWN, MATCH, params={**PERSON, "ImageBase64": photo}, encrypt=encrypt)
        driver.run()
        sent = [effect.body for effect in driver.effects if isinstance(effect, Send)]
        assert [any(piece is photo for piece in body) for body in sent] == [True, True]

    def test_what_is_struck_out_of_descriptions_is_in_the_clear(self, drive, encrypt):
        answer = result("0", Description="11010519491231002X is 韦小宝")
        assert drive(answer, encrypt=encrypt).run().description == "*** is ***"

    def test_what_is_no_text_is_refused_before_it_is_sent(self, drive, encrypt):
        driver = drive(MATCH, params={**PERSON, "IdCard": 110105194912310021}, encrypt=encrypt)
        with pytest.raises(InvalidInputError, match=r"^IdCard is no text") as error:
            driver.run()
        assert (driver.sent, error.value.requests) == (0, 0)

    @pytest.mark.parametrize(
        ("code", "meaning"),
        [
            ("FailedOperation.DecryptSystemError", "the service cannot decrypt our fields"),
            (
                "InvalidParameter.UnsupportEncryptField",
                "an encrypted field may not be encrypted",
            ),
        ],
    )
    def test_a_wrong_key_leads_to_the_connections_fields(self, drive, encrypt, code, meaning):
        driver = drive(refused(code), MATCH, encrypt=encrypt)
        with pytest.raises(RequestRefusedError) as error:
            driver.run()
        assert driver.sent == 1
        assert str(error.value) == (
            f"IdCardVerification through connection 'kyc': {meaning}. Check the connection's "
            "Encryption and its key: they must be those of the account "
            f"[code {code}, RequestId r-1]"
        )


class TestDeadline:
    """It is counted from the first request on."""

    def within(self, seconds, **more):
        return replace(SETTINGS, deadline=seconds, max_attempts=10, **more)

    def test_no_repetition_starts_after_it(self, drive, clock):
        driver = drive(*[DOWN] * 9, settings=self.within(10))
        began = clock.seconds
        with pytest.raises(UnavailableError) as error:
            driver.run()
        assert driver.pauses == [0.5, 1, 2, 4]  # 8 more would be too many
        assert (driver.sent, error.value.requests, error.value.throttled) == (5, 5, 0)
        assert clock.seconds - began < 10

    def test_it_is_stronger_than_the_patience_with_throttling(self, drive):
        driver = drive(*[TOO_FAST] * 99, settings=self.within(10))
        with pytest.raises(ThrottledError) as error:
            driver.run()
        assert driver.sent == error.value.requests == error.value.throttled == 8

    def test_a_slot_that_comes_too_late_is_not_used(self, drive):
        driver = drive(DOWN, MATCH, settings=self.within(10), slot_s=9)
        with pytest.raises(UnavailableError) as error:
            driver.run()
        assert driver.kinds == [TakeSlot, Send, RequestEnded, Pause, TakeSlot]
        assert error.value.requests == 1

    def test_waiting_for_the_first_slot_is_free(self, drive):
        assert drive(MATCH, settings=self.within(10), slot_s=3600).run().attempts == 1

    def test_every_request_has_what_is_left_and_no_more_than_its_own_timeout(self, drive):
        driver = drive(*[DOWN] * 4, MATCH, settings=self.within(10, timeout=9))
        driver.run()
        assert driver.timeouts == [9, 9, 8, 5.75, 1.5]

    def test_it_holds_for_the_first_request_too(self, drive):
        driver = drive(MATCH, settings=self.within(2, timeout=30))
        driver.run()
        assert driver.timeouts == [2]

    @pytest.mark.parametrize(("spare", "sent"), [(-0.01, 1), (0, 2)])
    def test_a_repetition_that_could_only_end_in_doubt_is_not_made(self, drive, spare, sent):
        settings = self.within(0.25 + 0.5 + MIN_SECONDS_LEFT + spare)
        driver = drive(DOWN, UncertainError("no complete answer"), settings=settings)
        with pytest.raises((UnavailableError, UncertainError)):
            driver.run()
        assert driver.sent == sent

    @pytest.mark.parametrize(("timeout", "connecting"), [(30, 5), (10, 5), (2, 1)])
    def test_connecting_takes_half_of_a_request_at_most(self, drive, timeout, connecting):
        driver = drive(MATCH, settings=replace(SETTINGS, timeout=timeout))
        driver.run()
        assert driver.effects[1].connect_timeout == connecting


class TestKey:
    """A key that is refused is renewed, once, if there is where it came from."""

    FROM_ELSEWHERE = replace(SETTINGS, credentials=Environment())

    @pytest.fixture
    def drive(self, drive):
        """The origin gives keys that are called after how many it has given."""

        def drive_with_keys(*answers, has=99, valid=True, **more):
            driver = drive(*answers, **{"settings": self.FROM_ELSEWHERE} | more)
            driver.has, driver.valid = has, valid
            return driver

        return drive_with_keys

    def test_the_same_call_is_sent_again_with_the_next_key(self, drive):
        driver = drive(REVOKED, MATCH)
        verdict = driver.run()
        assert driver.keys == ["an-id", "id-1"]
        assert driver.effects[3] == RefreshCredentials(KEY)
        assert (verdict.is_match, verdict.attempts, verdict.throttled) == (True, 2, 0)

    def test_it_takes_a_slot_and_does_not_wait(self, drive):
        driver = drive(REVOKED, MATCH)
        driver.run()
        again = [RefreshCredentials, Pause, TakeSlot, Send, RequestEnded]
        assert driver.kinds == [TakeSlot, Send, RequestEnded, *again]
        assert driver.pauses == [0]

    def test_it_is_no_attempt(self, drive):
        settings = replace(self.FROM_ELSEWHERE, max_attempts=2)
        assert drive(DOWN, REVOKED, MATCH, settings=settings).run().attempts == 3

    def test_a_second_refusal_is_fatal(self, drive):
        driver = drive(REVOKED, DOWN, REVOKED, MATCH)
        with pytest.raises(CredentialsError) as error:
            driver.run()
        assert driver.sent == error.value.requests == 3
        assert "next key was refused as well" in str(error.value)
        assert "a run continues where it stopped" in str(error.value)

    def test_an_origin_without_another_key_says_so_itself(self, drive):
        driver = drive(REVOKED, MATCH, has=0)
        with pytest.raises(CredentialsError, match="nothing left") as error:
            driver.run()
        assert driver.sent == error.value.requests == 1

    def test_a_key_of_the_connection_is_not_renewed(self, drive):
        driver = drive(REVOKED, MATCH, settings=SETTINGS)
        with pytest.raises(CredentialsError) as error:
            driver.run()
        assert driver.kinds == [TakeSlot, Send, RequestEnded]
        assert str(error.value) == (
            "IdCardVerification through connection 'kyc': the temporary token is wrong or has "
            "expired. Enter SecretId, SecretKey and token of a new one in the connection; with a "
            "valid key a run continues where it stopped [code AuthFailure.TokenFailure, RequestId r-1]"
        )

    def test_without_a_valid_key_it_waits_for_one_and_then_for_another_slot(self, drive):
        driver = drive(MATCH, valid=False)
        assert driver.run().attempts == 1
        assert driver.effects[1] == RefreshCredentials(None)
        assert driver.kinds == [TakeSlot, RefreshCredentials, TakeSlot, Send, RequestEnded]
        assert driver.keys == ["id-1"]

    def test_without_any_key_nothing_is_sent(self, drive):
        driver = drive(MATCH, valid=False, has=0)
        with pytest.raises(CredentialsError, match="nothing left") as error:
            driver.run()
        assert driver.sent == error.value.requests == 0

    def test_the_deadline_holds_for_it(self, drive):
        settings = replace(self.FROM_ELSEWHERE, deadline=10)
        driver = drive(REVOKED, MATCH, settings=settings, slot_s=9.5)
        with pytest.raises(CredentialsError):
            driver.run()
        assert driver.sent == 1

    def test_a_driver_without_a_key_is_told(self, clock):
        flow = call_flow(ID_CARD, PERSON, SETTINGS, OffsetClock(clock))
        assert (next(flow), next(flow), next(flow)) == (
            TakeSlot(),
            GetCredentials(),
            RefreshCredentials(None),
        )
        next(flow)
        with pytest.raises(TypeError, match="or else RefreshCredentials, with a key"):
            next(flow)


class TestClock:
    """A signature that is refused for its time is made again, once, with the service's."""

    @pytest.mark.parametrize("ahead_s", [-400.0, 400.0, 86_400.0])
    def test_the_same_call_is_signed_again_with_the_time_of_the_service(self, drive, ahead_s):
        driver = drive(EXPIRED, MATCH, ahead_s=ahead_s)
        verdict = driver.run()
        assert driver.signed[1] - driver.signed[0] == pytest.approx(ahead_s + 0.25, abs=1)
        assert (verdict.is_match, verdict.attempts, verdict.throttled) == (True, 2, 0)

    def test_it_takes_a_slot_and_does_not_wait(self, drive):
        driver = drive(EXPIRED, MATCH, ahead_s=400)
        driver.run()
        assert driver.kinds == [TakeSlot, Send, RequestEnded, Pause, TakeSlot, Send, RequestEnded]
        assert driver.pauses == [0]

    def test_it_is_no_attempt(self, drive):
        settings = replace(SETTINGS, max_attempts=2)
        verdict = drive(EXPIRED, DOWN, MATCH, ahead_s=400, settings=settings).run()
        assert verdict.attempts == 3

    def test_later_calls_are_signed_with_that_time_at_once(self, drive):
        first = drive(EXPIRED, MATCH, ahead_s=400)
        first.run()
        second = drive(MATCH)
        second.service = first.service
        second.run()
        assert second.signed == [pytest.approx(second.clock.now() + 400, abs=1.5)]

    def test_it_is_told_once_by_how_much(self, drive, caplog):
        first = drive(EXPIRED, MATCH, ahead_s=400)
        first.run()
        second = drive(EXPIRED, MATCH, ahead_s=401)  # another call that was on its way
        second.service = first.service
        second.run()
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert re.fullmatch(
            r"Connection 'kyc': this machine's clock is (399|400) s behind the service's. Calls are "
            r"signed with the service's time; correct this machine's clock \(NTP\)",
            record.getMessage(),
        )

    @pytest.mark.parametrize(
        ("ahead_s", "measured"), [(400, r"(399|400) s behind"), (-400, r"(400|401) s ahead of")]
    )
    def test_a_second_refusal_is_fatal_and_says_how_far_it_is_off(self, drive, ahead_s, measured):
        driver = drive(EXPIRED, EXPIRED, MATCH, ahead_s=ahead_s)
        with pytest.raises(CredentialsError, match=f"clock .*: {measured} the service's") as error:
            driver.run()
        assert (driver.sent, error.value.requests) == (2, 2)
        assert error.value.code == "AuthFailure.SignatureExpire"

    def test_a_time_that_was_refused_is_not_kept(self, drive, caplog):
        driver = drive(EXPIRED, EXPIRED, ahead_s=400)
        with pytest.raises(CredentialsError):
            driver.run()
        assert driver.service.now() == driver.clock.now()
        assert caplog.records == []

    def test_one_call_is_signed_again_once_whatever_comes_between(self, drive):
        driver = drive(EXPIRED, DOWN, TOO_FAST, EXPIRED, MATCH, ahead_s=400)
        with pytest.raises(CredentialsError):
            driver.run()
        assert driver.sent == 4

    def test_without_a_date_it_is_fatal_at_once_and_says_so(self, drive):
        driver = drive(EXPIRED, MATCH)
        with pytest.raises(CredentialsError) as error:
            driver.run()
        assert str(error.value) == (
            "IdCardVerification through connection 'kyc': this machine's clock is more than 5 "
            "minutes off: by how much could not be measured. Correct this machine's clock (NTP) "
            "[code AuthFailure.SignatureExpire, RequestId r-1]"
        )
        assert driver.sent == 1

    def test_the_deadline_holds_for_it(self, drive):
        driver = drive(EXPIRED, MATCH, ahead_s=400, settings=replace(SETTINGS, deadline=1.2))
        with pytest.raises(CredentialsError):
            driver.run()
        assert driver.sent == 1
