"""HTTP with a deadline for requests to arrive, and with refusals that cost little where there are far too many."""

from asyncio import TimerHandle, Transport
from typing import Any, Optional

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ocr_lib.serve.service import Service

_PAUSE = 1.0  # seconds before a refusal


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's, with what it lacks.

    It waits for as long as a client likes; here clients who never finish a request don't keep their connections: there
    is a deadline from a request's first byte to its last. And a request that there is no room for is refused without a
    task and the application, which would take twice the time; what follows its headers is passed over. It is told so a
    while later: clients that ask again at once, whatever they are told, would take the time that reading images needs.

    Parameters
    ----------
    service : Service
        What the application answers with.
    **options
        As uvicorn gives them.
    """

    def __init__(self, service: Service, **options: Any) -> None:
        super().__init__(**options)
        self._service = service
        self._seconds = service.settings.limits.seconds
        self._deadline: Optional[TimerHandle] = None
        self._refusal: Optional[bytes] = None
        self._pause: Optional[TimerHandle] = None
        self._is_complete = False

    def connection_made(self, transport: Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Wait no more."""
        self._stop_waiting()
        if self._pause is not None:
            self._pause.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer what there is, and close the connection."""
        if self._pause is not None:
            self._refuse()
        super().shutdown()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        if self._pause is not None:
            self._refuse()  # answers have the order of the requests
        super().on_message_begin()
        self._refusal = None
        self._is_complete = False
        self._wait()

    def on_headers_complete(self) -> None:
        """Begin to answer a request, unless it is to be refused."""
        self._refusal = self._find_refusal()
        if self._refusal is None:
            super().on_headers_complete()
        else:
            self._pause = self.loop.call_later(_PAUSE, self._refuse)

    def on_body(self, body: bytes) -> None:
        """Take a part of a request."""
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._is_complete = True
        if self._refusal is None:
            super().on_message_complete()
        elif self._pause is None:
            self._end_refusal()
        else:
            self.flow.pause_reading()

    def _find_refusal(self) -> Optional[bytes]:
        if self.cycle is not None and not self.cycle.response_complete:
            return None  # answers have the order of the requests
        path = self.url.partition(b"?")[0].decode("latin-1")
        return self._service.shed(self.parser.get_method(), path, self.client, self._keeps_alive())

    def _refuse(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.transport.write(self._refusal)
        if self._is_complete:
            self._end_refusal()

    def _end_refusal(self) -> None:
        if self._keeps_alive():
            self.on_response_complete()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _keeps_alive(self) -> bool:
        return self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self._seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._pause is not None:
            self._refuse()
        elif self._refusal is None and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(self._service.too_late)
        self.transport.close()
