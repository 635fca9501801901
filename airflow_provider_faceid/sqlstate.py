"""SQLSTATE: transient database errors, after which a transaction may be retried."""

from __future__ import annotations

TRANSIENT: dict[str, str] = {
    "25006": "read only: a standby that is not promoted yet",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock not available, or lock_timeout",
    "57014": "statement cancelled, or statement_timeout",
    "57P01": "the server is being shut down",
    "57P02": "the server crashed",
    "57P03": "the server is starting",
    "57P05": "idle_session_timeout",
}
"""Meaning by SQLSTATE (PostgreSQL's manual, appendix A). The caller limits its retries."""

_CONNECTION = "08"
"""SQLSTATE class of connection errors; pgbouncer also reports a lost server with it."""

_ENDS_SESSION = frozenset({"25P03", "25P04", "57P01", "57P02", "57P05"})
"""SQLSTATEs with which the server closes the connection."""

_UNSUPPORTED = "unsupported startup parameter"
"""pgbouncer's message for a parameter that it cannot track per session; it is never translated."""


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of a driver's error, or of the one SQLAlchemy wrapped; empty if none."""
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return str(state or "")


def is_transient(error: BaseException) -> bool:
    """Return whether the same transaction may succeed a moment later."""
    state = sqlstate(error)
    return state in TRANSIENT or state.startswith(_CONNECTION)


def ends_session(error: BaseException) -> bool:
    """Return whether the connection is lost together with the transaction."""
    state = sqlstate(error)
    return state in _ENDS_SESSION or state.startswith(_CONNECTION)


def cause(error: BaseException) -> str:
    """Describe an error by its class and SQLSTATE, or SQLite's error name; none holds row data."""
    original = getattr(error, "orig", None) or error
    state = sqlstate(original)
    if not state:
        code = getattr(original, "sqlite_errorname", "")
        return f"{type(original).__name__}, {code}" if code else type(original).__name__
    meaning = TRANSIENT.get(state)
    return f"{type(original).__name__}, SQLSTATE {state}" + (f": {meaning}" if meaning else "")


def advice_on(parameter: str) -> str:
    """Return the next step for a startup parameter that pgbouncer refused."""
    return (
        f"pgbouncer refuses the parameter '{parameter}': take it out of the connection's Extra and set "
        "what it says for the role (ALTER ROLE ... SET ...)"
    )


def refused_parameter(error: BaseException) -> str:
    """Return the startup parameter for which pgbouncer refused a connection; empty for other errors."""
    _, found, rest = str(error).partition(_UNSUPPORTED)
    words = rest.replace("in options", "").strip(" :\n").split()
    return words[0] if found and words else ""
