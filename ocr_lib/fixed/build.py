"""Networks in whole numbers, from the parameters of quantized checkpoints. No MXNet needed."""

from typing import Sequence, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.fixed.arithmetic import Levels, exponents, tables, unit_exponent
from ocr_lib.fixed.network import Convolution, Direction, IntegerNetwork, Linear
from ocr_lib.fixed.steps import LOG2_STEP, stepped_tensors
from ocr_lib.images.decode import normalise
from ocr_lib.net.weights import Weights, check_weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe

_MOST_SUM_BITS = 62


def integer_network(recipe: Recipe, weights: Weights) -> IntegerNetwork:
    """Return the network of a recipe in whole numbers.

    Parameters
    ----------
    recipe : Recipe
        Whose quantization leaves nothing in floating point.
    weights : dict of str to numpy.ndarray
        All parameters, those that are steps included.

    Raises
    ------
    OCRError
        If it sees colours, part of it is in floating point, the weights are not those of the recipe, or its steps are
        so far apart that sums would not fit into 64 bits.
    """
    check_grey(recipe)
    if not recipe.is_whole:
        raise OCRError(
            "the network is in floating point, in part at least: quantize it by lstm_ocr_quantize.py --engine fixed"
        )
    check_weights(weights, recipe)
    return _Builder(recipe, weights).network()


def check_grey(recipe: Recipe) -> None:
    """Refuse networks that see colours, which have no form in whole numbers.

    Raises
    ------
    OCRError
        If it is such a one.
    """
    if recipe.image.channels != 1:
        raise OCRError("networks in whole numbers see grey, and this one colours: train with image.channels=1")


class _Builder:
    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        assert recipe.quantization is not None
        self._recipe = recipe
        self._quantization = recipe.quantization
        self._weights = weights
        self._tensors = stepped_tensors(recipe)

    def network(self) -> IntegerNetwork:
        recipe = self._recipe
        grey, exponent = self._grey()
        exponent_of_input = exponent
        convolutions = []
        for i in range(len(recipe.network.convolutions)):
            convolutions.append(self._convolution(i, exponent))
            exponent = convolutions[-1].exponent
        layers = []
        for prefixes in direction_names(recipe.network):
            layers.append([self._direction(prefix, exponent) for prefix in prefixes])
            exponent = layers[-1][0].hidden_exponent
        is_summed = recipe.network.bidirectional and recipe.network.merge == "sum"
        classifier = self._linear(["pred_fc_weight"], ["pred_fc_bias"], [exponent])
        return IntegerNetwork(grey, exponent_of_input, convolutions, layers, is_summed, classifier)

    def _grey(self) -> Tuple[np.ndarray, int]:
        """Return the input for each grey value, and its exponent."""
        (exponent,) = self._exponents("data")
        levels = levels_of(self._recipe, "data")
        numbers = np.clip(grey_values(self._recipe) * np.float32(2.0**-exponent), levels.low, levels.high)
        return np.floor(numbers + np.float32(0.5)).astype(np.int64), int(exponent)

    def _convolution(self, i: int, exponent: int) -> Convolution:
        convolution = self._recipe.network.convolutions[i]
        margins = tuple(size // 2 * convolution.padding for size in convolution.kernel)
        return Convolution(
            self._linear([f"conv{i}_weight"], [f"conv{i}_bias"], [exponent]),
            (margins[0], margins[1]),
            convolution.pool,
            levels_of(self._recipe, f"conv{i}_output"),
            int(self._exponents(f"conv{i}_output")[0]),
        )

    def _direction(self, prefix: str, exponent: int) -> Direction:
        quantization = self._quantization
        hidden_exponent = unit_exponent(quantization.hidden)
        names = [f"{prefix}i2h", f"{prefix}h2h"]
        linear = self._linear(
            [f"{name}_weight" for name in names], [f"{name}_bias" for name in names], [exponent, hidden_exponent]
        )
        return Direction(
            linear,
            tables(quantization.internal),
            Levels.of(quantization.cell),
            int(self._exponents(f"{prefix}cell")[0]),
            Levels.of(quantization.hidden),
            hidden_exponent,
        )

    def _linear(self, weights: Sequence[str], biases: Sequence[str], inputs: Sequence[int]) -> Linear:
        """Return layers whose products are summed, with all biases, for inputs of these exponents."""
        numbers, of_weights = zip(*(self._numbers(name) for name in weights))
        bias_numbers, of_biases = zip(*(self._numbers(name) for name in biases))
        of_products = [exponent + each for exponent, each in zip(inputs, of_weights)]
        finest = np.minimum.reduce([*of_products, *of_biases])  # (R,)
        apart = max(int((each - finest).max()) for each in (*of_products, *of_biases))
        if apart > _MOST_SUM_BITS - 2 * self._most_bits():
            raise OCRError(
                f"{weights[0]}: its steps and those of its input and bias are 2^{apart} apart: train it anew"
            )
        bias = sum(each << (exponent - finest) for each, exponent in zip(bias_numbers, of_biases))
        shifts = tuple(each - finest for each in of_products)
        return Linear(tuple(numbers), shifts, np.asarray(bias), finest)

    def _numbers(self, name: str) -> Tuple[np.ndarray, np.ndarray]:
        """Return a parameter's whole numbers, and the exponents of its rows."""
        array, tensor = self._weights[name], self._tensors[name]
        by_row = np.repeat(self._exponents(name), len(array) // tensor.groups)
        steps = np.exp2(-by_row.astype(np.float32)).reshape(-1, *[1] * (array.ndim - 1))
        return Levels.of(tensor.precision).nearest(array * steps), by_row

    def _exponents(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        if not tensor.has_steps:
            return np.full(tensor.groups, unit_exponent(tensor.precision))
        return exponents(self._weights[name + LOG2_STEP])

    def _most_bits(self) -> int:
        return max(precision.stored_bits for _, precision in self._quantization.parts() if not precision.is_float)


def levels_of(recipe: Recipe, name: str) -> Levels:
    """Return the whole numbers that a tensor may hold, one of `stepped_tensors`.

    They have no sign where nothing is negative: behind a ReLU, and of the input if no grey value is.
    """
    is_signed = bool(grey_values(recipe).min() < 0) if name == "data" else not name.endswith("_output")
    return Levels.of(stepped_tensors(recipe)[name].precision, is_signed)


def grey_values(recipe: Recipe) -> np.ndarray:
    """Return what grey values (256,) become for a network in floating point."""
    greys = np.arange(256, dtype=np.uint8)[np.newaxis, np.newaxis]
    return normalise(greys, recipe.image.mean, recipe.image.scale)[0, :, 0]
