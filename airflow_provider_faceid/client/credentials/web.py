"""One small question over HTTP: bounded in time and size, followed nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from ...exceptions import CredentialsError, UnavailableError
from ...service.envelope import UNPACKED, Reply
from ..delivery import Ending, Handover, ending_of, kind_of
from ..within import within
from .key import MAX_BYTES

CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class Way:
    """
    How to get to a server.

    :param direct: past every proxy, the environment's included.
    :param proxies: proxy address by scheme, over those of the environment.
    :param verify: whether to check the TLS certificate.
    :param seconds: for all of a question and its answer.
    """

    direct: bool = False
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True
    seconds: float = 10.0


@dataclass(frozen=True)
class Page:
    """An answer; it may hold a key, so its body is not printed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def date(self) -> float | None:
        """Return when it was written, in Unix seconds, None if it does not say."""
        return Reply("", "", date_header=self.headers.get("Date", "")).date


def ask(
    url: str, way: Way, *, headers: Mapping[str, str] | None = None, data: bytes | None = None
) -> Page:
    """
    Ask a server: POST if there is data, else GET.

    :raises UnavailableError: it does not answer in time, which may pass.
    :raises CredentialsError: its certificate is not trusted, or what it sends is too long.
    """
    host = urlsplit(url).netloc

    def exchange() -> Page:
        with requests.Session() as session:
            session.trust_env = not way.direct
            with session.request(
                "GET" if data is None else "POST",
                url,
                data=data,
                headers={**UNPACKED, **(headers or {})},
                auth=lambda request: request,  # a netrc must not touch our Authorization
                timeout=(min(CONNECT_SECONDS, way.seconds), way.seconds),
                allow_redirects=False,
                stream=True,
                verify=way.verify,
                proxies=dict(way.proxies),
            ) as response:
                body = response.raw.read(MAX_BYTES + 1, decode_content=False)
                return Page(response.status_code, response.headers, body)

    try:
        page = within(way.seconds, exchange)
    except TimeoutError:
        raise UnavailableError(f"{host} does not answer within {way.seconds:g} s") from None
    except (requests.RequestException, HTTPError) as error:
        raise _problem_of(host, error) from None
    except OSError:  # the only one requests does not wrap: REQUESTS_CA_BUNDLE names no file
        raise CredentialsError(f"{host}: no certificates to check its own against") from None
    if len(page.body) > MAX_BYTES:
        raise CredentialsError(f"{host} sends more than {MAX_BYTES} bytes, which is no key")
    return page


def _problem_of(host: str, error: Exception) -> UnavailableError | CredentialsError:
    """Return what an error means: a handshake that is ended may pass, a certificate will not."""
    free = Handover()
    free.connect()  # a question costs nothing, so it is never in doubt
    proxied = isinstance(error, requests.exceptions.ProxyError)
    match ending_of(error, free, proxied=proxied):
        case Ending.UNTRUSTED | Ending.NO_TLS:
            return CredentialsError(
                f"{host}: its TLS certificate or handshake is refused ({type(error).__name__}). Check "
                "the address, or the certificates this machine trusts"
            )
        case Ending.NO_ADDRESS:
            return CredentialsError(f"{host}, or its proxy, is no address ({kind_of(error)})")
        case _:
            return UnavailableError(f"{host} cannot be reached ({kind_of(error)})")
