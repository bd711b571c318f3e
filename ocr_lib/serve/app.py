"""The service as an ASGI application, as each of its processes runs it: its routes, and the page."""

import asyncio
import hmac
from pathlib import Path
from typing import Any, Callable, Coroutine, Dict, List, Optional, Sequence, Union

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import Annotated

from ocr_lib import __version__
from ocr_lib.serve.answers import ErrorAnswer, ModelsAnswer, ReadAnswer, StateAnswer
from ocr_lib.serve.service import READ, REFUSALS, BusyError, Service, json_response
from ocr_lib.serve.settings import Settings, Wish
from ocr_lib.serve.telemetry import TOLD, Telling
from ocr_lib.serve.uploads import DESCRIPTION, uploads

MOST_ALTERNATIVES = 20
LONGEST_PATTERN = 200
MOST_WORDS = 1000
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
    service = Service(settings)
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
    for refusal in REFUSALS:
        app.add_exception_handler(refusal, service.refuse)
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(settings.origins), allow_headers=["*"])
    app.add_middleware(Telling, telemetry=service.telemetry)
    app.state.service = service
    return app


class _Page(StaticFiles):
    """The page for browsers, which loads nothing from elsewhere, and may not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file of the page."""
        response = await super().get_response(path, scope)
        response.headers.update(_SAFE)
        return response


class _QuickRoute(APIRoute):
    """Does not look for parameters in requests that have none: that would cost as much as reading an image does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers requests."""
        thorough = super().get_route_handler()
        if self.dependencies:  # they look at headers
            return thorough

        async def quick(request: Request) -> Response:
            if request.scope["query_string"]:
                return await thorough(request)
            response: Response = await self.endpoint(request)
            return response

        return quick


def _reading(service: Service) -> APIRouter:
    """Return what reads images."""
    settings = service.settings
    errors: Dict[Any, Any] = {status: {"model": ErrorAnswer} for status in (400, 401, 408, 413, 503)}
    errors[422] = {"model": Union[ErrorAnswer, ReadAnswer]}
    checks = [Depends(_key_check(settings.keys))] if settings.keys else []
    router = APIRouter(route_class=_QuickRoute, dependencies=checks)

    @router.post(READ, responses={200: {"model": ReadAnswer}, **errors}, openapi_extra=DESCRIPTION)
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
            raise BusyError("it took too long; come again") from None
        service.telemetry.images.labels(chosen.name).inc(len(images))
        request.scope.get(TOLD, {}).update(model=chosen.name, images=len(images))
        status = 422 if all("error" in each for each in readings) else 200
        return json_response({"model": chosen.name, "readings": readings}, status)

    @router.get("/v1/models", responses={200: {"model": ModelsAnswer}, 401: {"model": ErrorAnswer}})
    async def models(_: Request) -> Response:
        """Tell which models there are, and what they read."""
        return json_response({"models": [model.facts() for model in service.models]})

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


def _watching(service: Service) -> APIRouter:
    """Return what tells whether the service is well."""
    router = APIRouter()

    @router.get("/healthz", responses={200: {"model": StateAnswer}})
    async def health() -> Response:
        """Tell that the process answers."""
        return json_response({"status": "ok"})

    @router.get("/readyz", responses={200: {"model": StateAnswer}, 503: {"model": ErrorAnswer}})
    async def readiness() -> Response:
        """Tell whether an image would be read at once."""
        service.check_room()
        return json_response({"status": "ok"})

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Give figures for Prometheus."""
        return Response(service.telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
