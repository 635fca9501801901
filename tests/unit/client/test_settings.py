from __future__ import annotations

from operator import attrgetter

import pytest

from airflow_provider_faceid.api.action import DEFAULT_HOST, IdentityLimits
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.id_card import Check
from airflow_provider_faceid.client.connection_schema import QUOTA_FIELDS_OF_0_2, form_fields
from airflow_provider_faceid.client.credentials.providers import Environment
from airflow_provider_faceid.client.settings import (
    UNLISTED_QUOTA,
    Credentials,
    Settings,
    parse_settings,
)
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.get_provider_info import get_provider_info

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
CONNECTION = {
    "conn_id": "kyc",
    "host": None,
    "port": None,
    "schema": None,
    "login": "an-id",
    "password": "a-key",
    "extra": {},
}
DEFAULTS = Settings(Credentials("an-id", "a-key"), conn_id="kyc")


def parse(**changes) -> Settings:
    return parse_settings(**{**CONNECTION, **changes})


ROLE = "qcs::cam::uin/100000000001:roleName/faceid"
NEEDS = {
    "credentials_name": {"credentials": "profile"},
    "role_external_id": {"role_arn": ROLE},
    "role_duration": {"role_arn": ROLE},
    "sts_endpoint": {"role_arn": ROLE},
}
"""What else has to be said for a field to have a use."""
IN_ORIGIN = {
    "session_token": "token",
    "credentials_name": "section",
    "role_arn": "role_arn",
    "role_external_id": "external_id",
    "role_duration": "seconds",
    "sts_endpoint": "sts.url",
}
"""Where fields about keys end up."""


@pytest.mark.parametrize(
    ("short", "long", "share"),
    [
        ({"timeout": 200}, {"deadline": 100}, ""),
        ({"timeout": "30.5"}, {"deadline": 30}, ""),
        ({"connect_timeout": 16}, {"timeout": 31}, "half of "),
        ({"connect_timeout": 60}, {"timeout": 10}, "half of "),
        ({"connect_timeout": 20}, {"deadline": 30}, "half of "),
    ],
)
def test_time_limits_that_contradict_each_other_are_refused(short, long, share):
    ((name, seconds),), ((other, more),) = short.items(), long.items()
    assert refusal(extra={**short, **long}).startswith(
        f"Connection 'kyc': extra field '{name}' ({float(seconds):g} s) must be at most "
        f"{share}'{other}' ({more} s), "
    )


@pytest.mark.parametrize(
    ("said", "timeout", "connect_timeout", "deadline"),
    [
        ({}, 30, 5, 120),
        ({"timeout": 200}, 200, 5, 200),
        ({"timeout": 4}, 4, 2, 120),
        ({"deadline": 10}, 10, 5, 10),
        ({"deadline": 1}, 1, 0.5, 1),
        ({"connect_timeout": 60}, 120, 60, 120),
        ({"connect_timeout": 15}, 30, 15, 120),
        ({"timeout": 100, "deadline": 100}, 100, 5, 100),
        ({"timeout": 10, "connect_timeout": 5}, 10, 5, 120),
    ],
)
def test_a_time_limit_that_is_not_said_follows_those_that_are(
    said, timeout, connect_timeout, deadline
):
    found = parse(extra=said)
    assert (found.timeout, found.connect_timeout, found.deadline) == (
        timeout,
        connect_timeout,
        deadline,
    )


def with_field(name: str, value: object) -> Settings:
    needs = NEEDS.get(name, {}) if value not in (None, "") else {}
    extra = {"encryption": "none", **needs, name: value}  # which leaves keys unused
    own = extra.get("credentials") in (None, "", "static")
    return parse(extra=extra) if own else parse(extra=extra, login=None, password=None)


def refusal(**changes) -> str:
    with pytest.raises(ConfigurationError) as error:
        parse(**changes)
    return str(error.value)


def read(settings: Settings, name: str) -> object:
    """Return what a form field became."""
    for action, old in QUOTA_FIELDS_OF_0_2.items():
        if name == old:
            return settings.quota(action)
    path = f"credentials.{IN_ORIGIN[name]}" if name in IN_ORIGIN else name
    return attrgetter(path)(settings)


def test_a_connection_with_a_key_alone_is_complete():
    assert parse() == DEFAULTS


