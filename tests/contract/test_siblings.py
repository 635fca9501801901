"""The eight Actions beside the first two against the facts about them: fields, limits, outputs, codes.

The facts are ``tests/data/sibling-actions.md``, a table of the Actions and a list of result codes for each.
The test reads both as they are, so that a fact that is added there without a row here is noticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airflow_provider_faceid.api.action import IdentityLimits
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.codes import Charged, CodeRow, Outcome, Step
from airflow_provider_faceid.api.fields import ENCRYPTION, FLAT_ENCRYPTION

FACTS = Path(__file__).parents[1].joinpath("data", "sibling-actions.md").read_text("utf-8")
QUOTA, PER_DAY = 20, 500
BANK_CARD = ("BankCardVerification", "BankCard2EVerification", "BankCard4EVerification")


@dataclass(frozen=True)
class Described:
    """A row of the table of Actions."""

    document: str
    fields: tuple[str, ...]
    constants: dict[str, int]
    flat: bool
    encrypted: tuple[str, ...]
    counted: tuple[str, ...]
    outputs: tuple[str, ...]


def names(text: str) -> tuple[str, ...]:
    """Return the API names in a cell, without what stands in parentheses."""
    return tuple(re.findall(r"[A-Z]\w+", re.sub(r"\(.*?\)", "", text)))


def described(facts: str) -> dict[str, Described]:
    """Return the rows of the table of Actions."""
    rows = {}
    for line in re.findall(r"^\| [A-Z]\w+ \|.*1061.*$", facts, re.MULTILINE):
        action, page, asked, enc, counted, more = map(str.strip, line.strip("|").split(" | "))
        fields = names(asked)
        constants = {n: int(value) for n, value in re.findall(r"(\w+) = (\d+)", asked)}
        of_a_row = tuple(name for name in fields if name not in constants)
        flat = "flat form" in enc
        rows[action] = Described(
            document="".join(re.findall(r"1061/(\d+)", page)),
            fields=fields,
            constants=constants,
            flat=flat,
            encrypted=of_a_row if flat or enc.startswith("all") else names(enc),
            counted=of_a_row if counted.startswith("all") else names(counted),
            outputs=tuple(re.match(r"\w+", part)[0] for part in more.split("; ") if part != "-"),
        )
    return rows


@dataclass(frozen=True)
class Code:
    """A result code: whether it is charged, and the words that say what it is."""

    code: str
    charged: bool
    words: str


LIST = re.compile(r"`(-\d+)`\$ \.\. `(-\d+)`\$ the same list")
ONE = re.compile(r"(?:free: )?`(-?\d+)`(\$?) (.+)", re.DOTALL)


def written(facts: str, action: str) -> list[str]:
    """Return the codes of an Action as they are written."""
    (text,) = re.findall(rf"^\*\*{action}\*\*[^:\n]*: (.+)\.$", facts, re.MULTILINE)
    return text.split(" · ")


def codes(facts: str, action: str) -> dict[str, Code]:
    """Return the codes of an Action, lists that are those of the 3-element table written out."""
    found = {}
    for item in written(facts, action):
        if listed := LIST.match(item):
            first, last = map(int, listed.groups())
            model = {int(one.code): one for one in codes(facts, BANK_CARD[0]).values()}
            shift = -1 if "further from zero" in item else 1
            for number in range(first, last - 1, -1):
                found[str(number)] = replace(model[number - shift], code=str(number))
        else:
            code, charged, words = ONE.fullmatch(item).groups()
            found[code] = Code(code, bool(charged), words)
    return found


DESCRIBED = described(FACTS)
CODES = [(action, code) for action in DESCRIBED for code in codes(FACTS, action).values()]


def contradictions(fact: Code, row: CodeRow | None, action: str) -> list[str]:
    """Return what a row of ours says against a fact."""
    if row is None:
        return ["it is missing"]
    wrong = []
    if row.charged is not (Charged.YES if fact.charged else Charged.NO):
        wrong.append("charge")
    note = re.search(r"\((retry|defer|record|not_found)\b", fact.words)
    word = re.match(r"(match|mismatch|found)\b", fact.words)
    if note and note[1] == "not_found":
        wrong += ["outcome"] if row.outcome is not Outcome.NOT_FOUND else []
    elif note:
        step = {"retry": Step.RETRY, "defer": Step.POSTPONE, "record": Step.RECORD}[note[1]]
        wrong += ["next step"] if row.step is not step else []
    elif word:
        wrong += ["outcome"] if row.outcome is not Outcome(word[1]) else []
    elif action in BANK_CARD and fact.charged:
        details = "cardholder details wrong" in fact.words
        wanted = Outcome.MISMATCH if details else Outcome.REVIEW
        wrong += ["outcome"] if row.outcome is not wanted else []
    elif not fact.charged and re.search(r"(invalid|malformed)$", fact.words):
        wrong += ["outcome"] if row.outcome is not Outcome.INVALID_INPUT else []
    elif row.step is not Step.RECORD:
        wrong.append("next step")
    return wrong


def test_the_facts_are_read_to_their_end():
    assert len(DESCRIBED) == 8
    assert {action: len(codes(FACTS, action)) for action in DESCRIBED} == {
        "PhoneVerification": 9,
        "BankCardVerification": 21,
        "BankCard2EVerification": 19,
        "BankCard4EVerification": 22,
        "CheckIdNameDate": 9,
        "MobileStatus": 6,
        "MobileNetworkTimeVerification": 7,
        "CheckBankCardInformation": 7,
    }
    assert DESCRIBED["CheckIdNameDate"] == Described(
        "79051",
        ("Name", "IdCard", "ValidityBegin", "ValidityEnd"),
        {},
        False,  # noqa: FBT003 - the nested form
        ("Name", "IdCard"),
        ("Name", "IdCard"),
        (),
    )
    assert DESCRIBED["CheckBankCardInformation"].outputs == ("AccountBank", "AccountType")


@pytest.mark.parametrize("name", DESCRIBED)
def test_fields_limits_and_outputs_are_those_of_the_facts(name):
    fact, action = DESCRIBED[name], ACTIONS[name]
    form = FLAT_ENCRYPTION if fact.flat else (ENCRYPTION,)
    assert action.document == fact.document
    assert tuple(f.name for f in action.fields) == (*fact.fields, *(f.name for f in form))
    assert action.fields[-len(form) :] == form
    assert {f.name: f.constant for f in action.fields if f.constant is not None} == fact.constants
    assert set(action.encryptable) == set(fact.encrypted)
    assert action.quota == QUOTA
    columns = {action.field(field).column for field in fact.counted}
    assert action.identity_limits == IdentityLimits({f"{one}_per_day": PER_DAY for one in columns})
    assert tuple(output.name for output in action.outputs) == fact.outputs


@pytest.mark.parametrize("name", DESCRIBED)
def test_no_code_is_invented(name):
    assert set(ACTIONS[name].results) == set(codes(FACTS, name))


@pytest.mark.parametrize(("name", "fact"), CODES, ids=[f"{a} {code.code}" for a, code in CODES])
def test_a_code_has_the_charge_the_outcome_and_the_next_step_of_the_facts(name, fact):
    assert contradictions(fact, ACTIONS[name].results.get(fact.code), name) == []


@pytest.mark.parametrize(("name", "away"), [(BANK_CARD[1], 1), (BANK_CARD[2], -1)])
def test_a_state_of_a_card_means_the_same_in_the_other_tables(name, away):
    model, other = ACTIONS[BANK_CARD[0]].results, ACTIONS[name].results
    for number in range(-5, -17, -1):
        assert other[str(number + away)].meaning == model[str(number)].meaning


@pytest.mark.parametrize("action", ["MobileStatus", "CheckBankCardInformation"])
def test_every_kind_an_output_may_have_is_explained(action):
    (row,) = (line for line in FACTS.splitlines() if line.startswith(f"| {action} |"))
    kinds = re.findall(r"[ (](\d+) [a-z]", row.rpartition(" | ")[2])
    output = ACTIONS[action].outputs[-1]
    assert kinds
    assert set(kinds) == set(re.findall(r"\b\d+\b", output.meaning))


@pytest.mark.parametrize(
    ("changed", "into", "wrong"),
    [
        ("`-9` no record", "`-9`$ no record", ["charge"]),
        ("`-11` busy (retry)", "`-11` busy (defer)", ["next step"]),
        ("`-4`$ mismatch", "`-4`$ match", ["outcome"]),
        ("`-9` no record", "`-10` no record", ["it is missing"]),
    ],
)
def test_a_change_of_the_facts_is_noticed(changed, into, wrong):
    name = "PhoneVerification"
    assert changed in FACTS
    found = [
        one
        for code, fact in codes(FACTS.replace(changed, into, 1), name).items()
        for one in contradictions(fact, ACTIONS[name].results.get(code), name)
    ]
    assert found == wrong
