"""Quantizing a trained network to whole numbers: calibrate, evaluate, export."""

import logging
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.alphabet import BLANK
from ocr_lib.errors import OCRError
from ocr_lib.files import write_atomic
from ocr_lib.fixed.build import check_grey
from ocr_lib.fixed.calibrate import RANGES, Observer, fitted_steps
from ocr_lib.fixed.reader import FixedReader
from ocr_lib.net.checkpoint import Checkpoint, load_checkpoint, numpy_weights
from ocr_lib.net.exact import ExactNetwork
from ocr_lib.net.weights import Weights, fold_batch_norms
from ocr_lib.preparation import Preparation
from ocr_lib.quant.golden import check_golden, golden_tensors, write_golden
from ocr_lib.quant.info import quant_info, quantized_recipe, read_quant_info, write_quant_info
from ocr_lib.quant.mixed import fewest_bits
from ocr_lib.recipe.quantization import QuantizationRecipe, parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.recognizer import Recognizer

logger = logging.getLogger(__name__)

MODES = ("calib", "test")
BITS: Dict[Union[int, str], str] = {8: "W8A8", 16: "W16A16I16_FC_W16B16", "mixed": "W8A8"}
MAX_DROP = 0.01
"""Share of the images that mixed bits may read otherwise than floating point does."""
_KEPT_IMAGES = 256


class Quantizer:
    """Quantizes a trained network to fixed point, in two steps: calibrate on some images, then test and export.

    Parameters
    ----------
    checkpoint : str, pathlib.Path or Checkpoint
        In floating point; or, for testing, quantized already.
    mode : {"calib", "test"}
        Whether `model` is in floating point, and what it reads is what `export_config` calibrates with; or is the
        quantized network.
    bits : {8, 16, "mixed"}
        Of weights and activations; mixed starts from 8 and gives the weights of each layer the fewest bits that lose no
        more than `max_drop`. What is calibrated already has its own.
    output_dir : str or pathlib.Path
        Where ``quant_info.json`` is written and read, and exports go.
    choice : {"extremes", "percentile", "mse", "kl"}
        Of the range of each tensor; see `ocr_lib.fixed.calibrate.fitted_steps`.
    max_drop : float

    Attributes
    ----------
    model : Recognizer
        To evaluate like any other.

    Raises
    ------
    OCRError
        If there is no such checkpoint, mode or choice, or nothing that was calibrated to test; or it sees colours.

    Examples
    --------
    >>> quantizer = Quantizer("ocr", mode="calib", bits=8)  # doctest: +SKIP
    >>> evaluate(quantizer.model, "validation/")
    >>> quantizer.export_config()
    >>> quantizer = Quantizer("ocr", mode="test")
    >>> print(evaluate(quantizer.model, "test/").as_text())
    >>> quantizer.export(deploy_check=True)
    """

    def __init__(
        self,
        checkpoint: Union[str, Path, Checkpoint],
        mode: str = "calib",
        bits: Union[int, str] = 8,
        output_dir: Union[str, Path] = "quantize_result",
        *,
        choice: str = "mse",
        max_drop: float = MAX_DROP,
    ) -> None:
        for name, value, known in (("mode", mode, MODES), ("bits", bits, tuple(BITS)), ("choice", choice, RANGES)):
            if value not in known:
                raise OCRError(f"{name} {value!r} is unknown: take one of {', '.join(map(str, known))}")
        self._checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(str(checkpoint))
        self._recipe, self._weights = self._checkpoint.recipe, numpy_weights(self._checkpoint)
        check_grey(self._recipe)
        self._mode, self._bits, self._choice, self._max_drop = mode, bits, choice, max_drop
        self._folder = Path(output_dir)
        if mode == "calib":
            if self._recipe.quantization:
                raise OCRError(f"{self._checkpoint.params_path} is quantized already: take mode test")
            self._observing = _ObservingReader(self._recipe, self._weights)
            self.model: Recognizer = self._observing
        else:
            self._tested = self._read_quantized()
            self.model = self._reader = FixedReader(*self._tested)

    def quantized(self, tell: Callable[[str], object] = logger.info) -> "QuantizedNetwork":
        """Return the quantized network: in calibration, by what `model` has read so far.

        Parameters
        ----------
        tell : callable
            Is given a line for each step of mixed bits.

        Raises
        ------
        OCRError
            If nothing has been read to calibrate with.
        """
        if self._mode == "test":
            return self._tested
        images, observed = self._observing.images, self._observing.observer.values()
        if not images:
            raise OCRError("there are no images to calibrate with: let the quantizer's model read some first")
        fit = _Fit(self._recipe, self._weights, observed, self._choice)
        quantization = parse_shorthand(BITS[self._bits])
        if self._bits == "mixed":
            texts = self._observing.texts_read
            quantization = fewest_bits(quantization, fit.reader, self._recipe, images, texts, self._max_drop, tell)
        return fit.network(quantization)

    def export_config(self) -> Path:
        """Write ``quant_info.json``, with bits, exponents and range of every tensor, and return its path."""
        return write_quant_info(self._folder, quant_info(*self.quantized()))

    def export(self, deploy_check: bool = False, image: Optional[np.ndarray] = None) -> Path:
        """Write the integer model, ``model.bin``, as the C reader takes it, and return its path.

        Parameters
        ----------
        deploy_check : bool
            Also write ``golden.npz``, every tensor of every time step of an image as whole numbers with exponents, once
            the network as training computes it has given the same logits; of more bits than are trained, at once.
        image : numpy.ndarray, optional
            That image, grey, (H, W) uint8 of any size; a ramp from black to white if left out.

        Raises
        ------
        OCRError
            In calibration, or if the logits differ.
        """
        if self._mode != "test":
            raise OCRError("export takes mode test: what is deployed is what was tested")
        from ocr_lib.deploy.c_source import MODEL, model_bytes

        recipe, network = self._tested.recipe, self._reader.network
        if deploy_check:
            ramp = np.tile(np.arange(256, dtype=np.uint8), (recipe.image.height, 1))
            prepared = self._reader.preparation.prepare(ramp if image is None else image)
            golden = golden_tensors(network, prepared)
            if recipe.quantization and recipe.quantization.is_trainable:
                check_golden(golden, *self._tested, prepared)
            write_golden(self._folder, golden)
        path = self._folder / MODEL
        write_atomic(path, model_bytes(network, recipe))
        return path

    def _read_quantized(self) -> "QuantizedNetwork":
        if self._recipe.quantization:
            return QuantizedNetwork(self._recipe, self._weights)
        info = read_quant_info(self._folder, self._recipe)
        recipe = quantized_recipe(self._recipe, info.quantization)
        return QuantizedNetwork(recipe, {**fold_batch_norms(self._weights), **info.steps(recipe)})