FEWER = {
    "ImageRecognitionV2": IdentityLimits(
        id_card_per_day=30, name_per_day=500, id_card_per_minute=15, name_per_minute=7
    )
}
"""What is not said stays as documented."""
GOOD = [
    ("session_token", "a-token", "a-token"),
    ("credentials", "static", DEFAULTS.credentials),
    ("credentials", "environment", Environment()),
    ("credentials_name", "kyc", "kyc"),
    ("role_arn", ROLE, ROLE),
    ("role_external_id", "a-customer", "a-customer"),
    ("role_duration", 900, 900),
    ("role_duration", "43200", 43200),
    ("sts_endpoint", "sts.example", "https://sts.example"),
    ("sts_endpoint", "http://127.0.0.1:8898", "http://127.0.0.1:8898"),
    ("hash_secret", "sixteen-letters!", "sixteen-letters!"),
    ("region", "ap-singapore", "ap-singapore"),
    ("region", "x" * 40, "x" * 40),
    ("state_conn_id", "faceid_state", "faceid_state"),
    ("quotas", {"IdCardVerification": 250}, {"IdCardVerification": 250}),
    ("quotas", '{"ImageRecognitionV2": 5}', {"ImageRecognitionV2": 5}),
    ("id_card_verification_quota", 1, 1),
    ("id_card_verification_quota", 10000, 10000),
    ("id_card_verification_quota", "250", 250),
    ("image_recognition_v2_quota", 5, 5),
    ("identity_limits", {"ImageRecognitionV2": {"name_per_minute": 7}}, FEWER),
    ("identity_limits", '{"ImageRecognitionV2": {"name_per_minute": 7}}', FEWER),
    ("identity_limits", {}, {}),
    ("pace_share", 0.01, 0.01),
    ("pace_share", 1, 1),
    ("pace_share", "0.5", 0.5),
    ("priority_share", 0, 0),
    ("priority_share", 0.8, 0.8),
    ("timeout", 1, 1),
    ("timeout", 300, 300),
    ("timeout", "12.5", 12.5),
    ("connect_timeout", 0.1, 0.1),
    ("connect_timeout", 60, 60),
    ("deadline", 1, 1),
    ("deadline", 3600, 3600),
    ("deadline", "90.5", 90.5),
    ("max_attempts", 1, 1),
    ("max_attempts", "10", 10),
    ("repeat_gateway_errors", True, True),
    ("repeat_gateway_errors", "true", True),
    ("outage_patience", 1, 1),
    ("outage_patience", 86_400, 86_400),
    ("outage_patience", "900", 900),
    ("similarity_threshold", 0, 0),
    ("similarity_threshold", 100, 100),
    ("similarity_threshold", "82.5", 82.5),
    ("id_card_check", "strict", Check.STRICT),
    ("id_card_check", "format", Check.FORMAT),
    ("encryption", "none", "none"),
    ("encryption", "AES-256-CBC", "AES-256-CBC"),
    ("encryption", "SM4-GCM", "SM4-GCM"),
    ("encryption_public_key", "-----BEGIN\r\n\tA\n", "-----BEGIN\r\n\tA\n"),
    ("encryption_public_key", "x" * 4000, "x" * 4000),
    ("kms_secret", "a-secret=", "a-secret="),
    ("kms_ciphertext_blob", "a-blob", "a-blob"),
    ("language", "en-US", "en-US"),
    ("language", "zh-CN", "zh-CN"),
    ("verify", True, True),
    ("verify", False, False),
    ("verify", "false", False),
    ("verify", "False", False),
    ("verify", "True", True),
    ("proxies", {"https": "http://proxy:3128"}, {"https": "http://proxy:3128"}),
    ("proxies", '{"https": "http://proxy:3128"}', {"https": "http://proxy:3128"}),
    ("proxies", {}, {}),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_a_field_is_read(name, value, expected):
    got = read(with_field(name, value), name)
    assert got == expected
    assert type(got) is type(expected)


def test_every_field_of_the_form_is_in_the_table():
    assert {name for name, *_ in GOOD} == {*form_fields(), *QUOTA_FIELDS_OF_0_2.values()}


@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty text"])
@pytest.mark.parametrize("name", form_fields())
def test_an_empty_field_means_its_default(name, empty):
    assert with_field(name, empty) == DEFAULTS


def test_the_form_stores_every_untouched_field_and_that_changes_nothing():
    stored = {name: field["schema"].get("default") for name, field in form_fields().items()}
    assert parse(extra=stored) == DEFAULTS


WHOLE, SHARE = "a valid integer from 1 to 10000", "a valid number from 0.01 to 1"
LANE = "a valid number from 0 to 0.8"
LIMITS = (
    'an object such as {"ImageRecognitionV2": {"id_card_per_day": 30}} with whole numbers from 0, '
    "where 0 is no limit; ImageRecognitionV2 has the limits id_card_per_day, id_card_per_minute, "
    "name_per_day, name_per_minute"
)
ORIGINS = "static or environment or profile or cvm_role or tke_oidc or default"
BAD = [
    ("session_token", 12345, "ASCII text without spaces"),
    ("session_token", "secret-tok\n", "ASCII text without spaces"),
    ("session_token", "secret tok", "ASCII text without spaces"),
    ("session_token", "secret-韦", "ASCII text without spaces"),
    ("credentials", "STATIC", ORIGINS),
    ("credentials", "sts", ORIGINS),
    ("credentials_name", "x" * 129, "ASCII text of at most 128 characters without spaces"),
    ("role_arn", "a role", "ASCII text of at most 512 characters without spaces"),
    ("role_external_id", "x", "ASCII text of 2 to 128 characters without spaces"),
    ("role_duration", 899, "a valid integer from 900 to 43200"),
    ("role_duration", 43201, "a valid integer from 900 to 43200"),
    ("sts_endpoint", "x" * 201, "ASCII text of at most 200 characters without spaces"),
    ("hash_secret", "fifteen-letters", "ASCII text of 16 to 200 characters without spaces"),
    ("hash_secret", "x" * 201, "ASCII text of 16 to 200 characters without spaces"),
    ("region", "x" * 41, "ASCII text of at most 40 characters without spaces"),
    ("state_conn_id", "x" * 201, "ASCII text of at most 200 characters without spaces"),
    ("region", " ap", "ASCII text of at most 40 characters without spaces"),
    ("region", ["ap"], "ASCII text of at most 40 characters without spaces"),
    ("quotas", "many", "a valid object"),
    ("quotas", [7], "a valid object"),
    ("id_card_verification_quota", 0, WHOLE),
    ("id_card_verification_quota", 10001, WHOLE),
    ("id_card_verification_quota", 2.5, WHOLE),
    ("id_card_verification_quota", True, WHOLE),
    ("id_card_verification_quota", "many", WHOLE),
    ("image_recognition_v2_quota", -1, WHOLE),
    ("image_recognition_v2_quota", "20.5", WHOLE),
    ("identity_limits", 30, "a valid object"),
    ("identity_limits", {"ImageRecognitionV2": 30}, LIMITS),
    ("identity_limits", {"ImageRecognitionV2": {"name_per_day": -1}}, LIMITS),
    ("identity_limits", {"ImageRecognitionV2": {"name_per_day": "30"}}, LIMITS),
    ("identity_limits", {"ImageRecognitionV2": {"name_per_day": True}}, LIMITS),
    ("pace_share", 0, SHARE),
    ("pace_share", 1.01, SHARE),
    ("pace_share", "97%", SHARE),
    ("pace_share", "NaN", SHARE),
    ("pace_share", False, SHARE),
    ("priority_share", 0.81, LANE),
    ("priority_share", -0.1, LANE),
    ("timeout", 0.99, "a valid number from 1 to 300"),
    ("timeout", 301, "a valid number from 1 to 300"),
    ("timeout", "Infinity", "a valid number from 1 to 300"),
    ("timeout", "1" * 5000, "a valid number from 1 to 300"),
    ("connect_timeout", 0, "a valid number from 0.1 to 60"),
    ("connect_timeout", 61, "a valid number from 0.1 to 60"),
    ("connect_timeout", {}, "a valid number from 0.1 to 60"),
    ("deadline", 0.99, "a valid number from 1 to 3600"),
    ("deadline", 3601, "a valid number from 1 to 3600"),
    ("deadline", "2 minutes", "a valid number from 1 to 3600"),
    ("max_attempts", 0, "a valid integer from 1 to 10"),
    ("max_attempts", 11, "a valid integer from 1 to 10"),
    ("max_attempts", 3.0, "a valid integer from 1 to 10"),
    ("repeat_gateway_errors", 502, "a valid boolean"),
    ("outage_patience", 0, "a valid number from 1 to 86400"),
    ("outage_patience", 86_401, "a valid number from 1 to 86400"),
    ("similarity_threshold", -0.1, "a valid number from 0 to 100"),
    ("similarity_threshold", 100.1, "a valid number from 0 to 100"),
    ("id_card_check", "none", "strict or format"),
    ("id_card_check", "STRICT", "strict or format"),
    ("id_card_check", True, "strict or format"),
    ("encryption", "AES", "none or AES-256-CBC or SM4-GCM or KMS"),
    ("encryption", "sm4-gcm", "none or AES-256-CBC or SM4-GCM or KMS"),
    ("encryption", False, "none or AES-256-CBC or SM4-GCM or KMS"),
    ("encryption_public_key", 65537, "ASCII text of at most 4000 characters"),
    ("encryption_public_key", "x" * 4001, "ASCII text of at most 4000 characters"),
    ("encryption_public_key", "密钥", "ASCII text of at most 4000 characters"),
    ("kms_secret", "hush hush", "ASCII text without spaces"),
    ("kms_ciphertext_blob", "x" * 4001, "ASCII text of at most 4000 characters without spaces"),
    ("language", "de-DE", "en-US or zh-CN"),
    ("verify", "yes", "a valid boolean"),
    ("verify", 0, "a valid boolean"),
    ("verify", "/etc/ca.pem", "a valid boolean"),
    ("proxies", "http://user:secret@proxy", "a valid object of texts"),
    ("proxies", ["http://proxy"], "a valid object of texts"),
    ("proxies", {"https": 3128}, "a valid object of texts"),
    ("proxies", {"https": None}, "a valid object of texts"),
]


@pytest.mark.parametrize(("name", "value", "wanted"), BAD)
def test_a_bad_field_is_named_and_not_shown(name, value, wanted):
    message = refusal(extra={name: value})
    assert message == f"Connection 'kyc': extra field '{name}' must be {wanted}"


def test_every_field_of_the_form_is_refused_once():
    assert {name for name, *_ in BAD} == {*form_fields(), *QUOTA_FIELDS_OF_0_2.values()}


def test_limits_are_those_of_the_form():
    for name, field in form_fields().items():
        if "minimum" in field["schema"]:
            low, high = field["schema"]["minimum"], field["schema"]["maximum"]
            assert read(with_field(name, low), name) == low
            assert read(with_field(name, high), name) == high
            for outside in (low - 1, high + 1):
                assert f"'{name}'" in refusal(extra={name: outside})


def test_people_are_hashed_by_the_secret_of_their_own_else_by_the_secret_key():
    assert parse().hmac_key == "a-key"
    assert parse(extra={"hash_secret": "sixteen-letters!"}).hmac_key == "sixteen-letters!"


def test_a_temporary_key_hashes_nobody():
    temporary = {"session_token": "a-token"}
    with pytest.raises(ConfigurationError, match=r"'kyc': keys that are temporary.*'hash_secret'"):
        parse(extra=temporary).hmac_key  # noqa: B018
    assert parse(extra={**temporary, "hash_secret": "x" * 16}).hmac_key == "x" * 16


@pytest.mark.parametrize("kind", ["environment", "profile", "cvm_role", "tke_oidc", "default"])
def test_a_key_from_elsewhere_hashes_nobody_although_it_may_last(kind):
    elsewhere = {"login": None, "password": None}
    with pytest.raises(ConfigurationError, match="need the extra field 'hash_secret'"):
        parse(extra={"credentials": kind}, **elsewhere).hmac_key  # noqa: B018
    hashed = parse(extra={"credentials": kind, "hash_secret": "x" * 16}, **elsewhere)
    assert hashed.hmac_key == "x" * 16


def test_the_key_of_a_role_hashes_nobody():
    with pytest.raises(ConfigurationError, match="need the extra field 'hash_secret'"):
        parse(extra={"role_arn": ROLE}).hmac_key  # noqa: B018


@pytest.mark.parametrize("name", form_fields())
@pytest.mark.parametrize(
    "misspell",
    [
        lambda name: name[:-1],
        lambda name: name.replace("e", "", 1) if "e" in name else name + "e",
        lambda name: name[:-2] + name[-1] + name[-2],
        str.title,
    ],
    ids=["cut", "a letter less", "two letters swapped", "case"],
)
def test_a_misspelt_field_is_refused_with_the_nearest_name(name, misspell):
    misspelt = misspell(name)
    message = refusal(extra={misspelt: "whatever"})
    assert message.startswith(f"Connection 'kyc': unknown extra field '{misspelt}' (did you mean '")
    assert "whatever" not in message


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("hash_secert", "hash_secret"),
        ("similarity_treshold", "similarity_threshold"),
        ("timout", "timeout"),
        ("verfy", "verify"),
        ("proxy_s", "proxies"),
        ("encrypton", "encryption"),
        ("paceshare", "pace_share"),
    ],
)
def test_the_nearest_name_is_the_one_that_was_meant(misspelt, meant):
    assert refusal(extra={misspelt: 1}) == (
        f"Connection 'kyc': unknown extra field '{misspelt}' (did you mean '{meant}'?)"
    )


