"""The fewest bits that the weights of each layer can do with. No MXNet needed."""

from typing import Callable, Sequence

import msgspec
import numpy as np

from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.quantization import QuantizationRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.recognizer import Recognizer

_LADDER = (6, 5, 4, 3, 2)


def fewest_bits(
    quantization: QuantizationRecipe,
    read: Callable[[QuantizationRecipe], Recognizer],
    recipe: Recipe,
    images: Sequence[np.ndarray],
    texts: Sequence[str],
    max_drop: float,
    tell: Callable[[str], object],
) -> QuantizationRecipe:
    """Lower the bits of weights, layer by layer, as far as no more than `max_drop` of the texts is lost.

    The layer with the most weights comes first, as there is the most to gain.

    Parameters
    ----------
    quantization : QuantizationRecipe
        To start from.
    read : callable
        Makes a reader of a quantized network.
    recipe : Recipe
        Of the network.
    images : sequence of numpy.ndarray
        Each (H, W) uint8, prepared.
    texts : sequence of str
        What the network in floating point reads of them.
    max_drop : float
        Share of the texts.
    tell : callable
        Is given a line for each step.
    """
    shapes = weight_shapes(recipe)
    sizes = {
        layer: sum(int(np.prod(shapes[name])) for name in shapes if name.startswith(f"{layer}_") and "weight" in name)
        for layer in recipe.layer_names
    }
    lost = _lost(read(quantization), images, texts)
    tell(f"8 bits: {lost:.2%} of {len(images)} texts are read otherwise than in floating point")
    for layer in sorted(sizes, key=lambda name: -sizes[name]):
        for bits in _LADDER:
            fewer = msgspec.structs.replace(quantization, weight_bits={**quantization.weight_bits, layer: bits})
            lost = _lost(read(fewer), images, texts)
            kept = lost <= max_drop
            tell(f"{layer} with {bits} bits: {lost:.2%}, {'kept' if kept else 'too much'}")
            if not kept:
                break
            quantization = fewer
    return quantization


def _lost(reader: Recognizer, images: Sequence[np.ndarray], texts: Sequence[str]) -> float:
    found = reader.texts(images)
    return sum(map(str.__ne__, found, texts)) / len(texts)
