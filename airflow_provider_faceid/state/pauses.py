"""Pauses: the switch by which a person stops an Action for all workers of an account, and resumes it.

A pause is a row of the state store, with who, when and why. When it is over it stays there until
:mod:`.housekeeping` deletes it. Each worker reads of it with the rate limiter's row, see :mod:`.rate_limiter`, before its next call leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import utc_text
from ..exceptions import ConfigurationError, PausedError
from .store import StateStore

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

EVERY_ACTION = "*"
"""In place of an Action: all of an account."""
LOOK_AGAIN_SECONDS = 300.0
"""Seconds after which a task that has given its worker slot back looks whether the pause is over."""
MAX_BY, MAX_REASON = 200, 500
"""Lengths of the columns, in characters; longer texts are cut."""

_COLUMNS = "name, paused_at, paused_by, reason, resumed_at, resumed_by"


class Pause(NamedTuple):
    """
    A pause of one Action, or of all of an account.

    :param name: host, account and Action, as the rate limiter's row has them.
    :param paused_at: when it began, in Unix seconds.
    :param paused_by: who paused.
    :param reason: why.
    :param resumed_at: when it ended; None while it is in force.
    :param resumed_by: who resumed.
    """

    name: str
    paused_at: float
    paused_by: str
    reason: str
    resumed_at: float | None = None
    resumed_by: str | None = None

    @property
    def action(self) -> str:
        """Return the Action; :data:`EVERY_ACTION` for all."""
        return self.name.rpartition(" ")[2]

    @property
    def account(self) -> str:
        """Return host and account, as the rate limiter's row has them."""
        return self.name.rpartition(" ")[0]

    def line(self) -> str:
        """Return who paused what, since when and why, in words."""
        what = "Every Action" if self.action == EVERY_ACTION else self.action
        return f"{what} was paused by {self.paused_by} at {utc_text(self.paused_at)}: {self.reason}"

    def error(self, now: float) -> PausedError:
        """
        Return the error for a call that may not leave.

        :param now: Unix seconds.
        """
        named = "all" if self.action == EVERY_ACTION else self.action
        error = PausedError(
            f"{self.line()}. Nothing was sent; 'airflow faceid resume {named}' ends the pause",
            not_before=now + LOOK_AGAIN_SECONDS,
        )
        error.paused_at = self.paused_at
        return error


class Pauses:
    """
    The pauses of an account.

    :param store: the state store.
    :param account: host and account, as the rate limiter's rows begin.
    """

    def __init__(self, store: StateStore, account: str) -> None:
        self._store, self._account = store, account

    def pause(self, action: str, *, by: str, reason: str) -> Pause:
        """
        Pause an Action for all workers, in one durable transaction.

        :param action: the API Action, or :data:`EVERY_ACTION`.
        :param by: who pauses.
        :param reason: why, for everybody who reads a log; without personal data.
        :raises ConfigurationError: it is paused already, or there is no reason.
        :raises StateStoreError: the state store cannot be used; nothing was paused.
        """
        by, reason = _one_line(by, MAX_BY), _one_line(reason, MAX_REASON)
        if not reason:
            raise ConfigurationError("A pause needs a reason: others will read it and wonder")

        def pause(cursor: DBAPICursor) -> tuple[Pause, bool]:
            wanted = Pause(self._name(action), self._now(cursor), by, reason)
            cursor.execute(
                self._sql(
                    f"INSERT INTO faceid_pauses ({_COLUMNS}) VALUES (?, ?, ?, ?, NULL, NULL) "
                    "ON CONFLICT DO NOTHING"
                ),
                wanted[:4],
            )
            if cursor.rowcount == 1:
                return wanted, True
            return (self._in_force(cursor, action) or wanted), False

        found, is_new = self._store.run(pause, durable=True)
        if not is_new:
            raise ConfigurationError(f"{found.line()}. It stays paused; nothing was changed")
        return found

    def resume(self, action: str, *, by: str) -> Pause:
        """
        End the pause of an Action, in one durable transaction.

        :param action: as it was paused: the API Action, or :data:`EVERY_ACTION`.
        :param by: who resumes.
        :return: the pause, which stays in the store.
        :raises ConfigurationError: it is not paused.
        :raises StateStoreError: the state store cannot be used; nothing was resumed.
        """

        def resume(cursor: DBAPICursor) -> Pause | None:
            found = self._in_force(cursor, action)
            if found is None:
                return None
            ended = found._replace(resumed_at=self._now(cursor), resumed_by=_one_line(by, MAX_BY))
            cursor.execute(
                self._sql(
                    "UPDATE faceid_pauses SET resumed_at = ?, resumed_by = ? "
                    "WHERE name = ? AND resumed_at IS NULL"
                ),
                (ended.resumed_at, ended.resumed_by, ended.name),
            )
            return ended if cursor.rowcount == 1 else None

        ended = self._store.run(resume, durable=True)
        if ended is not None:
            return ended
        every = next((one for one in self.in_force() if one.action == EVERY_ACTION), None)
        if every is not None and action != EVERY_ACTION:
            raise ConfigurationError(
                f"{every.line()}. {action} alone cannot be resumed: resume all"
            )
        what = "No pause of all Actions" if action == EVERY_ACTION else f"No pause of {action}"
        raise ConfigurationError(f"{what} is in force; nothing was changed")

    def in_force(self) -> list[Pause]:
        """
        Return the pauses in force, all Actions first.

        :raises StateStoreError: the state store cannot be used.
        """
        return [one for one in self.history() if one.resumed_at is None]

    def history(self) -> list[Pause]:
        """
        Return all pauses that are kept, by name and time.

        :raises StateStoreError: the state store cannot be used.
        """
        rows = self._store.read(
            f"SELECT {_COLUMNS} FROM faceid_pauses ORDER BY name, paused_at", ()
        )
        return [one for one in (Pause(*row) for row in rows) if one.account == self._account]

    def _in_force(self, cursor: DBAPICursor, action: str) -> Pause | None:
        cursor.execute(
            self._sql(
                f"SELECT {_COLUMNS} FROM faceid_pauses WHERE name = ? AND resumed_at IS NULL"
            ),
            (self._name(action),),
        )
        found: Any = cursor.fetchone()
        return None if found is None else Pause(*found)

    def _name(self, action: str) -> str:
        return f"{self._account} {action}"

    def _now(self, cursor: DBAPICursor) -> float:
        cursor.execute(f"SELECT {self._store.now_sql}")
        return self._store.moment(cursor.fetchall()[0][0]).now

    def _sql(self, text: str) -> str:
        return text.replace("?", self._store.marker)


def names_of(name: str) -> tuple[str, str]:
    """Return the names under which the Action of a rate limiter's row may be paused."""
    return name, f"{name.rpartition(' ')[0]} {EVERY_ACTION}"


def _one_line(text: str, length: int) -> str:
    """Return a text as one line of at most so many characters."""
    return " ".join(text.split())[:length]
