"""Models without MXNet: ONNX files, what reads images with them, and the client of a service that does."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr_lib.deploy.client import Client as Client
    from ocr_lib.deploy.predictor import Predictor as Predictor

_HOMES = {"Client": "ocr_lib.deploy.client", "Predictor": "ocr_lib.deploy.predictor"}
__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
