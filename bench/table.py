"""A markdown table on the terminal, row by row as rows come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TITLE_WIDTH = 32
NARROWEST = 10


def show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """
    Print a table; each row as soon as it is there, for a measurement takes its time.

    :param head: names of the columns; the first has room for a title, the others for their name.
    :param rows: as many texts each; longer ones stick out.
    """
    widths = [TITLE_WIDTH, *(max(NARROWEST, len(name)) for name in head[1:])]
    _print(head, widths)
    _print(["-" * width for width in widths], widths)
    for row in rows:
        _print(row, widths)


def _print(cells: Sequence[str], widths: Sequence[int]) -> None:
    # The first column says what was measured, the others are mostly numbers.
    first, *rest = (f"{cell:{'>' if n else '<'}{widths[n]}}" for n, cell in enumerate(cells))
    print("| " + " | ".join((first, *rest)) + " |", flush=True)
