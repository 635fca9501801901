"""CSV and Parquet files as sources, by their paths, as DuckDB's table functions read them.

Every value of a CSV file is text, so that an ID number keeps its digits and a key its leading zeros.
Columns are found by the names in the first line, also in files whose columns are in another order.
Folders such as ``day=2026-11-28`` (hive partitions) make columns of text.
"""

from __future__ import annotations

import re

from ...exceptions import ConfigurationError

_SUFFIX = re.compile(r"\.(?:(?P<text>[ct]sv)(?:\.gz|\.zst)?|parquet)\Z", re.IGNORECASE)
_COMMON = "union_by_name = true, hive_types_autocast = false"
# The quotation mark is not guessed: the first one may come late in the file.
_CSV = "all_varchar = true, header = true, quote = '\"', escape = '\"'"
READERS = {
    True: f"read_csv({{0}}, {_CSV}, {_COMMON}{{1}})",
    False: f"read_parquet({{0}}, {_COMMON}{{1}})",
}
"""Table function by whether the files are text."""

READS_TEXT = re.compile(r"\b(?:read|sniff)_csv|\.[ct]sv(?:\.gz|\.zst)?'", re.IGNORECASE)
"""SQL that reads CSV files."""
READS = re.compile(
    rf"{READS_TEXT.pattern}|\b(?:read_parquet|parquet_scan)\b|\.parquet'", re.IGNORECASE
)
"""SQL that reads CSV or Parquet files."""
IS_TOLD = re.compile(
    r"\ball_varchar\s*=\s*(?:true|1)\b|\b(?:types|dtypes|column_types|columns)\s*=", re.IGNORECASE
)
"""SQL that says which types their columns have, which DuckDB guesses else."""
NUMBERS = re.compile(r"(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))\Z")
"""Types that DuckDB guesses for a column of digits."""
FRACTIONS = re.compile(r"(?:FLOAT|DOUBLE)\Z")
"""Types that no ID number, phone or card number keeps its digits in."""


def path_of(source: str) -> str:
    """
    Return the path of a source that is a file, or a pattern of files; empty if it is none.

    It has a slash or is in single quotes, as in DuckDB's SQL, and is not in the quotes of a name.
    """
    text = source.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text if "/" in text and text[0] not in '"`[' else ""


def table_function(path: str, *, sees_folders: bool = True) -> str:
    """
    Return the SQL that reads files.

    :param path: whole path or pattern; also a URL, for which DuckDB needs an extension.
    :param sees_folders: whether folders such as ``day=2026-11-28`` make columns.
    :raises ConfigurationError: it is not a whole path, or neither a CSV nor a Parquet file.
    """
    found = _SUFFIX.search(path)
    if found is None:
        raise ConfigurationError(
            f"The source file '{path}' has to end in .csv, .tsv (also .gz or .zst behind it) or "
            ".parquet; of a folder, write /folder/*.csv. Other files can be read by a SELECT with "
            "DuckDB's functions. A table with a slash in its name is written in double quotes"
        )
    if not path.startswith("/") and "://" not in path:
        raise ConfigurationError(
            f"The source file '{path}' has to be named by its whole path: the working directory of a "
            "task is not the same everywhere"
        )
    more = "" if sees_folders else ", hive_partitioning = false"
    return READERS[bool(found["text"])].format(literal(path), more)


def literal(path: str) -> str:
    """Return a path as a text of SQL."""
    return "'" + path.replace("'", "''") + "'"


def folder_columns(path: str) -> set[str]:
    """Return the columns that the folders of a file make, in lower case."""
    return {name.lower() for name in re.findall(r"(?<=/)([^/=]+)=[^/]*/", path)}


def advice(path: str) -> str:
    """Return what to look at if files cannot be read, or have not the columns they should have."""
    if "://" in path:
        return (
            ". DuckDB reads object storage with its extension httpfs, which has to be installed and "
            'named in the connection\'s Extra: {"extensions": ["httpfs"]}'
        )
    found = _SUFFIX.search(path)
    if found and found["text"]:
        return (
            ". The first line of a CSV file has to hold the names of its columns, and each line as many "
            "values, with the same delimiter and in double quotes where there is one in a value; of a file in "
            "another form or encoding, write SELECT * FROM read_csv('...', all_varchar = true, "
            "delim = ';')"
        )
    return ""
