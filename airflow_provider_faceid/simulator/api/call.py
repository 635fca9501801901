"""A call: one HTTP request as the gateway reads it, its form encoding, headers and parameters.

Form encoding is ``a=1&b.c=2``, as in the query of a GET and in the body of a signature version 1 POST.
Signature version 3 has an ``Authorization`` header. The parameters come from query or body, and are
checked against the fields of the Action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from ...api import signing
from ...api.action import Action
from ...api.actions import ACTIONS
from ...api.fields import TEXT
from ..account import LIKELIEST, AccountStatus, Assumptions
from . import Refusal
from .encryption import Keys, decrypt, is_encrypted

Pairs = tuple[tuple[str, str], ...]
"""Names and values in the order they came, decoded."""


def read_pairs(text: str) -> Pairs | None:
    """Return the pairs of a query, or None if one of them has no ``=``."""
    parts = [part.partition("=") for part in text.split("&") if part]
    if not all(equals for _, equals, _ in parts):
        return None
    return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in parts)


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """
    Return pairs as an object: ``Encryption.EncryptList.0=Name`` is an item of a list inside it.

    Three levels are all the Actions have; a longer name keeps its rest in the third.
    """
    tree: dict[str, object] = {}
    for name, value in pairs:
        *parents, last = name.split(".", 2)
        place = tree
        for parent in parents:
            below = place.get(parent)
            if not isinstance(below, dict):
                below = place[parent] = {}
            place = below
        place[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: object) -> object:
    """Return a value with objects whose names are 0, 1, 2... as lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    places = [str(place) for place in range(len(inner))]
    return [inner[place] for place in places] if inner.keys() == set(places) else inner


REQUIRED_HEADERS = frozenset({"content-type", "host"})

