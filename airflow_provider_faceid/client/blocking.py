"""Calls over requests: one at a time, with a deadline over everything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from traceback import walk_tb
from typing import TYPE_CHECKING

import requests

from ..exceptions import FaceIdError, ThrottledError
from ..service.envelope import Reply, read_reply
from ..service.verdict import Verdict
from .encryption import Encrypt
from .fate import never_sent, no_address, no_answer, tls_refused
from .flow import Pace, Pause, Seen, Send, TakeSlot, call_flow
from .service_clock import ServiceClock
from .settings import Settings

if TYPE_CHECKING:
    from requests import Response, Session


def call(
    action: str,
    params: Mapping[str, object],
    *,
    session: Session,
    settings: Settings,
    pace: Pace,
    clock: ServiceClock,
    encrypt: Encrypt | None = None,
) -> Verdict:
    """
    Make one call.

    :param session: signs what it sends (:class:`~.auth.TC3Auth`).
    :param clock: the one it signs by.
    :param encrypt: as for :func:`~.flow.call_flow`.
    :raises FaceIdError: there is no answer.
    """
    flow = call_flow(action, params, settings, clock, encrypt)
    effect = next(flow)
    while True:
        reply: Reply | None = None
        try:
            match effect:
                case TakeSlot():
                    pace.wait()
                case Send():
                    reply = _send(session, settings, effect)
                case Seen(problem):
                    if isinstance(problem, ThrottledError):
                        pace.slow_down()
                case Pause(seconds):
                    clock.sleep(seconds)
        except FaceIdError as error:
            effect = flow.throw(error)
            continue
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict


def _send(session: Session, settings: Settings, send: Send) -> Reply:
    def exchange() -> Response:
        return session.post(
            settings.url + "/",
            data=bytes(send.body),
            headers={"X-TC-Action": send.action},
            timeout=(send.connect_timeout, send.timeout),
            allow_redirects=False,
            # Said again, because the environment overrules what only the session says.
            verify=settings.verify,
            proxies=dict(settings.proxies),
        )

    try:
        response = within(send.timeout, exchange)
    except requests.RequestException as error:
        raise fate_of(error, send.action) from None
    except TimeoutError:
        raise no_answer(send.action, f"timeout of {send.timeout:g} s") from None
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        raise tls_refused(send.action, "no certificates to check it against") from None
    date = response.headers.get("Date", "")
    return read_reply(send.action, response.status_code, response.content, send.personal, date)


def within(seconds: float, work: Callable[[], Response]) -> Response:
    """
    Return what ``work`` returns, or give up after so many seconds.

    The timeouts of requests are per read: a server that dribbles its answer resets them with every
    byte. The work therefore runs in a thread that is left behind when the time is up.

    :raises TimeoutError: the time is up.
    """
    results: list[Response] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="faceid-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def fate_of(error: requests.RequestException, action: str) -> FaceIdError:
    """Return what an error of requests means for the call."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    detail = type(error if cause is None else cause).__name__
    connecting = _while_connecting(error)
    if connecting and isinstance(error, requests.exceptions.SSLError):
        return tls_refused(action, detail)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return no_address(action, detail)
    never_left = requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError
    if connecting or isinstance(error, never_left):
        return never_sent(action, detail)
    return no_answer(action, detail)


def _while_connecting(error: BaseException | None) -> bool:
    """
    Say whether an error arose before anything was sent.

    Its type does not tell: TLS may fail, and reading may time out, in a handshake or in an answer.
    """
    while error is not None:
        if any(frame.f_code.co_name == "connect" for frame, _ in walk_tb(error.__traceback__)):
            return True
        error = error.__context__
    return False
