"""Phones, cards and validities as they come: normalised, warned about or quarantined; never charged if bad.

Each case says how a value is written, and the rule it breaks, if any. The validation, the batch, the hook
and the single operator judge it alike.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date

import duckdb
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.fields import FIELD_OF_RULE
from airflow_provider_faceid.exceptions import InvalidInputError
from airflow_provider_faceid.hooks.faceid import FaceIdHook
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import FaceIdVerifyOperator
from airflow_provider_faceid.operators.verify_batch import FaceIdVerifyTableOperator

WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
LUHN = "bank_card_luhn"


def wrong_check_digit(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def grouped(number: str, between: str) -> str:
    return between.join(number[at : at + 4] for at in range(0, len(number), 4))


PHONES = [
    ("as it is", lambda n: n, None),
    ("+86 and blanks", lambda n: f"+86 {n[:3]} {n[3:7]} {n[7:]}", None),
    ("0086 and hyphens", lambda n: f"0086-{n[:3]}-{n[3:7]}-{n[7:]}", None),
    ("86 before it", lambda n: f"86{n}", None),
    ("full-width digits", lambda n: n.translate(WIDE), None),
    ("a zero-width space", lambda n: f"\u200b{n}\u200b", None),
    ("an integer", int, None),
    ("an integer with 86", lambda n: int(f"86{n}"), None),
    ("10 digits", lambda n: n[:-1], "phone_length"),
    ("12 digits", lambda n: f"{n}1", "phone_length"),
    ("+86 and 10 digits", lambda n: f"+86{n[:-1]}", "phone_characters"),
    ("a landline", lambda _: "02066668888", "phone_prefix"),
    ("a second digit of 2", lambda n: f"12{n[2:]}", "phone_prefix"),
    ("a letter", lambda n: f"{n[:-1]}O", "phone_characters"),
    ("a fraction", float, "phone_not_text"),
    ("bytes", str.encode, "phone_not_text"),
    ("nothing", lambda _: None, "phone_missing"),
    ("blanks", lambda _: "  ", "phone_missing"),
    ("a word for nothing", lambda _: "null", "phone_missing"),
]
CARDS = [
    ("blanks", lambda n: grouped(n, " "), None),
    ("hyphens", lambda n: grouped(n, "-"), None),
    ("full-width digits", lambda n: n.translate(WIDE), None),
    ("an integer", int, None),
    ("a check digit that does not fit", wrong_check_digit, LUHN),
    ("that, with blanks", lambda n: grouped(wrong_check_digit(n), " "), LUHN),
    ("20 digits", lambda n: f"{n}1"[:20].ljust(20, "0"), "bank_card_length"),
    ("11 digits", lambda n: n[:11], "bank_card_length"),
    ("letters", lambda n: f"{n[:-1]}X", "bank_card_characters"),
    ("masked", lambda n: f"{n[:4]}****{n[-4:]}", "bank_card_characters"),
    ("a power of ten", lambda _: "6.2E+18", "bank_card_characters"),
    ("a fraction", float, "bank_card_not_text"),
    ("nothing", lambda _: None, "bank_card_missing"),
    ("empty text", lambda _: "", "bank_card_missing"),
]
BEGINS = [
    ("hyphens", lambda d: f"{d[:4]}-{d[4:6]}-{d[6:]}", None),
    ("dots", lambda d: f"{d[:4]}.{d[4:6]}.{d[6:]}", None),
    ("slashes", lambda d: f"{d[:4]}/{d[4:6]}/{d[6:]}", None),
    ("a time of midnight", lambda d: f"{d[:4]}-{d[4:6]}-{d[6:]} 00:00:00", None),
    ("an integer", int, None),
    ("30 February", lambda _: "20230230", "date_format"),
    ("30 February as an integer", lambda _: 20230230, "date_format"),
    ("a month of 13", lambda _: "2023-13-01", "date_format"),
    ("two digits of the year", lambda d: d[2:], "date_format"),
    ("no end as a beginning", lambda _: "00000000", "date_format"),
    ("long-term as a beginning", lambda _: "长期", "date_format"),
    ("nothing", lambda _: None, "date_missing"),
    ("a beginning after the end", lambda _: "2099-01-01", "validity_order"),
]
ENDS = [
    ("hyphens", lambda d: f"{d[:4]}-{d[4:6]}-{d[6:]}", None),
    ("an integer", int, None),
    ("30 February", lambda _: "20460230", "end_date_format"),
    ("a word that is no date", lambda _: "never", "end_date_format"),
    ("nothing", lambda _: None, "end_date_missing"),
    ("before the beginning", lambda _: "19800101", "validity_order"),
]
NO_ENDS = [
    ("eight zeros", lambda d: d, None),
    ("long-term", lambda _: "长期", None),
    ("long-term, traditional", lambda _: "長期", None),
    ("zeros with hyphens", lambda _: "0000-00-00", None),
]
ALL = {
    "PhoneVerification phone": PHONES,
    "MobileStatus mobile": PHONES,
    "MobileNetworkTimeVerification mobile": PHONES,
    "BankCard4EVerification phone": PHONES,
    "BankCard4EVerification bank_card": CARDS,
    "BankCardVerification bank_card": CARDS,
    "BankCard2EVerification bank_card": CARDS,
    "CheckBankCardInformation bank_card": CARDS,
    "CheckIdNameDate validity_begin": BEGINS,
    "CheckIdNameDate validity_end": ENDS,
    "CheckIdNameDate validity_end for ever": NO_ENDS,
}


@pytest.fixture
def person(bench, request):
    """An applicant whose ID card has an end, or none where the cases are about that."""
    end = ACTIONS["CheckIdNameDate"].field("ValidityEnd")
    for_ever = request.node.callspec.params["of"].endswith("for ever")
    return next(p for p in bench.ordinary if (p.value(end) == "00000000") is for_ever)


@pytest.fixture
def cases(bench, person, of):
    """A table with a row for each case; return Action, column, and the rule of each row by key."""
    action, column = of.split()[:2]
    bench.applicants([person] * len(ALL[of]))
    with closing(sqlite3.connect(bench.warehouse)) as connection, connection:
        for number, (_, written, _) in enumerate(ALL[of]):
            value = written(person.columns()[column])
            connection.execute(f"UPDATE applicants SET {column} = ? WHERE id = ?", (value, number))
    rules = {str(number): rule for number, (_, _, rule) in enumerate(ALL[of])}
    return ACTIONS[action], column, rules


def quarantined(bench, campaign):
    found = bench.query(
        f"SELECT source_key, rule FROM faceid_quarantine WHERE campaign = '{campaign}'"
    )
    assert len(dict(found)) == len(found)
    return dict(found)


EACH = pytest.mark.parametrize("of", ALL)


@EACH
def test_validation_and_batch_judge_a_table_alike_and_nothing_bad_is_charged(
    bench, context, cases, great_expectations
):
    del great_expectations
    action, _, rules = cases
    table = {"source_conn_id": "warehouse", "source": "applicants", "action": action.name}
    bad = {key: rule for key, rule in rules.items() if rule not in {None, LUHN}}
    warned = sum(rule == LUHN for rule in rules.values())
    validated = FaceIdValidateOperator(
        task_id="v", campaign="validated", max_bad_fraction=1.0, **table
    ).execute(context)
    assert quarantined(bench, "validated") == bad
    counted = {one["rule"]: one for one in validated["expectations"]}
    unexpected = {rule: one["unexpected"] for rule, one in counted.items() if one["unexpected"]}
    assert unexpected == dict(Counter(filter(None, rules.values())))
    assert warned == 0 or counted[LUHN]["severity"] == "warning"
    assert bench.calls == 0

    verified = FaceIdVerifyTableOperator(task_id="t", campaign="verified", **table).execute(context)
    assert quarantined(bench, "verified") == bad
    assert verified["quarantined_by_rule"] == dict(Counter(bad.values()))
    assert verified["warned_by_rule"] == ({LUHN: warned} if warned else {})
    good = len(rules) - len(bad)
    assert (verified["answered"], verified["quarantined"]) == (good, len(bad))
    # However a value is written, it is one question; a card with another check digit is another.
    questions = (good > warned) + bool(warned)
    assert (verified["calls"], verified["reused"]) == (questions, good - questions)
    ledger = bench.server.account.ledger
    assert len(ledger) == questions
    assert ledger.bill[action.name] == verified["charged"] <= questions
    codes = dict(bench.query("SELECT source_key, code FROM faceid_results"))
    assert codes.keys() == rules.keys() - bad.keys()
    for key, code in codes.items():
        assert (code == action.success_code) is (rules[key] is None), key


@EACH
def test_hook_and_single_operator_refuse_the_same_and_send_nothing(
    bench, context, person, cases, of
):
    action, column, _ = cases
    field = next(field for field in action.fields if field.column == column)
    values = {f.name: person.value(f) for f in action.fields if f.column}
    table = {"source_conn_id": "warehouse", "source": "applicants", "action": action.name}
    for key, (_, written, rule) in enumerate(ALL[of]):
        given = {**values, field.name: written(person.columns()[column])}
        operator = FaceIdVerifyOperator(task_id="o", key=key, campaign="one", **table)
        if rule in {None, LUHN}:
            assert FaceIdHook().verify(action.name, given).code
            assert operator.execute(context)["code"]
            continue
        before = bench.calls
        with pytest.raises(InvalidInputError) as refused:
            FaceIdHook().verify(action.name, given)
        assert refused.value.rule == rule
        with pytest.raises(AirflowFailException, match=rule) as failed:
            operator.execute(context)
        written_out = str(given[field.name])
        assert len(written_out) < 6 or written_out not in f"{refused.value}{failed.value}"
        assert bench.calls == before


def test_a_column_of_dates_is_read_as_dates(bench, context, tmp_path, great_expectations):
    del great_expectations
    action = ACTIONS["CheckIdNameDate"]
    begin, end = action.field("ValidityBegin"), action.field("ValidityEnd")
    people = [p for p in bench.ordinary if p.value(end) != "00000000"][:3]
    rows = [
        (n, p.id_card, p.name, date.fromisoformat(p.value(begin)), date.fromisoformat(p.value(end)))
        for n, p in enumerate(people)
    ]
    rows.append((3, *rows[0][1:3], rows[0][4], rows[0][3]))  # the other way round
    rows.append((4, *rows[0][1:4], None))
    with duckdb.connect(str(tmp_path / "dates.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE cards (id INTEGER, id_card TEXT, name TEXT, validity_begin DATE, "
            "validity_end DATE)"
        )
        connection.executemany("INSERT INTO cards VALUES (?, ?, ?, ?, ?)", rows)
    bench.connect("dates", conn_type="duckdb", host=str(tmp_path / "dates.duckdb"))
    table = {
        "source_conn_id": "dates",
        "source": "cards",
        "warehouse_conn_id": "warehouse",
        "action": action.name,
    }
    bad = {"3": "validity_order", "4": "end_date_missing"}
    FaceIdValidateOperator(
        task_id="v", campaign="validated", max_bad_fraction=1.0, **table
    ).execute(context)
    assert quarantined(bench, "validated") == bad
    verified = FaceIdVerifyTableOperator(task_id="t", campaign="verified", **table).execute(context)
    assert quarantined(bench, "verified") == bad
    assert verified["outcomes"] == {"match": 3}
    assert bench.server.account.ledger.bill == {action.name: 3}


def test_a_rule_that_is_switched_off_is_asked_by_neither(bench, context, great_expectations):
    del great_expectations
    action = ACTIONS["BankCard4EVerification"]
    person = bench.ordinary[0]
    bench.applicants([person] * 2)
    card = wrong_check_digit(person.value(action.field("BankCard")))
    with closing(sqlite3.connect(bench.warehouse)) as connection, connection:
        connection.execute("UPDATE applicants SET bank_card = ? WHERE id = 0", (card,))
        connection.execute("UPDATE applicants SET phone = '12066668888' WHERE id = 1")
    table = {
        "source_conn_id": "warehouse",
        "source": "applicants",
        "action": action.name,
        "skip_rules": [LUHN, "phone_prefix"],
    }
    validated = FaceIdValidateOperator(task_id="v", **table).execute(context)
    assert validated["quarantined_rows"] == 0
    assert not {LUHN, "phone_prefix"} & {one["rule"] for one in validated["expectations"]}
    verified = FaceIdVerifyTableOperator(task_id="t", **table).execute(context)
    assert (verified["warned_by_rule"], verified["quarantined_by_rule"]) == (
        {},
        {"service:-5": 1},
    )


def test_every_rule_of_phones_cards_and_validities_has_a_case():
    cased = {rule for cases in ALL.values() for *_, rule in cases if rule}
    about = ("phone_", "bank_card_", "date_", "end_date_")
    assert {name for name in FIELD_OF_RULE if name.startswith(about)} <= cased
    assert {rule.name for action in ACTIONS.values() for rule in action.row_rules} <= cased
