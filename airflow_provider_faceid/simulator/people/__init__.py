"""The people the authority knows: fictional, made from a seed, always the same; and the personas.

Ordinary people, who match, come first. The last ones have a persona (:data:`PERSONAS`): at least one
for every result code that input alone does not cause; some of these codes stop a run over a table.
Input causes the others: each field has a code for a malformed value, and a card without a holder has
codes of its own (:data:`.authority.UNKNOWN_CARDS`). Each person has one phone, one bank card and one ID
card with a validity, the same for every Action. The authority also knows the two people of the API
pages' samples, who are not listed.

Names and numbers come from no list of real people: common surnames, common syllables and real area
codes, combined at random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from ...api import id_card
from ...api.actions import ACTIONS, code_row
from ...api.codes import COMMON, Outcome
from ...api.fields import ID_CARD as ID_CARD_TYPE
from ...api.fields import NAME, OBJECT, PHOTO, Field
from ...api.name import MIDDLE_DOT

ID_CARD, FACE = "IdCardVerification", "ImageRecognitionV2"

TRANSIENT_CALLS = 2
"""Calls of an Action that a transient code answers before the ordinary answer comes."""

FIXED_SIMILARITY = 89.88
"""``Sim`` of the sample on the page of ``ImageRecognitionV2``."""


def code_of(action: str, outcome: Outcome) -> str:
    """Return the first code of an Action with an outcome; empty if it has none."""
    return ACTIONS[action].code_of(outcome)


def success_code(action: str) -> str:
    """Return the code of an Action for a match, or for what a look-up has found."""
    return ACTIONS[action].success_code


class How(StrEnum):
    """The cause of a persona's answer."""

    FORCED = "forced"
    """The service answers with the persona's code, whatever the request holds."""
    AT_FIRST = "at_first"
    """The same, for the first calls only; then the ordinary answer."""
    NAME = "name"
    """The authority knows the number under another name."""
    PHOTO = "photo"
    """The photo in the people list is not the registered one, see :class:`.photos.Gallery`."""


@dataclass(frozen=True, slots=True)
class Persona:
    """
    The answers about a person that are not an ordinary match.

    :param codes: the persona's code by Action. For an Action without one, :meth:`code` takes the
        Action's own code with the same outcome.
    :param how: the cause of the code.
    :param calls: with :attr:`How.AT_FIRST`, for how many calls of each Action.
    :param states: codes about the persona's phone and cards by Action; always forced, whatever ``how``
        says.
    """

    codes: Mapping[str, str]
    how: How
    calls: int = 0
    states: Mapping[str, str] = field(default_factory=dict)

    def code(self, action: str) -> str:
        """Return the persona's code for an Action; the code of a success if the Action has none."""
        if action in self.states:
            return self.states[action]
        model = self.codes[ID_CARD]
        if action in self.codes or model in COMMON:
            return self.codes.get(action, model)
        outcome = code_row(ID_CARD, model).outcome
        if self.how is How.NAME and ACTIONS[action].field_of(NAME) is None:
            return success_code(action)
        return code_of(action, outcome) or success_code(action)

    def final_code(self, action: str) -> str:
        """Return the code after transient answers are over."""
        return success_code(action) if self.is_transient(action) else self.code(action)

    def is_transient(self, action: str) -> bool:
        """Return whether the persona's code for an Action comes with the first calls only."""
        return self.how is How.AT_FIRST and action not in self.states

    def forced_code(self, action: str, earlier: int) -> str | None:
        """
        Return the code the service answers with whatever the request holds, or None.

        :param earlier: calls of this Action about this person that had a forced code before.
        """
        code = self.code(action)
        if action in self.states:
            return code
        if self.how not in {How.FORCED, How.AT_FIRST} or code == success_code(action):
            return None
        return None if self.calls and earlier >= self.calls else code


def _table(text: str) -> tuple[Persona, ...]:
    rows = []
    for line in filter(None, map(str.strip, text.splitlines())):
        id_card, face, how = line.split()
        calls = TRANSIENT_CALLS if how == How.AT_FIRST else 0
        states = _STATES.get(face.partition(".")[2], {})
        rows.append(Persona({ID_CARD: id_card, FACE: face}, How(how), calls, states))
    return tuple(rows)


def _states(text: str) -> dict[str, dict[str, str]]:
    (_, *actions), *rows = (line.split() for line in text.strip().splitlines())
    return {
        persona: {a: code for a, code in zip(actions, codes, strict=True) if code != "."}
        for persona, *codes in rows
    }


