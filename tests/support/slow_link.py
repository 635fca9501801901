"""Traffic shaping: a TCP relay before a server that limits bandwidth and adds latency.

All connections share one line, as those of a host do. Answers have the same latency and no limit.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 2**14
"""Bytes that pass at a time; less than a connection sends at once, so that all take turns."""
RECEIVED_BYTES = 2**14
"""Receive buffer of a connection in the relay's kernel, as a router would have."""

LATE_SECONDS = 0.1


class Line:
    """
    The line all connections share.

    :param bits_per_second: its bandwidth; 0 for no limit.
    :ivar passed: bytes so far.
    :ivar busy_seconds: from the first byte to the last.
    :ivar stalled: whether no byte passes any more.
    """

    def __init__(self, bits_per_second: float) -> None:
        self._seconds_per_byte = 8 / bits_per_second if bits_per_second else 0.0
        self._free_at = self._began = self._last = 0.0
        self._turn = asyncio.Lock()
        self.passed = 0
        self.stalled = False

    async def carry(self, count: int) -> None:
        """Wait until so many bytes have passed, one piece at a time."""
        async with self._turn:
            while self.stalled:  # noqa: ASYNC110 - set in another thread
                await asyncio.sleep(0.02)
            now = time.monotonic()
            self._began = self._began or now
            # A relay that was delayed for a moment catches up: a line would not have paused.
            self._free_at = max(self._free_at, now - LATE_SECONDS) + count * self._seconds_per_byte
            await asyncio.sleep(self._free_at - now)
            self.passed += count
            self._last = time.monotonic()

    @property
    def busy_seconds(self) -> float:
        """Return the seconds from the first byte to the last."""
        return self._last - self._began


class SlowLink:
    """
    A relay on 127.0.0.1.

    :param port: of the service on the same host.
    :param delay: latency of each direction, in seconds.
    """

    def __init__(self, port: int, bits_per_second: float = 0, delay: float = 0.0) -> None:
        self.line = Line(bits_per_second)
        self._service, self._delay = port, delay
        self.url = ""

    async def serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        """Serve until it is over."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        listener.bind(("127.0.0.1", 0))
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, sock=listener, limit=PIECE_BYTES)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready.set()
        await over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._tasks.add(task)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._service)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, there, self.line))
                pumps.create_task(self._pump(back, writer, None))
        except* (OSError, asyncio.CancelledError):  # reset by either side
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, there):
                if end is not None:
                    end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Line | None
    ) -> None:
        """Carry one direction, its end (FIN) included."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - time.monotonic())
                if not data:
                    with suppress(OSError):
                        writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()

        async def leave() -> None:
            while data := await reader.read(PIECE_BYTES):
                if line is not None:
                    await line.carry(len(data))
                under_way.put_nowait((time.monotonic() + self._delay, data))
            under_way.put_nowait((time.monotonic() + self._delay, b""))

        async with asyncio.TaskGroup() as ends:
            ends.create_task(arrive())
            ends.create_task(leave())


@contextmanager
def slow_link(port: int, bits_per_second: float = 0, delay: float = 0.0) -> Iterator[SlowLink]:
    """
    Run a relay in a thread.

    :param port: of the service on the same host.
    :param bits_per_second: its bandwidth; 0 for no limit.
    :param delay: latency of each direction, in seconds.
    """
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()
    link = SlowLink(port, bits_per_second, delay)
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(link.serve(ready, over)), name="faceid-slow-link"
    )
    thread.start()
    try:
        if not ready.wait(30):
            raise TimeoutError("the relay does not start")
        yield link
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()
