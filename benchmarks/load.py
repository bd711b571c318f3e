"""What asks an HTTP service for readings: many connections, as fast as it answers or at a rate."""

import asyncio
import random
import time
from typing import Any, Dict, List, NamedTuple, Optional

import uvloop

CONNECTIONS = 64


class Load(NamedTuple):
    """What came of asking.

    Attributes
    ----------
    statuses : dict of int to int
        How many answers of each; 0 for connections that broke.
    latencies : list of float
        Seconds, of answers with status 200, in ascending order.
    seconds : float
        CPU time that asking took.
    passed : float
        Seconds in all.
    """

    statuses: Dict[int, int]
    latencies: List[float]
    seconds: float
    passed: float

    @property
    def rate(self) -> float:
        """Images read a second."""
        return self.statuses.get(200, 0) / self.passed

    def quantile(self, share: float) -> float:
        """Milliseconds within which a share of the answers came."""
        return 1000 * self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class _Connection(asyncio.Protocol):
    """Asks one request after the other, as soon as there is an answer, or at given times."""

    def __init__(self, requests: List[bytes], told: "_Told", pause: Optional[float]) -> None:
        self._requests = requests
        self._told = told
        self._pause = pause
        self._received = b""
        self._at = random.randrange(len(requests))

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._due = time.perf_counter() + (random.random() * self._pause if self._pause else 0)
        self._next()

    def _next(self) -> None:
        now = time.perf_counter()
        if now > self._told.end:
            self._transport.close()
        elif self._pause and self._due > now:
            self._told.loop.call_later(self._due - now, self._ask)
        else:
            self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        # At given times, the time that a request waits for the answer to the one before counts.
        self._began = self._due if self._pause else time.perf_counter()
        self._due += self._pause or 0
        self._at = (self._at + 1) % len(self._requests)
        self._transport.write(self._requests[self._at])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        self._told.note(int(head[9:12]), time.perf_counter() - self._began)
        self._next()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if time.perf_counter() < self._told.end:
            self._told.note(0, 0.0)


class _Told:
    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self.end = time.perf_counter() + seconds
        self.statuses: Dict[int, int] = {}
        self.latencies: List[float] = []

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.latencies.append(seconds)


async def _ask(port: int, requests: List[bytes], seconds: float, connections: int, rate: Optional[float]) -> Load:
    loop = asyncio.get_running_loop()
    cpu, began = time.process_time(), time.perf_counter()
    told = _Told(loop, seconds)
    pause = connections / rate if rate else None
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(requests, told, pause), "127.0.0.1", port)
    await asyncio.sleep(max(0.0, told.end - time.perf_counter()) + 0.3)
    return Load(
        told.statuses, sorted(told.latencies), time.process_time() - cpu, min(time.perf_counter() - began, seconds)
    )


def ask(
    port: int, path: str, files: List[bytes], seconds: float, connections: int = CONNECTIONS, rate: float = 0
) -> Load:
    """Ask for so many seconds: as fast as answers come, or at a rate a second."""
    head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"
    requests = [head.format(path, len(data)).encode() + data for data in files]
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(_ask(port, requests, seconds, connections, rate or None))
    finally:
        loop.close()