_PHONES = _states("""
persona              PhoneVerification CheckIdNameDate MobileStatus MobileNetworkTimeVerification
CompareLowSimilarity .                 -5              .            -3
LifePhotoSizeError   -13               .               -13          -13
""")
"""Codes about the phone, and the validity of the ID card, of a persona by its code for a face."""

_CARDS = _states("""
persona                BankCardVerification BankCard2EVerification BankCard4EVerification CheckBankCardInformation
IdPhotoSystemNoanswer  -16                  -15                    -17                    .
CompareSystemError     -20                  -18                    -21                    .
CompareLowSimilarity   -5                   -4                     -6                     .
LifePhotoSizeError     -6                   -5                     -7                     .
LifePhotoPoorQuality   -7                   -6                     -8                     -6
LifePhotoDetectFaces   -10                  -9                     -11                    .
LifePhotoDetectNoFaces -11                  -10                    -12                    .
LifePhotoDetectFake    -12                  -11                    -13                    .
IdPhotoNoExist         -13                  -12                    -14                    .
IdPhotoPoorQuality     -14                  -13                    -15                    .
CompareFail            -15                  -14                    -16                    .
""")
"""The same about the bank card."""

_STATES = {name: {**_CARDS[name], **_PHONES.get(name, {})} for name in _CARDS}


# IdCardVerification, ImageRecognitionV2, how
PERSONAS = _table("""
-1 FailedOperation.IdNameMisMatch                name
-5 FailedOperation.IdNoExistSystem               forced
-7 FailedOperation.IdentityAuthLimitExceeded     forced
-4 FailedOperation.CompareLibServiceUnavailable  at_first
-6 FailedOperation.IdPhotoSystemNoanswer         at_first
0  FailedOperation.CompareSystemError            at_first
FailedOperation.UnKnown FailedOperation.UnKnown  at_first
0  FailedOperation.CompareLowSimilarity          photo
0  FailedOperation.LifePhotoSizeError            photo
0  FailedOperation.LifePhotoPoorQuality          photo
0  FailedOperation.LifePhotoDetectFaces          forced
0  FailedOperation.LifePhotoDetectNoFaces        forced
0  FailedOperation.LifePhotoDetectFake           forced
0  FailedOperation.IdPhotoNoExist                forced
0  FailedOperation.IdPhotoPoorQuality            forced
0  FailedOperation.CompareFail                   forced
FailedOperation.DecryptSystemError FailedOperation.DecryptSystemError forced
FailedOperation.StsUnAuthErrError  FailedOperation.StsUnAuthErrError  forced
""")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Surname and its spelling; the common ones come first and are drawn more often.
_SURNAMES = tuple(
    pair.split("/")
    for pair in _words(
        "王/Wang 李/Li 张/Zhang 刘/Liu 陈/Chen 杨/Yang 黄/Huang 赵/Zhao 吴/Wu 周/Zhou 徐/Xu 孙/Sun "
        "马/Ma 朱/Zhu 胡/Hu 郭/Guo 何/He 高/Gao 林/Lin 罗/Luo 郑/Zheng 梁/Liang 谢/Xie 宋/Song "
        "唐/Tang 许/Xu 韩/Han 冯/Feng 邓/Deng 曹/Cao 彭/Peng 曾/Zeng 肖/Xiao 田/Tian 董/Dong "
        "袁/Yuan 潘/Pan 于/Yu 蒋/Jiang 蔡/Cai 余/Yu 杜/Du 叶/Ye 程/Cheng 苏/Su 魏/Wei 吕/Lv 丁/Ding "
        "任/Ren 沈/Shen 姚/Yao 卢/Lu 姜/Jiang 崔/Cui 钟/Zhong 谭/Tan 陆/Lu 汪/Wang 范/Fan 金/Jin "
        "石/Shi 廖/Liao 贾/Jia 夏/Xia 韦/Wei 付/Fu 方/Fang 白/Bai 邹/Zou 孟/Meng 熊/Xiong 秦/Qin "
        "邱/Qiu 江/Jiang 尹/Yin 薛/Xue 闫/Yan 段/Duan 雷/Lei 侯/Hou 龙/Long 史/Shi 陶/Tao 黎/Li "
        "贺/He 顾/Gu 毛/Mao 郝/Hao 龚/Gong 邵/Shao 欧阳/Ouyang 司马/Sima 诸葛/Zhuge 上官/Shangguan"
    )
)
_WEIGHTS = tuple(1 / (rank + 4) for rank in range(len(_SURNAMES)))
_CUMULATIVE = tuple(sum(_WEIGHTS[: rank + 1]) for rank in range(len(_WEIGHTS)))

