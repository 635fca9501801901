"""Strategies for requests that are wrong in one way and right in all others."""

from __future__ import annotations

import json
import re

from hypothesis import strategies as st

from airflow_provider_faceid.simulator.people import FACE, ID_CARD

from .wrong import WEI, Wrong, WrongForm


def is_something(value: object) -> bool:
    """Say whether a value is no null, which counts as absent."""
    return value is not None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
SOMETHING = JSON.filter(is_something)
NO_TEXT = JSON.filter(lambda value: not isinstance(value, str))
NO_OBJECT = JSON.filter(lambda value: not isinstance(value, dict))
NAMES = st.text(max_size=12).filter(
    lambda name: name not in {"IdCard", "Name", "ImageBase64", "Extra", "Optional", "Encryption"}
)
HEADER_BYTES = st.binary(max_size=40).filter(
    lambda value: not set(value) & ({*range(32), 127}) and value == value.strip()
)
METHODS = st.sampled_from(["GET", "POST"])
VERBS = st.sampled_from(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "PURGE", "LOCK"])


def wei_with(**fields: object) -> bytes:
    """Return the right body with other fields."""
    return json.dumps(WEI | fields).encode()


def twice(first: object, second: object) -> bytes:
    """Return an object that has a name twice; the last one counts."""
    return b'{"IdCard": %s, "Name": "Wei Xiaobao", "IdCard": %s}' % (
        json.dumps(first).encode(),
        json.dumps(second).encode(),
    )


def mangled_json(at: float, piece: bytes) -> bytes:
    """Return the right body with bytes in it that are no UTF-8."""
    body = json.dumps(WEI).encode()
    start = int(at * len(body))
    return body[:start] + piece + b"\xff" + body[start:]


BODIES = st.one_of(
    st.binary(min_size=1, max_size=80),
    NO_OBJECT.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda name, value: wei_with(**{name: value}), NAMES, SOMETHING),
    NO_TEXT.map(lambda value: wei_with(IdCard=value)),
    NO_TEXT.map(lambda value: wei_with(Name=value)),
    st.builds(lambda value: wei_with(Encryption=value), NO_OBJECT.filter(is_something)),
    st.dictionaries(
        st.sampled_from(["EncryptList", "CiphertextBlob", "Iv", "Algorithm", "TagList"])
        | st.text(max_size=5),
        JSON,
    ).map(lambda value: wei_with(Encryption=value)),
    NO_TEXT.map(lambda value: twice(WEI["IdCard"], value)),
    st.sampled_from([*WEI]).map(lambda name: json.dumps({name: WEI[name]}).encode()),
    st.builds(
        lambda opening, depth: opening * depth,
        st.sampled_from([b"[", b'{"IdCard":', b'{"Encryption":{"Iv":', b"[[[{"]),
        st.integers(1, 20_000),
    ),
    st.integers(1, 9_000).map(lambda digits: b'{"IdCard": ' + b"9" * digits + b', "Name": "x"}'),
    st.sampled_from([b"1e999", b"-1e-999", b"NaN", b"-Infinity", b"1" * 400 + b".5"]).map(
        lambda number: b'{"IdCard": ' + number + b', "Name": "x"}'
    ),
    st.sampled_from(["utf-16", "utf-32", "utf-16-le", "utf-8-sig", "cp037"]).map(
        lambda encoding: json.dumps(WEI).encode(encoding)
    ),
    st.builds(mangled_json, st.floats(0, 0.99), st.binary(min_size=1, max_size=3)),
)


