"""What surrounds, or stands in for, a value in the tables people keep: marks that show nothing, and the
texts of a missing value.
"""

from __future__ import annotations

import re

_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
"""Unicode's property ``Default_Ignorable_Code_Point``: what shows nothing, such as the soft hyphen,
zero-width characters, marks of direction, the byte order mark, variation selectors."""

INVISIBLE = re.compile(f"[{_IGNORABLE}\u2800\ufff9-\ufffb]")
"""Those, the blank of Braille and the marks of annotations."""

JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: letters of many scripts are other ones without them."""

_MISSING = frozenset({"nan", "none", "null", "nat", "<na>", "n/a", "#n/a", "undefined"})
LONGEST_MISSING = 9
"""Characters; longer texts need not be looked at."""
_MISSING_IN_CAPITALS = "NA"
"""What R writes; in small letters it is a name."""


def is_missing(text: str) -> bool:
    """
    Say whether a text is what data frames and exports make of a missing value.

    :param text: without outer blanks. Its case does not matter: exports change it.
    """
    if len(text) > LONGEST_MISSING:
        return False
    return text.casefold() in _MISSING or text == _MISSING_IN_CAPITALS


def without_invisible(text: str) -> str:
    """Return a text without marks that show nothing, and without outer blanks."""
    return (text if text.isascii() else INVISIBLE.sub("", text)).strip()


def visible_length(text: str) -> int:
    """Return how many characters of a text are seen, blanks between them included."""
    return sum(character.isprintable() or character.isspace() for character in text)
