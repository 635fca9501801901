"""Special people: at least one for every result code that input alone does not bring about.

The rest of the codes follow from what is sent: ``-2`` and ``IdFormatError`` from a broken number,
``-3`` and ``NameFormatError`` from a broken name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"
MATCH: Mapping[str, str] = {ID_CARD: "0", FACE: "Success"}
"""What ordinary people are answered, by Action."""

TRANSIENT_CALLS = 2
"""Calls of an Action that a transient code answers before the real answer comes."""

FIXED_SIMILARITY = 89.88
"""``Sim`` of the sample on the page of ``ImageRecognitionV2``."""


class How(StrEnum):
    """Why a special person is answered differently."""

    TOLD = "told"
    """The service is told to give this code, whatever is sent."""
    AT_FIRST = "at_first"
    """The same, for the first calls only; then comes the ordinary answer."""
    NAME = "name"
    """The authority knows the number under another name."""
    PHOTO = "photo"
    """The photo in the people list is not the registered one, see ``people.Gallery``."""


@dataclass(frozen=True, slots=True)
class Persona:
    """
    How one special person differs.

    :param codes: the code that makes the person special, by Action.
    :param how: why the code is answered.
    :param calls: with :attr:`How.AT_FIRST`, for how many calls of each Action.
    """

    codes: Mapping[str, str]
    how: How
    calls: int = 0

    @property
    def expects(self) -> Mapping[str, str]:
        """Return the final answers, by Action."""
        return MATCH if self.how is How.AT_FIRST else self.codes

    def told(self, action: str, earlier: int) -> str | None:
        """
        Return the code the service is told to give, or None.

        :param earlier: calls of this Action about this person that were told a code before.
        """
        if self.how not in {How.TOLD, How.AT_FIRST} or self.codes[action] == MATCH[action]:
            return None
        return None if self.calls and earlier >= self.calls else self.codes[action]


def _table(text: str) -> tuple[Persona, ...]:
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        id_card, face, how = line.split()
        calls = TRANSIENT_CALLS if how == How.AT_FIRST else 0
        rows.append(Persona({ID_CARD: id_card, FACE: face}, How(how), calls))
    return tuple(rows)


# IdCardVerification, ImageRecognitionV2, how
PERSONAS = _table("""
-1 FailedOperation.IdNameMisMatch                name
-5 FailedOperation.IdNoExistSystem               told
-7 FailedOperation.IdentityAuthLimitExceeded     told
-4 FailedOperation.CompareLibServiceUnavailable  at_first
-6 FailedOperation.IdPhotoSystemNoanswer         at_first
0  FailedOperation.CompareSystemError            at_first
FailedOperation.UnKnown FailedOperation.UnKnown  at_first
0  FailedOperation.CompareLowSimilarity          photo
0  FailedOperation.LifePhotoSizeError            photo
0  FailedOperation.LifePhotoPoorQuality          photo
0  FailedOperation.LifePhotoDetectFaces          told
0  FailedOperation.LifePhotoDetectNoFaces        told
0  FailedOperation.LifePhotoDetectFake           told
0  FailedOperation.IdPhotoNoExist                told
0  FailedOperation.IdPhotoPoorQuality            told
0  FailedOperation.CompareFail                   told
FailedOperation.DecryptSystemError FailedOperation.DecryptSystemError told
FailedOperation.StsUnAuthErrError  FailedOperation.StsUnAuthErrError  told
""")
