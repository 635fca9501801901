"""Wire form of requests and answers, and redaction: no value of a request stands in a logged answer.

HTTP status is 200 whenever the service processed a request, a refused signature included. An
answer is one JSON object ``Response`` with either the Action's fields or ``Error``; business
failures come in ``Response.Result`` (both Actions) or, for some codes, in ``Response.Error``.

Nothing is taken for granted of what comes back: it may be the page of a proxy, or meant to do harm.
"""

from __future__ import annotations

import json
import re
import zlib
from calendar import timegm
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from ..exceptions import UncertainError
from .codes import PROOFS, Proof, is_refusal

MAX_ANSWER = 2**20
"""
Bytes of an answer that are read, before and after unpacking: a thousand times what the service sends.
"""
UNPACKED = {"Accept-Encoding": "identity"}
"""Header by which an answer is asked for as it is; some gateways pack it all the same."""
MAX_DEPTH = 100
"""Objects and lists inside one another: ten times what the service sends, a tenth of Python's stack."""
MAX_DESCRIPTION = 500
"""Characters of the service's descriptions that are kept."""

_CODE = re.compile(
    r"-?[0-9]{1,4}|(?!(?:[^0-9]*[0-9]){5})[A-Za-z][A-Za-z0-9_]{0,59}(?:\.[A-Za-z][A-Za-z0-9_]{0,59}){0,2}|"
)
"""A small number, or words like ``FailedOperation.UnKnown`` with fewer than five digits."""
_REQUEST_ID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|[A-Za-z]{1,16}(?:-[A-Za-z]{1,16}){0,2}(?:-?[0-9]{1,4})?|"
)
"""A UUID, as the service gives them, or words and a small number, as test servers do."""
_SECONDS = re.compile(r"[0-9]{1,9}")
_GATEWAY = "http:"
"""What the code of a gateway's answer begins with; no code of the service holds a colon."""
_BRACKETS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class Pieces(tuple[bytes, ...]):
    """
    A long text in pieces, which are hashed and sent one by one and need not be put together.

    Printing it does not show what it holds; ``bytes()`` puts it together.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self.length} bytes>"

    def __sentry_repr__(self) -> str:  # or Sentry would show a tuple's values
        return repr(self)

    def __bytes__(self) -> bytes:
        return b"".join(self)

    @property
    def length(self) -> int:
        """Return the length of the text."""
        return sum(map(len, self))


@dataclass(frozen=True)
class Reply:
    """
    An answer of the service, read but not judged.

    :param action: the API Action that was called.
    :param code: ``Error.Code`` if there is an ``Error``, otherwise ``Result``; ``http:503`` and
        the like for a gateway that answered in the service's place.
    :param description: ``Error.Message`` or ``Description``.
    :param request_id: ``RequestId``, empty if a gateway answered.
    :param fields: the whole ``Response`` object; may hold personal data, so it is not printed.
    :param is_error: whether the code is that of an ``Error``.
    :param date_header: HTTP header ``Date`` as it came, empty if there was none.
    :param retry_after_header: likewise, ``Retry-After``.
    :param personal: values of the request; not printed.
    """

    action: str
    code: str
    description: str = ""
    request_id: str = ""
    fields: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    is_error: bool = False
    date_header: str = ""
    retry_after_header: str = ""
    personal: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def date(self) -> float | None:
        """Return when the answer was written, in Unix seconds, None if it does not say."""
        return http_date(self.date_header)

    @property
    def retry_after(self) -> float:
        """Return the seconds after which to come back, 0 if it does not say."""
        return _retry_after(self.retry_after_header, self.date) or 0.0

    @property
    def is_gateways(self) -> bool:
        """Say whether a gateway answered in the service's place: it does not know what was charged."""
        return self.code.startswith(_GATEWAY)


class Fields(dict[str, object]):
    """Request fields of a person, in the order they are sent. Printing them shows their names only."""

    def __repr__(self) -> str:
        return f"<fields {', '.join(self)}>"

    def __sentry_repr__(self) -> str:  # or Sentry would show a mapping's values
        return repr(self)


