"""The API Actions: one row each, from which everything else takes its facts.

Sources: the API pages of ``IdCardVerification`` (document 1061/79049) and ``ImageRecognitionV2``
(document 1061/79052) of the international site, version 2018-03-01. The identity limits are
published on the Chinese site only (document 1007/108625) and are therefore settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

SERVICE = "faceid"
VERSION = "2018-03-01"
DEFAULT_HOST = "faceid.intl.tencentcloudapi.com"
DOCS = "https://www.tencentcloud.com/document/product/1061/"

MAX_PHOTO_BASE64 = 3 * 1024 * 1024
"""Longest Base64 text of a photo. The page says "3M"; the larger reading refuses nobody wrongly."""


class Kind(StrEnum):
    """What a request field holds, which decides the input rule that applies to it."""

    ID_CARD = "id_card"
    NAME = "name"
    PHOTO = "photo"
    TEXT = "text"
    OBJECT = "object"


@dataclass(frozen=True)
class Field:
    """
    One request field of an Action.

    :param name: the API's spelling.
    :param kind: what it holds.
    :param required: whether the API refuses a request without it.
    :param max_length: longest value the page allows, in characters; 0 if it names none.
    :param identifies: whether its value is part of the question, so that another value asks anew.
    """

    name: str
    kind: Kind
    required: bool = True
    max_length: int = 0
    identifies: bool = True


@dataclass(frozen=True)
class IdentityLimits:
    """Calls about one ID number or name per Beijing day or minute; 0 means no known limit."""

    id_card_per_day: int
    name_per_day: int
    id_card_per_minute: int = 0
    name_per_minute: int = 0


@dataclass(frozen=True)
class Action:
    """
    One API Action.

    :param name: value of ``X-TC-Action``.
    :param quota: calls per second the service allows the account.
    :param fields: request fields in the order they are sent.
    :param identity_limits: calls per identity before the service refuses.
    :param compares_faces: whether a match carries a similarity (``Sim``).
    :param docs: address of the API page.
    """

    name: str
    quota: int
    fields: tuple[Field, ...]
    identity_limits: IdentityLimits
    docs: str
    compares_faces: bool = False
    version: str = VERSION
    max_photo_base64: int = field(default=MAX_PHOTO_BASE64)

    def field_of(self, kind: Kind) -> Field | None:
        """Return the request field that holds a kind of value, if this Action has one."""
        return self._by_kind.get(kind)

    @cached_property
    def _by_kind(self) -> dict[Kind, Field]:
        return {field.kind: field for field in reversed(self.fields)}


_ID_CARD = Field("IdCard", Kind.ID_CARD)
_NAME = Field("Name", Kind.NAME)
_ENCRYPTION = Field("Encryption", Kind.OBJECT, required=False, identifies=False)

ID_CARD_VERIFICATION = Action(
    name="IdCardVerification",
    quota=100,
    fields=(_ID_CARD, _NAME, _ENCRYPTION),
    identity_limits=IdentityLimits(id_card_per_day=1000, name_per_day=500),
    docs=DOCS + "79049",
)
IMAGE_RECOGNITION_V2 = Action(
    name="ImageRecognitionV2",
    quota=20,
    fields=(
        _ID_CARD,
        _NAME,
        Field("ImageBase64", Kind.PHOTO, max_length=MAX_PHOTO_BASE64),
        Field("Optional", Kind.TEXT, required=False),
        _ENCRYPTION,
        Field("Extra", Kind.TEXT, required=False, max_length=10, identifies=False),
    ),
    identity_limits=IdentityLimits(id_card_per_day=30, name_per_day=500, id_card_per_minute=15),
    docs=DOCS + "79052",
    compares_faces=True,
)

ACTIONS: dict[str, Action] = {
    action.name: action for action in (ID_CARD_VERIFICATION, IMAGE_RECOGNITION_V2)
}
