"""Where the workers of an account meet: the state store Airflow's connections lead to."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import socket
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseHook

from .. import process as forks
from ..client.connection_schema import refuse_no_object
from ..client.credentials.refresh import signing_credentials
from ..client.settings import Settings
from ..clock import SECONDS_PER_DAY
from ..exceptions import ConfigurationError, unknown
from ..get_provider_info import get_provider_info
from ..state.identity_limits import IdentityCounts
from ..state.ledger import Ledger
from ..state.pauses import Pauses
from ..state.rate_limiter import SlotRateLimiter
from ..state.rate_rows import StoredRow
from ..state.store import StateStore, Survives
from ..state.uplink import StoredUplink
from .warehouses import require_extra

# Our section of Airflow's configuration, ``[faceid]``: its options by name, and no other.


SECTION = "faceid"


def option(name: str) -> str:
    """
    Return an option as text, its default if it is not set.

    :raises ConfigurationError: the section has an option that does not exist. Airflow
        itself ignores a misspelt one.
    """
    if words := unknown_options():
        raise ConfigurationError(f"Airflow's configuration, [{SECTION}]: unknown option {words}")
    return str(conf.get(SECTION, name, fallback=_options()[name]["default"]) or "")


def unknown_options() -> str:
    """Return the options of the section that do not exist, in words; an empty text if all do."""
    given = {*(conf.getsection(SECTION) or {}), *_of_environment()}
    return unknown(sorted(given), _options().keys())


def _options() -> Mapping[str, Any]:
    options: Mapping[str, Any] = get_provider_info()["config"][SECTION]["options"]
    return options


def _of_environment() -> list[str]:
    """Return the options the environment sets; Airflow 3.1 lists them with no section it does not know."""
    start = f"AIRFLOW__{SECTION.upper()}__"
    names = [name.removeprefix(start).lower() for name in os.environ if name.startswith(start)]
    return [name.removesuffix("_cmd") for name in names]


if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_FILE = "faceid_state.sqlite"
STORES = ("sqlite", "postgres")
"""Connection types that lead to a state store."""
ONE_HOST = frozenset({"LocalExecutor", "SequentialExecutor"})
"""Executors whose tasks all run where the scheduler runs."""

_OF_POSTGRES_HOOK = frozenset(
    {
        "aws_conn_id",
        "azure_conn_id",
        "cluster-identifier",
        "cursor",
        "iam",
        "redshift",
        "redshift-serverless",
        "sqlalchemy_query",
        "sqlalchemy_scheme",
        "workgroup-name",
    }
)
"""What Airflow's own hook reads in the Extra of a PostgreSQL connection."""

log = logging.getLogger(__name__)
_paces: dict[tuple[str, str, float, float], SlotRateLimiter] = {}


class _Making:
    """Lets one thread at a time make what all of them share."""

    def __init__(self) -> None:
        self.after_fork(is_child=True)
        forks.register_fork_hook(self)

    def after_fork(self, *, is_child: bool) -> None:
        """Let a child make its own whatever its parent's threads were making."""
        if is_child:
            self.lock = threading.Lock()


_MAKING = _Making()


def shared_rate_limiter(
    settings: Settings, action: str, state_conn_id: str | None = None
) -> SlotRateLimiter:
    """
    Return the pace all workers share for an account and an Action, one object per process.

    :param state_conn_id: goes before the connection's and the configuration's.
    """
    url = _url(settings, state_conn_id)
    share = settings.priority_share
    key = (url, pace_name(settings, action), settings.rate(action), share)
    with _MAKING.lock:  # threads that ask at once must not make one each
        if key not in _paces:
            row = StoredRow(_store(url), key[1])
            _paces[key] = SlotRateLimiter(row, key[2], priority_share=share)
        return _paces[key]


def shared_pauses(settings: Settings, state_conn_id: str | None = None) -> Pauses:
    """
    Return the pauses of an account, which all its workers obey.

    :param state_conn_id: as for :func:`shared_rate_limiter`.
    """
    return Pauses(_store(_url(settings, state_conn_id)), pace_name(settings, "").rstrip())


def shared_uplink(settings: Settings, state_conn_id: str | None = None) -> StoredUplink:
    """
    Return the uplink of this host, which all its tasks share.

    :param state_conn_id: as for :func:`shared_rate_limiter`.
    """
    return StoredUplink(_store(_url(settings, state_conn_id)), socket.gethostname()[:200])


def shared_counts(settings: Settings, state_conn_id: str | None = None) -> IdentityCounts:
    """
    Return the counters of how often each person was asked about, shared by all workers.

    :param state_conn_id: as for :func:`shared_rate_limiter`.
    """
    return IdentityCounts(_store(_url(settings, state_conn_id)))


def shared_store(settings: Settings, state_conn_id: str | None = None) -> StateStore:
    """
    Return the state store that all workers share.

    :param state_conn_id: as for :func:`shared_rate_limiter`.
    """
    return _store(_url(settings, state_conn_id))


