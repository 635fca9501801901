"""A client: how one of the official ones is asked, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.cases import Case


@dataclass(frozen=True, slots=True)
class Said:
    """
    What a client says of one call.

    :param answer: the fields it read, RequestId included; empty if it tells of an error.
    :param kind: the class of that error.
    :param code: ``Error.Code``.
    :param message: ``Error.Message``.
    :param request_id: ``RequestId`` of the error.
    """

    answer: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """
    One of the official clients.

    :param name: its name.
    :param error: the class by which it tells of the service's errors.
    :param ask: sends a case to the simulator at an address.
    """

    name: str
    error: str
    ask: Callable[[str, Case], Said]