_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉力鹏飞宇浩然子轩梓涵欣怡佳琪思雨"
    "嘉俊晨曦博睿志远天佑雪梅春燕冬晓东海波林森海燕凤琴云龙振宁德胜长江永康家豪诗涵雅婷美玲淑珍惠兰"
    "新民立业安琪若曦一诺可馨语嫣亦凡皓月星辰清泉松柏瑞祥福生金宝银川小慧丹青晴岚柔悠然"
)
_RARE = "㛃㼆䶮喆甯翀昇垚淼犇赟堃玥頔婧祎弢骉\U000241b5\U0002677d\U000289e0\U0002b5af"
_SYLLABLES = _words(
    "wei fang na min jing li qiang lei jun yang yong yan jie juan tao ming chao xiu xia ping gang "
    "gui ying hua yu lan hong jian guo wen hui peng fei hao ran zi xuan xin yi jia qi si chen bo "
    "rui zhi yuan tian xue mei chun dong xiao hai lin sen feng qin yun long zhen ning de sheng"
)
_MINORITY_FIRST = _words(
    "阿依古丽 古丽米拉 热依汗 努尔兰 艾尼瓦尔 买合木提 阿布都拉 吐尔逊 帕提古丽 玛依努尔 库尔班 艾合买提 "
    "木拉提 阿丽米热 扎西 卓玛 格桑 次仁 巴特尔 乌兰"
)
_MINORITY_SECOND = _words(
    "吐尔逊 艾力 买买提 阿布力孜 斯迪克 热合曼 依明 玉素甫 卡德尔 尼亚孜 托合提 沙吾提 哈斯木 萨迪尔 "
    "达瓦 顿珠 旺堆 平措 朝鲁 其木格"
)

AREAS = _words(
    "110101 110102 110105 110106 110107 110108 120101 120102 120103 120104 130102 130104 130105 "
    "130203 140105 140106 150102 150103 150104 150105 210102 210103 210104 210105 210202 210203 "
    "220102 220103 220104 230102 230103 230104 310101 310104 310105 310106 310107 310109 310110 "
    "310112 310115 320102 320104 320105 320106 330102 330106 340102 340103 340104 350102 350203 "
    "360102 370102 370103 370202 370203 410102 410103 410105 420102 420103 420106 420111 430102 "
    "430103 430104 440103 440104 440105 440106 440304 440305 450102 450103 460105 460106 500103 "
    "500105 500112 510104 510105 510107 520102 520103 530102 530103 540102 610102 610103 610113 "
    "620102 630102 640104 650102 810000 820000 830000"
)
"""Area codes of GB/T 2260, and the three of residence permits."""

_KINDS = ("han", "han_single", "pinyin", "minority", "rare")
_KIND_SHARES = (0.66, 0.80, 0.90, 0.96, 1.0)
"""Running shares of the kinds of names."""


def invent_name(chance: random.Random) -> str:
    """Return an invented name: mostly two or three characters, some pinyin, minority or rare names."""
    kind = chance.choices(_KINDS, cum_weights=_KIND_SHARES)[0]
    if kind == "minority":
        return chance.choice(_MINORITY_FIRST) + MIDDLE_DOT + chance.choice(_MINORITY_SECOND)
    surname, spelling = chance.choices(_SURNAMES, cum_weights=_CUMULATIVE)[0]
    if kind == "pinyin":
        given = chance.choice(_SYLLABLES) + chance.choice(_SYLLABLES)
        return f"{spelling} {given.capitalize()}"
    if kind == "han_single":
        return surname + chance.choice(_GIVEN)
    last = _RARE if kind == "rare" else _GIVEN
    return surname + chance.choice(_GIVEN) + chance.choice(last)


DEFAULT_PEOPLE = 2000
DEFAULT_SEED = 7
FIRST_BIRTH = date(1940, 1, 1)
BIRTH_DAYS = (date(2007, 12, 31) - FIRST_BIRTH).days
_ABSENT_NAME = "Chen Jing"
"""A name that no listed person has: their given names in pinyin have two syllables."""


