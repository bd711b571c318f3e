"""What a service tells of itself: figures for Prometheus, and a line of JSON for each request."""

import logging
import os
import time
from typing import Any, Dict, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable of the folder by which processes share figures; prometheus_client reads it at its import."""
TOLD = "ocr_lib.told"
"""The key of a request's scope under which what is told of it is gathered."""

_PATHS = frozenset(["/v1/read", "/v1/models", "/healthz", "/readyz", "/metrics", "/"])
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_log = logging.getLogger(__name__)


class Telemetry:
    """The figures of a process.

    Parameters
    ----------
    logs_requests : bool
        Whether each is a line of the log.
    """

    def __init__(self, logs_requests: bool) -> None:
        self._logs_requests = logs_requests
        self._registry = CollectorRegistry()
        options: Dict[str, Any] = {"registry": self._registry}
        self.requests = Counter("ocr_requests", "Requests answered.", ["path", "status"], **options)
        self.seconds = Histogram(
            "ocr_request_seconds", "From request to answer.", ["path"], buckets=_SECONDS, **options
        )
        self.images = Counter("ocr_images", "Images read.", ["model"], **options)
        self.errors = Counter("ocr_errors", "Images and requests refused, by kind.", ["kind"], **options)
        self.batches = Histogram("ocr_batch_images", "Images read together.", buckets=_SIZES, **options)
        self.waiting = Gauge(
            "ocr_waiting_images", "Images that wait for their turn.", multiprocess_mode="livesum", **options
        )

    def tell(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Count and log a request.

        Parameters
        ----------
        scope : mapping
            What ASGI says of it: method, path, client. What is to be told besides is under `TOLD`.
        status : int
            Of the answer.
        seconds : float
            That it took.
        """
        path = scope["path"][len(scope.get("root_path", "")) :]
        path = path if path in _PATHS else "other"  # as anybody may ask for any
        self.requests.labels(path, status).inc()
        self.seconds.labels(path).observe(seconds)
        if self._logs_requests:
            client = scope.get("client")
            line = {
                "client": client[0] if client else None,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(1000 * seconds, 2),
                **scope.get(TOLD, {}),
            }
            _log.info(line)

    def exposition(self) -> bytes:
        """Return the figures of all processes, as Prometheus reads them."""
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)


class Telling:
    """ASGI middleware that counts and logs requests.

    Parameters
    ----------
    app : ASGI application
    telemetry : Telemetry
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        scope[TOLD] = {}
        status = 499  # nothing was answered: the client is gone

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._telemetry.tell(scope, status, time.perf_counter() - began)
