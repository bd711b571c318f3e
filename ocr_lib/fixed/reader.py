"""Reading images with networks in whole numbers. No MXNet needed."""

from typing import Any, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import BLANK
from ocr_lib.fixed.build import integer_network
from ocr_lib.net.weights import Weights
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer


class FixedReader(Recognizer):
    """Reads images with a network in whole numbers, as ``network.logits`` gives them.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        All parameters, steps included.
    batch_size : int
        Images to put through the network at a time.
    decode : Decoder
        Finds the texts in what the network says; greedily when left out.

    Attributes
    ----------
    network : IntegerNetwork

    Raises
    ------
    OCRError
        As `ocr_lib.fixed.build.integer_network` does.
    """

    def __init__(self, recipe: Recipe, weights: Weights, batch_size: int = 128, decode: Decoder = best_path) -> None:
        super().__init__(recipe.alphabet, Preparation.of(recipe), batch_size, decode)
        self.recipe = recipe
        self.network = integer_network(recipe, weights)
        self._weights = weights

    def __reduce__(self) -> Tuple[Any, ...]:
        """Pickle what it was made of."""
        return FixedReader, (self.recipe, self._weights, self._batch_size, self.decode)

    def probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Put prepared images, (N, H, W) uint8, through the network; returns (T', N, C) float32."""
        if widths is None:
            widths = np.full(len(images), images.shape[2])
        steps, classes = self.preparation.steps(images.shape[2]), self.recipe.alphabet.num_classes
        found = np.zeros((steps, len(images), classes), np.float32)
        found[:, :, BLANK] = 1
        for width in np.unique(widths):
            of_width = widths == width
            logits = self.network.logits(images[of_width, :, :width]) * 2.0**self.network.exponent
            scores = np.exp(logits - logits.max(axis=2, keepdims=True))
            found[: len(logits), of_width] = scores / scores.sum(axis=2, keepdims=True)
        return found