def test_a_field_that_resembles_none_is_refused_with_the_list():
    message = refusal(extra={"X-Custom": "1"})
    assert message.startswith("Connection 'kyc': unknown extra field 'X-Custom'; known are connect")
    assert message.endswith(", timeout, verify")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"ImageRecognition": {}}, "'ImageRecognition' (did you mean 'ImageRecognitionV2'?)"),
        ({"idcardverification": {}}, "(did you mean 'IdCardVerification'?)"),
        ({"ImageRecognitionV2": {"per_day": 30}}, "'per_day' (did you mean 'name_per_day'?)"),
        ({"ImageRecognitionV2": {"id_card_per_dya": 1}}, "(did you mean 'id_card_per_day'?)"),
        ({"Unknown": {}}, f"'Unknown'; known are {', '.join(ACTIONS)}"),
    ],
)
def test_misspelt_limits_are_refused_with_the_nearest_name(limits, words):
    message = refusal(extra={"identity_limits": limits})
    assert message.startswith(
        "Connection 'kyc': extra field 'identity_limits' has the unknown name"
    )
    assert message.endswith(words)


@pytest.mark.parametrize(
    "name",
    ["allow_redirects", "cert", "check_response", "headers", "max_redirects", "proxy",
     "srv_lookup", "stream", "trust_env", "verify_ssl"],
)  # fmt: skip
def test_a_field_of_http_connections_is_refused_with_the_reason(name):
    message = refusal(extra={name: True})
    assert message.startswith(f"Connection 'kyc': extra field '{name}' has no use here: ")


