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
_MYSQL_TOKEN = re.compile(
    r"""
      (?P<comment> --(?=\s|$)[^\n]* | \#[^\n]* | /\*(?![!M]).*?\*/ )
    | (?P<space> \s+ )
    | (?P<end> ; )
    | (?P<literal> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | \b\d[\d.]*\b )
    | (?P<quoted> `(?:[^`]|``)*` )
    | (?P<other> \w+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""MySQL: backslashes escape, double quotes make texts, backticks names; a comment for it is none."""
_BEGINS = re.compile(
    r"[(\s]*(?:(?:select|with|values)\b(?!\s*(?:$|\.))|(?:from|table)\s+[\"\w])", re.IGNORECASE
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d[\d.]*\b")


def is_query(source: str, *, is_mysql: bool = False) -> bool:
    """
    Say whether a source is a query; comments and parentheses may stand before its first word.

    :param is_mysql: whether texts, names and comments are written as in MySQL.
    """
    return _BEGINS.match(_without_comments(source, is_mysql=is_mysql)) is not None


def statement(query: str, *, is_mysql: bool = False) -> str:
    """
    Return a query as it can stand in parentheses: without the semicolon and comments at its end.

    :param is_mysql: as for :func:`is_query`.
    :raises ConfigurationError: it is more than one statement.
    """
    end, closed = 0, False
    for token in (_MYSQL_TOKEN if is_mysql else _TOKEN).finditer(query):
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


def shape(query: str, *, is_mysql: bool = False) -> str:
    """
    Return a query without comments and literals, which may hold today's date, or a person.

    :param is_mysql: as for :func:`is_query`.
    """
    if is_mysql:
        words = {"comment": " ", "literal": "?"}
        kept = (words.get(str(t.lastgroup), t[0]) for t in _MYSQL_TOKEN.finditer(query))
        return " ".join("".join(kept).split())
    return " ".join(_LITERAL.sub("?", _without_comments(query)).split())


def _without_comments(query: str, *, is_mysql: bool = False) -> str:
    tokens = (_MYSQL_TOKEN if is_mysql else _TOKEN).finditer(query)
    return "".join(" " if token.lastgroup == "comment" else token[0] for token in tokens)
