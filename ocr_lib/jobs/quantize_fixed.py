"""Making checkpoints in whole numbers, and testing them: ``lstm_ocr_quantize.py --engine fixed``."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional, Tuple, Union

from ocr_lib.errors import OCRError
from ocr_lib.feed.samples import load_samples
from ocr_lib.files import check_writable
from ocr_lib.jobs.export import MAX_DROP, NUM_CALIB, NUM_TEST
from ocr_lib.jobs.quantize import Quantized, check_out, write_checkpoint
from ocr_lib.net.manifest import Epoch
from ocr_lib.recognize.comparison import Comparison, accept_loss, compare
from ocr_lib.recognize.metrics import CER, EXACT, evaluate
from ocr_lib.recognize.recognizer import batches

if TYPE_CHECKING:
    from ocr_lib.net.checkpoint import Checkpoint
    from ocr_lib.quant.quantizer import QuantizedNetwork

_BATCH_SIZE = 128


class Measured(NamedTuple):
    """How a quantized network reads, and what was written of it.

    Attributes
    ----------
    images : int
        That were read.
    accuracy, cer : float, optional
        Exact match and character error rate, where the true texts are known.
    is_checked : bool
        Training's graph gives the same logits; it can't be asked of more bits than are trained.
    folder : pathlib.Path
        With ``model.bin``, ``quant_info.json`` and ``golden.npz``.
    """

    images: int
    accuracy: Optional[float]
    cer: Optional[float]
    is_checked: bool
    folder: Path


def calibrate(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    bits: Union[int, str] = 8,
    choice: str = "mse",
    num_calib: int = NUM_CALIB,
    num_test: int = NUM_TEST,
    max_drop: float = MAX_DROP,
    output_dir: Union[str, Path, None] = None,
    overwrite: bool = False,
) -> Quantized:
    """Turn a checkpoint into one that computes in whole numbers, once it has read samples about as well.

    Parameters
    ----------
    prefix, samples, epoch, num_calib, num_test, max_drop, overwrite
        As for `ocr_lib.quantize`. With mixed bits, `max_drop` is also what each layer's bits may cost.
    out : str or pathlib.Path, optional
        The new checkpoint's prefix; ``PREFIX-fixed`` if left out.
    bits, choice
        As for `ocr_lib.quant.quantizer.Quantizer`.
    output_dir : str or pathlib.Path, optional
        Where ``quant_info.json`` goes; ``OUT-quantized`` if left out.

    Raises
    ------
    OCRError
        If a checkpoint is at `out`, or the network can't be quantized, or reads too much worse than before.
    """
    prefix, out = str(prefix), str(out or f"{prefix}-fixed")
    check_out(prefix, out, overwrite)
    folder = Path(output_dir or f"{out}-quantized")
    check_writable(folder / "quant_info.json")
    from ocr_lib.mx import mx
    from ocr_lib.net.build import training_symbol
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.quant.info import quant_info, write_quant_info

    checkpoint = load_checkpoint(prefix, epoch)
    network, comparison = calibrated(
        checkpoint, Path(samples), bits, choice, num_calib=num_calib, num_test=num_test, max_drop=max_drop
    )
    recipe, weights = network
    params = {f"arg:{name}": mx.nd.array(array) for name, array in weights.items()}
    path = write_checkpoint(out, recipe, training_symbol(recipe), params, comparison)
    write_quant_info(folder, quant_info(*network))
    return Quantized(out, path, comparison, {})


def calibrated(
    checkpoint: "Checkpoint",
    samples: Path,
    bits: Union[int, str] = 8,
    choice: str = "mse",
    *,
    num_calib: int,
    num_test: int,
    max_drop: float,
) -> Tuple["QuantizedNetwork", Comparison]:
    """Return the network of a checkpoint in whole numbers, and how it reads beside it.

    Parameters and errors are those of `calibrate`.
    """
    from ocr_lib.fixed.reader import FixedReader
    from ocr_lib.net.reader import Reader
    from ocr_lib.quant.quantizer import Quantizer

    quantizer = Quantizer(checkpoint, "calib", bits, choice=choice, max_drop=max_drop)
    where = samples, checkpoint.recipe, checkpoint.preparation
    calibration = load_samples(*where, "validation", num_calib)
    compared = load_samples(*where, "test", num_test)
    for images, widths in zip(*(batches(part, _BATCH_SIZE) for part in (calibration.images, calibration.widths))):
        quantizer.model.probabilities(images, widths)
    network = quantizer.quantized()
    comparison = compare(FixedReader(*network), Reader(checkpoint), *compared)
    accept_loss(comparison, max_drop)
    return network, comparison


def measure(
    prefix: Union[str, Path],
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    num_test: int = NUM_TEST,
    output_dir: Union[str, Path, None] = None,
) -> Measured:
    """Read samples with a quantized checkpoint, and write what is deployed of it, checked against training's graph.

    Parameters
    ----------
    prefix, samples, epoch, num_test
        As for `calibrate`.
    output_dir : str or pathlib.Path, optional
        ``PREFIX-quantized`` if left out.

    Raises
    ------
    OCRError
        If the checkpoint is not quantized, or training's graph gives other numbers.
    """
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.quant.quantizer import Quantizer

    checkpoint = load_checkpoint(str(prefix), epoch)
    if not checkpoint.recipe.is_whole:
        raise OCRError(f"{prefix} is not in whole numbers: --mode calib makes a checkpoint that is")
    folder = Path(output_dir or f"{prefix}-quantized")
    quantizer = Quantizer(checkpoint, "test", output_dir=folder)
    images, texts, widths = load_samples(Path(samples), checkpoint.recipe, checkpoint.preparation, "test", num_test)
    read = quantizer.model.texts([image[:, :width] for image, width in zip(images, widths)])
    figures = evaluate(texts, read, [EXACT, CER]) if texts is not None else {}
    quantizer.export_config()
    quantizer.export(deploy_check=True, image=images[0, :, : widths[0]])
    quantization = checkpoint.recipe.quantization
    is_checked = quantization is not None and quantization.is_trainable
    return Measured(len(images), figures.get("accuracy"), figures.get("cer"), is_checked, folder)
