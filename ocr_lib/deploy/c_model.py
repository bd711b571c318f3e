"""The bytes of a network in whole numbers that the C reader takes: the format is told by ``deploy/c/README.md``."""

import struct
import zlib
from typing import List, Optional, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.fixed.arithmetic import Levels, Tables
from ocr_lib.fixed.network import Convolution, Direction, IntegerNetwork, Linear
from ocr_lib.fixed.steps import stepped_tensors
from ocr_lib.recipe.recipe import Recipe

_MAGIC, _VERSION = b"OCRi", 1
_SIGN = -128  # in place of a shift
_MOST_SUM_BITS = 62
_LEFT_IS_CUT_OFF = 16  # bits to the left, behind which all but 0 is cut off: nothing has more


class CModel:
    """Puts a network into bytes, and finds how large sums can become.

    Attributes
    ----------
    data : bytes
    bound : int
        The largest magnitude of any sum on the way.
    is_doubled : bool
        The outputs of two directions are not summed, but the next layer has its weights twice.
    """

    def __init__(self, network: IntegerNetwork, recipe: Recipe) -> None:
        self._tensors = stepped_tensors(recipe)
        self.bound = 0
        self._parts: List[bytes] = []
        self._network = network
        self._recipe = recipe
        levels = network.layers[0][0].hidden_levels
        self.is_doubled = network.is_summed and bool(2 * levels.low < -(2**15) or 2 * levels.high >= 2**15)
        self._header()
        peak = int(np.abs(network.grey).max())
        for i, convolution in enumerate(network.convolutions):
            peak = self._convolution(i, convolution, peak)
        self._layers(peak)
        if self.bound >= 2**_MOST_SUM_BITS:
            raise OCRError(f"its sums need more than {_MOST_SUM_BITS} bits: its steps are too far apart; train it anew")
        body = b"".join(self._parts)
        self.data = _MAGIC + struct.pack("<III", _VERSION, len(body) + 16, zlib.crc32(body)) + body

    @property
    def sum_bits(self) -> int:
        """Of the C type of sums."""
        return 32 if self.bound < 2**31 else 64

    def _header(self) -> None:
        network, image = self._network, self._recipe.image
        directions = network.layers[0]
        tables = directions[0].tables
        classes = len(network.classifier.bias)
        self._put("HHHh", image.height, image.width or 0, classes, network.exponent)
        self._put("BBBB", len(network.convolutions), len(network.layers), len(directions), network.is_summed)
        self._put("HB", directions[0].linear.weights[1].shape[1], len(tables.tanh).bit_length() - 1)
        alphabet = self._recipe.text.alphabet.encode()
        self._put("I", len(alphabet))
        self._parts.append(alphabet)
        self._put("256h", *network.grey)

    def _convolution(self, i: int, convolution: Convolution, peak: int) -> int:
        """Add the i-th convolution, of numbers up to `peak`; returns the largest that it gives."""
        (weight,), bias = convolution.linear.weights, convolution.linear.bias
        self._put("HBB", len(weight), *weight.shape[2:])
        self._put("BBBBh", *convolution.margins, *convolution.pool, convolution.levels.high)
        rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
        self._matrix(rows, f"conv{i}_weight")
        bias_bytes = self._bias_bytes(bias)
        shifts = convolution.exponent - convolution.linear.exponents
        for row, left, each, shift in zip(rows, convolution.linear.shifts[0], bias, shifts):
            bound = self._left(int(left), _magnitude(row) * peak)
            self._biases(each[None], bias_bytes)
            self._shift(int(shift), bound + abs(int(each)))
        return int(convolution.levels.high)

    def _layers(self, peak: int) -> None:
        network = self._network
        first = network.layers[0][0]
        tables, hidden, cell = first.tables, first.hidden_levels, first.cell_levels
        for table in (tables.sigmoid, tables.tanh):
            self._table(table)
        table_peak = _table_peak(tables)
        self._put("hh", hidden.low, hidden.high)
        self._shift(first.hidden_exponent - 2 * tables.exponent, table_peak**2, hidden)
        self._put("hh", cell.low, cell.high)
        hidden_peak = max(-hidden.low, hidden.high)
        copies = 1
        for i, directions in enumerate(network.layers):
            for direction in directions:
                i2h, h2h = direction.linear.weights
                if i == 0 and network.convolutions:
                    i2h = self._rows_before_channels(i2h)
                for weight in (i2h, h2h):
                    self._matrix(weight, f"l{i}_i2h_weight")  # which has the bits of all weights of its layer
                self._gates(direction.linear, direction.tables, (copies * peak, hidden_peak))
                self._cell(direction, table_peak)
            # Either each of two directions has its weights, or their outputs are summed: the bound is the same.
            copies, peak = 1 + network.is_summed, hidden_peak
        (weight,), (lefts,), bias = network.classifier.weights, network.classifier.shifts, network.classifier.bias
        self._matrix(weight, "pred_fc_weight")
        bound = self._left(int(lefts[0]), max(map(_magnitude, weight)) * copies * peak)
        self._biases(bias, self._bias_bytes(bias))
        self._need(bound + int(np.abs(bias).max()))

    def _gates(self, linear: Linear, tables: Tables, peaks: Tuple[int, int]) -> None:
        bias_bytes = self._bias_bytes(linear.bias)
        for gate in np.split(np.arange(len(linear.bias)), 4):
            bound = 0
            for weight, lefts, peak in zip(linear.weights, linear.shifts, peaks):
                bound += self._left(int(lefts[gate[0]]), max(map(_magnitude, weight[gate])) * peak)
            self._biases(linear.bias[gate], bias_bytes)
            bound += int(np.abs(linear.bias[gate]).max())
            self._shift(tables.index_exponent - int(linear.exponents[gate[0]]), bound)

    def _cell(self, direction: Direction, table_peak: int) -> None:
        gates, cell = direction.tables.exponent, direction.cell_exponent
        cell_peak = max(-direction.cell_levels.low, direction.cell_levels.high)
        finest = min(gates, cell)
        bound = self._left(gates - finest, table_peak**2) + self._left(cell - finest, table_peak * cell_peak)
        self._shift(cell - gates - finest, bound)
        self._shift(direction.tables.index_exponent - cell, cell_peak)

    def _rows_before_channels(self, weight: np.ndarray) -> np.ndarray:
        """Bring weights (R, K F) of the convolutions' output to (R, F K), which is how the C reader keeps it."""
        filters = len(self._network.convolutions[-1].linear.bias)
        return weight.reshape(len(weight), filters, -1).transpose(0, 2, 1).reshape(weight.shape)

    def _put(self, form: str, *numbers: int) -> None:
        try:
            self._parts.append(struct.pack("<" + form, *map(int, numbers)))
        except struct.error as error:
            raise OCRError(f"a size of the network is more than the C reader has room for ({error})") from error

    def _matrix(self, weight: np.ndarray, name: str) -> None:
        bits = self._tensors[name].precision.stored_bits
        self._put("B", bits)
        self._parts.append(_packed(weight.ravel(), bits))

    def _table(self, table: np.ndarray) -> None:
        """Add numbers that never fall: for each a 0, behind as many 1 as it is above the one before."""
        rises = table - table[0]
        bits = np.ones(len(table) + int(rises[-1]), np.uint8)
        bits[rises + np.arange(len(table))] = 0
        packed = np.packbits(bits, bitorder="little").tobytes()
        self._put("hH", table[0], len(packed))
        self._parts.append(packed)

    def _bias_bytes(self, bias: np.ndarray) -> int:
        count = int(np.maximum(bias, ~bias).max()).bit_length() // 8 + 1
        self._put("B", count)
        return count

    def _biases(self, bias: np.ndarray, count: int) -> None:
        self._parts += [int(each).to_bytes(count, "little", signed=True) for each in bias]

    def _left(self, left: int, bound: int) -> int:
        """Add how far sums are shifted to the left; returns the bound of what they become."""
        left = left if bound else 0
        self._put("B", left)
        return self._need(bound << left)

    def _shift(self, shift: int, bound: int, levels: Optional[Levels] = None) -> None:
        """Add how far sums are shifted to the right, at last; of what is cut off or 0 in any case, not all the way."""
        if levels and levels.is_binary:
            self._put("b", _SIGN)
            self._need(2 * bound + 1)
            return
        shift = min(max(shift, -_LEFT_IS_CUT_OFF), bound.bit_length() + 1)
        self._put("b", shift)
        left, right = max(-shift, 0), max(shift, 0)
        self._need(max((bound << left) + ((1 << right) >> 1), (2 << right) - 1))

    def _need(self, bound: int) -> int:
        self.bound = max(self.bound, bound)
        return bound


def _magnitude(row: np.ndarray) -> int:
    return int(np.abs(row).sum())


def _table_peak(tables: Tables) -> int:
    return int(max(np.abs(tables.sigmoid).max(), np.abs(tables.tanh).max()))


def _packed(numbers: np.ndarray, bits: int) -> bytes:
    """Put whole numbers (N,) one behind the other, lowest bit first: in two's complement; of one bit -1 is 0."""
    codes = (numbers > 0 if bits == 1 else numbers & (2**bits - 1)).astype(np.uint16)
    places = np.arange(bits, dtype=np.uint16)
    return np.packbits((codes[:, None] >> places & 1).astype(np.uint8), bitorder="little").tobytes()
