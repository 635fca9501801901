"""The six invariants that hold after every fault, as functions of what the service saw.

The simulator's ledger is the truth about what was sent and billed; what the run itself says is only
ever compared with it. Each function returns what is wrong, in words, an empty list if nothing is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_faceid.clock import utc_seconds
from airflow_provider_faceid.pii_scan import PiiScan
from airflow_provider_faceid.pii_scan.matcher import HEAD
from tests.support.departures import too_fast

Calls = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Facts:
    """
    What there is to look at after a fault.

    :param source: ID number as it was sent, by source key.
    :param results: status by source key; ``results`` and ``quarantine`` are lists, so that a row
        that is there twice is seen.
    :param quarantine: source keys.
    :param calls: the service's ledger.
    :param retries: calls more than one a row that the policy allows for rows in doubt.
    :param most_in_doubt: rows that may be in doubt: in flight at a crash, or left without an answer.
    :param quota: calls per second; 0 if the run was not held back.
    :param left: when the pace let calls go.
    :param texts: everything that was written down, by where it stands.
    :param identities: names and numbers that may be in none of them.
    :param charged: calls the runs themselves say were charged; None if one of them could not say.
    :param charge_unknown: calls the runs say may be charged besides; None likewise.
    :param calls_again: calls of one more run, after everything had ended.
    """

    source: Mapping[str, str]
    results: Sequence[tuple[str, str]]
    quarantine: Sequence[str]
    calls: Calls
    retries: int = 0
    most_in_doubt: int = 0
    quota: int = 0
    left: Sequence[float] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict)
    identities: Sequence[str] = ()
    charged: int | None = None
    charge_unknown: int | None = None
    calls_again: int = 0


def one_place(facts: Facts) -> list[str]:
    """I1: every row of the source is in exactly one place."""
    places = Counter([key for key, _ in facts.results])
    places.update(set(facts.quarantine))  # one row may break several rules
    return [
        f"row {key} is in {places[key]} places"
        for key in sorted(facts.source.keys() | places.keys())
        if places[key] != 1 or key not in facts.source
    ]


def paid_once(facts: Facts) -> list[str]:
    """I2: nobody is charged twice unless asked for, and few rows are in doubt."""
    charged = Counter(call["id_card"] for call in facts.calls if call["charged"])
    most = 1 + facts.retries
    wrong = [f"somebody was charged {count} times" for count in charged.values() if count > most]
    held = Counter(status for _, status in facts.results)["held"]
    if held > facts.most_in_doubt:
        wrong.append(f"{held} rows are in doubt, and {facts.most_in_doubt} may be")
    return wrong


def paced(facts: Facts) -> list[str]:
    """I3: no second has more calls than the quota, but for what the machine held up on the way."""
    if not facts.quota:
        return []
    return too_fast(facts.quota, facts.left, [utc_seconds(call["at"]) for call in facts.calls])


def no_identity_written(facts: Facts) -> list[str]:
    """I4: no name and no ID number is anywhere in what was written down, in any encoding."""
    long = (value for value in facts.identities if len(value.encode()) >= HEAD)
    scan = PiiScan({f"identity {number}": value for number, value in enumerate(long)})
    for place, text in facts.texts.items():
        scan.search_text(place, text)
    found = Counter((hit.place, hit.form) for hit in scan.hits)
    return [f"{place} has {count} identities ({form})" for (place, form), count in found.items()]


def billed_as_counted(facts: Facts) -> list[str]:
    """I5: what the runs say was charged is what the service billed and answered."""
    if facts.charged is None:
        return []
    billed = sum(call["charged"] and call["answered"] for call in facts.calls)
    bill = sum(call["charged"] for call in facts.calls)
    wrong = []
    if facts.charged != billed:
        wrong.append(f"{facts.charged} calls were counted as charged, and {billed} were billed")
    if facts.charge_unknown is not None and facts.charged + facts.charge_unknown < bill:
        wrong.append(f"{bill} are on the bill, more than the counts say there may be")
    return wrong


def done_for_good(facts: Facts) -> list[str]:
    """I6: one more run calls nobody."""
    return [f"one more run made {facts.calls_again} calls"] if facts.calls_again else []


INVARIANTS: dict[str, Callable[[Facts], list[str]]] = {
    "I1": one_place,
    "I2": paid_once,
    "I3": paced,
    "I4": no_identity_written,
    "I5": billed_as_counted,
    "I6": done_for_good,
}


def broken(facts: Facts) -> dict[str, list[str]]:
    """Return what is wrong, by invariant."""
    found = {name: invariant(facts) for name, invariant in INVARIANTS.items()}
    return {name: wrong for name, wrong in found.items() if wrong}


def hold(facts: Facts) -> None:
    """Assert all of them."""
    wrong = broken(facts)
    assert not wrong, wrong
