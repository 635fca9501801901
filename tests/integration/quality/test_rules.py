"""Validation and batch judge alike: they refuse the same rows, under the same rules."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_faceid.api import bank_card, id_card, name, photo
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.actions.id_card_verification import ACTION as ID_CARD_VERIFICATION
from airflow_provider_faceid.api.actions.image_recognition_v2 import ACTION as IMAGE_RECOGNITION_V2
from airflow_provider_faceid.api.fields import (
    BANK_CARD,
    DATE,
    END_DATE,
    FIELD_OF_RULE,
    ID_CARD,
    OPTIONAL,
    PHONE,
    PHOTO,
    TYPES,
    InputRules,
)
from airflow_provider_faceid.api.fields import NAME as NAME_TYPE
from airflow_provider_faceid.api.id_card import Check
from airflow_provider_faceid.batch.inputs import Columns, Inputs
from airflow_provider_faceid.client.settings import Settings
from airflow_provider_faceid.clock import SYSTEM_CLOCK, beijing_date
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.quality import (
    INPUT_RULE,
    ROW_RULE,
    WARNING,
    default_suite,
    expectation,
)
from airflow_provider_faceid.quality.page import Projection, pages
from airflow_provider_faceid.quality.validator import Validator
from airflow_provider_faceid.simulator.people import AREAS
from airflow_provider_faceid.warehouse.sql.database import SQLITE

pytestmark = pytest.mark.long

TODAY = beijing_date(SYSTEM_CLOCK.now())
NUMBER, NAME = "11010519491231002X", "韦小宝"
JPEG = b"\xff\xd8\xff\xda" + bytes(range(200)) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200)) + b"IEND\xaeB`\x82"
GIF = b"GIF89a" + bytes(range(200))
PEOPLE = Projection(ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "name"})
SMALL = 400
"""Longest text of a photo in these tests, so that large ones are small."""
A_FEW_PAGES = settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a page takes 0.2 s: nothing is shrunk
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Rows:
    """A source that gives Python values as they are."""

    def __init__(self, rows):
        self.rows, self.database = rows, self
        self.dialect = SQLITE

    def pages(self, expressions, size):
        del expressions
        for start in range(0, len(self.rows), size):
            yield self.rows[start : start + size]


MARKS = "\u200b\ufeff\u202d\u202c\u2066\u2069\u200e\u200d\u200c\u00ad\u00a0\t\n\0"
MISSING = ["nan", "NaN", "None", "NULL", "<NA>", "NaT", "NA", "Null", "N/A", "undefined"]


@st.composite
def numbers(draw):
    """Numbers that fit, and such with a character changed, added or missing."""
    day = draw(st.dates(date(1890, 1, 1), date(2035, 1, 1)))
    area = draw(st.sampled_from([*AREAS, "000000", "990101", "161111"]))
    head = f"{area}{day:%Y%m%d}{draw(st.integers(0, 999)):03}"
    number = head + id_card.check_character([int(digit) for digit in head])
    place = draw(st.integers(0, 17))
    extra = draw(st.sampled_from(f"0123456789Xx ０Ⅹ٣\0\n-{MARKS}"))
    return draw(
        st.sampled_from(
            [
                number,
                number,
                number.lower(),
                f"  {number}\u3000",
                number.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
                number[:place] + extra + number[place + 1 :],
                number[:place] + extra + number[place:],
                number[:place],
                number + extra,
                extra + number,
            ]
        )
    )


odd = st.one_of(
    st.none(),
    st.integers(),
    st.integers(10**17, 10**18 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=18),
    st.decimals(allow_nan=False),
    st.dates(),
    st.sampled_from(["", " ", "\u3000", "\0", "0" * 18, Decimal("NaN"), float("nan"), *MISSING]),
    st.text(max_size=60),
    st.text("0123456789X", min_size=17, max_size=19),
    st.text(MARKS, max_size=4),
)
names = st.one_of(
    st.text(f"王小明阿依古丽·•ᐧ●．. -'Abc\u3000\t7{MARKS}", max_size=12),
    st.text("नेपाली\u200d\u200cعلیǟＡé\u0301\uf92c", max_size=8),
    st.text("王·", min_size=45, max_size=55),
    st.text(
        st.characters(exclude_categories=["Cs"]), max_size=12
    ),  # no database holds half a character
    odd,
)


@st.composite
def digits(draw, well_formed, marks):
    """Numbers that fit, and such with something between, before or behind, or a digit too few."""
    number = draw(well_formed)
    place, extra = draw(st.integers(0, len(number))), draw(st.sampled_from(marks))
    return draw(
        st.sampled_from(
            [
                number,
                number,
                int(number),
                -int(number),
                float(number),
                number.encode(),
                f"  {number}\u3000",
                number.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
                number[:place] + extra + number[place:],
                number[:place],
                number[:place] + number[place + 1 :],
                number + extra,
                extra + number,
                extra + extra + number,
            ]
        )
    )


MOBILE = st.from_regex("1[3-9][0-9]{9}", fullmatch=True, alphabet=st.characters(codec="ascii"))
CARD = st.one_of(
    st.text("0123456789", min_size=12, max_size=19),
    st.randoms(use_true_random=False).map(bank_card.sample),
)
DAY = st.dates(date(1990, 1, 1), date(2060, 1, 1))


@st.composite
def days(draw):
    """Days in every spelling, and what is none."""
    day = draw(DAY)
    return draw(
        st.sampled_from(
            [
                day,
                datetime(day.year, day.month, day.day, 12, 30),  # noqa: DTZ001 - as a driver gives it
                f"{day:%Y%m%d}",
                int(f"{day:%Y%m%d}"),
                f"{day}",
                f" {day:%Y/%m/%d}\u200b",
                f"{day} 00:00:00",
                f"{day} 10:00:00",
                f"{day:%Y}1301",
                f"{day:%Y}0230",
                "00000000",
                "长期",
                0,
            ]
        )
    )


VALUES = {
    ID_CARD: (NUMBER, st.one_of(numbers(), odd)),
    NAME_TYPE: (NAME, names),
    PHONE: ("13800138000", st.one_of(digits(MOBILE, ["+86", "86", "0086", " -", ".", "x"]), odd)),
    BANK_CARD: ("6222021234567890128", st.one_of(digits(CARD, [" ", "-", "\u200b", "x"]), odd)),
    DATE: ("20200101", st.one_of(days(), odd)),
    END_DATE: ("20400101", st.one_of(days(), odd)),
}
"""A value that keeps the rules, and values of all kinds, by type."""


@st.composite
def rows_of(draw, action):
    """Rows of an Action's source: one value is odd, or all are."""
    types = [field.type for field in action.fields if field.column and field.type is not PHOTO]
    only = draw(st.sampled_from([None, *range(len(types))]))
    values = [
        draw(VALUES[type_][1]) if only in {None, n} else VALUES[type_][0]
        for n, type_ in enumerate(types)
    ]
    return (*values, *([JPEG] if action.field_of(PHOTO) else []))


