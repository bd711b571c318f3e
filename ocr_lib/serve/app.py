"""The service as an ASGI application, as each of its processes runs it."""

import asyncio
import contextlib
import hmac
import signal
from functools import partial
from pathlib import Path
from typing import Any, AsyncIterator, Dict, List, Optional, Sequence, Union

import msgspec
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import Annotated

from ocr_lib import __version__
from ocr_lib.errors import OCRError
from ocr_lib.serve.answering import answer, automaton_of, prepare
from ocr_lib.serve.answers import ErrorAnswer, ModelsAnswer, ReadAnswer, StateAnswer
from ocr_lib.serve.batching import Batcher, Outcome, QueueFullError
from ocr_lib.serve.models import Model, Models
from ocr_lib.serve.settings import Settings, Wish
from ocr_lib.serve.telemetry import TOLD, Telemetry, Telling
from ocr_lib.serve.uploads import DESCRIPTION, Upload, uploads

MOST_ALTERNATIVES = 20
LONGEST_PATTERN = 200
MOST_WORDS = 1000
_SECONDS_BETWEEN_LOOKS = 1.0
_READ = "/v1/read"
_NO_ROOM = "too many images wait; come again"
_RETRY = {"Retry-After": "1"}
_PATTERN = r"Read only texts that match it as a whole: \d{3,4}"
_LEXICON = "Read only these texts: once for each."
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_bearer = HTTPBearer(auto_error=False)


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Raises
    ------
    OCRError
        If a model can't be loaded.
    """
    service = _Service(settings)
    app = FastAPI(
        title="OCR",
        version=__version__,
        description="Reads images of captchas, words and lines of text.",
        lifespan=service.lifespan,
        docs_url=None,  # these pages are made of what other servers have
        redoc_url=None,
    )
    app.include_router(_reading(service))
    app.include_router(_watching(service))
    app.mount("/", _Page(directory=Path(__file__).with_name("page"), html=True))
    for refusal in (StarletteHTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(refusal, service.refuse)
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(settings.origins), allow_headers=["*"])
    app.add_middleware(_Shedding, service=service)
    app.add_middleware(Telling, telemetry=service.telemetry, logs_requests=settings.logs_requests)
    return app


class _Page(StaticFiles):
    """The page for browsers, which loads nothing from elsewhere, and may not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file of the page."""
        response = await super().get_response(path, scope)
        response.headers.update(_SAFE)
        return response


class _Shedding:
    """ASGI middleware that refuses what there is no room for, before it costs much."""

    def __init__(self, app: ASGIApp, service: "_Service") -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_shed = scope["type"] == "http" and scope["path"].endswith(_READ) and not self._service.batcher.has_room()
        app = self._service.shed if is_shed else self._app
        await app(scope, receive, send)


class _Service:
    """What requests share."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings = settings
        self.telemetry = Telemetry()
        self.models = Models(settings.models, settings.batch_size, settings.threads)
        self.shed = _json({"error": _NO_ROOM}, 503, _RETRY)
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

    def check_room(self) -> None:
        """Refuse a request that would have to wait for long."""
        if not self.batcher.has_room():
            raise HTTPException(503, _NO_ROOM, _RETRY)

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
            raise HTTPException(503, _NO_ROOM, _RETRY) from None
        finally:
            self.telemetry.waiting.set(self.batcher.num_waiting)
        answering = partial(self._answers, images, outcomes, alphabet, wish, automaton)
        if wish == Wish():
            return answering()  # takes less time than another thread would
        return await loop.run_in_executor(None, answering)

    def _answers(
        self, images: Sequence[Upload], outcomes: Sequence[Outcome], alphabet: Any, wish: Wish, automaton: Any
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
        headers: Dict[str, str] = {}
        if isinstance(error, StarletteHTTPException):
            status, message, headers = error.status_code, str(error.detail), dict(error.headers or {})
        elif isinstance(error, RequestValidationError):
            status, message = 422, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        elif isinstance(error, ClientDisconnect):
            status, message = 408, "the request did not arrive in time"
        else:
            status, message = 500, "this should not happen; the log of the service says more"
        self.telemetry.errors.labels(str(status)).inc()
        request.scope.get(TOLD, {})["error"] = message
        return _json({"error": message}, status, headers)


def _json(content: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")


def _reading(service: _Service) -> APIRouter:
    """Return what reads images."""
    settings = service.settings
    errors: Dict[Any, Any] = {status: {"model": ErrorAnswer} for status in (400, 401, 408, 413, 503)}
    errors[422] = {"model": Union[ErrorAnswer, ReadAnswer]}
    router = APIRouter(dependencies=[Depends(_key_check(settings.keys))] if settings.keys else [])

    @router.post(_READ, responses={200: {"model": ReadAnswer}, **errors}, openapi_extra=DESCRIPTION)
    async def read(
        request: Request,
        model: Annotated[Optional[str], Query(description="Which is to read; the first if left out.")] = None,
        alternatives: Annotated[int, Query(ge=0, le=MOST_ALTERNATIVES, description="How many texts to give.")] = 0,
        pattern: Annotated[Optional[str], Query(max_length=LONGEST_PATTERN, description=_PATTERN)] = None,
        lexicon: Annotated[List[str], Query(max_length=MOST_WORDS, description=_LEXICON)] = [],  # noqa: B006
        lattice: Annotated[bool, Query(description="Give the probabilities of classes at each time step.")] = False,
    ) -> Response:
        """Read images: files of a form, one as the body, or base64 in JSON.

        The answer has a reading for each, in their order; where an image can't be read, what is wrong with it. If none
        can, the status is 422.
        """
        chosen = service.model(model)
        images = await uploads(request, settings.limits)
        wish = Wish(alternatives, pattern, tuple(lexicon), lattice)
        try:
            readings = await asyncio.wait_for(service.read(chosen, images, wish), settings.limits.seconds)
        except asyncio.TimeoutError:
            raise HTTPException(503, "it took too long; come again", _RETRY) from None
        service.telemetry.images.labels(chosen.name).inc(len(images))
        request.scope.get(TOLD, {}).update(model=chosen.name, images=len(images))
        status = 422 if all("error" in each for each in readings) else 200
        return _json({"model": chosen.name, "readings": readings}, status)

    @router.get("/v1/models", responses={200: {"model": ModelsAnswer}, 401: {"model": ErrorAnswer}})
    async def models() -> Response:
        """Tell which models there are, and what they read."""
        return _json({"models": [model.facts() for model in service.models]})

    return router


def _key_check(keys: Sequence[str]) -> Any:
    """Return what refuses requests without one of some keys."""
    known = [key.encode() for key in keys]

    async def check(given: Annotated[Optional[HTTPAuthorizationCredentials], Depends(_bearer)]) -> None:
        offered = given.credentials.encode() if given else b""
        # All are compared, so that the time tells nothing of any.
        if not sum(hmac.compare_digest(key, offered) for key in known):
            raise HTTPException(401, "a key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})

    return check


def _watching(service: _Service) -> APIRouter:
    """Return what tells whether the service is well."""
    router = APIRouter()

    @router.get("/healthz", responses={200: {"model": StateAnswer}})
    async def health() -> Response:
        """Tell that the process answers."""
        return _json({"status": "ok"})

    @router.get("/readyz", responses={200: {"model": StateAnswer}, 503: {"model": ErrorAnswer}})
    async def readiness() -> Response:
        """Tell whether an image would be read at once."""
        service.check_room()
        return _json({"status": "ok"})

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Give figures for Prometheus."""
        return Response(service.telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
