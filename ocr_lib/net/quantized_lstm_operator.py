"""All time steps of an LSTM layer of few bits as one operator of MXNet, over compiled code."""

from typing import Any, List, NamedTuple, Optional, Tuple

import msgspec
import numpy as np

from ocr_lib.fixed.arithmetic import Levels, tables, unit_exponent
from ocr_lib.mx import mx
from ocr_lib.net.quantized_kernels import lstm_backward, lstm_forward
from ocr_lib.recipe.quantization import QuantizationRecipe

_Arrays = List["mx.nd.NDArray"]
_Shapes = List[Tuple[int, ...]]
_NAME = "quantized_lstm"


def lstm(
    inputs: "mx.sym.Symbol", weight: "mx.sym.Symbol", cell_step: "mx.sym.Symbol", recipe: QuantizationRecipe, name: str
) -> "mx.sym.Symbol":
    """Put a layer's time steps on what it reads.

    Parameters
    ----------
    inputs : mxnet.symbol.Symbol
        (T, N, 4 H), the input's share of the gates' sums, with biases.
    weight : mxnet.symbol.Symbol
        (4 H, H), of hidden states.
    cell_step : mxnet.symbol.Symbol
        (1,), of cell states.
    recipe : QuantizationRecipe
    name : str

    Returns
    -------
    mxnet.symbol.Symbol
        (T, N, H)
    """
    precisions = msgspec.json.encode(recipe).decode()
    return mx.sym.Custom(inputs, weight, cell_step, precisions=precisions, op_type=_NAME, name=name)


class _Passed(NamedTuple):
    """What the forward pass leaves for the backward pass; see `ocr_lib.net.quantized_kernels.lstm_forward`."""

    weight: np.ndarray
    gates: np.ndarray
    slopes: np.ndarray
    states: np.ndarray


class _QuantizedLSTM(mx.operator.CustomOp):
    def __init__(self, recipe: QuantizationRecipe) -> None:
        super().__init__()
        self._recipe = recipe
        self._index, self._tables = _tables(recipe)
        self._hidden = _levels(Levels.of(recipe.hidden), 2.0 ** unit_exponent(recipe.hidden))
        if recipe.hidden.is_float:
            self._hidden = self._hidden[:0]
        self._passed: Optional[_Passed] = None

    def forward(self, is_train: bool, req: List[str], in_data: _Arrays, out_data: _Arrays, aux: _Arrays) -> None:
        """Write hidden states (T, N, H)."""
        inputs, weight, cell_step = (array.asnumpy() for array in in_data)
        cell = _levels(Levels.of(self._recipe.cell), float(cell_step[0]))
        if self._recipe.cell.is_float:
            cell = cell[:0]
        gates, slopes = np.empty_like(inputs), np.empty_like(inputs)
        states = np.empty((6, *out_data[0].shape), np.float32)
        transposed = np.ascontiguousarray(weight.T)
        lstm_forward(inputs, transposed, self._tables, self._index, cell, self._hidden, gates, slopes, states)
        self._passed = _Passed(weight, gates, slopes, states) if is_train else None
        self.assign(out_data[0], req[0], mx.nd.array(states[0], ctx=out_data[0].context))

    def backward(
        self, req: List[str], out_grad: _Arrays, in_data: _Arrays, out_data: _Arrays, in_grad: _Arrays, aux: _Arrays
    ) -> None:
        """Write the gradients of the inputs and of the weight."""
        assert self._passed is not None
        weight, gates, slopes, states = self._passed
        self._passed = None  # MXNet may keep the operator when it binds another shape
        of_sums, of_weight = np.empty_like(gates), np.empty_like(weight)
        lstm_backward(out_grad[0].asnumpy(), weight, gates, slopes, states, of_sums, of_weight)
        for i, gradient in enumerate((of_sums, of_weight)):
            self.assign(in_grad[i], req[i], mx.nd.array(gradient, ctx=in_grad[i].context))
        self.assign(in_grad[2], req[2], 0)


@mx.operator.register(_NAME)
class _QuantizedLSTMProp(mx.operator.CustomOpProp):
    def __init__(self, precisions: str) -> None:
        super().__init__(need_top_grad=True)
        self._recipe = msgspec.json.decode(precisions, type=QuantizationRecipe)

    def list_arguments(self) -> List[str]:
        """Name the inputs."""
        return ["inputs", "weight", "cell_step"]

    def infer_shape(self, in_shape: _Shapes) -> Tuple[_Shapes, _Shapes, _Shapes]:
        """Derive the shape of hidden states."""
        inputs = in_shape[0]
        output = (*inputs[:2], inputs[2] // 4) if inputs else ()
        return in_shape, [output], []

    def infer_type(self, in_type: List[Any]) -> Tuple[List[Any], List[Any], List[Any]]:
        """State the types, which MXNet may not know of parameters yet."""
        return [np.float32] * len(in_type), [np.float32], []

    def create_operator(self, ctx: str, in_shapes: _Shapes, in_dtypes: List[Any]) -> _QuantizedLSTM:
        """Make the operator of one executor."""
        return _QuantizedLSTM(self._recipe)


def _tables(recipe: QuantizationRecipe) -> Tuple[np.ndarray, np.ndarray]:
    """Return the levels of what goes into the tables, and sigmoid, its slopes, tanh and its slopes (4, 2^K)."""
    if recipe.internal.is_float:
        return np.zeros(0, np.float32), np.zeros((4, 0), np.float32)
    made = tables(recipe.internal)
    index_step, step = 2.0**made.index_exponent, 2.0**made.exponent
    numbers = np.arange(made.index_levels.low, made.index_levels.high + 1) * index_step
    sigmoid, tanh = 1 / (1 + np.exp(-numbers)), np.tanh(numbers)
    rows = made.sigmoid * step, sigmoid * (1 - sigmoid), made.tanh * step, 1 - tanh**2
    return _levels(made.index_levels, index_step), np.stack(rows).astype(np.float32)


def _levels(levels: Levels, step: float) -> np.ndarray:
    return np.array([step, levels.low, levels.high, levels.is_binary], np.float32)
