"""The layers of a network in whole numbers, as far as ONNX's own operators can say them.

Parameters are whole numbers with DequantizeLinear behind them. What layers give goes through QuantizeLinear and
DequantizeLinear, if it has 8 bits or fewer. What ONNX's LSTM has inside is in floating point: hidden states on their
way to the next time step, gates and cell states; and ties are rounded to even numbers. So readings are near those of
`ocr_lib.fixed.network.IntegerNetwork`, and not the same.
"""

from typing import Tuple

import numpy as np

from ocr_lib.deploy.graph import Graph, Layers, gates_for_onnx
from ocr_lib.fixed.arithmetic import Levels
from ocr_lib.fixed.build import integer_network, levels_of
from ocr_lib.fixed.network import Linear
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe

_UINT8, _INT8 = (0, 255), (-128, 127)


class FixedLayers(Layers):
    """Adds the layers of a network in whole numbers to a graph.

    Parameters
    ----------
    graph : Graph
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        All parameters, steps included.

    Raises
    ------
    OCRError
        As `ocr_lib.fixed.build.integer_network` does.
    """

    def __init__(self, graph: Graph, recipe: Recipe, weights: Weights) -> None:
        super().__init__(graph, recipe, weights)
        self._network = integer_network(recipe, weights)

    def input(self, features: str) -> str:
        """Add what is done to the input of the first layer."""
        return self._rounded(features, levels_of(self.recipe, "data"), self._network.grey_exponent)

    def convolution(self, index: int, features: str) -> str:
        """Add a convolution, ReLU and max pooling: (N, C, H, W) in, (N, K, H', W') out."""
        layer, name = self._network.convolutions[index], f"conv{index}"
        kernel = layer.linear.weights[0].transpose(0, 1, 3, 2)  # (K, C, rows, columns)
        parameters = [
            self._parameter(f"{name}_weight", kernel, self._weight_exponents(layer.linear, self._exponent(index))),
            self._parameter(f"{name}_bias", layer.linear.bias, layer.linear.exponents),
        ]
        convolved = self.graph.add("Conv", [features, *parameters], name, pads=self.pads(index))
        pooled = self.pool(index, self.graph.add("Relu", [convolved], f"relu{index}"))
        return self._rounded(pooled, layer.levels, layer.exponent)

    def lstm(self, layer: int, sequence: str) -> str:
        """Add an LSTM layer: (T, N, F) in, (T, directions, N, H) out."""
        directions, name = self._network.layers[layer], f"lstm{layer}"
        (axis,) = self.graph.constants(name, direction=np.array([0]))
        operands, inputs = [], (self._exponent_before(layer), directions[0].hidden_exponent)
        for kind, place in (("W", 0), ("R", 1)):
            of_directions = []
            for d, direction in enumerate(directions):
                numbers = gates_for_onnx(direction.linear.weights[place])
                exponents = gates_for_onnx(self._weight_exponents(direction.linear, inputs[place], place))
                parameter = self._parameter(f"{name}_{kind}{d}", numbers, exponents)
                of_directions.append(self.graph.add("Unsqueeze", [parameter, axis], f"{name}_{kind}{d}_3d"))
            operands.append(self.graph.add("Concat", of_directions, f"{name}_{kind}", axis=0))
        biases = [gates_for_onnx(d.linear.bias * 2.0**d.linear.exponents) for d in directions]
        both = np.stack([np.concatenate([bias, np.zeros_like(bias)]) for bias in biases]).astype(np.float32)
        operands += self.graph.constants(name, B=both)
        output = self.graph.add("LSTM", [sequence, *operands, self.steps], name, **self.lstm_attributes())
        return self._rounded(output, directions[0].hidden_levels, directions[0].hidden_exponent)

    def classifier(self, sequence: str) -> str:
        """Add the classifier: (T, N, D H) in, logits (T, N, C) out."""
        linear = self._network.classifier
        (weight,) = linear.weights
        exponents = self._weight_exponents(linear, self._network.layers[-1][0].hidden_exponent)
        name = self._parameter("pred_fc_weight", weight, exponents)
        by_class = self.graph.add("Transpose", [name], "pred_fc_weight_by_class", perm=[1, 0])
        bias = self._parameter("pred_fc_bias", linear.bias, linear.exponents)
        product = self.graph.add("MatMul", [sequence, by_class], "pred_fc_product")
        return self.graph.add("Add", [product, bias], "pred_fc")

    def _exponent(self, index: int) -> int:
        """Return the exponent of what a convolution reads."""
        return self._network.convolutions[index - 1].exponent if index else self._network.grey_exponent

    def _exponent_before(self, layer: int) -> int:
        """Return the exponent of what an LSTM layer reads."""
        if layer:
            return self._network.layers[layer - 1][0].hidden_exponent
        return self._exponent(len(self._network.convolutions))

    @staticmethod
    def _weight_exponents(linear: Linear, of_input: int, place: int = 0) -> np.ndarray:
        """Return the exponents (R,) of weights, from those of their sums."""
        return linear.exponents + linear.shifts[place] - of_input

    def _parameter(self, name: str, numbers: np.ndarray, exponents: np.ndarray) -> str:
        """Add whole numbers (R, ...), and what turns them into values, with an exponent for each row."""
        dtype = np.int8 if _within(numbers.min(), numbers.max(), _INT8) else np.int32
        scales = np.exp2(exponents).astype(np.float32)
        inputs = self.graph.constants(
            name, numbers=numbers.astype(dtype), scale=scales, zero=np.zeros(scales.shape, dtype)
        )
        return self.graph.add("DequantizeLinear", inputs, name, axis=0)

    def _rounded(self, tensor: str, levels: Levels, exponent: int) -> str:
        """Round a tensor to levels, unless these take more than 8 bits or are but two."""
        is_signed = levels.low < 0
        if levels.is_binary or not _within(levels.low, levels.high, _INT8 if is_signed else _UINT8):
            return tensor
        step = 2.0**exponent
        bounds = {key: np.array(n * step, np.float32) for key, n in (("least", levels.low), ("most", levels.high))}
        cut = self.graph.add("Clip", [tensor, *self.graph.constants(tensor, **bounds)], f"{tensor}_cut")
        zero = np.array(0, np.int8 if is_signed else np.uint8)
        scale = self.graph.constants(tensor, step=np.array(step, np.float32), zero=zero)
        numbers = self.graph.add("QuantizeLinear", [cut, *scale], f"{tensor}_numbers")
        return self.graph.add("DequantizeLinear", [numbers, *scale], f"{tensor}_rounded")


def _within(low: int, high: int, bounds: Tuple[int, int]) -> bool:
    return bounds[0] <= low and high <= bounds[1]