def build_body(params: Mapping[str, object]) -> Pieces:
    """
    Return the JSON body of a request, in pieces.

    A value of ``bytes``, or of pieces, is Base64 text and goes in as it is: a photo of 3 MB is
    neither copied nor scanned for characters to escape. Everything else is written as the official
    SDK writes it, so that both sign the same bytes.

    :param params: request fields in the order they are sent; a None value is left out.
    """
    pieces: list[bytes] = []
    text = "{"
    for name, value in params.items():
        if value is None:
            continue
        text += f"{json.dumps(name)}: "
        if isinstance(value, bytes | Pieces):
            pieces.append(f'{text}"'.encode())
            pieces += [value] if isinstance(value, bytes) else value
            text = '", '
        else:
            text += f"{json.dumps(value)}, "
    pieces.append(text.removesuffix(", ").encode() + b"}")
    return Pieces(pieces)


def read_reply(
    action: str,
    status: int,
    body: bytes | bytearray,
    personal: Iterable[object] = (),
    *,
    date_header: str = "",
    encoding: str = "",
    retry_after_header: str = "",
    never_forwards: bool = False,
) -> Reply:
    """
    Read an answer.

    The content type is not asked: some gateways name a charset or another type, and only the
    content tells an answer from a page of HTML.

    :param action: the API Action that was called.
    :param status: HTTP status.
    :param body: HTTP body as it came, of which more than :data:`MAX_ANSWER` bytes need not be read;
        never part of a message, because it may echo personal data.
    :param personal: values of the request; nothing that is told of the answer holds one.
    :param date_header: HTTP header ``Date``, empty if there is none.
    :param encoding: HTTP header ``Content-Encoding``, empty if there is none.
    :param retry_after_header: HTTP header ``Retry-After``, empty if there is none.
    :param never_forwards: whether the gateway is known never to forward a call that it fails.
    :raises UncertainError: the request was sent, but this is no answer to it.
    """
    response = _response(unpack(body, encoding))
    if response is None:
        code, proofs = f"{_GATEWAY}{status}", []
        if _retry_after(retry_after_header, http_date(date_header)) is not None:
            proofs.append(Proof.RETRY_AFTER)
        if never_forwards:
            proofs.append(Proof.CONNECTION)
        if not is_refusal(code, *proofs):
            raise UncertainError(_unreadable(action, status, body, encoding))
        return Reply(
            action,
            code,
            f"HTTP {status} from a gateway",
            date_header=date_header,
            retry_after_header=retry_after_header,
        )
    error = response.get("Error")
    if error is not None:  # also a malformed one: what follows it is no answer
        error = error if isinstance(error, dict) else {}
        code, description = _text(error, "Code"), _text(error, "Message")
    else:
        code, description = _text(response, "Result"), _text(response, "Description")
    values = tuple(value for value in personal if isinstance(value, str))
    return Reply(
        action=action,
        code=plain(code, _CODE, values),
        request_id=plain(_text(response, "RequestId"), _REQUEST_ID, values),
        description=on_one_line(strike_out(description, values), MAX_DESCRIPTION),
        fields=response,
        is_error=error is not None,
        date_header=date_header,
        personal=values,
    )


def unpack(body: bytes | bytearray, encoding: str) -> bytes | None:
    """
    Return a body without its compression, None if it is too long or cannot be unpacked.

    Never more than :data:`MAX_ANSWER` bytes are unpacked, however many there would be.
    """
    if len(body) > MAX_ANSWER:
        return None
    if encoding.strip().lower() not in _PACKED:
        return bytes(body)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # takes both: gzip and deflate
    try:
        unpacked = unpacker.decompress(body, MAX_ANSWER)
    except zlib.error:
        return None
    return unpacked if unpacker.eof else None


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def http_date(text: str) -> float | None:
    """Return a header ``Date`` in Unix seconds, None if it is none."""
    try:
        return float(timegm(parsedate_to_datetime(text).utctimetuple()))
    except (ValueError, OverflowError):
        return None


