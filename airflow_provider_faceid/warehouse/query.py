"""The text of a source that is a query: whether it is one, as a subquery, and without its literals.

A query may have comments and a semicolon at its end, as in a ``.sql`` file.
"""

from __future__ import annotations

import re

from ..exceptions import ConfigurationError

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<space> \s+ )
    | (?P<end> ; )
    | (?P<quoted> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
                | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<other> \w+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BEGINS = re.compile(
    r"[(\s]*(?:(?:select|with|values)\b(?!\s*(?:$|\.))|(?:from|table)\s+[\"\w])", re.IGNORECASE
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d[\d.]*\b")


def is_query(source: str) -> bool:
    """Say whether a source is a query; comments and parentheses may stand before its first word."""
    return _BEGINS.match(_without_comments(source)) is not None


def statement(query: str) -> str:
    """
    Return a query as it can stand in parentheses: without the semicolon and comments at its end.

    :raises ConfigurationError: it is more than one statement.
    """
    end, closed = 0, False
    for token in _TOKEN.finditer(query):
        if token.lastgroup in {"comment", "space"}:
            continue
        if token.lastgroup == "end":
            closed = True
        elif closed:
            raise ConfigurationError(
                "The source is more than one SQL statement; it is a table, or one SELECT"
            )
        else:
            end = token.end()
    return query[:end].lstrip()


def shape(query: str) -> str:
    """Return a query without comments and literals, which may hold today's date, or a person."""
    return " ".join(_LITERAL.sub("?", _without_comments(query)).split())


def _without_comments(query: str) -> str:
    return "".join(
        " " if token.lastgroup == "comment" else token[0] for token in _TOKEN.finditer(query)
    )
