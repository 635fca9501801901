"""The wire form: building a request body, reading an answer.

HTTP status is 200 whenever the service processed a request, a refused signature included. An
answer is one JSON object ``Response`` with either the Action's fields or ``Error``; business
failures come in ``Response.Result`` (both Actions) or, for some codes, in ``Response.Error``.
"""

from __future__ import annotations

import json
from calendar import timegm
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from ..exceptions import UncertainError
from .outcomes import NO_ANSWER, look_up


class Pieces(tuple[bytes, ...]):
    """
    A long text in pieces, which are hashed and sent one by one and need not be put together.

    Printing it does not show what it holds; ``bytes()`` puts it together.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self.length} bytes>"

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
    :param date_header: HTTP header ``Date`` as it came, empty if there was none.
    """

    action: str
    code: str
    description: str = ""
    request_id: str = ""
    fields: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    date_header: str = ""

    @property
    def date(self) -> float | None:
        """Return when the answer was written, in Unix seconds, None if it does not say."""
        try:
            return float(timegm(parsedate_to_datetime(self.date_header).utctimetuple()))
        except (ValueError, OverflowError):
            return None


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
    date_header: str = "",
) -> Reply:
    """
    Read an answer.

    The content type is not asked: some gateways name a charset or another type, and only the
    content tells an answer from a page of HTML.

    :param action: the API Action that was called.
    :param status: HTTP status.
    :param body: HTTP body; never part of a message, because it may echo personal data.
    :param personal: values of the request, struck out of the description.
    :param date_header: HTTP header ``Date``, empty if there is none.
    :raises UncertainError: the request was sent, but this is no answer to it.
    """
    response = _response(body)
    if response is None:
        code = f"http:{status}"
        if look_up(action, code) is NO_ANSWER:
            raise UncertainError(_unreadable(action, status, len(body)))
        return Reply(action, code, f"HTTP {status} from a gateway")
    error = response.get("Error")
    if error is not None:  # also a malformed one: what follows it is no answer
        error = error if isinstance(error, dict) else {}
        code, description = _text(error, "Code"), _text(error, "Message")
    else:
        code, description = _text(response, "Result"), _text(response, "Description")
    return Reply(
        action=action,
        code=code,
        description=strike_out(description, personal),
        request_id=_text(response, "RequestId"),
        fields=response,
        date_header=date_header,
    )


def strike_out(text: str, personal: Iterable[object]) -> str:
    """Return a text with every one of some values replaced by ``***``."""
    values = {value for value in personal if isinstance(value, str) and value}
    for value in sorted(values, key=len, reverse=True):  # a part of another must not go first
        text = text.replace(value, "***")
    return text


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _response(body: bytes | bytearray) -> dict[str, object] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError; [[[[... recurses
        return None
    response = document.get("Response") if isinstance(document, dict) else None
    return response if isinstance(response, dict) else None


def _unreadable(action: str, status: int, size: int) -> str:
    return (
        f"{action}: HTTP {status} with {size} bytes that are no Face ID answer. The call may have "
        "been processed. If every call ends so, the connection's Endpoint is not Face ID"
    )
