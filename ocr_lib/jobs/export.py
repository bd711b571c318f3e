"""Making files that are served without MXNet: all that ``lstm_ocr_export.py`` does."""

from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.samples import Samples, load_samples
from ocr_lib.files import check_free, write_atomic
from ocr_lib.installation import how_to_install
from ocr_lib.jobs.load import reader_of
from ocr_lib.net.manifest import Epoch
from ocr_lib.recognize.comparison import MAX_DIFFERENCE, Comparison, accept_loss, accept_same, compare, speedups
from ocr_lib.recognize.recognizer import Recognizer, batches

if TYPE_CHECKING:
    from ocr_lib.net.checkpoint import Checkpoint

NUM_CALIB, NUM_TEST, MAX_DROP = 512, 1000, 0.01
UNSTATED = "not stated"
_ROUNDINGS = 4  # the model's and its checkpoint's, each up to twice those that are tried
_ROUNDED = 32
_BATCH_SIZE = 128


class CheckedModel(NamedTuple):
    """A model file that was checked against its checkpoint.

    Attributes
    ----------
    data : bytes
    comparison : Comparison
        With the checkpoint.
    speedups : dict of int to float
        How many times faster 8 bits are than floating point, by the number of images in a batch.
    """

    data: bytes
    comparison: Comparison
    speedups: Dict[int, float]


class Exported(NamedTuple):
    """A model file that was written.

    Attributes
    ----------
    path : pathlib.Path
    size, size_before : int
        Bytes, and those of the checkpoint's parameters.
    source : pathlib.Path
        The checkpoint's parameters.
    comparison, speedups
        As of `CheckedModel`.
    """

    path: Path
    size: int
    source: Path
    size_before: int
    comparison: Comparison
    speedups: Dict[int, float]


def export(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    int8: bool = False,
    num_calib: int = NUM_CALIB,
    num_test: int = NUM_TEST,
    max_drop: float = MAX_DROP,
    license: str = UNSTATED,  # noqa: A002
    overwrite: bool = False,
) -> Exported:
    """Turn a checkpoint into an ONNX file that `ocr_lib.load` reads, once it has read samples as the checkpoint does.

    Parameters
    ----------
    prefix : str or pathlib.Path
        The checkpoint's.
    out : str or pathlib.Path, optional
        The file; ``PREFIX.onnx``, or ``PREFIX-int8.onnx``, if left out.
    samples : str or pathlib.Path
        To calibrate and to compare on: fonts, for captchas, a folder of images, or a data set.
    epoch : int, "best" or "last", optional
        The best if left out, or the last if none is.
    int8 : bool
        Weights and activations in 8 bits: smaller and faster.
    num_calib, num_test : int
        Images to take ranges of values from, and to compare on.
    max_drop : float
        Share of exact match that 8 bits may cost.
    license : str
        Of the model, for the file's metadata.
    overwrite : bool
        Replace the file if it is there.

    Raises
    ------
    OCRError
        If the file is there, or would read otherwise than the checkpoint, or what exporting takes is not installed.
    """
    path = Path(out or (f"{prefix}-int8.onnx" if int8 else f"{prefix}.onnx"))
    if path.suffix != ".onnx" or path.is_dir():
        raise OCRError(f"--out {path}: give the name of a file, ending in .onnx")
    check_free(path, overwrite)
    from ocr_lib.net.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(str(prefix), epoch)
    if int8 and checkpoint.recipe.quantization:
        raise OCRError(f"{prefix} is quantized already: leave --int8 out, or take the checkpoint that it was made from")
    where = Path(samples), checkpoint.recipe, checkpoint.preparation
    calibration = load_samples(*where, "validation", num_calib) if int8 else None
    compared = load_samples(*where, "test", num_test)
    model = checked_model(checkpoint, compared, calibration, max_drop, license)
    write_atomic(path, model.data)
    source = checkpoint.params_path
    return Exported(path, len(model.data), source, source.stat().st_size, model.comparison, model.speedups)


def checked_model(
    checkpoint: "Checkpoint",
    samples: Samples,
    calibration: Optional[Samples] = None,
    max_drop: float = MAX_DROP,
    model_license: str = UNSTATED,
) -> CheckedModel:
    """Export a checkpoint, in 8 bits if there are samples to calibrate with, and have both read samples.

    Raises
    ------
    OCRError
        If they read them differently, or with 8 bits, or of whole numbers, lose more than `max_drop` of exact match; or
        if what exporting takes is not installed.
    """
    try:
        from ocr_lib.deploy.export import export_onnx
        from ocr_lib.deploy.predictor import Predictor
    except ImportError as error:
        raise OCRError(f"exporting needs another package ({error}): {how_to_install('export')}") from error
    from ocr_lib.net.checkpoint import numpy_weights
    from ocr_lib.net.exact import rounding

    reader = reader_of(checkpoint)
    weights = numpy_weights(checkpoint)
    network = checkpoint.recipe, weights, model_license
    data = export_onnx(*network)
    predictor = Predictor(data)
    comparison = compare(predictor, reader, *samples)
    if checkpoint.recipe.quantization:
        accept_loss(comparison, max_drop)
        return CheckedModel(data, comparison, {})
    if not comparison.max_difference <= MAX_DIFFERENCE:
        images = _most_different(predictor, reader, samples)
        found = [reader.probabilities(image[None])[:, 0] for image in images]  # (T', C) each
        accept_same(comparison, _ROUNDINGS * rounding(checkpoint.recipe, weights, images, found))
    if calibration is None:
        return CheckedModel(data, comparison, {})
    data = export_onnx(*network, calibration.images, calibration.widths)
    quantized = Predictor(data)
    comparison = compare(quantized, reader, *samples)
    accept_loss(comparison, max_drop)
    return CheckedModel(data, comparison, speedups(quantized, predictor, samples.images))


def _most_different(model: Recognizer, before: Recognizer, samples: Samples) -> List[np.ndarray]:
    """Return some images (H, W) without padding: those of which two models say the most different things."""
    differences: List[float] = []
    for images, widths in zip(*(batches(part, _BATCH_SIZE) for part in (samples.images, samples.widths))):
        ours, theirs = model.probabilities(images, widths), before.probabilities(images, widths)  # (T', N, C)
        differences += np.abs(ours - theirs).max(axis=(0, 2)).tolist()
    return [samples.images[n, :, : samples.widths[n]] for n in np.argsort(differences)[-_ROUNDED:]]
