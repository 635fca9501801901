"""The people the authority knows: fictional, made from a seed, the same every time.

Ordinary people, who match, come first; the last are special (:data:`special.SPECIAL`), one for each
code, some of which end a run over a table. Besides them the authority knows the two people of the API pages' samples, who are not listed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ..service import id_card
from .names import AREAS, invent_name
from .special import FIXED_SIMILARITY, MATCH, SPECIAL, How, Special

DEFAULT_PEOPLE = 2000
DEFAULT_SEED = 7
FIRST_BIRTH = date(1940, 1, 1)
BIRTH_DAYS = (date(2007, 12, 31) - FIRST_BIRTH).days
_NOBODY = "Chen Jing"
"""A name nobody in the list bears by chance: given names in pinyin have two syllables."""


@dataclass(frozen=True, slots=True)
class Person:
    """
    One person as the authority knows them.

    :param id_card: the ID number.
    :param name: the name a caller would send.
    :param known_as: names the authority has for the number.
    :param special: why the answer differs, None for ordinary people.
    :param similarity: a fixed ``Sim`` for any usable photo, None to compare the pictures.
    """

    id_card: str
    name: str
    known_as: tuple[str, ...]
    special: Special | None = None
    similarity: float | None = None


SAMPLES = (
    Person("11204416541220243X", "Wei Xiaobao", ("Wei Xiaobao", "韦小宝"), None, FIXED_SIMILARITY),
    Person("440305199505132561", "Liu Yang", (_NOBODY,)),
)
"""The samples of the API pages. The first number's check digit is wrong, and still it matches."""


class People:
    """
    Everybody the authority knows.

    :param count: how many to list; the special ones are always there, at the end.
    :param seed: decides everything about them.
    """

    def __init__(self, count: int = DEFAULT_PEOPLE, seed: int = DEFAULT_SEED) -> None:
        self.seed = seed
        invented = _invent(max(count, len(SPECIAL)), seed)
        self.listed = tuple(sorted(invented, key=lambda person: person.special is not None))
        self.special = tuple(person for person in self.listed if person.special is not None)
        self._by_number = {person.id_card: person for person in (*self.listed, *SAMPLES)}

    def find(self, number: str) -> Person | None:
        """Return the person with a number, samples included."""
        return self._by_number.get(number)


def expects(person: Person) -> Mapping[str, str]:
    """Return what the service will answer about a listed person in the end, by Action."""
    return person.special.expects if person.special else MATCH


def _invent(count: int, seed: int) -> Iterator[Person]:
    """Yield people with different numbers, special ones first; a longer list begins like a shorter."""
    chance = random.Random(seed)  # noqa: S311 - fiction, not secrets
    taken = {person.id_card for person in SAMPLES}
    for index in range(count):
        number = _number(chance)
        while number in taken:
            number = _number(chance)
        taken.add(number)
        name = invent_name(chance)
        special = SPECIAL[index] if index < len(SPECIAL) else None
        known_as = (_NOBODY if special and special.how is How.NAME else name,)
        yield Person(number, name, known_as, special)


def _number(chance: random.Random) -> str:
    """Return a valid ID number: a real area, a birth date from 1940 to 2007, a check character."""
    born = FIRST_BIRTH + timedelta(days=chance.randint(0, BIRTH_DAYS))
    head = f"{chance.choice(AREAS)}{born.isoformat().replace('-', '')}{chance.randint(1, 999):03}"
    return head + id_card.check_character([int(digit) for digit in head])
