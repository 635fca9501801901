"""The gallery: everybody's registered picture, drawn when it is first asked for."""

from __future__ import annotations

from functools import lru_cache

from .people import Person
from .pictures import portrait
from .similarity import Features, features, open_picture
from .special import FACE

PORTRAITS_KEPT = 256
FEATURES_KEPT = 4096
TINY, COARSE = (24, 30), (64, 80)
"""Sizes the service calls too small, and of too low a resolution."""


class Gallery:
    """
    Pictures by person.

    :param seed: the seed of the people.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._portrait = lru_cache(PORTRAITS_KEPT)(portrait)
        self._features = lru_cache(FEATURES_KEPT)(self._look_at)

    def registered(self, person: Person) -> bytes:
        """Return the picture the authority has."""
        return self._portrait(f"{self._seed}:{person.id_card}")

    def features(self, person: Person) -> Features:
        """Return what the registered picture is compared by."""
        return self._features(person.id_card)

    def submitted(self, person: Person) -> bytes:
        """Return the picture a caller would send: the registered one, except for special people."""
        match person.special and person.special.codes.get(FACE):
            case "FailedOperation.CompareLowSimilarity":
                return self._portrait(f"{self._seed}:somebody else than {person.id_card}")
            case "FailedOperation.LifePhotoSizeError":
                return self._portrait(f"{self._seed}:{person.id_card}", TINY)
            case "FailedOperation.LifePhotoPoorQuality":
                return self._portrait(f"{self._seed}:{person.id_card}", COARSE)
        return self.registered(person)

    def _look_at(self, number: str) -> Features:
        return features(open_picture(self._portrait(f"{self._seed}:{number}")))
