"""What our tables say of a person: enough to know them again, too little to know them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from ..service.actions import Action, Kind
from ..service.id_card import masked
from ..state.limits import purpose_key

_PURPOSE = b"faceid result tables"
_HASH_BYTES = 16


def identity_columns(action: Action, secret: str, params: Mapping[str, object]) -> dict[str, str]:
    """
    Return the columns by which a row of the result table tells of its person.

    The same for an ID number whatever the Action and the campaign, so that tables can be joined.

    :param secret: the connection's key of hashes; under another one everybody looks new.
    :param params: the request fields, normalised.
    """
    field = action.field_of(Kind.ID_CARD)
    number = params.get(field.name) if field is not None else None
    if not isinstance(number, str):
        return {}
    digest = hmac.digest(purpose_key(secret, _PURPOSE), number.encode(), "sha256")
    return {"id_card_hash": digest[:_HASH_BYTES].hex(), "id_card_masked": masked(number)}
