"""What a source reads from: a table, a query, or files; its SQL, and its names in messages and tables.

A query may have comments and a semicolon at its end, as in a ``.sql`` file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property

from ...exceptions import ConfigurationError, WarehouseError
from ..sql.database import Database
from ..sql.identifiers import name_of, parts_of
from . import files

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


ALIAS = "faceid_source"


class Relation:
    """
    A table, a query, or files.

    :param database: where it is.
    :param text: as users write it: a table's name, see :mod:`..sql.identifiers`; a ``SELECT`` statement; on
        DuckDB the path of a file, or a pattern of files.
    :raises ConfigurationError: it is none of these.
    """

    def __init__(self, database: Database, text: str) -> None:
        self.database, self.text = database, text
        self._is_mysql = database.dialect.has_backslash_escapes
        self.is_query = is_query(text, is_mysql=self._is_mysql)
        self.path = "" if self.is_query else files.path_of(text)
        if self.path and not database.dialect.reads_files:
            raise ConfigurationError(
                f"The source '{self.path}' is a file, and connection '{database.label}' is of "
                f"{database.dialect.name}. CSV and Parquet files are read through a connection of type "
                "duckdb, which may be in memory. A table with a slash in its name is written in quotes"
            )
        self.sql = f"{self._sql()} AS {ALIAS}"

    def column(self, name: str) -> str:
        """Return a column's SQL, behind the alias: SQLite reads an unknown "name" as a string."""
        return f"{ALIAS}.{self.database.dialect.quote(name)}"

    @property
    def title(self) -> str:
        """Return what it is called in messages."""
        if self.is_query:
            return "query"
        return f"file '{self.path}'" if self.path else f"table '{self.text}'"

    @property
    def label(self) -> str:
        """
        Return what names it in our tables: its connection, then the table, query or path.

        A query is named by a fingerprint of its text without comments and literals, and a path is
        without its digits: they may hold a date that changes every day, or a person.
        """
        if self.is_query:
            shaped = shape(self.text, is_mysql=self._is_mysql)
            named = f"query-{hashlib.sha256(shaped.encode()).hexdigest()[:8]}"
        elif self.path:
            named = re.sub(r"\d+", "#", self.path)
        else:
            named = name_of(parts_of(self.text.strip()))
        return f"{self.database.label}:{named}"

    def check(self, key: Sequence[str], columns: Sequence[str], texts: Sequence[str]) -> None:
        """
        Make sure that it is there and has some columns.

        :param key: columns that name a row.
        :param columns: others.
        :param texts: those among them whose values are text: no digit of theirs must have got lost.
        :raises ConfigurationError: it is not, or has not, or DuckDB made numbers of text.
        """
        advice = files.advice(self.path)
        self.database.check(
            f"SELECT 1 FROM {self.sql} WHERE 1 = 0",
            f"The source {self.title} cannot be read",
            advice or self._advice_on_case(),
        )
        for column in dict.fromkeys((*key, *columns)):
            self.database.check(
                f"SELECT {self.column(column)} FROM {self.sql} WHERE 1 = 0",
                f"The source {self.title} has no column '{column}'",
                advice,
            )
        if self.path:
            self._refuse_doubled((*key, *columns))
        if self._guesses_types:
            self._refuse((*key, *texts), files.NUMBERS)
        elif self.reads_files:
            self._refuse(texts, files.FRACTIONS)

    @cached_property
    def reads_files(self) -> bool:
        """Say whether each page reads whole files, so that pages are better cut of larger ones."""
        if not self.database.dialect.reads_files:
            return False
        return bool(self.path or (self.is_query and files.READS.search(self.text)))

    @property
    def _guesses_types(self) -> bool:
        """Say whether it is a query of CSV files that leaves their types to DuckDB."""
        return (
            self.reads_files
            and self.is_query
            and files.READS_TEXT.search(self.text) is not None
            and files.IS_TOLD.search(self.text) is None
        )

    def _refuse(self, columns: Sequence[str], types: re.Pattern[str]) -> None:
        """Refuse columns of some types."""
        for column in dict.fromkeys(columns):
            type_, _ = self.database.key_type(self.column(column), self.sql)
            if types.match(type_):
                raise ConfigurationError(
                    f"Column '{column}' of the source {self.title} was read as {type_}, and a number "
                    "has no leading zeros and not all digits of an ID number. Read a CSV file with "
                    "all_varchar = true, or name its path as the source; write text into Parquet"
                )

    def _refuse_doubled(self, columns: Sequence[str]) -> None:
        """Refuse columns that are in the files and in the names of their folders: DuckDB prefers these."""
        quoted = files.literal(self.path)
        found = self.database.rows(f"SELECT file FROM glob({quoted}) ORDER BY file LIMIT 1")
        made = files.folder_columns(found[0][0]) if found else set()
        without = files.table_function(self.path, sees_folders=False)
        for column in dict.fromkeys(column for column in columns if column.lower() in made):
            try:
                self.database.rows(
                    f"SELECT {self.column(column)} FROM {without} AS {ALIAS} LIMIT 0"
                )
            except WarehouseError:
                continue  # it is a folder's only
            raise ConfigurationError(
                f"Column '{column}' is in the files of the source {self.title} and in the name of their "
                "folder. Write SELECT * FROM read_csv('...', all_varchar = true, hive_partitioning = "
                "false), or read_parquet likewise, to take the files'"
            )

    def _advice_on_case(self) -> str:
        if self.is_query or self.text == self.text.lower():
            return ""
        return ". A name is taken in the case it is written in, which is mostly lower in PostgreSQL"

    def _sql(self) -> str:
        dialect = self.database.dialect
        if self.is_query:
            query = dialect.literal_percent(statement(self.text, is_mysql=self._is_mysql))
            return f"({query}\n)"
        return (
            files.table_function(self.path) if self.path else dialect.quote_table(self.text.strip())
        )