@st.composite
def photos(draw):
    """Pictures and their texts, whole and broken."""
    picture = draw(st.sampled_from([JPEG, PNG, GIF, JPEG[:-2], PNG[:-4], JPEG + bytes(200), b""]))
    text = base64.b64encode(picture).decode()
    wrapped = base64.encodebytes(picture).decode()
    place, extra = draw(st.integers(0, len(text))), draw(st.sampled_from(f"=-_ \r{MARKS}"))
    return draw(
        st.sampled_from(
            [
                picture,
                memoryview(picture),
                text,
                text.encode(),
                f"\n{text}",
                wrapped,
                wrapped.replace("\n", "\r\n"),
                wrapped.replace("\n", "\r"),
                f"\ufeff{text}",
                b"\xef\xbb\xbf" + text.encode(),
                extra + text + extra,
                text[:place] + extra + text[place:],
                text[:place],
                f"data:image/jpeg;base64,{text}",
            ]
        )
    )


def batch_inputs(action, rules):
    """Return what reads rows for the batch, and says which rule one breaks."""
    settings_ = Settings(None, hash_secret="secret", id_card_check=rules.id_card_check)
    by_field = {f.name: f.column for f in action.fields if f.column and f.type is not PHOTO}
    columns = Columns(by_field, skip_rules=rules.skipped)
    return Inputs(action, Rows([]), columns, settings_, SYSTEM_CLOCK)


def found_rules(validator, rows, projection=PEOPLE):
    """Return the rules under which the validation refuses each row, by key."""
    found = defaultdict(set)
    for page in pages(Rows(rows), projection, 1000):
        for key, rule in validator.bad_rows(page.frame):
            found[key].add(rule)
    return found


