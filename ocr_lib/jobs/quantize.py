"""Making checkpoints of 8 bits for MXNet: all that ``lstm_ocr_quantize.py`` does."""

from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterable, NamedTuple, Optional, Union

from ocr_lib.errors import OCRError
from ocr_lib.feed.samples import load_samples
from ocr_lib.files import check_writable
from ocr_lib.jobs.export import MAX_DROP, NUM_CALIB, NUM_TEST
from ocr_lib.net.manifest import Epoch, check_free_prefix, check_prefix
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.comparison import Comparison, accept_loss, compare, speedups
from ocr_lib.training.progress import Progress

if TYPE_CHECKING:
    from ocr_lib.mx import mx
    from ocr_lib.net.checkpoint import Arrays

CALIB_MODES = ("naive", "entropy", "none")


class Quantized(NamedTuple):
    """A checkpoint of 8 bits that was written.

    Attributes
    ----------
    prefix : str
    path : pathlib.Path
        Its parameters.
    comparison : Comparison
        With the checkpoint that it was made from.
    speedups : dict of int to float
        How many times faster it is than that, by the number of images in a batch.
    """

    prefix: str
    path: Path
    comparison: Comparison
    speedups: Dict[int, float]


def quantize(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    calib_mode: str = "naive",
    exclude: Iterable[str] = (),
    num_calib: int = NUM_CALIB,
    num_test: int = NUM_TEST,
    max_drop: float = MAX_DROP,
    overwrite: bool = False,
) -> Quantized:
    """Turn a checkpoint into one that MXNet computes in 8 bits, once it has read samples about as well.

    Parameters
    ----------
    prefix : str or pathlib.Path
        The checkpoint's.
    out : str or pathlib.Path, optional
        The new one's; ``PREFIX-int8`` if left out.
    samples : str or pathlib.Path
        To calibrate and to compare on: fonts, for captchas, a folder of images, or a data set.
    epoch : int, "best" or "last", optional
        The best if left out, or the last if none is.
    calib_mode : {"naive", "entropy", "none"}
        Where ranges of activations come from: extremes over samples, the least loss of information, or each call.
    exclude : iterable of str
        Layers that stay in floating point: ``conv0`` and so on, ``l0`` and so on, ``pred_fc``.
    num_calib, num_test : int
        Images to take ranges of values from, and to compare on.
    max_drop : float
        Share of exact match that 8 bits may cost.
    overwrite : bool
        Replace the checkpoint that is at `out`.

    Raises
    ------
    OCRError
        If one is there, or the network can't be quantized, or reads too much worse than before.
    """
    prefix, out = str(prefix), str(out or f"{prefix}-int8")
    check_out(prefix, out, overwrite)
    from ocr_lib.net.checkpoint import load_checkpoint, split_params
    from ocr_lib.net.reader import Reader
    from ocr_lib.quant.int8 import quantize as quantize_network

    checkpoint = load_checkpoint(prefix, epoch)
    reader = Reader(checkpoint)
    where = Path(samples), checkpoint.recipe, checkpoint.preparation
    calibration = load_samples(*where, "validation", num_calib)
    compared = load_samples(*where, "test", num_test)
    symbol, params = quantize_network(checkpoint, calibration.images, calib_mode, exclude)
    arg_params, aux_params = split_params(params)
    model = Reader(checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params))
    comparison = compare(model, reader, *compared)
    accept_loss(comparison, max_drop)
    path = write_checkpoint(out, checkpoint.recipe, symbol, params, comparison)
    return Quantized(out, path, comparison, speedups(model, reader, compared.images))


def check_out(prefix: str, out: str, overwrite: bool) -> None:
    """Refuse a prefix for a quantized checkpoint that is the source's, can't be written or, it may be, is not free."""
    check_prefix(out, "--out")
    if Path(out).resolve() == Path(prefix).resolve():
        raise OCRError(f"--out and --prefix are both {prefix}: give another --out")
    if not overwrite:
        check_free_prefix(out, "--out")
    check_writable(Path(out))


def write_checkpoint(
    out: str, recipe: Recipe, symbol: "mx.sym.Symbol", params: "Arrays", comparison: Comparison
) -> Path:
    """Write a quantized checkpoint, with the figures of its comparison; returns the path of its parameters."""
    from ocr_lib.training.store import Store

    metrics = {} if comparison.accuracy is None else {"accuracy": comparison.accuracy, "cer": comparison.cer or 0.0}
    return Store(out).commit(recipe, symbol, {"params": params}, Progress(), metrics, is_best=True)
