"""What a page keeps of a photo it has looked at."""

from __future__ import annotations

from typing import NamedTuple


class SeenPhoto(NamedTuple):
    """
    A photo that was read whole, judged, and let go.

    :param rule: name of the first rule it breaks, empty if it breaks none.
    :param length: length of the Base64 text it would be sent as; None if it could not be read.
    :param head: the first characters of that text.
    """

    rule: str
    length: int | None = None
    head: str | None = None