@pytest.mark.parametrize(
    "rules",
    [
        InputRules(TODAY),
        InputRules(TODAY, Check.FORMAT),
        InputRules(TODAY, skipped=frozenset({"name_missing_text", "id_card_province"})),
    ],
    ids=["strict", "format", "two rules off"],
)
def test_validation_and_batch_refuse_the_same_rows_under_the_same_rules(rules):
    validator = Validator(default_suite(ID_CARD_VERIFICATION, rules))
    inputs = batch_inputs(ID_CARD_VERIFICATION, rules)

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.one_of(numbers(), odd), st.just(NAME)),
                st.tuples(st.just(NUMBER), names),
                st.tuples(numbers(), names),
            ),
            min_size=100,
            max_size=150,
        )
    )
    @A_FEW_PAGES
    def judge_alike(people):
        rows = [(key, *person) for key, person in enumerate(people)]
        found = found_rules(validator, rows)
        for row in rows:
            first = inputs.broken_rule("", row)
            each = {
                rules.first_broken(ID_CARD_VERIFICATION.field("IdCard"), row[1]),
                rules.first_broken(ID_CARD_VERIFICATION.field("Name"), row[2]),
            } - {None}
            assert found[row[0]] == {rule.name for rule in each}, ascii(row)
            assert (first in found[row[0]]) if first else not found[row[0]], ascii(row)

    judge_alike()
    inputs.close()


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_for_every_action_validation_and_batch_refuse_and_warn_alike(action):
    rules = InputRules(TODAY)
    inputs, projection = batch_inputs(action, rules), Projection(action, action.columns)
    asked = [field for field in action.fields if field.column and field.type is not PHOTO]

    @given(st.lists(rows_of(action), min_size=100, max_size=150))
    @A_FEW_PAGES
    def judge_alike(values):
        validator = Validator(default_suite(action, rules))
        rows = [(key, *row) for key, row in enumerate(values)]
        found, warned = found_rules(validator, rows, projection), Counter()
        for row in rows:
            of_fields = dict(zip(asked, row[1:], strict=False))
            broken = {f: r for f, v in of_fields.items() if (r := rules.first_broken(f, v))}
            read = {f.name: f.rules.read(v) for f, v in of_fields.items() if f not in broken}
            together = {rule.name for rule in action.row_rules if rule.is_broken(read)}
            assert found[row[0]] == {rule.name for rule in broken.values()} | together, ascii(row)
            first = inputs.broken_rule("", row)
            assert (first in found[row[0]]) if first else not found[row[0]], ascii(row)
            warned.update(rules.warnings(asked, read))
        counted = {c.rule: c.unexpected for c in validator.counts if c.severity == WARNING}
        assert counted == {rule: warned[rule] for rule in counted}
        assert {*warned} <= {*counted}

    judge_alike()
    inputs.close()


def with_short_photos(most):
    """Return the Action with photos of so many characters of Base64 at most."""
    fields = [
        replace(field, max_length=most) if field.type is PHOTO else field
        for field in IMAGE_RECOGNITION_V2.fields
    ]
    return replace(IMAGE_RECOGNITION_V2, fields=tuple(fields))


def test_validation_and_batch_refuse_the_same_photos_under_the_same_rules():
    validator = Validator(default_suite(IMAGE_RECOGNITION_V2, InputRules(TODAY)))
    columns = {"IdCard": "id_card", "Name": "name", "ImageBase64": "photo"}
    projection = Projection(with_short_photos(SMALL), columns)

    @given(st.lists(st.one_of(photos(), odd), min_size=100, max_size=150))
    @A_FEW_PAGES
    def judge_alike(values):
        found = found_rules(
            validator,
            [(key, NUMBER, NAME, value) for key, value in enumerate(values)],
            projection,
        )
        for key, value in enumerate(values):
            broken = photo.FIELD.first_broken_of(photo.Given(value, SMALL), TODAY)
            assert found[key] == ({broken.name} if broken else set()), ascii(value)

    judge_alike()


ONE_OF_EACH = {
    "id_card_missing": (None, NAME),
    "id_card_not_text": (110105194912310021, NAME),
    "id_card_length": (NUMBER[:-1], NAME),
    "id_card_characters": ("A" + NUMBER[1:], NAME),
    "id_card_province": ("000105194912310025", NAME),
    "id_card_birth_date": ("110105194913310021", NAME),
    "id_card_check_digit": ("110105194912310021", NAME),
    "name_missing": (NUMBER, ""),
    "name_not_text": (NUMBER, 7),
    "name_missing_text": (NUMBER, "NULL"),
    "name_length": (NUMBER, "王" * 51),
    "name_characters": (NUMBER, "王2"),
}


@pytest.mark.parametrize("rule", ONE_OF_EACH)
def test_a_bad_row_is_found_under_the_name_of_its_rule(rule):
    validator = Validator(default_suite(ID_CARD_VERIFICATION, InputRules(TODAY)))
    found = found_rules(validator, [(1, NUMBER, NAME), (7, *ONE_OF_EACH[rule])])
    assert found == {7: {rule}}
    counts = {count.rule: (count.evaluated, count.unexpected) for count in validator.counts}
    assert counts == {one: (2, int(one == rule)) for one in ONE_OF_EACH}


