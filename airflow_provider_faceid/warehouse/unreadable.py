"""Unreadable values and unusable keys: stand-ins, so that a bad row stops no other row."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

MAX_KEY = 500
"""Characters of a key; an index of PostgreSQL holds about 2,700 bytes."""
SHOWN = 40
"""Characters of an unusable key that its name begins with."""

RULES: dict[str, str] = {
    "not_text": "a value is no text in its database's encoding, mostly UTF-8",
    "not_readable": "the database cannot compute a value of the row",
    "key_not_text": "the key is no text in its database's encoding",
    "key_type": "the key is a fraction or bytes, which have no one text",
    "key_length": f"a key has at most {MAX_KEY} characters",
    "key_characters": "a key holds no NUL character",
    "key_encoding": "the warehouse's encoding cannot hold the key",
}
"""Rules that are checked before any input rule."""


class Unreadable(bytes):
    """
    The bytes of a value that is no text. Printing it shows nothing.

    :ivar rule: the one its row breaks.
    """

    rule = "not_text"

    def __repr__(self) -> str:
        return "<unreadable>"

    __str__ = __repr__


class NotComputed(Unreadable):
    """A value its database raises an error for."""

    rule = "not_readable"


class UnusableKey(str):
    """
    The name of a row whose key cannot be used: the beginning of the key, and a hash of the whole.

    :ivar rule: the one the key breaks.
    """

    __slots__ = ("rule",)
    rule: str

    @classmethod
    def named(cls, key: object, rule: str) -> UnusableKey:
        """Return the name of a key, the same each time; it is ASCII."""
        text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
        whole = bytes(key) if isinstance(key, bytes) else text.encode("utf-8", "surrogatepass")
        head = text[:SHOWN].encode("unicode_escape").decode("ascii")
        name = cls(f"{head}... ({rule}, {hashlib.sha256(whole).hexdigest()[:16]})")
        name.rule = rule
        return name


def usable_key(key: Any, position: Any) -> str:
    """
    Return a key, or the name of one that cannot be used.

    :param key: as the database makes text of it.
    :param position: as it is in the source.
    """
    if isinstance(position, Unreadable) or not isinstance(key, str):
        return UnusableKey.named(key, "key_not_text")
    if isinstance(position, float | bytes):
        return UnusableKey.named(position if isinstance(position, bytes) else key, "key_type")
    if len(key) > MAX_KEY:
        return UnusableKey.named(key, "key_length")
    if "\0" in key:
        return UnusableKey.named(key, "key_characters")
    return key


def lenient(raw: bytes) -> str | Unreadable:
    """Return text, or bytes that are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Unreadable(raw)


def read_all_text(connection: Any, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
    """Read rows of which a driver cannot read some text."""
    if isinstance(connection, sqlite3.Connection):
        connection.text_factory = lenient
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.text_factory = str
    cursor = connection.cursor()
    try:
        _load_leniently(cursor, connection.info.encoding)
        return list(cursor.execute(sql, parameters).fetchall())
    finally:
        cursor.close()


def read_text_leniently(connection: Any) -> None:
    """Let psycopg read text of a database that has no encoding (SQL_ASCII), which it leaves as bytes."""
    info = getattr(connection, "info", None)
    if getattr(info, "encoding", "") == "ascii" and hasattr(connection, "adapters"):
        _load_leniently(connection, "utf-8")


def _load_leniently(context: Any, encoding: str) -> None:
    from psycopg.adapt import Loader  # noqa: PLC0415 - comes with the extra postgres

    class LenientLoader(Loader):
        """Reads text, or bytes that are none."""

        def load(self, data: Any) -> str | Unreadable:
            raw = bytes(data)
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                return Unreadable(raw)

    for type_ in ("text", "varchar", "bpchar", "name"):
        context.adapters.register_loader(type_, LenientLoader)