def columns() -> dict[str, Field]:
    """Return the fields that are needed by any Action by default column, photos apart."""
    return {
        field.column: field
        for action in ACTIONS.values()
        for field in action.fields
        if field.column and field.required and field.type not in {PHOTO, OBJECT}
    }


@dataclass(frozen=True, slots=True)
class Person:
    """
    One person, as the authority has registered them.

    :param id_card: the ID number.
    :param name: the name to send.
    :param known_as: the registered names.
    :param persona: None for ordinary people, who match.
    :param similarity: a fixed ``Sim`` for any usable photo, None to compare the pictures.
    """

    id_card: str
    name: str
    known_as: tuple[str, ...]
    persona: Persona | None = None
    similarity: float | None = None

    def value(self, field: Field) -> str:
        """Return the value to send in a request field; a photo is in :class:`.photos.Gallery`."""
        if field.type is ID_CARD_TYPE:
            return self.id_card
        if field.type is NAME or field.type.sample is None:
            return self.name
        # A person has one phone and one bank card, whatever an Action calls them.
        return field.type.sample(self.chance(field.type.name if field.type.mask else field.name))

    def chance(self, name: str) -> random.Random:
        """Return the chance an invented value comes from, the same for the same person and name."""
        return random.Random(f"{name} of {self.id_card}")  # noqa: S311 - fiction, not secrets

    def registered(self, field: Field) -> tuple[str, ...]:
        """Return the values of a request field that the authority accepts."""
        return self.known_as if field.type is NAME else (self.value(field),)

    def columns(self) -> dict[str, str]:
        """Return the values of all Actions by default column, photos apart."""
        return {column: self.value(field) for column, field in columns().items()}


SAMPLES = (
    Person("11204416541220243X", "Wei Xiaobao", ("Wei Xiaobao", "韦小宝"), None, FIXED_SIMILARITY),
    Person("440305199505132561", "Liu Yang", (_ABSENT_NAME,)),
)
"""The samples of the API pages. The first number's check digit is wrong, and still it matches."""


class People:
    """
    All people that the authority knows.

    :param count: how many to list; those with a persona are always there, at the end.
    :param seed: decides all about them.
    """

    def __init__(self, count: int = DEFAULT_PEOPLE, seed: int = DEFAULT_SEED) -> None:
        self.seed = seed
        invented = _invent(max(count, len(PERSONAS)), seed)
        self.listed = tuple(sorted(invented, key=lambda person: person.persona is not None))
        self.personas = tuple(person for person in self.listed if person.persona is not None)
        self._by_number = {person.id_card: person for person in (*self.listed, *SAMPLES)}
        self._by_field: dict[str, dict[str, Person]] = {}

    def find(self, number: str) -> Person | None:
        """Return the person with an ID number, samples included."""
        return self._by_number.get(number)

    def find_by(self, field: Field, value: str) -> Person | None:
        """Return the person whose registered value of a request field this is."""
        if field.type is ID_CARD_TYPE:
            return self.find(value)
        name = field.type.name if field.type.mask else field.name
        if name not in self._by_field:
            people = self._by_number.values()
            self._by_field[name] = {person.value(field): person for person in people}
        return self._by_field[name].get(value)


def expects(person: Person) -> Mapping[str, str]:
    """Return the final answer about a listed person, by Action."""
    if person.persona:
        return {action: person.persona.final_code(action) for action in ACTIONS}
    return {action: success_code(action) for action in ACTIONS}


def _invent(count: int, seed: int) -> Iterator[Person]:
    """Yield people with different numbers, personas first; a longer list begins like a shorter."""
    chance = random.Random(seed)  # noqa: S311 - fiction, not secrets
    taken = {person.id_card for person in SAMPLES}
    for index in range(count):
        number = _number(chance)
        while number in taken:
            number = _number(chance)
        taken.add(number)
        name = invent_name(chance)
        persona = PERSONAS[index] if index < len(PERSONAS) else None
        known_as = (_ABSENT_NAME if persona and persona.how is How.NAME else name,)
        yield Person(number, name, known_as, persona)


def _number(chance: random.Random) -> str:
    """Return a valid ID number: a real area, a birth date from 1940 to 2007, a check character."""
    born = FIRST_BIRTH + timedelta(days=chance.randint(0, BIRTH_DAYS))
    head = f"{chance.choice(AREAS)}{born.isoformat().replace('-', '')}{chance.randint(1, 999):03}"
    return head + id_card.check_character([int(digit) for digit in head])
