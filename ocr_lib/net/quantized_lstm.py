"""LSTM layers of quantized networks, in two forms that give the same numbers.

The unrolled graph is of MXNet's own operators; the other form is an operator over compiled code, which computes all
time steps of a direction, and lines of any width. `ocr_lib.fixed.network.Direction` is what both compute; where gates
and cell states are left in floating point, they are what they are in `ocr_lib.net.lstm`.
"""

from typing import Any, List, Optional

import numpy as np

from ocr_lib.fixed.arithmetic import Levels, Tables, tables, unit_exponent
from ocr_lib.mx import mx
from ocr_lib.net import quantized_lstm_operator as operator
from ocr_lib.net.lstm import merged, reversed_sequence
from ocr_lib.net.quantized import Quantizers, shifted, straight_through, table
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.quantization import QuantizationRecipe
from ocr_lib.recipe.recipe import Recipe


def quantized_lstm_layers(
    data: "mx.sym.Symbol",
    steps: Optional[int],
    recipe: Recipe,
    quantizers: Quantizers,
    ends: Optional["mx.sym.Symbol"] = None,
) -> "mx.sym.Symbol":
    """Put a recipe's LSTM layers on a sequence; see `ocr_lib.net.lstm.lstm_layers`."""
    network = recipe.network
    for prefixes in direction_names(network):
        if network.dropout:
            data = mx.sym.Dropout(data, p=network.dropout)
        outputs = []
        for prefix, is_reversed in zip(prefixes, (False, True)):
            direction = _Direction(recipe, quantizers, prefix)
            if network.cell == "unrolled":
                assert steps is not None
                outputs.append(direction.unrolled(data, steps, is_reversed))
            else:
                turned = reversed_sequence(data, ends) if is_reversed else data
                output = direction.compiled(turned)
                outputs.append(reversed_sequence(output, ends) if is_reversed else output)
        data = merged(outputs, network)
    return data


class _Direction:
    """Builds one direction of a layer."""

    def __init__(self, recipe: Recipe, quantizers: Quantizers, prefix: str) -> None:
        assert recipe.quantization is not None
        self._quantization: QuantizationRecipe = recipe.quantization
        self._quantizers = quantizers
        self._prefix = prefix
        self._hidden = recipe.network.hidden
        self._h2h = quantizers.parameter(f"{prefix}h2h_weight")

    def compiled(self, data: "mx.sym.Symbol") -> "mx.sym.Symbol":
        """Put a sequence (T, N, F) through, first time step first; returns (T, N, H)."""
        is_float = self._quantization.internal.is_float
        cell_step = mx.sym.ones((1,)) if is_float else self._quantizers.step(f"{self._prefix}cell")
        return operator.lstm(self._gates(data), self._h2h, cell_step, self._quantization, f"{self._prefix}lstm")

    def unrolled(self, data: "mx.sym.Symbol", steps: int, is_reversed: bool) -> "mx.sym.Symbol":
        """Put a sequence (T, N, F) through, last time step first if `is_reversed`; returns (T, N, H)."""
        gates = mx.sym.split(self._gates(data), num_outputs=steps, axis=0, squeeze_axis=True)  # T x (N, 4 H)
        cell = _Cell(self._quantization, self._quantizers, self._prefix)
        h = c = mx.sym.zeros_like(mx.sym.slice_axis(gates[0], axis=1, begin=0, end=self._hidden))  # (N, H)
        outputs = []
        for step in reversed(range(steps)) if is_reversed else range(steps):
            of_hidden = mx.sym.FullyConnected(h, self._h2h, num_hidden=4 * self._hidden, no_bias=True)
            h, c = cell(gates[step] + of_hidden, c)
            outputs.append(h)
        return mx.sym.stack(*(outputs[::-1] if is_reversed else outputs), axis=0)  # (T, N, H)

    def _gates(self, data: "mx.sym.Symbol") -> "mx.sym.Symbol":
        """Return the input's share of what the gates are of (T, N, 4 H), all biases included."""
        i2h, *biases = (
            self._quantizers.parameter(self._prefix + name) for name in ("i2h_weight", "i2h_bias", "h2h_bias")
        )
        return mx.sym.FullyConnected(
            data, i2h, biases[0] + biases[1], num_hidden=4 * self._hidden, flatten=False, name=f"{self._prefix}i2h"
        )


class _Cell:
    """Builds time steps of a cell: (N, 4 H) and cell states (N, H) in, hidden and cell states (N, H) out."""

    def __init__(self, quantization: QuantizationRecipe, quantizers: Quantizers, prefix: str) -> None:
        self._quantization = quantization
        self._tables: Optional[Tables] = None
        if not quantization.internal.is_float:
            self._tables = tables(quantization.internal)
            values = np.concatenate([self._tables.sigmoid, self._tables.tanh]) * 2.0**self._tables.exponent
            self._sigmoid, self._tanh = mx.sym.split(table(values.astype(np.float32), prefix), num_outputs=2, axis=0)
            step = mx.sym.BlockGrad(quantizers.step(f"{prefix}cell"))
            self._cell_step = mx.sym.reshape(step, shape=(1, 1))

    def __call__(self, sums: "mx.sym.Symbol", c: "mx.sym.Symbol") -> List["mx.sym.Symbol"]:
        i, f, g, o = mx.sym.split(sums, num_outputs=4, axis=1)  # (N, H)
        i, f, o = (self._activation(x, mx.sym.sigmoid) for x in (i, f, o))
        c = f * c + i * self._activation(g, mx.sym.tanh)
        if self._tables:
            numbers = shifted(mx.sym.broadcast_div(c, self._cell_step), Levels.of(self._quantization.cell))
            c = mx.sym.broadcast_mul(numbers, self._cell_step)
        h = o * self._activation(c, mx.sym.tanh)
        hidden = self._quantization.hidden
        if not hidden.is_float:
            step = 2.0 ** unit_exponent(hidden)
            h = shifted(h / step, Levels.of(hidden)) * step
        return [h, c]

    def _activation(self, x: "mx.sym.Symbol", function: Any) -> "mx.sym.Symbol":
        if not self._tables:
            return function(x)
        step, levels = 2.0**self._tables.index_exponent, self._tables.index_levels
        numbers = shifted(x / step, levels)
        values = self._tanh if function is mx.sym.tanh else self._sigmoid
        return straight_through(mx.sym.take(values, numbers - levels.low), function(numbers * step))
