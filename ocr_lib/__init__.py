"""LSTM-CTC text recognition with MXNet's Module API: train, read, measure, deploy.

The names below are the public face, which docs/library.md describes. Each is imported when it is first asked for, so
that importing this package takes no time, and what reads with exported models never needs MXNet.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

from ocr_lib.mxnet_environment import prepare_on_import

if TYPE_CHECKING:
    from ocr_lib.deploy.client import Client as Client
    from ocr_lib.deploy.predictor import Predictor as Predictor
    from ocr_lib.errors import OCRError as OCRError
    from ocr_lib.feed.iterator import OCRIter as OCRIter
    from ocr_lib.feed.streams import captchas as captchas
    from ocr_lib.feed.streams import labelled as labelled
    from ocr_lib.jobs.evaluate import evaluate as evaluate
    from ocr_lib.jobs.evaluate import evaluate_all as evaluate_all
    from ocr_lib.jobs.export import export as export
    from ocr_lib.jobs.inspect import inspect as inspect
    from ocr_lib.jobs.load import load as load
    from ocr_lib.jobs.quantize import quantize as quantize
    from ocr_lib.jobs.train import train as train
    from ocr_lib.net.build import training_symbol as training_symbol
    from ocr_lib.quant.quantizer import Quantizer as Quantizer
    from ocr_lib.recipe.recipe import Recipe as Recipe
    from ocr_lib.recipe.settings import load_preset as load_preset
    from ocr_lib.recipe.settings import override as override
    from ocr_lib.recipe.settings import preset_names as preset_names
    from ocr_lib.recipe.settings import save_recipe as save_recipe
    from ocr_lib.training.metrics import text_metrics as text_metrics

__version__ = "0.2.0"

prepare_on_import()

_HOMES = {
    "Client": "ocr_lib.deploy.client",
    "OCRError": "ocr_lib.errors",
    "OCRIter": "ocr_lib.feed.iterator",
    "Predictor": "ocr_lib.deploy.predictor",
    "Quantizer": "ocr_lib.quant.quantizer",
    "Recipe": "ocr_lib.recipe.recipe",
    "captchas": "ocr_lib.feed.streams",
    "evaluate": "ocr_lib.jobs.evaluate",
    "evaluate_all": "ocr_lib.jobs.evaluate",
    "export": "ocr_lib.jobs.export",
    "inspect": "ocr_lib.jobs.inspect",
    "labelled": "ocr_lib.feed.streams",
    "load": "ocr_lib.jobs.load",
    "load_preset": "ocr_lib.recipe.settings",
    "override": "ocr_lib.recipe.settings",
    "preset_names": "ocr_lib.recipe.settings",
    "quantize": "ocr_lib.jobs.quantize",
    "save_recipe": "ocr_lib.recipe.settings",
    "text_metrics": "ocr_lib.training.metrics",
    "train": "ocr_lib.jobs.train",
    "training_symbol": "ocr_lib.net.build",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_HOMES])
