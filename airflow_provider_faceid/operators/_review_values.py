"""Parameters of the review queue as they are after rendering: bands, reasons, values by reason, answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ._values import names, parsed

_FLAGS: Mapping[str, bool] = {"true": True, "false": False}


def number(value: Any) -> float:
    """Read a number; a truth value is none."""
    try:
        return float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise ValueError("it is a number") from None


def percent(value: Any) -> float:
    """Read a similarity."""
    found = number(value)
    if not 0 <= found <= 100:  # noqa: PLR2004 - per cent
        raise ValueError("it is a similarity from 0 to 100")
    return found


def band(value: Any) -> tuple[float, float]:
    """Read the lowest and the highest of some similarities."""
    found = [percent(one) for one in names(value)]
    if len(found) != 2 or found[0] > found[1]:  # noqa: PLR2004 - a pair
        raise ValueError("it is the lowest and the highest similarity, such as [60, 80]")
    return found[0], found[1]


def reasons(value: Any) -> list[str]:
    """Read names of reasons."""
    from ..warehouse.review_rules import Reason  # noqa: PLC0415 - keeps reading a DAG file cheap

    found = [str(name) for name in names(value)]
    if not set(found) <= set(Reason):
        raise ValueError(f"reasons are among {', '.join(Reason)}")
    return found


def reasons_or_flag(value: Any) -> list[str]:
    """Read names of reasons, or whether all of them are meant."""
    from ..warehouse.review_rules import Reason  # noqa: PLC0415 - the same

    flag = _FLAGS.get(str(value).strip().lower())
    if flag is not None:
        return list(map(str, Reason)) if flag else []
    return reasons(value)


def by_reason(value: Any, *, reader: Callable[[Any], Any]) -> dict[str, Any]:
    """
    Read a value for all reasons, or a dict of values by reason.

    :param reader: reads one of them.
    """
    from ..warehouse.review_rules import Reason  # noqa: PLC0415 - the same

    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        return dict.fromkeys(map(str, Reason), reader(value))
    return {name: reader(found[name]) for name in reasons(list(found))}


def hitl_answer(value: Any) -> dict[str, Any]:
    """
    Read what a human-in-the-loop task returns.

    :return: ``chosen`` and ``by``, the id of the user; empty if a time limit has chosen.
    """
    found = parsed(value) if isinstance(value, str) else value
    wrong = "it is what HITLOperator returns, with one chosen option"
    if isinstance(found, Mapping) and found.keys() == {"chosen", "by"}:
        return dict(found)  # it was read before
    if not isinstance(found, Mapping):
        raise ValueError(wrong)  # noqa: TRY004 - one kind to catch
    chosen, user = found.get("chosen_options"), found.get("responded_by_user")
    if not isinstance(chosen, list | tuple) or len(chosen) != 1:
        raise ValueError(wrong)
    by = user.get("id", "") if isinstance(user, Mapping) else getattr(user, "id", "")
    return {"chosen": str(chosen[0]), "by": str(by or "")}
