"""What requests to the service share: its models, the queue, its figures, and how it says what went wrong."""

import asyncio
import contextlib
import signal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, List, NamedTuple, Optional, Sequence, Tuple

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.serve.answering import answer, automaton_of, prepare
from ocr_lib.serve.batching import Batcher, Outcome, QueueFullError
from ocr_lib.serve.models import Model, Models
from ocr_lib.serve.settings import Settings, Wish
from ocr_lib.serve.telemetry import TOLD, Telemetry
from ocr_lib.serve.uploads import Upload

if TYPE_CHECKING:
    from ocr_lib.recognize.automaton import Automaton

REFUSALS = StarletteHTTPException, RequestValidationError, ClientDisconnect, Exception
"""What `Service.refuse` answers."""

READ = "/v1/read"
"""The path at which images are read."""

_SECONDS_BETWEEN_LOOKS = 1.0


class BusyError(HTTPException):
    """There is no room or no time for a request."""

    def __init__(self, reason: str = "too many images wait; come again") -> None:
        super().__init__(503, reason, {"Retry-After": "1"})


class Service:
    """What requests share."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings = settings
        self.telemetry = Telemetry(settings.logs_requests)
        self.models = Models(settings.models, settings.batch_size, settings.threads)
        busy = _Refusal.of(BusyError())
        self._busy = {keeps_alive: busy.as_http(keeps_alive) for keeps_alive in (False, True)}  # whole responses
        self.too_late = _Refusal.of(ClientDisconnect()).as_http(keeps_alive=False)
        self.batcher = Batcher(settings.batch_size, limits.queue, limits.pixels, self.telemetry.batches.observe)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Watch the models' files while the application runs."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):  # in another thread than the first
            loop.add_signal_handler(signal.SIGHUP, partial(loop.run_in_executor, None, self.models.renew, True))
        watching = loop.create_task(self._watch())
        loop.run_in_executor(None, prepare)
        yield
        watching.cancel()
        self.batcher.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            await asyncio.get_running_loop().run_in_executor(None, self.models.renew)

    def model(self, name: Optional[str]) -> Model:
        """Return the model of a name, or the first."""
        try:
            return self.models[self.models.default if name is None else name]
        except KeyError:
            raise HTTPException(422, f"no model {name!r}; there are {', '.join(self.models.names())}") from None

    def shed(self, method: bytes, path: str, client: Optional[Tuple[str, int]], keeps_alive: bool) -> Optional[bytes]:
        """Return the whole response to a request that there is no room for, and tell of it; None if there is."""
        if self.batcher.has_room() or method != b"POST" or not path.endswith(READ):
            return None
        self.telemetry.tell({"method": "POST", "path": READ, "client": client}, 503, 0.0)
        return self._busy[keeps_alive]

    def check_room(self) -> None:
        """Refuse a request that would have to wait for long."""
        if not self.batcher.has_room():
            raise BusyError

    async def read(self, model: Model, images: Sequence[Upload], wish: Wish) -> List[Dict[str, Any]]:
        """Return what images say, or what is wrong with each."""
        loop = asyncio.get_running_loop()
        alphabet = model.predictor.alphabet
        automaton = None
        if wish.pattern is not None or wish.lexicon:
            try:
                automaton = await loop.run_in_executor(None, automaton_of, alphabet, wish.pattern, wish.lexicon)
            except OCRError as error:
                raise HTTPException(422, str(error)) from error
        self.telemetry.waiting.set(self.batcher.num_waiting + len(images))
        try:
            outcomes = await self.batcher.read(model, [image.data for image in images])
        except QueueFullError:
            raise BusyError from None
        finally:
            self.telemetry.waiting.set(self.batcher.num_waiting)
        answering = partial(self._answers, images, outcomes, alphabet, wish, automaton)
        if wish == Wish():
            return answering()  # takes less time than another thread would
        return await loop.run_in_executor(None, answering)

    def _answers(
        self,
        images: Sequence[Upload],
        outcomes: Sequence[Outcome],
        alphabet: Alphabet,
        wish: Wish,
        automaton: Optional["Automaton"],
    ) -> List[Dict[str, Any]]:
        answers = []
        for image, outcome in zip(images, outcomes):
            named: Dict[str, Any] = {"name": image.name} if image.name else {}
            if isinstance(outcome, OCRError):
                self.telemetry.errors.labels("image").inc()
                answers.append({**named, "error": str(outcome)})
            else:
                answers.append({**named, **answer(outcome, alphabet, wish, automaton)})
        return answers

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Answer what went wrong, in a line."""
        refusal = _Refusal.of(error)
        self.telemetry.errors.labels(str(refusal.status)).inc()
        request.scope.get(TOLD, {})["error"] = refusal.message
        return refusal.response()


def json_response(content: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Response:
    """Return an answer as JSON."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")


class _Refusal(NamedTuple):
    status: int
    message: str
    headers: Optional[Dict[str, str]] = None

    @classmethod
    def of(cls, error: Exception) -> "_Refusal":
        if isinstance(error, StarletteHTTPException):
            return cls(error.status_code, str(error.detail), dict(error.headers or {}))
        if isinstance(error, RequestValidationError):
            return cls(422, "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
        if isinstance(error, ClientDisconnect):
            return cls(408, "the request did not arrive in time")
        return cls(500, "this should not happen; the log of the service says more")

    def response(self) -> Response:
        return json_response({"error": self.message}, self.status, self.headers)

    def as_http(self, keeps_alive: bool) -> bytes:
        response = self.response()
        headers = [*response.raw_headers, *([] if keeps_alive else [(b"connection", b"close")])]
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        return b"\r\n".join([*lines, *(b": ".join(header) for header in headers), b"", bytes(response.body)])