@pytest.mark.parametrize(("part", "label"), [("login", "SecretId"), ("password", "SecretKey")])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "is empty"),
        ("", "is empty"),
        (" hush-hush", "has a space or a character that is not ASCII"),
        ("hush-hush\n", "has a space or a character that is not ASCII"),
        ("hush hush", "has a space or a character that is not ASCII"),
        ("hush-韦小宝", "has a space or a character that is not ASCII"),
        ("hush-\ud800", "has a space or a character that is not ASCII"),
    ],
)
def test_a_bad_part_of_the_key_is_named_and_not_shown(part, label, value, fault):
    assert refusal(**{part: value}) == f"Connection 'kyc': {label} {fault}"


@pytest.mark.parametrize(
    ("host", "port", "schema", "url"),
    [
        (None, None, None, f"https://{DEFAULT_HOST}"),
        ("", 0, "", f"https://{DEFAULT_HOST}"),
        ("faceid.example", None, None, "https://faceid.example"),
        (" faceid.example ", None, "https", "https://faceid.example"),
        ("FaceID.Example", None, None, "https://faceid.example"),
        ("faceid.example.", None, None, "https://faceid.example."),
        ("faceid.example", 0, None, "https://faceid.example"),
        ("faceid.example", 443, None, "https://faceid.example"),
        ("faceid.example", 8443, None, "https://faceid.example:8443"),
        ("faceid.example:8443", None, None, "https://faceid.example:8443"),
        ("faceid.example:8443", 443, None, "https://faceid.example:8443"),
        ("faceid.example:443", 443, None, "https://faceid.example"),
        ("https://faceid.example", None, None, "https://faceid.example"),
        ("https://faceid.example/", 443, None, "https://faceid.example"),
        ("HTTPS://faceid.example", None, None, "https://faceid.example"),
        ("https://faceid.example:443", None, None, "https://faceid.example"),
        ("https://faceid.example", None, "http", "https://faceid.example"),
        ("http://faceid.example", None, None, "http://faceid.example"),
        ("http://faceid.example/", 80, None, "http://faceid.example"),
        ("http://faceid.example", 443, None, "http://faceid.example:443"),
        ("http://127.0.0.1:8899", 443, None, "http://127.0.0.1:8899"),
        ("faceid.example", None, "http", "http://faceid.example"),
        ("faceid.example", 80, "http", "http://faceid.example"),
        ("face_id-sim", 8899, "http", "http://face_id-sim:8899"),
        ("faceid.example", None, "faceid", "https://faceid.example"),
        ("http://[::1]:8899", None, None, "http://[::1]:8899"),
    ],
)
def test_an_endpoint_is_read(host, port, schema, url):
    settings = parse(host=host, port=port, schema=schema)
    assert settings.url == url
    assert settings.host == url.partition("://")[2]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("faceid.example/api", None),
        ("https://faceid.example/api", None),
        ("faceid.example?a=b", None),
        ("faceid.example#a", None),
        ("ftp://faceid.example", None),
        ("https://", None),
        ("   ", None),
        ("/", None),
        ("face id.example", None),
        ("faceid..example", None),
        ("x" * 64 + ".example", None),
        ("脸.example", None),
        ("user:hush-hush@faceid.example", None),
        ("https://[::1", None),
        ("faceid.example:port", None),
        ("faceid.example:99999", None),
        ("faceid.example", 65536),
        ("faceid.example", -1),
    ],
)
def test_what_is_no_endpoint_is_refused(host, port):
    assert refusal(host=host, port=port) == (
        f"Connection 'kyc': Endpoint must be a host name such as {DEFAULT_HOST}, or "
        "http://host:port, without a path"
    )