class QuantizedNetwork(NamedTuple):
    """A quantized network: its recipe, and all parameters."""

    recipe: Recipe
    weights: Weights


class _Fit(NamedTuple):
    """Fits steps to a network in floating point."""

    recipe: Recipe
    weights: Weights
    observed: Dict[str, np.ndarray]
    choice: str

    def network(self, quantization: QuantizationRecipe) -> QuantizedNetwork:
        recipe, folded = quantized_recipe(self.recipe, quantization), fold_batch_norms(self.weights)
        return QuantizedNetwork(recipe, {**folded, **fitted_steps(recipe, folded, self.observed, self.choice)})

    def reader(self, quantization: QuantizationRecipe) -> FixedReader:
        return FixedReader(*self.network(quantization))


class _ObservingReader(Recognizer):
    """Reads in floating point, and keeps what activations are; also some images, and what it read of them."""

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        super().__init__(recipe.alphabet, Preparation.of(recipe))
        self._network = ExactNetwork(recipe, weights)
        self._classes = recipe.alphabet.num_classes
        self.observer = Observer()
        self.images: List[np.ndarray] = []
        self.texts_read: List[str] = []

    def probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Put prepared images, (N, H, W) uint8, through the network; returns (T', N, C) float32."""
        found = np.zeros((self.preparation.steps(images.shape[2]), len(images), self._classes), np.float32)
        found[:, :, BLANK] = 1
        for n, image in enumerate(images):
            image = image if widths is None else image[:, : widths[n]]
            probabilities = self._network.probabilities(image, self.observer)  # (T', C)
            found[: len(probabilities), n] = probabilities
            if len(self.images) < _KEPT_IMAGES:
                self.images.append(image)
                (labels,) = self.decode(probabilities[:, np.newaxis].astype(np.float32))
                self.texts_read.append(self.alphabet.decode(labels or []))
        return found
