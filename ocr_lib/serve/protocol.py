"""HTTP with a deadline for requests to arrive, so that clients who never finish one don't keep their connections."""

from asyncio import TimerHandle, Transport
from typing import Any, ClassVar, Optional

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = b'{"error":"the request did not arrive in time"}'
_RESPONSE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_ANSWER), _ANSWER)
)


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's, which waits for as long as a client likes, with a deadline from a request's first byte to its last."""

    seconds: ClassVar[float] = 10.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: Optional[TimerHandle] = None

    def connection_made(self, transport: Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._wait()

    def on_message_complete(self) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_RESPONSE)
        self.transport.close()
