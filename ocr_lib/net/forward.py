"""The logits of a training symbol for some images: what other forms of a network are compared with."""

import numpy as np

from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import logits_symbol
from ocr_lib.net.quantized import constants
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe


def training_logits(recipe: Recipe, weights: Weights, images: np.ndarray) -> np.ndarray:
    """Put prepared images of one width, (N, H, W) uint8, through a recipe's network as training does.

    Returns
    -------
    numpy.ndarray
        (T', N, C) float32.
    """
    symbol = logits_symbol(recipe)
    inputs = {
        "data": mx.nd.array(normalise(images, recipe.image.mean, recipe.image.scale)),
        "widths": mx.nd.array([images.shape[2]] * len(images)),
        **{name: mx.nd.array(array) for name, array in weights.items()},
        **constants(symbol),
    }
    averages = {name: inputs[name] for name in symbol.list_auxiliary_states()}
    arguments = {name: inputs[name] for name in symbol.list_arguments()}
    logits: np.ndarray = symbol.bind(mx.cpu(), arguments, aux_states=averages).forward()[0].asnumpy()
    return logits
