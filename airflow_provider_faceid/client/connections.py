"""The connections of the blocking transport: they upload a photo as its upload wants it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from .upload import Upload, polls, socket_options, unsent_bytes

KEEP_ALIVE_IDLE, KEEP_ALIVE_COUNT, KEEP_ALIVE_INTERVAL = 120, 20, 30
"""Seconds, probes and seconds, as :class:`HttpHook` keeps its connections alive."""


class UploadBody:
    """
    A large body as requests takes it.

    :ivar connection: what it goes out through, known when it begins.
    """

    def __init__(self, upload: Upload) -> None:
        self.connection: HTTPConnection | None = None
        self._upload = upload

    def __len__(self) -> int:
        """Return the length, by which requests names it to the service."""
        return self._upload.length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body part by part, and its last byte once everything before it has left."""
        upload = self._upload
        connection = None if self.connection is None else self.connection.sock
        if connection is not None:
            connection.settimeout(upload.timeout)  # it was the one for connecting so far
        yield from upload.parts()
        for pause in polls():
            if connection is None or not upload.waits_for(unsent_bytes(connection)):
                break
            time.sleep(pause)
        yield upload.last_byte()


class _TellsUpload(HTTPConnection):
    """A connection that makes itself known to what it uploads."""

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        if isinstance(body, UploadBody):
            body.connection = self
        super().request(method, url, body, *args, **kwargs)


class _Connection(_TellsUpload):
    pass


class _TLSConnection(_TellsUpload, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class Connections(HTTPAdapter):
    """Connections for uploads: they are kept alive, hold little back, and reset when they close."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connections to the service."""
        super().init_poolmanager(*args, **kwargs, socket_options=_options())
        _use_ours(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the connections to a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, socket_options=_options())
        _use_ours(manager)
        return manager


def _use_ours(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _options() -> list[tuple[int, int, int | bytes]]:
    options = [*socket_options(), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE),
        ("TCP_KEEPCNT", KEEP_ALIVE_COUNT),
        ("TCP_KEEPINTVL", KEEP_ALIVE_INTERVAL),
    ):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
