"""Calls over requests: one at a time, with a deadline over everything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from ..exceptions import FaceIdError, ThrottledError, UncertainError
from ..service.envelope import MAX_ANSWER, Reply
from ..service.verdict import Verdict
from .connections import UploadBody, use_ours, watched
from .credentials.keys import Keys, keys_of
from .delivery import NO_CERTIFICATES, Ending, Handover, error_of, problem_of
from .encryption import Encrypt
from .flow import Answer, Attempt, Pace, Pause, RenewKey, Seen, Send, TakeKey, TakeSlot, call_flow
from .proxy import proxy_of
from .service_clock import ServiceClock
from .settings import Settings
from .upload import Upload, of_upload
from .wire import headers_of, reply_of
from .within import until

if TYPE_CHECKING:
    from requests import Response, Session

READ_BYTES = 2**16
"""Bytes of an answer that are read at a time."""


def call(
    action: str,
    params: Mapping[str, object],
    *,
    session: Session,
    settings: Settings,
    pace: Pace,
    clock: ServiceClock,
    keys: Keys | None = None,
    encrypt: Encrypt | None = None,
    attempt: Attempt | None = None,
) -> Verdict:
    """
    Make one call.

    :param session: sends; whatever it would sign with is left aside. It gets our adapter.
    :param clock: the one requests are signed by.
    :param keys: what they are signed with; those of the settings if not given.
    :param encrypt: as for :func:`~.flow.call_flow`.
    :param attempt: likewise.
    :raises FaceIdError: there is no answer.
    """
    keys, attempt = keys or keys_of(settings.credentials), attempt or Attempt()
    use_ours(session, settings.url)
    flow = call_flow(action, params, settings, clock, encrypt, attempt=attempt)
    effect = next(flow)
    while True:
        answer: Answer = None
        try:
            match effect:
                case TakeSlot():
                    pace.wait()
                case TakeKey():
                    answer = keys.ready()
                case Send():
                    answer = _send(session, settings, effect, clock, attempt)
                case Seen(ThrottledError()):
                    pace.slow_down()
                case Pause(seconds):
                    clock.sleep(seconds)
                case RenewKey(refused):
                    answer = keys.wait(settings.conn_id, refused)
        except FaceIdError as error:
            effect = flow.throw(error)
            continue
        try:
            effect = flow.send(answer)
        except StopIteration as stop:
            verdict: Verdict = stop.value
            return verdict


def _send(
    session: Session, settings: Settings, send: Send, clock: ServiceClock, attempt: Attempt
) -> Reply:
    headers = headers_of(send, settings, clock)
    upload = Upload(send.body, send.timeout, time.monotonic, attempt.traffic)
    handover = Handover()

    def exchange() -> tuple[Response, bytes]:
        with (
            watched(handover),
            session.post(
                settings.url + "/",
                data=UploadBody(upload) if upload.is_large else bytes(send.body),
                headers=headers,
                auth=lambda request: request,  # signed; a netrc must not touch our Authorization
                timeout=(send.connect_timeout, send.timeout),
                allow_redirects=False,
                stream=True,
                # Said again, because the environment overrules what only the session says.
                verify=settings.verify,
                proxies=dict(settings.proxies),
            ) as response,
        ):
            return response, read_body(response)

    try:
        response, body = until(lambda: upload.end, exchange)
        return reply_of(send, response.status_code, body, response.headers, settings)
    except UncertainError as error:
        raise of_upload(error, upload, send.action) from None
    except (HTTPError, requests.RequestException) as error:
        proxied = proxy_of(settings.url, settings.proxies) is not None
        problem = problem_of(send.action, error, handover, proxied=proxied)
    except TimeoutError:
        handover.give_up()  # the thread that is left behind may not send it any more
        ending = Ending.NO_CONNECTION if handover.never_left else Ending.NO_ANSWER
        problem = error_of(send.action, ending, f"timeout of {send.timeout:g} s")
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        ending = Ending.UNTRUSTED if handover.never_left else Ending.NO_ANSWER
        problem = error_of(send.action, ending, NO_CERTIFICATES)
    finally:
        attempt.uploaded(upload)
    raise of_upload(problem, upload, send.action) from None


def read_body(response: Response) -> bytes:
    """
    Return the body of an answer as it came, or its beginning if it is too long to be one.

    :raises HTTPError: the connection broke.
    """
    body = bytearray()
    while len(body) <= MAX_ANSWER:
        part = response.raw.read(READ_BYTES, decode_content=False)
        if not part:
            break
        body += part
    return bytes(body)
