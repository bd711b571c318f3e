"""The layers of a network in 8 bits, as ONNX Runtime computes them."""

from typing import List, Sequence, Tuple

import numpy as np
from numpy.typing import DTypeLike
from onnx import TensorProto

from ocr_lib.deploy.graph import Graph, Layers
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe

_MICROSOFT = "com.microsoft"
# On CPUs without VNNI two products of 8 bits are added up in 16, where products of 8 by 7 bits always fit.
_LARGEST_WEIGHT = 63
_INT32 = (-(2.0**31), 2.0**31 - 1)


class Int8Layers(Layers):
    """Adds the layers of a network to a graph, in 8 bits.

    Weights are int8, symmetric, with a scale for each filter, gate of a unit and class. Activations are uint8: those
    of convolutions have scales from calibration; what LSTM layers and the classifier read is given a scale anew in
    every call (ONNX Runtime's DynamicQuantizeLSTM and DynamicQuantizeMatMul). Gates, cell states, logits are float32.

    Parameters
    ----------
    graph : Graph
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        As `ocr_lib.net.weights.fold_batch_norms` gives them.
    peaks : sequence of float
        The largest value behind the ReLU of each convolution.
    """

    def __init__(self, graph: Graph, recipe: Recipe, weights: Weights, peaks: Sequence[float]) -> None:
        super().__init__(graph, recipe, weights)
        self._peaks = peaks
        self._scale = 0.0  # of the tensor that the next layer reads
        self._quantization: List[str] = []  # the names of its scale and zero point

    def convolution(self, index: int, features: str) -> str:
        """Add a convolution, ReLU and max pooling: (N, C, H, W) in, (N, K, H', W') out."""
        if index == 0:
            return self._first_convolution(features)
        kernel, scales = quantize(self.kernel(index), axis=0)
        bias = np.rint(self.bias(index) / (self._scale * scales)).clip(*_INT32).astype(np.int32)
        name = f"conv{index}"
        before = self._quantization
        self._set_quantization(name, self._peaks[index] / 255)
        zeros = np.zeros(len(scales), np.int8)
        weight = self.graph.constants(name, weight=kernel, weight_scale=scales, weight_zero=zeros)
        operands = [features, *before, *weight, *self._quantization, *self.graph.constants(name, bias=bias)]
        # Its output has no values below zero, so quantizing it is the ReLU.
        return self.pool(index, self.graph.add("QLinearConv", operands, name, pads=self.pads(index)))

    def _first_convolution(self, features: str) -> str:
        """Add the convolution of the image's few channels, which ONNX Runtime is faster at in floating point.

        Its weights are such that it gives multiples of the scale, and a half, so that cutting decimals off rounds.
        (ONNX Runtime would move QuantizeLinear to before the pooling, which is slow there.)
        """
        self._set_quantization("conv0_output", self._peaks[0] / 255)
        parameters = {"weight": self.kernel(0) / self._scale, "bias": self.bias(0) / self._scale + 0.5}
        operands = self.graph.constants("conv0", **{key: a.astype(np.float32) for key, a in parameters.items()})
        convolved = self.graph.add("Conv", [features, *operands], "conv0", pads=self.pads(0))
        bounds = self.graph.constants("uint8", least=np.array(0, np.float32), most=np.array(255, np.float32))
        clipped = self.graph.add("Clip", [convolved, *bounds], "relu0")
        return self.graph.add("Cast", [self.pool(0, clipped)], "pool0_uint8", to=TensorProto.UINT8)

    def feature_type(self) -> DTypeLike:
        """Return the type of what convolutions give."""
        return np.uint8

    def sequence(self, features: str) -> str:
        """Turn features (N, K, F', T') into a sequence (T', N, F', K), filters innermost as ONNX Runtime has them."""
        if self.recipe.network.convolutions:
            features = self.graph.add("DequantizeLinear", [features, *self._quantization], "features")
        return self.graph.add("Transpose", [features], "columns", perm=[3, 0, 2, 1])

    def lstm(self, layer: int, sequence: str) -> str:
        """Add an LSTM layer: (T, N, F) in, (T, directions, N, H) out."""
        name = f"lstm{layer}"
        operands, scales = [sequence], []
        for kind in "WR":
            values, by_unit = zip(*(quantize(array.T, axis=1) for array in self.lstm_weights(layer, kind)))
            zeros = np.zeros((len(by_unit), by_unit[0].size), np.int8)
            operands += self.graph.constants(name, **{kind: np.stack(values)})
            scales += self.graph.constants(name, **{f"{kind}_scale": np.stack(by_unit), f"{kind}_zero": zeros})
        operands += self.graph.constants(name, B=np.stack(self.lstm_weights(layer, "B")))
        unused = ["", "", ""]  # states before the first time step, peepholes
        operands += [self.steps, *unused, *scales]
        return self.graph.add("DynamicQuantizeLSTM", operands, name, _MICROSOFT, **self.lstm_attributes())

    def lstm_weights(self, layer: int, kind: str) -> List[np.ndarray]:
        """Return ``W``, ``R`` or ``B`` of each direction, for features in the order of `sequence`."""
        arrays = super().lstm_weights(layer, kind)
        if layer or kind != "W":
            return arrays
        rows = self.recipe.feature_rows
        return [a.reshape(len(a), -1, rows).transpose(0, 2, 1).reshape(a.shape) for a in arrays]

    def classifier(self, sequence: str) -> str:
        """Add the classifier: (T, N, D H) in, logits (T, N, C) out."""
        weight, scales = quantize(self.weights["pred_fc_weight"].T, axis=1)
        arrays = {"weight": weight, "scale": scales, "zero": np.zeros(scales.shape, np.int8)}
        operands = self.graph.constants("pred_fc", **arrays, bias=self.weights["pred_fc_bias"])
        return self.graph.add("DynamicQuantizeMatMul", [sequence, *operands], "pred_fc", _MICROSOFT)

    def _set_quantization(self, prefix: str, scale: float) -> None:
        self._scale = scale
        zero = np.array(0, np.uint8)
        self._quantization = self.graph.constants(prefix, scale=np.array(scale, np.float32), zero=zero)


def quantize(array: np.ndarray, axis: int) -> Tuple[np.ndarray, np.ndarray]:
    """Quantize weights symmetrically, to 7 bits, with a scale for each index of an axis.

    Returns
    -------
    values : numpy.ndarray
        int8, of the array's shape.
    scales : numpy.ndarray
        float32, as many as the axis is long; ``values * scales`` is near the array.
    """
    others = tuple(i for i in range(array.ndim) if i != axis)
    peaks = np.abs(array).max(axis=others, keepdims=True)
    least = np.finfo(np.float32).tiny  # less has not the precision of a scale, and nothing to say
    scales = np.where(peaks > _LARGEST_WEIGHT * least, peaks / _LARGEST_WEIGHT, 1).astype(np.float32)
    return np.rint(array / scales).astype(np.int8), scales.ravel()