HEADERS = st.one_of(
    st.sampled_from(
        ["X-TC-Action", "X-TC-Version", "X-TC-Timestamp", "Authorization", "Content-Type"]
    ).map(lambda name: {name: None}),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["X-TC-Action", "X-TC-Version", "X-TC-Timestamp", "Authorization"]),
        HEADER_BYTES.filter(lambda value: value not in {ID_CARD.encode(), b"2018-03-01"}),
    ),
    HEADER_BYTES.filter(lambda value: value.lower() != b"application/json").map(
        lambda value: {"Content-Type": value}
    ),
    HEADER_BYTES.filter(lambda value: value not in {b"en-US", b"zh-CN"}).map(
        lambda value: {"X-TC-Language": value}
    ),
    HEADER_BYTES.filter(lambda value: not re.fullmatch(rb"[a-z]{2}(-[a-z0-9]+)+", value)).map(
        lambda value: {"X-TC-Region": value}
    ),
    HEADER_BYTES.filter(lambda value: value != b"simulator-token").map(
        lambda value: {"X-TC-Token": value}
    ),
    st.just({"X-TC-Content-SHA256": b"UNSIGNED-PAYLOAD"}),
)
TIMES = st.integers(-(10**9), 10**9).filter(lambda seconds: abs(seconds) > 310)
CUTS = st.tuples(st.floats(0, 0.999), st.integers(0, 60), HEADER_BYTES)
KEYS = st.tuples(
    st.sampled_from(["simulator-id", "", "somebody", "a/b", "SIMULATOR-ID"]),
    st.text("abc-", max_size=9),
)
ACTIONS = st.sampled_from([ID_CARD, FACE])

VERSION_3 = st.one_of(
    st.builds(Wrong, body=BODIES),
    st.builds(Wrong, action=st.just(FACE), body=BODIES),
    st.builds(Wrong, action=ACTIONS, headers=HEADERS),
    st.builds(Wrong, action=ACTIONS, cut=CUTS),
    st.builds(Wrong, action=ACTIONS, key=KEYS),
    st.builds(Wrong, action=ACTIONS, late_s=TIMES),
    st.builds(Wrong, action=ACTIONS, sent_body=BODIES),
    st.builds(Wrong, action=ACTIONS, method=VERBS),
    st.builds(Wrong, st.just("GET"), ACTIONS, headers=HEADERS),
    st.builds(Wrong, st.just("GET"), ACTIONS, cut=CUTS),
    st.builds(Wrong, st.just("GET"), ACTIONS, key=KEYS),
)

TEXTS = st.text(max_size=30)
VERSION_1 = st.one_of(
    st.builds(
        WrongForm,
        METHODS,
        missing=st.sampled_from(
            ["Action", "Version", "Timestamp", "Nonce", "SecretId", "IdCard", "Name"]
        ),
    ),
    st.builds(
        WrongForm,
        METHODS,
        st.one_of(
            st.builds(
                lambda name, value: {name: value},
                st.sampled_from(["Action", "Version", "Timestamp", "SecretId", "Token"]),
                TEXTS,
            ),
            TEXTS.map(lambda value: {"Encryption": value}),
            TEXTS.map(lambda value: {"Name.x": value}),
            TEXTS.map(lambda value: {"Encryption.EncryptList.0": value}),
            NAMES.filter(lambda name: "." not in name).map(lambda name: {f"{name}.{name}": "1"}),
        ),
    ),
    st.builds(WrongForm, METHODS, key=st.text("abc-", max_size=9)),
    st.builds(
        WrongForm,
        METHODS,
        changed=st.builds(
            lambda name, value: {name: value},
            st.sampled_from([*WEI, "Signature", "Nonce", "Extra", "SignatureMethod"]),
            TEXTS.filter(lambda value: value != "1"),  # that is the right Nonce
        ),
    ),
    st.builds(WrongForm, VERBS),
)

NO_HTTP = st.one_of(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40)),
    st.tuples(
        st.just(0.02),
        st.just(0),
        st.sampled_from(
            [
                b"\r\nContent-Length: -1",
                b"\r\nContent-Length: 5",
                b"\r\nTransfer-Encoding: chunked",
                b"\r\nExpect: everything",
                b"\r\nUpgrade: websocket\r\nConnection: Upgrade",
                b" ",
            ]
        ),
    ),
)
"""Where a request is changed, how many bytes are taken out, what is put in."""
