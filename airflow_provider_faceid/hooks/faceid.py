"""The Face ID hook: an Airflow connection turned into signed, paced calls."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import cached_property, partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.http.hooks.http import HttpHook

from ..api.action import Action
from ..api.actions import listed
from ..api.fields import InputRules, skipped_rules
from ..api.messages import Fields
from ..client.call import Attempt, RateLimiter
from ..client.connection_schema import form_fields, refuse_no_object
from ..client.credentials.refresh import (
    SigningCredentials,
    signing_credentials,
)
from ..client.request import TC3Auth
from ..client.settings import Encrypt, Settings, encrypt_of, parse_settings
from ..client.transport_sync import KeepAliveAdapter
from ..client.transport_sync import call as blocking_call
from ..client.upload import LARGE_BYTES
from ..clock import SYSTEM_CLOCK, OffsetClock, beijing_date
from ..exceptions import ConfigurationError, FaceIdError, unknown
from ..get_provider_info import get_provider_info
from ..process import without_frames
from ..state.identity_limits import IdentityCounts
from ..state.ledger import Ledger
from ..state.pauses import Pauses
from ..state.rate_limiter import SlotRateLimiter
from ..state.uplink import StoredUplink, UploadTurn
from .checks import Checks
from .connection_form import warn_of, widgets
from .free_call import prove_key
from .single_call import PER_DAG_RUN, Idempotency, call_once, call_paced, within_task
from .state_store import (
    shared_counts,
    shared_ledger,
    shared_pauses,
    shared_rate_limiter,
    shared_uplink,
)
from .stats import counted_call

if TYPE_CHECKING:
    from requests import Response, Session

    from ..api.verdict import Verdict


class FaceIdHook(Checks, HttpHook):
    """
    Call the Tencent Cloud Face ID API.

    Calls are signed with TC3-HMAC-SHA256, paced below the account's quota, bounded by a total
    timeout, and repeated only when they were certainly not charged. A mismatch, a person who is
    not found or a limit reached is an answer; an exception means that there is none.

    Session, TLS, proxies and keep-alive are those of :class:`HttpHook`. Unlike there, extra fields
    of the connection never become headers, bodies are never logged, redirects are not followed and
    the scheme is https unless the connection says http.

    :param faceid_conn_id: connection of type ``faceid``.
    :param state_conn_id: connection of the database in which all workers keep the pace, SQLite or
        PostgreSQL; if not given that of the Face ID connection, then that of Airflow's
        configuration (``[faceid] state_conn_id``), then a SQLite file in ``AIRFLOW_HOME``.
    """

    conn_name_attr = "faceid_conn_id"
    default_conn_name = "faceid_default"
    conn_type = "faceid"
    hook_name = "Tencent Cloud Face ID"

    run = without_frames(HttpHook.run)
    run_with_advanced_retry = without_frames(HttpHook.run_with_advanced_retry)

    def __init__(
        self, faceid_conn_id: str = default_conn_name, state_conn_id: str | None = None
    ) -> None:
        super().__init__(
            method="POST",
            http_conn_id=faceid_conn_id,
            auth_type=self._auth,
            adapter=KeepAliveAdapter(),
        )
        self.faceid_conn_id = faceid_conn_id
        self.state_conn_id = state_conn_id
        self._clock = OffsetClock()

    @cached_property
    @without_frames
    def settings(self) -> Settings:
        """
        Read and check the connection, once.

        :raises ConfigurationError: a field is missing, unknown, out of range or contradicts another.
        """
        connection = self.get_connection(self.faceid_conn_id)
        refuse_no_object(self.faceid_conn_id, connection.extra)
        settings = parse_settings(
            conn_id=self.faceid_conn_id,
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_dejson,
        )
        warn_of(settings)
        return settings

    @without_frames
    def verify(
        self,
        action: str,
        values: Mapping[str, object],
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Check some values by the input rules of an Action, and ask it about them.

        :param action: the name of a listed Action, such as ``IdCardVerification``.
        :param values: by the API's names of its request fields, as the source holds them: they are
            normalised here. A photo is a picture as bytes, or its Base64 text.
        :param idempotency: as for :meth:`call`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`call`.
        :return: the answer, judged by the Action's result codes.
        :raises ConfigurationError: there is no such Action, or it has no field of such a name.
        :raises InvalidInputError: a value breaks a rule, or is missing; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        known = listed(action)
        if words := unknown(values, [field.name for field in known.fields]):
            raise ConfigurationError(f"{action} has no field {words}")
        needed = {field.name: None for field in known.fields if field.required}
        params = self._request_fields(known, Fields({**needed, **values}), skip_rules)
        return self.call(action, params, idempotency, priority=priority)

    @without_frames
    def call(
        self,
        action: str,
        params: Mapping[str, object],
        idempotency: Idempotency | None = PER_DAG_RUN,
        *,
        priority: bool = False,
    ) -> Verdict:
        """
        Call any Action of the service.

        Values are sent as they are. An Action without a row in the outcome table gets its codes
        judged by the common ones; read the rest in ``Verdict.fields``, which an answer from the
        ledger does not have.

        The answers of ``IdCardOCRVerification`` and ``CheckIdCardInformation`` are people: names,
        addresses, portraits. :meth:`verify` and the operators refuse these two; decide where such an
        answer may live before you call them here, and keep it out of logs and XCom.

        :param action: the API Action.
        :param params: its request fields; a ``bytes`` value is Base64 text. An absent one may be
            None.
        :param idempotency: the work within which the question is asked once. In a task it is the DAG run
            if not given: a retry does not pay again, the next run asks anew. ``Idempotency(campaign=...)``
            names a campaign, None asks anyway. Outside of tasks each call is made.
        :param priority: whether somebody waits for this call, which then leaves before those of tables
            that are being verified. All such calls together have at most the connection's priority
            share of the pace.
        :raises IdentityLimitError: the person was asked about as often as the service allows.
        :raises PausedError: somebody has paused the Action for all workers; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        settings = self.settings
        keys = self._keys
        pace = self.rate_limiter(action).priority() if priority else self.rate_limiter(action)

        def call(attempt: Attempt) -> Verdict:
            once = partial(
                self._call, action, params, settings, pace=pace, keys=keys, attempt=attempt
            )
            return counted_call(action, once)

        work = None if idempotency is None else within_task(idempotency)
        if work is None:
            return call_paced(self.identity_counts(), settings, action, params, call)
        ledger = self.ledger(work.owner, reuse_within=work.reuse_within)
        return call_once(ledger, settings, action, params, idempotency=work, call=call)

    @without_frames
    def rate_limiter(self, action: str) -> SlotRateLimiter:
        """
        Return the pace of this account and an Action, shared by all workers.

        :raises FaceIdError: the state store cannot be used.
        """
        return shared_rate_limiter(self.settings, action, self.state_conn_id)

    @without_frames
    def identity_counts(self) -> IdentityCounts:
        """
        Return the counters of how often each person was asked about, shared by all workers.

        :raises FaceIdError: the state store cannot be used.
        """
        return shared_counts(self.settings, self.state_conn_id)

    @without_frames
    def pauses(self) -> Pauses:
        """
        Return the pauses of this account, by which a person stops an Action for all workers.

        :raises FaceIdError: the state store cannot be used.
        """
        return shared_pauses(self.settings, self.state_conn_id)

    @without_frames
    def uplink(self) -> StoredUplink:
        """
        Return the uplink of this host, which all its tasks share.

        :raises FaceIdError: the state store cannot be used.
        """
        return shared_uplink(self.settings, self.state_conn_id)

    @without_frames
    def ledger(
        self,
        owner: str,
        *,
        max_charged: int | None = None,
        reuse_within: timedelta | None = None,
    ) -> Ledger:
        """
        Return the ledger of a task: every call, written down before it leaves.

        :param owner: the task instance, the same for every try of it.
        :param max_charged: calls all tries of it may be charged for; None for any number.
        :param reuse_within: for how long the answer of another campaign is good.
        :raises FaceIdError: the state store cannot be used.
        """
        reuse = reuse_within.total_seconds() if reuse_within else 0.0
        return shared_ledger(
            self.settings, owner, self.state_conn_id, max_charged=max_charged, reuse_within=reuse
        )

    @without_frames
    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> Session:
        """
        Return a session that signs what it sends.

        For requests of your own: POST JSON to ``hook.settings.url`` with the header
        ``X-TC-Action``. Such calls are neither paced nor judged.

        :param headers: headers of the session.
        :param extra_options: options of :class:`HttpHook`, over those of the connection.
        """
        # HttpHook asks for these only if the connection has an Extra, which ours need not have.
        options = {"timeout": self.settings.timeout, "allow_redirects": False}
        session = super().get_conn(headers, {**options, **(extra_options or {})})
        # The service has no cookies: those of others are neither kept nor sent back.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return session

    @without_frames
    def check_response(self, response: Response) -> None:
        """
        Raise on an HTTP status that is no answer, without logging the body.

        :raises FaceIdError: HTTP status 400 or above.
        """
        if not response.ok:
            raise FaceIdError(f"HTTP {response.status_code} from {self.settings.host}")

    @without_frames
    def test_connection(self) -> tuple[bool, str]:
        """
        Make one free call that proves key and signature; the key is fetched anew for it.

        :return: success, and a sentence for the user without any secret.
        """
        try:
            self.settings.hmac_key  # noqa: B018 - a connection without a hash key makes no call
            proof = prove_key(self.settings, self._session, self._clock)
        except FaceIdError as error:
            return False, str(error)
        return proof.is_free, proof.sentence(self.settings.host)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow 3.1, which does not read the metadata."""
        behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {key.replace("-", "_"): value for key, value in behaviour.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields for Airflow 3.1, which does not read the metadata."""
        return widgets(form_fields())

    def _call(
        self,
        action: str,
        params: Mapping[str, object],
        settings: Settings,
        *,
        pace: RateLimiter,
        keys: SigningCredentials,
        attempt: Attempt | None = None,
    ) -> Verdict:
        attempt = attempt or Attempt()
        call = partial(
            blocking_call,
            action,
            params,
            session=self._session,
            settings=settings,
            clock=self._clock,
            keys=keys,
            encrypt=self._encrypt,
            attempt=attempt,
        )
        if not any(isinstance(v, bytes | str) and len(v) > LARGE_BYTES for v in params.values()):
            return call(pace=pace)
        attempt.traffic = turn = UploadTurn(self.uplink())
        try:
            return call(pace=UploadRateLimiter(turn, pace))
        finally:
            turn.ended()

    @property
    def _session(self) -> Session:
        """Return this process's session: a forked child must not wait for its parent's locks."""
        process = os.getpid()
        if process not in self._sessions:
            self._sessions[process] = self.get_conn()
        return self._sessions[process]

    @cached_property
    def _sessions(self) -> dict[int, Session]:
        return {}

    @cached_property
    def _keys(self) -> SigningCredentials:
        return signing_credentials(self.settings.credentials)

    @cached_property
    def _encrypt(self) -> Encrypt | None:
        return encrypt_of(self.settings)

    def _request_fields(
        self, action: Action, values: Fields, skip_rules: Collection[str]
    ) -> Fields:
        today, check = beijing_date(SYSTEM_CLOCK.now()), self.settings.id_card_check
        rules = InputRules(today, check, skipped_rules(skip_rules))
        return rules.request_fields(action.fields, values, action.row_rules)

    def _auth(self, *_: Any) -> TC3Auth:
        return TC3Auth.of(self._keys, self.settings, self._clock)

    def _set_base_url(self, connection: Any) -> None:
        del connection
        self.base_url = self.settings.url
        self._base_url_initialized = True

    def _configure_session_from_extra(
        self, session: Session, connection: Any, extra_options: dict[str, Any]
    ) -> Session:
        # HttpHook makes a header of every key it does not know; ours would leak the token.
        del connection
        settings = self.settings
        self.merged_extra = {**extra_options}
        session.proxies = dict(settings.proxies)
        session.verify = extra_options.get("verify", settings.verify)
        # A redirect would take a signed request elsewhere, also one that the user's own code makes.
        session.get_redirect_target = _nowhere  # type: ignore[method-assign]
        return session


class UploadRateLimiter(NamedTuple):
    """The pace of a call with a photo: first it waits for its turn on the uplink."""

    turn: UploadTurn
    pace: RateLimiter

    def wait(self) -> None:
        """Block until the next request may leave."""
        self.turn.take()
        self.pace.wait()

    async def wait_async(self) -> None:
        """Wait until the next call may leave."""
        await self.pace.wait_async()

    def check(self) -> None:
        """Ask whether calls may leave at all."""
        self.pace.check()

    def slow_down(self) -> None:
        """Take note of a throttled answer."""
        self.pace.slow_down()


def _nowhere(resp: Response) -> None:
    del resp


def require_faceid(hook: Any, conn_id: str) -> FaceIdHook:
    """
    Return a hook if it is ours.

    :raises ConfigurationError: the connection has another type.
    """
    if not isinstance(hook, FaceIdHook):
        raise ConfigurationError(f"Connection '{conn_id}' is not of type faceid")
    return hook
