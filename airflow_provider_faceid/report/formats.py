"""Numbers as text: counts, shares, rates, amounts and moments, as the page writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..clock import BEIJING

NBSP = "\N{NO-BREAK SPACE}"

NEARLY_ALL, NEARLY_NONE = 0.9995, 0.0005
"""Shares beyond which one decimal would say 100 % or 0 %."""


def number(value: float | None) -> str:
    """Write a count: ``1,234``."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a share: ``98.7 %``. What is not all, or not nothing, is never written as such."""
    if value is None:
        return "–"
    if NEARLY_ALL <= value < 1:
        return f"> 99.9{NBSP}%"
    if 0 < value < NEARLY_NONE:
        return f"< 0.1{NBSP}%"
    return f"{100 * value:.1f}{NBSP}%"


def rate_text(rate: Mapping[str, Any]) -> str:
    """Write a rate, or how large it is at least or at most."""
    if rate.get("at_least") is not None:
        return f"≥ {100 * rate['at_least']:.1f}{NBSP}%"
    if rate.get("at_most") is not None:
        return f"≤ {100 * rate['at_most']:.1f}{NBSP}%"
    return share(rate["value"])


def short(value: float | None) -> str:
    """Write a number with at most one decimal."""
    return "–" if value is None else f"{value:,.1f}".removesuffix(".0")


def money(value: float | None, currency: str | None = "") -> str:
    """Write an amount: ``USD 1,234.50``."""
    if value is None:
        return "–"
    return f"{currency}{NBSP}{value:,.2f}" if currency else f"{value:,.2f}"


def moment(value: str | None) -> str:
    """Write a moment in Beijing time: ``2026-11-28 10:00``."""
    if not value:
        return ""
    found = datetime.fromisoformat(value)
    return f"{found.astimezone(BEIJING):%Y-%m-%d %H:%M}" if found.tzinfo else value
