"""The wire: how one answer leaves, whole or with a fault on its way."""

from __future__ import annotations

import socket
import struct
from email.utils import formatdate
from functools import lru_cache
from http.client import responses

from aiohttp import web

from ...api.signing import JSON_TYPE
from ...clock import Clock
from ..account.ledger import Line

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``SO_LINGER`` of no time at all: closing throws away what is left and sends RST."""

_PAGE = (
    "<html>\n<head><title>{0}</title></head>\n"
    "<body><center><h1>{0}</h1></center><hr><center>nginx</center></body>\n</html>\n"
)


class Wire:
    """
    One answer on its way to the caller.

    Every method either sends something or ends the connection; to call none leaves the caller
    without an answer. A caller who hung up gets nothing, and the ledger says so.

    :param request: what is answered.
    :param clock: the service's clock.
    :param answer: the body of the answer, empty if the call was not processed.
    :param line: the request's line in the ledger.
    """

    def __init__(self, request: web.Request, clock: Clock, answer: bytes, line: Line) -> None:
        self.clock = clock
        self.response: web.StreamResponse = web.Response()
        """What the server is told was sent; without a connection, nobody gets it."""
        self._request, self._answer, self._line = request, answer, line

    @property
    def open(self) -> bool:
        """Say whether the caller is still there, as far as is known."""
        transport = self._request.transport
        return transport is not None and not transport.is_closing()

    async def whole(self) -> None:
        """Send the whole answer at once."""
        self.response = web.Response(body=self._answer, headers=self._headers(JSON_TYPE))
        await self.response.prepare(self._request)
        self._complete()
        await self.response.write_eof()

    async def dribble(self, seconds: float) -> None:
        """Send the answer byte by byte, evenly over so many seconds."""
        await self._begin(len(self._answer))
        last = len(self._answer) - 1
        for position in range(len(self._answer)):
            await self.clock.asleep(seconds / len(self._answer))
            if position == last:
                self._complete()
            await self.response.write(self._answer[position : position + 1])

    async def part(self, share: float, *, close: bool) -> None:
        """
        Send the beginning of the answer.

        :param share: how much of it, from 0 to 1.
        :param close: promise the whole, then close the connection.
        """
        beginning = self._answer[: int(len(self._answer) * share)]
        await self._begin(len(self._answer) if close else len(beginning))
        await self.response.write(beginning)
        if close:
            self.close()

    async def page(self, status: int, retry_after: int | None = None) -> None:
        """Send a page of HTML in place of the answer, with the seconds of a ``Retry-After`` if given."""
        body = _PAGE.format(f"{status} {responses.get(status, '')}".strip())
        headers = self._headers("text/html")
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self.response = web.Response(status=status, body=body.encode(), headers=headers)
        await self.response.prepare(self._request)
        await self.response.write_eof()

    def close(self) -> None:
        """Close the connection (FIN), after what was sent."""
        if self._request.transport is not None:
            self._request.transport.close()

    def reset(self) -> None:
        """Break the connection (RST)."""
        transport = self._request.transport
        if transport is not None:
            line = transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()

    async def _begin(self, length: int) -> None:
        """Send the head of an answer that comes in pieces."""
        headers = {**self._headers(JSON_TYPE), "Content-Length": str(length)}
        self.response = web.StreamResponse(headers=headers)
        await self.response.prepare(self._request)

    def _complete(self) -> None:
        """
        Write down that the whole answer is sent, if somebody is there to get it.

        Just before the last byte, so that who has got the answer finds it in the ledger.
        """
        if self.open:
            self._line.answered()

    def _headers(self, content_type: str) -> dict[str, str]:
        date = _http_date(int(self.clock.now()))
        return {"Server": "nginx", "Date": date, "Content-Type": content_type}


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