_FORM = re.compile(
    rf"{signing.ALGORITHM} +Credential=(?P<secret_id>[^/,]*)/(?P<scope>[^,]+), *"
    r"SignedHeaders=(?P<names>[^,A-Z]+), *Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """
    The parts of the header.

    :param secret_id: the SecretId of the key.
    :param scope: day and service the key is derived for.
    :param names: the signed headers.
    :param signature: the signature, in hex.
    """

    secret_id: str
    scope: str
    names: tuple[str, ...]
    signature: str


def read_authorization(value: str) -> Authorization | None:
    """Return the parts of a header, or None if it is malformed or signs too little."""
    found = _FORM.fullmatch(value.strip())
    if found is None:
        return None
    names = tuple(found["names"].split(";"))
    if not REQUIRED_HEADERS.issubset(names):
        return None
    return Authorization(found["secret_id"], found["scope"], names, found["signature"])


FORM_TYPE = "application/x-www-form-urlencoded"
MAX_GET = 32 * 1024
MAX_FORM = 1024 * 1024
MAX_POST = 10 * 1024 * 1024
"""Bytes of a query, of a form, of any other body (document 1041/33627)."""

COMMON_PARAMETERS = ("Action", "Version", "Timestamp", "Region", "Language", "Token")
"""Parameters of every Action. In headers they are called ``X-TC-...``."""
VERSION_1_PARAMETERS = (
    *COMMON_PARAMETERS,
    "Nonce",
    "RequestClient",
    "SecretId",
    "Signature",
    "SignatureMethod",
)
_HEADERS = tuple((name, f"X-TC-{name}") for name in COMMON_PARAMETERS)


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request to the data plane; :func:`receive` makes it.

    :param method: HTTP method.
    :param query: text after ``?`` exactly as sent, because the signature covers it.
    :param headers: header fields; names are looked up in any case.
    :param body: the whole body; empty if it is too large to be read.
    :param length: bytes of the body, read or not.
    :param arrived: arrival in seconds since 1970, before the body was read.
    :param account_state: the account's state when the call arrived.
    :param assumptions: assumed behaviour of the service where no page confirms it.
    :param signature_version: 3 or 1.
    :param pairs: the pairs of a query or a form; None if it is malformed.
    :param common: common parameters by name, without the prefix headers give them.
    :param authorization: the header of version 3; None if it is absent or malformed.
    """

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    length: int
    arrived: float
    account_state: AccountStatus
    assumptions: Assumptions
    signature_version: int
    pairs: Pairs | None
    common: Mapping[str, str]
    authorization: Authorization | None

    @property
    def action(self) -> str:
        """Return the Action, empty if absent."""
        return self.common.get("Action", "")

    @property
    def secret_id(self) -> str:
        """Return the SecretId of the signature, empty if absent."""
        if self.signature_version == 1:
            return self.common.get("SecretId", "")
        return self.authorization.secret_id if self.authorization else ""

    @property
    def language(self) -> str:
        """Return the language texts are answered in."""
        return self.common.get("Language", "")

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters, lower-cased."""
        return _media_type(self.headers)


def receive(
    method: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    length: int,
    *,
    arrived: float,
    account_state: AccountStatus,
    assumptions: Assumptions,
) -> Call:
    """
    Return a call, with all that can be read before the checks.

    A query, or a form, without an ``Authorization`` header is signature version 1: all its
    parameters are pairs. A GET of version 3 may have common parameters in the query, as the
    samples of the API page have them; headers come first.
    """
    signed_by_header = "Authorization" in headers
    form = not signed_by_header and method == "POST" and _media_type(headers) == FORM_TYPE
    version = 1 if form or (method == "GET" and not signed_by_header) else 3
    found: Pairs | None = ()
    if method == "GET" and len(query) <= MAX_GET:
        found = read_pairs(query)
    elif form and length <= MAX_FORM:
        found = read_pairs(body.decode(errors="replace"))
    names = VERSION_1_PARAMETERS if version == 1 else COMMON_PARAMETERS
    common = {name: value for name, value in found or () if name in names}
    if version != 1:
        common |= {name: headers[header] for name, header in _HEADERS if header in headers}
    authorization = read_authorization(headers["Authorization"]) if signed_by_header else None
    return Call(
        method,
        query,
        headers,
        body,
        length,
        arrived,
        account_state,
        assumptions,
        version,
        found,
        common,
        authorization,
    )


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


Parameters = Mapping[str, object]


def read(call: Call) -> Parameters | Refusal:
    """Return the parameters of a call; a JSON null counts as absent."""
    if call.pairs is None:
        return Refusal("InvalidParameter:query")
    version_1 = call.signature_version == 1
    if version_1 or call.method == "GET":
        common = VERSION_1_PARAMETERS if version_1 else COMMON_PARAMETERS
        found = nest(pair for pair in call.pairs if pair[0] not in common)
        return with_numbers(ACTIONS.get(call.action), found)
    try:
        document = json.loads(call.body.decode() or "{}")  # bytes might be read as UTF-16
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError, too
        return Refusal("InvalidParameter:body")
    if not isinstance(document, dict):
        return Refusal("InvalidParameter:body")
    return {name: value for name, value in document.items() if value is not None}


def with_numbers(action: Action | None, found: Parameters) -> Parameters:
    """Return parameters of a form, in which everything is text, with whole numbers where they belong."""
    numbers = (
        [field.name for field in action.fields if field.type.json_type is int] if action else ()
    )
    read = {
        name: int(value)
        for name in numbers
        if isinstance(value := found.get(name), str) and re.fullmatch(r"-?[0-9]{1,18}", value)
    }
    return {**found, **read}


def refuse(
    action: Action, parameters: Parameters, assumptions: Assumptions = LIKELIEST
) -> Refusal | None:
    """
    Return the refusal of a call's parameters, or None.

    It does not check a photo's length, which has a result code of its own.
    """
    fields = {field.name: field for field in action.fields}
    for name in parameters:
        if name not in fields:
            return Refusal("UnknownParameter", (name,))
    for name, field in fields.items():
        if name not in parameters:
            if field.required:
                return Refusal("MissingParameter", (name,))
            continue
        value = parameters[name]
        if not isinstance(value, field.type.json_type) or isinstance(value, bool):
            return Refusal("InvalidParameter:type", (name,))
        if field.constant is not None and value != field.constant:
            return Refusal("InvalidParameterValue", (name,))
        note = field.type is TEXT and not field.column  # a field that identifies has a result code
        limited = note and field.max_length and assumptions.extra_limited
        if limited and len(str(value)) > field.max_length:
            return Refusal("InvalidParameterValue", (name,))
    return None


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """
    The parameters of a call.

    :param sent: as they were sent, or the refusal of malformed ones.
    :param decrypted: with encrypted fields decrypted, or the refusal if that is impossible.
    """

    sent: Parameters | Refusal
    decrypted: Parameters | Refusal

    def text(self, name: str) -> str:
        """Return the text of a parameter, as far as it can be read; empty if there is none."""
        return _text(self.decrypted, name) or _text(self.sent, name)


def request_parameters(call: Call, keys: Keys) -> RequestParameters:
    """Return the parameters of a call, decrypted with the keys of the account."""
    sent, action = read(call), ACTIONS.get(call.action)
    if isinstance(sent, Refusal) or action is None or not is_encrypted(action, sent):
        return RequestParameters(sent, sent)
    return RequestParameters(sent, decrypt(keys, action, sent))


def _text(parameters: Parameters | Refusal, name: str) -> str:
    value = "" if isinstance(parameters, Refusal) else parameters.get(name)
    return value if isinstance(value, str) else ""
