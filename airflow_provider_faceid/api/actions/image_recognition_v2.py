"""``ImageRecognitionV2``: whether a photo shows the person registered under an ID number.

Sources: the API page (document 1061/79052), which names the codes; the billing page of the Chinese site
for face comparison (document 1007/47911) says which of them are charged. The identity limits are
published on the Chinese site only (document 1007/108625).
"""

from __future__ import annotations

from ..action import Action, IdentityLimits
from ..codes import code_table
from ..fields import ENCRYPTION, ID_CARD, NAME, PHOTO, TEXT, Field
from ..photo import MAX_PHOTO_BASE64

ACTION = Action(
    name="ImageRecognitionV2",
    title="whether a photo shows the person registered under an ID number",
    document="79052",
    quota=20,
    fields=(
        Field(
            "IdCard",
            ID_CARD,
            column="id_card",
            encrypted=True,
            invalid_code="FailedOperation.IdFormatError",
        ),
        Field(
            "Name",
            NAME,
            column="name",
            encrypted=True,
            invalid_code="FailedOperation.NameFormatError",
        ),
        Field("ImageBase64", PHOTO, column="photo", max_length=MAX_PHOTO_BASE64),
        Field("Optional", TEXT, required=False),
        ENCRYPTION,
        Field("Extra", TEXT, required=False, max_length=10, identifies=False),
    ),
    identity_limits=IdentityLimits(id_card_per_day=30, name_per_day=500, id_card_per_minute=15),
    compares_faces=True,
    # code, outcome, charged, next step, meaning
    results=code_table("""
Success                                      match          yes     record     the photo shows the registered person
FailedOperation.IdNameMisMatch               mismatch       yes     record     name and ID number differ
FailedOperation.CompareLowSimilarity         mismatch       yes     record     the photo is not similar enough to the registered one
InternalError.CompareLowSimilarity           mismatch       unknown record     older spelling of FailedOperation.CompareLowSimilarity
FailedOperation.IdNoExistSystem              not_found      no      record     no record of this ID number
FailedOperation.IdPhotoNoExist               not_found      no      record     no registered photo of this person
FailedOperation.IdFormatError                invalid_input  no      quarantine invalid ID number
FailedOperation.NameFormatError              invalid_input  no      quarantine invalid name
FailedOperation.LifePhotoDetectFaces         unusable_photo no      quarantine more than one face on the photo
FailedOperation.LifePhotoDetectNoFaces       unusable_photo no      quarantine no complete face on the photo
FailedOperation.LifePhotoDetectFake          review         no      record     the photo does not seem to show a live person
FailedOperation.LifePhotoPoorQuality         unusable_photo no      quarantine the photo's resolution is too low
FailedOperation.LifePhotoSizeError           unusable_photo no      quarantine the photo is too large or too small
FailedOperation.IdPhotoPoorQuality           review         no      record     the registered photo is of poor quality
FailedOperation.CompareFail                  review         no      record     the two photos could not be compared
FailedOperation.CompareLibServiceUnavailable unavailable    no      retry      the authority's library is under maintenance
FailedOperation.CompareSystemError           unavailable    no      retry      the comparison engine failed
FailedOperation.IdPhotoSystemNoanswer        unavailable    no      retry      the authority did not return the registered photo
FailedOperation.IdentityAuthLimitExceeded    limit          no      postpone   this identity was asked about too often today
"""),
)