def shared_ledger(
    settings: Settings,
    owner: str,
    state_conn_id: str | None = None,
    *,
    max_charged: int | None = None,
    reuse_within: float = 0.0,
) -> Ledger:
    """
    Return the ledger of a task, in the store all workers share.

    :param owner: the task instance, the same for every try of it.
    :param state_conn_id: as for :func:`shared_rate_limiter`.
    :param max_charged: calls all tries of it may be charged for; None for any number.
    :param reuse_within: seconds for which the answer of another campaign is good.
    :raises ConfigurationError: answers are not kept for so long, or a number is out of range.
    """
    written = option("keep_answers_days")
    if not (written.isdecimal() and int(written)):
        raise ConfigurationError(
            f"[faceid] keep_answers_days is '{written}'; it is a number of days"
        )
    days = int(written)
    keep = days * SECONDS_PER_DAY
    if not 0 <= reuse_within <= keep:
        raise ConfigurationError(
            f"reuse_within of {reuse_within / SECONDS_PER_DAY:g} days: answers are kept for "
            f"{days} days, see [faceid] keep_answers_days"
        )
    if max_charged is not None and max_charged < 0:
        raise ConfigurationError(f"max_charged={max_charged}: it is 0 or more")
    store = _store(_url(settings, state_conn_id))
    return Ledger(store, owner, max_charged=max_charged, reuse_within=reuse_within, keep=keep)


def _url(settings: Settings, state_conn_id: str | None) -> str:
    return state_url(state_conn_id or settings.state_conn_id or _configured())


def state_url(state_conn_id: str) -> str:
    """
    Return the SQLAlchemy URL of a connection, or of the default file if there is none.

    :raises ConfigurationError: the connection is of another type.
    """
    if state_conn_id:
        connection = BaseHook.get_connection(state_conn_id)
        refuse_no_object(state_conn_id, connection.extra)
        if connection.conn_type not in STORES:
            raise ConfigurationError(
                f"Connection '{state_conn_id}' is of type '{connection.conn_type}'. The state store "
                f"needs one of type {' or '.join(STORES)}"
            )
        require_extra(state_conn_id, connection.conn_type)
        host = connection.host or ""
        if connection.conn_type == "postgres" and host.startswith("/"):
            return _by_socket(state_conn_id, connection)
        if connection.conn_type == "sqlite" and "?" in host and not host.startswith("file:"):
            return _sqlite(host)
        url = str(BaseHook.get_hook(state_conn_id).get_uri())
        return (
            url
            if connection.conn_type == "sqlite"
            else _postgresql(state_conn_id, url, connection.extra_dejson)
        )
    _warn_of_several_hosts()
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return _sqlite(str(home / DEFAULT_FILE))


def _by_socket(conn_id: str, connection: Connection) -> str:
    """Return the URL of a server on this host whose socket is in a folder, the connection's host."""
    from sqlalchemy import URL  # noqa: PLC0415 - takes a while

    url = URL.create(
        "postgresql",
        username=connection.login,
        password=connection.password,
        port=connection.port,
        database=connection.schema,
        query={"host": str(connection.host)},
    )
    shown = url.render_as_string(hide_password=False)
    return _postgresql(conn_id, shown, connection.extra_dejson)


def _sqlite(path: str) -> str:
    from sqlalchemy import URL  # noqa: PLC0415 - takes a while

    return URL.create("sqlite", database=path).render_as_string()


def _postgresql(conn_id: str, url: str, extra: Mapping[str, object]) -> str:
    """
    Return the URL for our driver, with what the connection's Extra says to it.

    Airflow's hook has a place for that when it connects and none in its URL, so that ``sslmode``
    and ``connect_timeout`` would be lost. PostgreSQL's library names what may be said.
    """
    from psycopg import pq  # noqa: PLC0415 - comes with the extra postgres
    from sqlalchemy import make_url  # noqa: PLC0415 - takes a while

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    if words := unknown(extra, known | _OF_POSTGRES_HOOK):
        raise ConfigurationError(f"Connection '{conn_id}': unknown extra field {words}")
    said = {name: str(value) for name, value in extra.items() if name in known}
    found = make_url(url).set(drivername="postgresql+psycopg")
    return found.update_query_dict(said).render_as_string(hide_password=False)


def pace_name(settings: Settings, action: str) -> str:
    """
    Name an account, the same under all its keys and without showing one.

    Nothing about a temporary key that somebody else renews says whose it is. Its account is taken
    to be that of the other connections with the same ``hash_secret``.
    """
    account = signing_credentials(settings.credentials).account(settings.conn_id)
    if not account:
        account = hmac.digest(settings.hmac_key.encode(), b"account", "sha256").hex()
    key = hashlib.sha256(account.encode()).hexdigest()[:16]
    return f"{settings.host[:120]} {key} {action[:50]}"


def _configured() -> str:
    return option("state_conn_id")


@cache
def _store(url: str) -> StateStore:
    survives = option("ledger_survives") or Survives.POWER_LOSS.value
    if survives not in set(Survives):
        raise ConfigurationError(
            f"[faceid] ledger_survives is '{survives}'; it is {' or '.join(Survives)}"
        )
    return StateStore(url, survives=Survives(survives))


def spread_executors() -> list[str]:
    """Return the configured executors that may run tasks on several hosts."""
    named = str(conf.get("core", "executor", fallback=""))
    executors = {part.strip().rpartition(":")[2].rpartition(".")[2] for part in named.split(",")}
    return sorted(executors - ONE_HOST - {""})


@cache
def _warn_of_several_hosts() -> None:
    """Warn, once, that a file of this host is no meeting place for workers elsewhere."""
    if spread := spread_executors():
        log.warning(
            "%s may run tasks on several hosts, but the Face ID pace is kept in a SQLite file of "
            "this host. Together the workers may exceed the quota. Set state_conn_id to a "
            "PostgreSQL connection, in the Face ID connection or as [faceid] state_conn_id",
            " and ".join(spread),
        )
