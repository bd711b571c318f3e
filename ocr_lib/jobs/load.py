"""Opening a recognizer, whatever it is stored as."""

from pathlib import Path
from typing import TYPE_CHECKING, Optional, Union

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer
from ocr_lib.zoo.models import SUFFIX as MODEL
from ocr_lib.zoo.models import is_model

if TYPE_CHECKING:
    from ocr_lib.net.checkpoint import Checkpoint
    from ocr_lib.net.manifest import Epoch


def load(
    name: Union[str, Path] = "ocr",
    epoch: Optional["Epoch"] = None,
    *,
    batch_size: int = 128,
    decode: Decoder = best_path,
) -> Recognizer:
    """Open a recognizer.

    Parameters
    ----------
    name : str or pathlib.Path
        A file that `ocr_lib.export` wrote, whose name ends in ``.onnx``; the prefix of a checkpoint, in floating point
        or of 8 bits, also of MXNet's original example; or the name of a model that comes with this package, as
        `ocr_lib.zoo.models.model_names` has it. What the user has under that name goes first.
    epoch : int, "best" or "last", optional
        Of a checkpoint; the best if left out, or the last if none is.
    batch_size : int
        Most images to put through the network at a time.
    decode : Decoder
        Finds the texts in what the network says; greedily when left out.

    Returns
    -------
    Recognizer
        ``predict(images)`` reads paths, bytes, arrays and Pillow images, one or many.

    Raises
    ------
    OCRError
        If there is none, it is damaged, or what it takes is not installed.
    """
    if str(name).endswith(MODEL) or is_model(name):
        if epoch is not None:
            raise OCRError(f"{name} is one model, without epochs: leave the epoch out")
        return load_model(Path(name), batch_size, decode)
    from ocr_lib.net.checkpoint import load_checkpoint

    return reader_of(load_checkpoint(str(name), epoch), batch_size, decode)


def reader_of(checkpoint: "Checkpoint", batch_size: int = 128, decode: Decoder = best_path) -> Recognizer:
    """Return what reads with a checkpoint: with whole numbers alone if its network is of such."""
    from ocr_lib.net.checkpoint import numpy_weights

    if checkpoint.recipe.is_whole:
        from ocr_lib.fixed.reader import FixedReader

        return FixedReader(checkpoint.recipe, numpy_weights(checkpoint), batch_size, decode)
    from ocr_lib.net.reader import Reader

    return Reader(checkpoint, batch_size, decode)


def load_model(path: Path, batch_size: int = 128, decode: Decoder = best_path) -> Recognizer:
    """Open a file that `ocr_lib.export` wrote, whatever its name, or a model by name; see `load`."""
    try:
        from ocr_lib.deploy.predictor import Predictor
    except ImportError as error:
        raise OCRError(f"{path} needs ONNX Runtime ({error}): {how_to_install('deploy')}") from error
    return Predictor(path, batch_size, decode)