def test_printing_shows_no_secret():
    settings = parse(
        password="hush-key",
        extra={
            "session_token": "hush-token",
            "encryption": "none",
            "kms_secret": "hush-secret",
            "hash_secret": "hush-hush-hashes",
            "proxies": {"https": "http://user:hush-proxy@proxy:3128"},
        },
    )
    assert "an-id" in repr(settings)
    assert "hush" not in repr(settings) + str(settings)


def test_quotas_stand_in_one_field_also_of_actions_that_are_not_listed():
    settings = with_field("quotas", {FACE: 7, "DetectAIFakeFaces": 5})
    assert [settings.quota(action) for action in (FACE, ID_CARD, "DetectAIFakeFaces")] == [
        7,
        100,
        5,
    ]


@pytest.mark.parametrize("action", [ID_CARD, FACE])
def test_the_quota_fields_of_older_connections_still_count_unless_there_is_a_newer_one(action):
    old = QUOTA_FIELDS_OF_0_2[action]
    assert with_field(old, 7).quota(action) == 7
    assert parse(extra={old: 7, "quotas": {action: 9}}).quota(action) == 9


@pytest.mark.parametrize(
    ("quotas", "words"),
    [
        ({"IdCardVerificaton": 7}, "did you mean 'IdCardVerification'"),
        ({"no action": 7}, "unknown Action"),
        ({ID_CARD: 0}, "whole numbers from 1"),
        ({ID_CARD: "7"}, "whole numbers from 1"),
        ({ID_CARD: True}, "whole numbers from 1"),
    ],
)
def test_a_quota_that_cannot_be_is_refused(quotas, words):
    assert words in refusal(extra={"quotas": quotas})


def test_descriptions_tell_the_defaults():
    limits = ("timeout", "connect_timeout", "deadline", "max_attempts", "outage_patience")
    for name in ("pace_share", "priority_share", *limits, "language"):
        told = (
            form_fields()[name]["description"]
            .rpartition("Empty: ")[2]
            .rstrip(".")
            .partition(",")[0]
        )
        default = getattr(DEFAULTS, name)
        assert told == (default if isinstance(default, str) else f"{default:g}")


def test_quotas_of_one_action_are_not_those_of_another():
    settings = with_field("image_recognition_v2_quota", 3)
    assert settings.quota(FACE) == 3
    assert settings.quota(ID_CARD) == ACTIONS[ID_CARD].quota


def test_an_unlisted_action_has_the_usual_quota():
    assert DEFAULTS.quota("DetectAuth") == UNLISTED_QUOTA == 20


def test_the_rate_is_a_share_of_the_quota():
    settings = parse(extra={"id_card_verification_quota": 50, "pace_share": 0.5})
    assert settings.rate(ID_CARD) == 25
    assert DEFAULTS.rate(FACE) == pytest.approx(19.4)


def test_form_fields_are_those_of_the_metadata():
    assert form_fields() == get_provider_info()["connection-types"][0]["conn-fields"]
