import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import signing

KEY = "fictional-secret-key"
HEADERS = {"content-type": "application/json", "host": "faceid.intl.tencentcloudapi.com"}
MIDNIGHT = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())

ascii_text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def authorization(**changes):
    return signing.authorization(
        **{
            "secret_id": "placeholder",
            "secret_key": KEY,
            "timestamp": MIDNIGHT,
            "service": "faceid",
            "headers": HEADERS,
            "hashed_payload": signing.EMPTY_HASH,
            **changes,
        }
    )


def by_the_book(secret_id, secret_key, timestamp, host, body):
    """Sign a POST by the page of signature v3, with nothing of the package."""
    canonical = (
        f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n"
        + hashlib.sha256(body).hexdigest()
    )
    day = datetime.fromtimestamp(timestamp, UTC).date().isoformat()
    scope = f"{day}/faceid/tc3_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"TC3{secret_key}".encode()
    for part in (day, "faceid", "tc3_request", f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashed}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, "
        f"SignedHeaders=content-type;host, Signature={key.hex()}"
    )


@given(
    secret_id=ascii_text,
    secret_key=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    timestamp=st.integers(0, 4_000_000_000),
    label=st.from_regex(r"[a-zA-Z0-9-]{1,20}", fullmatch=True),
    body=st.binary(max_size=200),
)
@settings(max_examples=100, deadline=None)
def test_any_request_is_signed_by_the_book(secret_id, secret_key, timestamp, label, body):
    made = signing.authorization(
        secret_id=secret_id,
        secret_key=secret_key,
        timestamp=timestamp,
        service="faceid",
        headers={"Host": f"{label}.example", "Content-Type": "application/json"},
        hashed_payload=signing.payload_hash(body),
    )
    host = f"{label.lower()}.example"
    assert made == by_the_book(secret_id, secret_key, timestamp, host, body)


def test_a_key_is_derived_once_a_day():
    first = signing.signing_key(KEY, "2026-11-21", "faceid")
    assert signing.signing_key(KEY, "2026-11-21", "faceid") is first


@pytest.mark.parametrize(
    "arguments",
    [
        (KEY, "2026-11-22", "faceid"),
        (KEY, "2026-11-21", "cvm"),
        ("another-key", "2026-11-21", "faceid"),
    ],
    ids=["next day", "other service", "other secret"],
)
def test_another_day_service_or_secret_has_another_key(arguments):
    assert signing.signing_key(*arguments) != signing.signing_key(KEY, "2026-11-21", "faceid")


@pytest.mark.parametrize(
    ("offset", "day"),
    [(-1, "2026-11-20"), (0, "2026-11-21"), (86_399, "2026-11-21"), (86_400, "2026-11-22")],
)
def test_the_day_changes_at_midnight_utc(offset, day):
    assert signing.utc_date(MIDNIGHT + offset) == day
    assert f"/{day}/faceid/tc3_request," in authorization(timestamp=MIDNIGHT + offset)


@pytest.fixture
def eight_hours_east(monkeypatch):
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_local_time_zone_does_not_enter(eight_hours_east):
    assert time.localtime(MIDNIGHT - 1).tm_mday == 21
    assert signing.utc_date(MIDNIGHT - 1) == "2026-11-20"


@pytest.mark.parametrize(
    "headers",
    [
        dict(reversed(HEADERS.items())),
        {name.title(): value for name, value in HEADERS.items()},
        {name: value.upper() for name, value in HEADERS.items()},
        {name: f"  {value}\t" for name, value in HEADERS.items()},
    ],
    ids=["order", "case of names", "case of values", "blanks around values"],
)
def test_the_form_of_the_headers_does_not_change_the_signature(headers):
    assert authorization(headers=headers) == authorization()


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": MIDNIGHT + 1},
        {"secret_key": "another-key"},
        {"hashed_payload": signing.payload_hash(b"{}")},
        {"headers": HEADERS | {"host": "faceid.ap-singapore.tencentcloudapi.com"}},
        {"headers": HEADERS | {"x-tc-action": "idcardverification"}},
        {"method": "GET"},
        {"query": "Name=Wei+Xiaobao"},
    ],
    ids=["second", "secret", "body", "host", "one more signed header", "method", "query"],
)
def test_what_is_signed_changes_the_signature(change):
    def signature(text):
        return text.rpartition("Signature=")[2]

    assert signature(authorization(**change)) != signature(authorization())


def test_the_secret_id_is_named_but_not_signed():
    assert authorization(secret_id="other") == authorization().replace("placeholder", "other")


def test_a_canonical_request_has_six_parts_and_keeps_the_query_as_sent():
    made = signing.canonical_request(
        "GET", "b=2&a=%2F+1", {"Host": "h", "Content-Type": "T"}, signing.EMPTY_HASH
    )
    assert made == (
        "GET\n/\nb=2&a=%2F+1\ncontent-type:t\nhost:h\n\ncontent-type;host\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize("pieces", [(b"body",), (b"bo", b"", b"dy"), (b"b", memoryview(b"ody"))])
def test_a_body_in_pieces_has_the_hash_of_the_body(pieces):
    assert signing.payload_hash(*pieces) == hashlib.sha256(b"body").hexdigest()


def test_no_body_has_the_hash_of_nothing():
    assert signing.payload_hash() == signing.EMPTY_HASH


def test_a_view_of_a_body_has_the_hash_of_the_body():
    assert signing.payload_hash(memoryview(b"body")) == signing.payload_hash(b"body")
