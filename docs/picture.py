"""The picture of docs/architecture.md: a row's way from source to report, as a table and as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape


class Room(NamedTuple):
    """
    A module that holds a row on its way, or is asked about it.

    :param module: path below the package.
    :param title: a few words for the picture.
    :param work: what happens to the row there.
    """

    module: str
    title: str
    work: str


WAY = (
    Room(
        "warehouse/sources/source.py",
        "read a page",
        "keyset pagination over the key, 500 rows a page",
    ),
    Room(
        "batch/inputs.py",
        "build the request",
        "values are normalised, input rules are asked, the photo is read just before its call",
    ),
    Room(
        "batch/verification.py",
        "drive the row",
        "one asyncio task per row: claim, call, record, settle",
    ),
    Room(
        "client/transport_async.py",
        "call",
        "the sans-I/O flow of `client/call.py` is driven: sign, send, judge, retry",
    ),
    Room(
        "batch/row_outcomes.py",
        "settle",
        "the row gets its one place: answered, quarantined, postponed or held",
    ),
    Room(
        "warehouse/results.py",
        "write",
        "rows are buffered, and written every second in one transaction",
    ),
)
"""The modules a row passes, in this order."""

JOINTS = (
    ("warehouse/sources/source.py", "batch/inputs.py"),
    ("batch/inputs.py", "batch/verification.py"),
    ("batch/verification.py", "client/transport_async.py"),
    ("batch/verification.py", "batch/row_outcomes.py"),
    ("batch/row_outcomes.py", "warehouse/results.py"),
)
"""Pairs of them between which it goes; one imports the other. From the call it comes back."""

GUARDS = {
    Room("batch/plan.py", "is it due?", "compares the row with what earlier runs left"): (
        "batch/inputs.py"
    ),
    Room(
        "batch/ledger_client.py", "is it paid for?", "claims the question in the ledger first"
    ): "batch/verification.py",
    Room(
        "batch/admission.py",
        "may it leave now?",
        "rate limiter, circuit breaker, stop signal, fencing token",
    ): "batch/verification.py",
}
"""Modules that are asked about a row, by the module of the way to which an import joins them."""

WIDE, HIGH, GAP, LEFT = 190, 74, 40, 12
ROWS = (44, 180, 312, 438)
WIDTH, HEIGHT = 2 * LEFT + 5 * WIDE + 4 * GAP, ROWS[3] + 64
INK, LINE, PAPER, ROOM, GUARD = "#1f2328", "#57606a", "#ffffff", "#ddf4ff", "#fff8c5"
PLACED = {
    "client/transport_async.py": (2, 0),
    "warehouse/sources/source.py": (0, 1),
    "batch/inputs.py": (1, 1),
    "batch/verification.py": (2, 1),
    "batch/row_outcomes.py": (3, 1),
    "warehouse/results.py": (4, 1),
    "batch/plan.py": (1, 2),
    "batch/ledger_client.py": (2, 2),
    "batch/admission.py": (3, 2),
}
"""Column and row of each module."""

OUTSIDE = (
    (0, 0, "source table", "yours, read only"),
    (3, 0, "Face ID API", "charges per call"),
    (4, 0, "result tables", "verdicts, runs, history"),
    (2, 3, "state store", "ledger, rate, identity limits"),
)
"""What lies outside of the process."""


def arrows() -> Iterator[tuple[str, str]]:
    """Yield each pair of modules between which the picture has an arrow."""
    yield from JOINTS
    yield from ((asker, guard.module) for guard, asker in GUARDS.items())


def svg() -> str:
    """Return the picture."""
    rooms = [(room, ROOM) for room in WAY] + [(room, GUARD) for room in GUARDS]
    call = ("batch/verification.py", "client/transport_async.py")
    lines = [_joint(a, b, both=(a, b) == call) for a, b in JOINTS]
    lines += [_joint(asker, guard.module, dashed=True) for guard, asker in GUARDS.items()]
    side = ROWS[0] + 28
    lines += [
        _line(_middle(0), ROWS[0] + 56, _middle(0), ROWS[1] - 3),
        _line(_left(2) + WIDE + 3, side, _left(3) - 3, side, both=True),
        _line(_middle(4), ROWS[1], _middle(4), ROWS[0] + 59),
        _line(_middle(2), ROWS[2] + HIGH, _middle(2), ROWS[3] - 3, dashed=True),
        _line(_middle(3), ROWS[2] + HIGH, _left(2) + WIDE - 24, ROWS[3] - 3, dashed=True),
    ]
    boxes = [_box(*PLACED[room.module], room.module, room.title, fill) for room, fill in rooms]
    places = [_place(_left(column), ROWS[row], name, note) for column, row, name, note in OUTSIDE]
    return "\n".join([*_frame(), *lines, *boxes, *places, "</svg>", ""])


def _left(column: int) -> int:
    return LEFT + column * (WIDE + GAP)


def _middle(column: int) -> int:
    return _left(column) + WIDE // 2


def _joint(first: str, second: str, *, dashed: bool = False, both: bool = False) -> str:
    """Return an arrow from one module to another, beside it, above it or below it."""
    (column, row), (to_column, to_row) = PLACED[first], PLACED[second]
    if row == to_row:
        y = ROWS[row] + HIGH // 2
        return _line(_left(column) + WIDE, y, _left(to_column) - 3, y)
    aside = 40 * (to_column - column)
    if to_row < row:
        begin, end = ROWS[row] - 3, ROWS[to_row] + HIGH + 3
    else:
        begin, end = ROWS[row] + HIGH, ROWS[to_row] - 3
    return _line(_middle(column) + aside, begin, _middle(to_column), end, dashed=dashed, both=both)


def _frame() -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" role="img" '
        'aria-label="The way of a row from the source table to the result tables">'
    )
    yield (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    yield _text(LEFT, 20, "A row's way (solid), and what is asked about it (dashed)", 15, bold=True)
    for number, (fill, label) in enumerate(
        ((ROOM, "holds the row"), (GUARD, "is asked about it"), (PAPER, "outside the process"))
    ):
        x = WIDTH - 460 + number * 155
        yield f'<rect x="{x}" y="7" width="16" height="16" rx="3" fill="{fill}" stroke="{LINE}"/>'
        yield _text(x + 22, 20, label, 13)


def _box(column: int, row: int, module: str, title: str, fill: str) -> str:
    x, y = _left(column), ROWS[row]
    shape = (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="8" fill="{fill}" '
        f'stroke="{LINE}"/>'
    )
    folder, _, name = module.partition("/")
    middle = x + WIDE // 2
    lines = (
        _text(middle, y + 22, title, 15, bold=True, centred=True),
        _text(middle, y + 43, f"{folder}/", 13, centred=True),
        _text(middle, y + 61, name, 13, centred=True),
    )
    return "\n".join([f'<g data-module="{module}">', shape, *lines, "</g>"])


def _place(x: int, y: int, name: str, note: str) -> str:
    shape = (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="56" rx="28" fill="{PAPER}" '
        f'stroke="{LINE}" stroke-width="2"/>'
    )
    middle = x + WIDE // 2
    lines = (
        _text(middle, y + 24, name, 14, bold=True, centred=True),
        _text(middle, y + 42, note, 12, centred=True),
    )
    return "\n".join([shape, *lines])


def _text(
    x: int, y: int, text: str, size: int, *, bold: bool = False, centred: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    anchor = ' text-anchor="middle"' if centred else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{INK}"{weight}{anchor}>{escape(text)}</text>'


def _line(x1: int, y1: int, x2: int, y2: int, *, dashed: bool = False, both: bool = False) -> str:
    start = ' marker-start="url(#tip)"' if both else ""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{LINE}" stroke-width="1.6"{dash} '
        f'marker-end="url(#tip)"{start}/>'
    )
