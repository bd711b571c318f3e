"""Training a quantized network in two steps: what ``lstm_ocr_train.py --first-step`` does."""

import logging
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union

from ocr_lib.errors import OCRError
from ocr_lib.jobs.run import Trained
from ocr_lib.jobs.train import train
from ocr_lib.net.manifest import read_manifest, read_recipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import Settings

logger = logging.getLogger(__name__)

FLOAT = "float"
_QUANTIZATION = "quantization"


def train_in_two_steps(
    prefix: Union[str, Path],
    recipe: Union[str, Path, Recipe, None],
    first_step: str,
    *,
    settings: Settings,
    resume: bool = False,
    log_dir: Union[str, Path, None] = None,
    **options: Any,
) -> Trained:
    """Train with batch normalisation first, then fold it into the weights and train on, with a quantization.

    Parameters
    ----------
    prefix : str or pathlib.Path
        Of the second step's checkpoints; the first's are at ``PREFIX-step1``.
    recipe, log_dir, options
        As for `ocr_lib.train`; the logs of the first step are in a folder ``step1`` of `log_dir`, or beside its
        checkpoints.
    first_step : str
        The first step's quantization: ``float``, or bits as `ocr_lib.recipe.quantization.parse_shorthand` takes them.
    settings : dict, or iterable of (str, object)
        With the second step's quantization.
    resume : bool
        Go on with the step that was stopped.

    Raises
    ------
    OCRError
        As `ocr_lib.train` does, or if the settings have no quantization, or several machines share the run.
    """
    pairs = list(dict(settings).items())
    if not any(key.partition(".")[0] == _QUANTIZATION for key, _ in pairs):
        raise OCRError("--first-step goes with the second step's bits: --set quantization=W4A4, say")
    if options.get("kv_store", "local") != "local":
        raise OCRError("--first-step is for one machine: on several, run lstm_ocr_train.py twice, with --pretrained")
    first = f"{prefix}-step1"
    has_first, has_second = (resume and read_manifest(each) is not None for each in (first, str(prefix)))
    if not has_second:
        logger.info("First step: %s, at %s", first_step, first)
        trained = train(
            first,
            None if has_first else recipe,
            settings=_first_settings(pairs, first_step),
            resume=has_first,
            log_dir=Path(log_dir, "step1") if log_dir else None,
            **options,
        )
        if trained.stopped or options.get("dry_run"):
            return trained
        logger.info("Second step, at %s", prefix)
        begin = {"recipe": read_recipe(first, read_manifest(first)), "pretrained": first}
        options = {**options, "pretrained": None, "pretrained_policy": None, "alphabet_change": None}
    else:
        begin = {}
    return train(prefix, settings=pairs, resume=has_second, log_dir=log_dir, **{**options, **begin})


def _first_settings(pairs: List[Tuple[str, Any]], first_step: str) -> List[Tuple[str, Any]]:
    others = [(key, value) for key, value in pairs if key.partition(".")[0] != _QUANTIZATION]
    quantization: Optional[str] = None if first_step == FLOAT else first_step
    return [*others, (_QUANTIZATION, quantization)]