def _retry_after(text: str, now: float | None) -> float | None:
    """Return the seconds a header ``Retry-After`` asks for, None if it is none."""
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    moment = http_date(text)
    if moment is None:
        return None
    return 0.0 if now is None else max(0.0, moment - now)


def _response(body: bytes | None) -> dict[str, object] | None:
    if body is None or _is_too_deep(body):
        return None
    try:
        document = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    response = document.get("Response") if isinstance(document, dict) else None
    return response if isinstance(response, dict) else None


def _is_too_deep(body: bytes | bytearray) -> bool:
    """Look before reading: at the end of the stack, whatever else happens there fails as well."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth, quoted = 0, False
    for found in _BRACKETS.finditer(body):
        if found[0] == b'"':
            quoted = not quoted
        elif not quoted and len(found[0]) == 1:
            depth += 1 if found[0] in b"{[" else -1
            if depth > MAX_DEPTH:
                return True
    return False


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that says two things under one name: readers differ in which they believe."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _unreadable(action: str, status: int, body: bytes | bytearray, encoding: str) -> str:
    told = f"{len(body)} bytes that are no Face ID answer"
    if len(body) > MAX_ANSWER:
        told = f"more than {MAX_ANSWER} bytes, and no Face ID answer is so long"
    elif unpack(body, encoding) is None:
        told = f"{len(body)} bytes that do not unpack into {MAX_ANSWER} or fewer"
    advice = "If every call ends so, the connection's Endpoint is not Face ID"
    if f"{_GATEWAY}{status}" in PROOFS:
        advice = (
            "If your gateway never forwards a call that it answers so, say it in the connection's "
            "extra field 'repeat_gateway_errors'"
        )
    return f"{action}: HTTP {status} with {told}. The call may have been processed. {advice}"


MALFORMED = "(malformed)"
"""
Stands for a code or RequestId of another form than those have, or that says the person back.

No code of ours is called so.
"""

_BETWEEN = re.compile(r"[^0-9A-Za-z]+")
_SHORTEST_VALUE = 6
"""Characters of a value that no code and no RequestId holds by chance."""
_LONGEST_VALUE = 200
"""Characters of a value that neither has room for."""
_PIECE_LENGTH = 8
"""Characters of a number that neither holds by chance, a date of birth among them."""


def strike_out(text: str, personal: Iterable[object]) -> str:
    """Return a text with every one of some values replaced by ``***``."""
    values = {value for value in personal if isinstance(value, str) and value}
    for value in sorted(values, key=len, reverse=True):  # a part of another must not go first
        text = text.replace(value, "***")
    return text


def on_one_line(text: str, length: int) -> str:
    """
    Return a text as it may be printed: not too long, and U+FFFD for whatever cannot be seen.

    That is line breaks, NUL, lone surrogates, marks that turn the direction, and the like.

    :param length: most characters; of a longer text the beginning is left, and "…".
    """
    if len(text) > length:
        text = text[: length - 1] + "…"
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def plain(text: str, form: re.Pattern[str], personal: Iterable[str]) -> str:
    """Return a text that may go to logs, errors and tables as it is."""
    return text if form.fullmatch(text) and not says_back(text, personal) else MALFORMED


def says_back(text: str, personal: Iterable[str]) -> bool:
    """Say whether a text holds a value, or a piece of a number: with what is between, or in hex."""
    bare = _BETWEEN.sub("", text).casefold()
    if len(bare) < _SHORTEST_VALUE:  # as nearly every code is
        return False
    for value in personal:
        if len(value) > _LONGEST_VALUE:
            continue
        whole = _BETWEEN.sub("", value).casefold()
        if len(whole) >= _SHORTEST_VALUE and whole in bare:
            return True
        in_hex = value.encode("utf-8", "replace").hex()
        if len(in_hex) >= 2 * _SHORTEST_VALUE and in_hex in bare:
            return True
        if sum(map(str.isdigit, whole)) >= _PIECE_LENGTH and any(
            whole[at : at + _PIECE_LENGTH] in bare for at in range(len(whole) - _PIECE_LENGTH + 1)
        ):
            return True
    return False
