"""Layout of a query: a line for each column and clause. Only white space is changed."""

from __future__ import annotations

import re

TOKEN = re.compile(
    r"(?P<word>'(?:[^']|'')*'|\{\{.*?\}\})"  # a text, or a call of a macro: kept as it is
    r"|(?P<union>\bUNION ALL\b)"
    r"|(?P<clause>\b(?:FROM|WHERE|GROUP BY|LEFT JOIN|CROSS JOIN|JOIN)\b)"
    r"|(?P<select>\bSELECT\b)|(?P<opening>\()|(?P<closing>\))|(?P<comma>,)|(?P<space>\s+)"
    r"|(?P<other>[^\s(),']+)"
)
CONSTANT = re.compile(r"\s*(?:SELECT )?\d+ AS \w+\s*(?:UNION|\)|$)")
"""What follows ``SELECT`` or ``UNION ALL`` in a list of digits, which stays on one line."""
INDENT = "    "


class _Layout:
    """Text so far, and where in the query it ends."""

    def __init__(self) -> None:
        self.text = ""
        self._nested: list[bool] = []  # for each open parenthesis whether a query is in it
        self._listing = [False]  # for each open query whether its columns are being listed

    def add(self, kind: str, value: str, rest: str) -> None:
        """Append a token, knowing what follows it."""
        if kind == "space":
            self.text += "" if self.text[-1:] in {" ", "\n", "("} else " "
            return
        getattr(self, f"_before_{kind}", lambda _: None)(rest)
        self.text += value
        getattr(self, f"_after_{kind}", lambda _: None)(rest)

    @property
    def _in_query(self) -> bool:
        return not self._nested or self._nested[-1]

    def _line(self, deeper: int = 0) -> None:
        self.text = f"{self.text.rstrip()}\n{INDENT * (sum(self._nested) + deeper)}"

    def _after_opening(self, rest: str) -> None:
        self._nested.append(rest.startswith("SELECT "))
        if self._nested[-1]:
            self._listing.append(False)
            self._line()

    def _before_closing(self, _: str) -> None:
        if self._nested.pop():
            self._listing.pop()
            self._line()

    def _after_select(self, rest: str) -> None:
        self._listing[-1] = True
        if not CONSTANT.match(rest):
            self._line(1)

    def _before_clause(self, _: str) -> None:
        if self._in_query:
            self._listing[-1] = False
            self._line()

    def _before_union(self, rest: str) -> None:
        if not CONSTANT.match(rest):
            self._line()

    _after_union = _before_union

    def _after_comma(self, _: str) -> None:
        if self._in_query and self._listing[-1]:
            self._line(1)


def laid_out(sql: str) -> str:
    """Return a query on lines of its own for each column and clause, nested queries indented."""
    layout = _Layout()
    for token in TOKEN.finditer(sql):
        layout.add(str(token.lastgroup), token.group(), sql[token.end() :])
    return "\n".join(line.rstrip() for line in layout.text.strip().splitlines()) + "\n"
