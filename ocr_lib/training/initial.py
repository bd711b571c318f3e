"""What a network is before it is trained."""

from itertools import chain, islice
from typing import Iterable, Mapping, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.iterator import Feeder
from ocr_lib.feed.source import Batch
from ocr_lib.fixed.calibrate import fitted_steps, observe
from ocr_lib.fixed.steps import step_shapes, tensor_of
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.weights import Weights, weight_shapes
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe

_CALIBRATED = 32
_FORGET = 1  # of the gates i, f, c, o


def initial_weights(recipe: Recipe) -> Weights:
    """Return random weights for a recipe's network (Glorot and Bengio 2010), those of its seed, without steps."""
    data, label = Feeder(recipe).shapes(1)
    module = mx.mod.Module(training_symbol(recipe), [each.name for each in data], ["label"])
    module.bind(data, label)
    mx.random.seed(recipe.seed)
    module.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
    wanted = weight_shapes(recipe).keys() - step_shapes(recipe).keys()
    params = {name: array for arrays in module.get_params() for name, array in arrays.items()}
    weights = {name: params[name].asnumpy() for name in params if name in wanted}
    for prefix in chain.from_iterable(direction_names(recipe.network)):
        weights[f"{prefix}i2h_bias"].reshape(4, -1)[_FORGET] += np.float32(recipe.network.forget_bias)
    return weights


def with_steps(recipe: Recipe, weights: Weights, batches: Iterable[Batch]) -> Weights:
    """Return weights with the steps of a recipe's network that they lack, which suit a few samples."""
    missing = step_shapes(recipe).keys() - weights.keys()
    if not missing:
        return weights
    images = (image[:, :width] for batch in batches for image, width in zip(batch.images, batch.widths))
    without = {name: array for name, array in weights.items() if not tensor_of(name)}
    steps = fitted_steps(recipe, without, observe(recipe, without, islice(images, _CALIBRATED)))
    return {**weights, **{name: steps[name] for name in missing}}


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
