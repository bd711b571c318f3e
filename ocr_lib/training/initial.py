"""What a network is before it is trained."""

from typing import Mapping, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.iterator import Feeder
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe


def initial_weights(recipe: Recipe) -> Weights:
    """Return random weights for a recipe's network (Glorot and Bengio 2010), those of its seed."""
    data, label = Feeder(recipe).shapes(1)
    module = mx.mod.Module(training_symbol(recipe), [each.name for each in data], ["label"])
    module.bind(data, label)
    mx.random.seed(recipe.seed)
    module.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
    return {name: array.asnumpy() for arrays in module.get_params() for name, array in arrays.items()}


def fill(arrays: Weights, values: Mapping[str, Union[np.ndarray, "mx.nd.NDArray"]]) -> None:
    """Set arrays to the values of the same names; those without one stay as they are.

    Raises
    ------
    OCRError
        If a value has no array, or another shape.
    """
    for name, value in values.items():
        if name not in arrays or arrays[name].shape != value.shape:
            raise OCRError(f"the checkpoint's parameters don't fit the recipe's network: {name} is {value.shape}")
        arrays[name][...] = value if isinstance(value, np.ndarray) else value.asnumpy()
