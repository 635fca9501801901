"""Photos of a size: a picture grown by comments, which a service that looks at it does not see."""

from __future__ import annotations

import os

COMMENT_BYTES = 60_000


def grown(jpeg: bytes, size: int) -> bytes:
    """Return a JPEG of about so many bytes."""
    comment = b"\xff\xfe" + (COMMENT_BYTES - 2).to_bytes(2, "big")
    count = max(0, (size - len(jpeg)) // COMMENT_BYTES)
    comments = (comment + os.urandom(COMMENT_BYTES - 4) for _ in range(count))
    return b"".join((jpeg[:2], *comments, jpeg[2:]))
