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
    comparison_codes=frozenset(
        {
            "Success",
            "FailedOperation.CompareLowSimilarity",
            "InternalError.CompareLowSimilarity",
        }
    ),
    # code, outcome, charged, next step, meaning | the same in Chinese
    results=code_table("""
Success                                      match          yes     record     the photo shows the registered person | 照片为登记者本人
FailedOperation.IdNameMisMatch               mismatch       yes     record     name and ID number differ | 姓名与身份证号不一致
FailedOperation.CompareLowSimilarity         mismatch       yes     record     the photo is not similar enough to the registered one | 照片与登记照片相似度不足
InternalError.CompareLowSimilarity           mismatch       unknown record     older spelling of FailedOperation.CompareLowSimilarity | FailedOperation.CompareLowSimilarity 的旧写法
FailedOperation.IdNoExistSystem              not_found      no      record     no record of this ID number | 查无此身份证号
FailedOperation.IdPhotoNoExist               not_found      no      record     no registered photo of this person | 此人没有登记照片
FailedOperation.IdFormatError                invalid_input  no      quarantine invalid ID number | 身份证号无效
FailedOperation.NameFormatError              invalid_input  no      quarantine invalid name | 姓名无效
FailedOperation.LifePhotoDetectFaces         unusable_photo no      quarantine more than one face on the photo | 照片中不止一张人脸
FailedOperation.LifePhotoDetectNoFaces       unusable_photo no      quarantine no complete face on the photo | 照片中没有完整的人脸
FailedOperation.LifePhotoDetectFake          review         no      record     the photo does not seem to show a live person | 照片疑似非真人拍摄
FailedOperation.LifePhotoPoorQuality         unusable_photo no      quarantine the photo's resolution is too low | 照片分辨率过低
FailedOperation.LifePhotoSizeError           unusable_photo no      quarantine the photo is too large or too small | 照片过大或过小
FailedOperation.IdPhotoPoorQuality           review         no      record     the registered photo is of poor quality | 登记照片质量较差
FailedOperation.CompareFail                  review         no      record     the two photos could not be compared | 两张照片无法比对
FailedOperation.CompareLibServiceUnavailable unavailable    no      retry      the authority's library is under maintenance | 权威库维护中
FailedOperation.CompareSystemError           unavailable    no      retry      the comparison engine failed | 比对引擎出错
FailedOperation.IdPhotoSystemNoanswer        unavailable    no      retry      the authority did not return the registered photo | 权威库未返回登记照片
FailedOperation.IdentityAuthLimitExceeded    limit          no      postpone   this identity was asked about too often today | 此身份今日查询次数过多
"""),
)