def test_every_rule_has_an_expectation_of_its_own_and_nothing_else_has():
    suite = default_suite(ID_CARD_VERIFICATION, InputRules(TODAY))
    assert [e["meta"]["rule"] for e in suite] == [*id_card.RULES, *name.RULES] == [*ONE_OF_EACH]
    assert {e["type"] for e in suite} == {INPUT_RULE}
    lenient = default_suite(ID_CARD_VERIFICATION, InputRules(TODAY, skipped=frozenset(OPTIONAL)))
    optional = {*OPTIONAL} & {*ONE_OF_EACH}
    assert optional
    assert {e["meta"]["rule"] for e in suite} - {e["meta"]["rule"] for e in lenient} == optional


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_the_suite_of_an_action_asks_each_rule_of_its_fields_once(action):
    suite = default_suite(action, InputRules(TODAY))
    asked = [(e["kwargs"].get("column"), e["meta"]["rule"]) for e in suite]
    of_fields = [
        (field.column, rule.name)
        for field in action.fields
        if field.column
        for rule in field.rules.rules
        if rule.name not in photo.ON_READING
    ]
    assert asked == of_fields + [(None, rule.name) for rule in action.row_rules]
    kinds = {e["type"] for e in suite}
    assert kinds == {INPUT_RULE} | ({ROW_RULE} if action.row_rules else set())
    warned = [e["meta"]["rule"] for e in suite if e.get("severity") == WARNING]
    assert set(warned) <= {"bank_card_luhn"}
    assert bool(warned) is (action.field_of(BANK_CARD) is not None)


@pytest.mark.parametrize(
    ("photo_path", "reads_photos", "asked"),
    [
        (False, True, set(photo.RULES) - set(photo.ON_READING)),
        (True, False, {"photo_missing"}),
        (True, True, set(photo.RULES)),
    ],
    ids=["in the column", "paths", "paths that are followed"],
)
def test_rules_of_photos_are_asked_where_there_is_something_to_ask(photo_path, reads_photos, asked):
    suite = default_suite(
        IMAGE_RECOGNITION_V2, InputRules(TODAY), photo_path=photo_path, reads_photos=reads_photos
    )
    named = {e["meta"]["rule"] for e in suite if e["kwargs"]["column"] == "photo"}
    assert named == asked
    assert len(suite) == len(named) + len(ONE_OF_EACH)


@pytest.mark.parametrize("type_", VALUES, ids=lambda type_: type_.name)
def test_many_values_are_judged_as_each_is_alone(type_):
    """Rules that are implied by later ones are left out for most values; what was normalised stays so."""
    asked = type_.rules(True, 0)  # noqa: FBT003 - as the table of rules asks it

    @given(st.lists(VALUES[type_][1], min_size=50, max_size=80))
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def judged_alike(values):
        each = [asked.first_broken(value, TODAY) for value in values]
        assert list(asked.first_broken_each(values, TODAY)) == each
        read = [type_.normalise(value) if type(value) is str else value for value in values]
        assert list(asked.first_broken_each(read, TODAY, is_normalised=True)) == each

    judged_alike()


def test_rules_of_the_suite_are_those_of_the_fields():
    assert {*id_card.RULES, *name.RULES, *photo.RULES} < FIELD_OF_RULE.keys()
    assert {*FIELD_OF_RULE} == {rule.name for type_ in TYPES for rule in rules_of(type_)}


def rules_of(type_):
    return type_.rules(True, 0).rules  # noqa: FBT003 - as the table of rules asks it


def test_an_input_rule_can_be_asked_of_a_column_of_ones_own():
    guardian = expectation(
        "guardian_number", INPUT_RULE, column="guardian", rule="id_card_check_digit"
    )
    validator = Validator([guardian])
    projection = Projection(
        ID_CARD_VERIFICATION, {"IdCard": "id_card", "Name": "name"}, others=["guardian"]
    )
    rows = [(1, NUMBER, NAME, NUMBER.lower()), (2, NUMBER, NAME, "110105194912310021")]
    assert found_rules(validator, rows, projection) == {2: {"guardian_number"}}


def test_an_input_rule_nobody_knows_is_an_error_of_the_configuration():
    with pytest.raises(ConfigurationError, match="number 1 cannot be built"):
        Validator([expectation("x", INPUT_RULE, column="name", rule="name_lenght")])
