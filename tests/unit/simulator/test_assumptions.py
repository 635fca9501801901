"""What nobody outside knows of the service is a setting, and each setting changes something."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.clock import BEIJING
from airflow_provider_faceid.simulator import SimulatorServer
from airflow_provider_faceid.simulator.__main__ import parse
from airflow_provider_faceid.simulator.account import (
    LIKELIEST,
    Assumptions,
    read_assumptions,
)
from airflow_provider_faceid.simulator.people import FACE, ID_CARD, People
from airflow_provider_faceid.simulator.people.photos import portrait
from airflow_provider_faceid.simulator.validation import FieldError

WEI = ("11204416541220243X", "Wei Xiaobao")
PHOTO = portrait("anybody")
NAME_LIMIT = 3


@pytest.fixture
def with_(caller, clock):
    """Start a server that is taken to do something else; give its caller."""
    servers = []

    def start(**assumptions):
        server = SimulatorServer(
            people=20,
            clock=clock,
            quotas={ID_CARD: 0, FACE: 0},
            identity_limits={ID_CARD: IdentityLimits(id_card_per_day=0, name_per_day=NAME_LIMIT)},
            assumptions=Assumptions(**assumptions),
        ).start()
        servers.append(server)
        return type(caller)(server, clock)

    yield start
    for server in servers:
        server.stop()


def test_the_action_may_be_looked_at_before_the_credentials(caller, with_):
    assert caller.code("Describe", {}, secret_key="wrong") == "AuthFailure.SignatureFailure"
    assert with_(action_first=True).code("Describe", {}, secret_key="wrong") == "InvalidAction"


def test_a_long_extra_may_be_accepted(with_):
    response = with_(extra_limited=False).face(*WEI, PHOTO, Extra="x" * 14)
    assert (response["Result"], response["Extra"]) == ("Success", "x" * 14)


def test_any_code_of_the_business_may_come_as_an_error(with_):
    own = with_(errors=["FailedOperation.IdFormatError", "-2"])
    assert own.face("1", "Li Si", PHOTO)["Error"]["Code"] == "FailedOperation.IdFormatError"
    assert own.id_card("1", "Li Si")["Error"]["Code"] == "-2"
    assert own.id_card(*WEI)["Result"] == "0"


def test_an_answer_without_a_comparison_may_have_another_similarity_or_none(with_):
    assert "Sim" not in with_(similarity_without_comparison=None).face("1", "Li Si", PHOTO)
    assert with_(similarity_without_comparison=1.5).face("1", "Li Si", PHOTO)["Sim"] == 1.5


def test_a_photo_of_3_megabytes_may_be_three_million_characters(with_):
    response = with_(max_photo_base64=3_000_000).face(*WEI, "A" * 3_000_004)
    assert response["Result"] == "FailedOperation.LifePhotoSizeError"
    response = with_(max_photo_base64=3_000_000).face(*WEI, "A" * 3_000_000)
    assert response["Error"]["Code"] == "InvalidParameterValue"  # it is no picture


@pytest.mark.parametrize(("counted", "last"), [(True, "-7"), (False, "0")])
def test_free_answers_may_not_count_for_the_identity_limits(with_, counted, last):
    own = with_(free_calls_counted=counted)
    for _ in range(NAME_LIMIT):
        assert own.id_card("11010519491231002X", WEI[1])["Result"] == "-5"
    assert own.id_card(*WEI)["Result"] == last


def test_charged_answers_count_in_any_case(with_):
    own = with_(free_calls_counted=False)
    for _ in range(NAME_LIMIT):
        assert own.id_card(WEI[0], "Li Si")["Result"] == "-1"
    assert own.id_card("11010519491231002X", "Li Si")["Result"] == "-7"


@pytest.mark.parametrize(("zone", "last"), [(0, "-7"), (8, "0")])
def test_the_day_may_begin_elsewhere(with_, clock, zone, last):
    own = with_(day_begins_utc_h=zone)
    clock.seconds = datetime(2026, 6, 1, 23, 59, tzinfo=BEIJING).timestamp()
    for _ in range(NAME_LIMIT):
        assert own.id_card(*WEI)["Result"] == "0"
    clock.seconds += 60
    assert own.id_card(*WEI)["Result"] == last


def test_special_people_answer_as_they_are_told_all_the_same(with_):
    own = with_(free_calls_counted=False)
    person = next(p for p in People(0).listed if p.persona.codes[ID_CARD] == "-5")
    assert own.id_card(person.id_card, person.name)["Result"] == "-5"


def test_they_are_read_from_a_file(tmp_path):
    file = tmp_path / "assumptions.json"
    file.write_text(json.dumps({"account_quota": 7, "errors": ["-4"]}))
    for option in ("--assumptions", "--unknowns"):
        read = parse([option, str(file)]).assumptions
        assert read == Assumptions(account_quota=7, errors=["-4"])
    assert parse([]).assumptions == LIKELIEST == read_assumptions({})


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "`assumptions` must be an object"),
        ({"moon": 1}, "`moon` is unknown"),
        ({"action_first": 1}, "`action_first` must be true or false"),
        ({"errors": "-4"}, "`errors` must be a list"),
        ({"errors": [4]}, "`errors` must be a text"),
        ({"similarity_without_comparison": 101}, "must be a number from 0 to 100"),
        ({"day_begins_utc_h": 15}, "must be a whole number from -12 to 14"),
        ({"max_photo_base64": 0}, "must be a whole number from 1"),
    ],
)
def test_what_is_wrong_with_them_is_said(document, said):
    with pytest.raises(FieldError) as caught:
        read_assumptions(document)
    assert said in str(caught.value)
