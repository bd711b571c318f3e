"""What turns tensors of a training graph into whole numbers times steps, with gradients all the same.

Numbers are in floating point, and exact: whole numbers below 2^24 are. Rounding passes gradients on as if it were not
there (straight-through estimator: Bengio et al. 2013), cutting off passes none of what is cut off, and steps have the
gradients that follow from this, those of Esser et al. 2020.
"""

import json
from typing import Dict

import numpy as np

from ocr_lib.fixed.arithmetic import Levels, unit_exponent
from ocr_lib.fixed.build import levels_of
from ocr_lib.fixed.steps import LOG2_STEP, stepped_tensors
from ocr_lib.mx import mx
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.recipe import Recipe

_TABLE = "_table"
_TO_WHOLE = 1.5 * 2.0**23  # what has this added, in single precision, has no bits left for fractions


class Quantizers:
    """Makes parameters and activations what a recipe's quantization says; without one they stay as they are."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        tensors = stepped_tensors(recipe)
        self._quantized = {name: tensor for name, tensor in tensors.items() if not tensor.precision.is_float}
        self._shapes = weight_shapes(recipe)
        self._learned = recipe.quantization is not None and recipe.quantization.learned_steps

    def parameter(self, name: str) -> "mx.sym.Symbol":
        """Return a weight or a bias, in its own shape."""
        variable = mx.sym.Variable(name, shape=self._shapes[name])
        if name not in self._quantized:
            return variable
        tensor = self._quantized[name]
        by_group = mx.sym.reshape(variable, shape=(tensor.groups, -1))
        step = mx.sym.reshape(self.step(name), shape=(-1, 1))
        numbers = _nearest(mx.sym.broadcast_div(by_group, step), Levels.of(tensor.precision))
        return mx.sym.reshape(mx.sym.broadcast_mul(numbers, step), shape=self._shapes[name])

    def arguments(self, layer: str) -> Dict[str, "mx.sym.Symbol"]:
        """Return a layer's weight and bias as MXNet's operators call them, if they are quantized."""
        names = {kind: f"{layer}_{kind}" for kind in ("weight", "bias")}
        return {kind: self.parameter(name) for kind, name in names.items() if name in self._quantized}

    def activation(self, x: "mx.sym.Symbol", name: str, axes: int) -> "mx.sym.Symbol":
        """Return an activation, x with so many axes."""
        if name not in self._quantized:
            return x
        step = mx.sym.reshape(self.step(name), shape=(1,) * axes)
        numbers = shifted(mx.sym.broadcast_div(x, step), levels_of(self._recipe, name))
        return mx.sym.broadcast_mul(numbers, step)

    def step(self, name: str) -> "mx.sym.Symbol":
        """Return the steps (groups,) of a tensor."""
        tensor = self._quantized[name]
        if not tensor.has_steps:
            return mx.sym.full((tensor.groups,), 2.0 ** unit_exponent(tensor.precision))
        log2_step = mx.sym.Variable(name + LOG2_STEP, shape=(tensor.groups,), init=mx.init.Zero())
        nearest = mx.sym.floor(log2_step + 0.5)
        exponent = straight_through(nearest, log2_step) if self._learned else mx.sym.BlockGrad(nearest)
        return mx.sym._internal._rpower_scalar(exponent, scalar=2.0)


def straight_through(exact: "mx.sym.Symbol", smooth: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Return the values of one symbol with the gradients of another."""
    return mx.sym.BlockGrad(exact) + (smooth - mx.sym.BlockGrad(smooth))


def shifted(numbers: "mx.sym.Symbol", levels: Levels) -> "mx.sym.Symbol":
    """Round multiples of fractions 2^-k to levels, as `ocr_lib.fixed.arithmetic.Levels.shifted` does."""
    if levels.is_binary:
        return _sign(numbers)
    cut = mx.sym.clip(numbers, levels.low, levels.high)
    return straight_through(mx.sym.floor(cut + 0.5), cut)


def table(values: np.ndarray, name: str) -> "mx.sym.Symbol":
    """Return constants (K,) as a variable, which is no parameter; see `constants`."""
    return mx.sym.BlockGrad(mx.sym.Variable(name + _TABLE, shape=values.shape, init=mx.init.Constant(values)))


def constants(symbol: "mx.sym.Symbol") -> Dict[str, "mx.nd.NDArray"]:
    """Return the values of a symbol's tables by name."""
    return {
        name: mx.nd.array(json.loads(attributes["__init__"])[1]["value"])
        for name, attributes in symbol.attr_dict().items()
        if name.endswith(_TABLE)
    }


def _nearest(numbers: "mx.sym.Symbol", levels: Levels) -> "mx.sym.Symbol":
    """Round numbers to levels, ties to even ones."""
    if levels.is_binary:
        return _sign(numbers)
    return (mx.sym.clip(numbers, levels.low, levels.high) + _TO_WHOLE) - _TO_WHOLE


def _sign(numbers: "mx.sym.Symbol") -> "mx.sym.Symbol":
    return straight_through(2 * (numbers >= 0) - 1, mx.sym.clip(numbers, -1, 1))
