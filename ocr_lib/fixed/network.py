"""A network in whole numbers: the definition that training, the C reader and all exports are tested against.

Shapes: N images of one size, T time steps, F features, K filters, H hidden units, C classes. Whole numbers are int64.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ocr_lib.fixed.arithmetic import Levels, Tables

Watch = Callable[[str, np.ndarray, int], object]
"""Is told a tensor's name, its whole numbers and its exponent."""


class Linear(NamedTuple):
    """Weights and a bias, whose rows are parted into groups of one exponent each.

    Attributes
    ----------
    weights : tuple of numpy.ndarray
        Whole numbers (R, ...), for each of the inputs.
    shifts : tuple of numpy.ndarray
        (R,), how far the sums of each input's products are shifted to the left, to have the exponents of all.
    bias : numpy.ndarray
        (R,), with those exponents.
    exponents : numpy.ndarray
        (R,).
    """

    weights: Tuple[np.ndarray, ...]
    shifts: Tuple[np.ndarray, ...]
    bias: np.ndarray
    exponents: np.ndarray

    def sums(self, *products: np.ndarray) -> np.ndarray:
        """Add up products (..., R) of the inputs and the bias."""
        return sum((each << shift for each, shift in zip(products, self.shifts)), self.bias)


class Convolution(NamedTuple):
    """A convolution, ReLU, max pooling, and the shift to fewer bits.

    Attributes
    ----------
    linear : Linear
        With weights (K, C, time steps, rows).
    margins, pool : (int, int)
        Zeros around the image, and the size and stride of the pooling, over time steps and over rows.
    levels : Levels
    exponent : int
        Of what it gives.
    """

    linear: Linear
    margins: Tuple[int, int]
    pool: Tuple[int, int]
    levels: Levels
    exponent: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Put features (N, C, T, F) through; returns (N, K, T', F')."""
        (weight,) = self.linear.weights
        length, height = weight.shape[2:]
        framed = np.pad(x, [(0, 0), (0, 0), *((margin, margin) for margin in self.margins)])
        windows = sliding_window_view(sliding_window_view(framed, length, 2), height, 3)  # (N, C, T, F, l, h)
        rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(*windows.shape[:1], *windows.shape[2:4], -1)
        sums = self.linear.sums(product(rows, weight.reshape(len(weight), -1)))  # (N, T, F, K)
        pooled = _pooled(np.maximum(sums, 0), self.pool)
        return self.levels.shifted(pooled, self.exponent - self.linear.exponents).transpose(0, 3, 1, 2)


class Direction(NamedTuple):
    """One direction of an LSTM layer.

    Attributes
    ----------
    linear : Linear
        With weights (4 H, F) of the input and (4 H, H) of the hidden states, in the order of gates i, f, c, o.
    tables : Tables
    cell_levels, hidden_levels : Levels
    cell_exponent, hidden_exponent : int
    """

    linear: Linear
    tables: Tables
    cell_levels: Levels
    cell_exponent: int
    hidden_levels: Levels
    hidden_exponent: int

    def __call__(self, x: np.ndarray, name: str = "", watch: Optional[Watch] = None) -> np.ndarray:
        """Put a sequence (T, N, F) through, first time step first; returns hidden states (T, N, H)."""
        i2h, h2h = self.linear.weights
        products = product(x, i2h)  # (T, N, 4 H)
        h = c = np.zeros((x.shape[1], h2h.shape[1]), np.int64)
        steps = []
        for of_input in products:
            index = self._index(self.linear.sums(of_input, product(h, h2h)))
            i, f, g, o = self._gates(index)
            c = self._cell(i * g, f * c)
            h = self._hidden(o * self._looked_up(self.tables.tanh, self._cell_index(c)))
            steps.append((index, i, f, g, o, c, h))
        index, i, f, g, o, c, hidden = (np.stack(arrays) for arrays in zip(*steps))
        if watch:
            tables = self.tables
            watch(f"{name}index", index, tables.index_exponent)
            for key, array in zip("ifco", (i, f, g, o)):
                watch(f"{name}{key}", array, tables.exponent)
            watch(f"{name}cell", c, self.cell_exponent)
            watch(f"{name}hidden", hidden, self.hidden_exponent)
        return hidden

    def _index(self, sums: np.ndarray) -> np.ndarray:
        tables = self.tables
        return tables.index_levels.shifted(sums, tables.index_exponent - self.linear.exponents)

    def _gates(self, index: np.ndarray) -> List[np.ndarray]:
        parts = np.split(index, 4, axis=-1)
        kinds = self.tables.sigmoid, self.tables.sigmoid, self.tables.tanh, self.tables.sigmoid
        return [self._looked_up(table, part) for table, part in zip(kinds, parts)]

    def _cell(self, new: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return i g + f c, with exponents 2 E and E + cell_exponent for E of the tables, as the next cell states."""
        gates, cell = self.tables.exponent, self.cell_exponent
        finest = min(gates, cell)
        sums = (new << (gates - finest)) + (kept << (cell - finest))
        return self.cell_levels.shifted(sums, cell - gates - finest)

    def _cell_index(self, cell: np.ndarray) -> np.ndarray:
        tables = self.tables
        return tables.index_levels.shifted(cell, tables.index_exponent - self.cell_exponent)

    def _hidden(self, products: np.ndarray) -> np.ndarray:
        return self.hidden_levels.shifted(products, self.hidden_exponent - 2 * self.tables.exponent)

    def _looked_up(self, table: np.ndarray, index: np.ndarray) -> np.ndarray:
        return table[index - self.tables.index_levels.low]


class IntegerNetwork(NamedTuple):
    """A whole network.

    Attributes
    ----------
    grey : numpy.ndarray
        (256,), the network's input for each grey value.
    grey_exponent : int
    convolutions : list of Convolution
    layers : list of list of Direction
        The second direction reads the last time step first.
    is_summed : bool
        The outputs of two directions are summed; otherwise the second's follow the first's.
    classifier : Linear
        Of one exponent.
    """

    grey: np.ndarray
    grey_exponent: int
    convolutions: List[Convolution]
    layers: List[List[Direction]]
    is_summed: bool
    classifier: Linear

    def logits(self, images: np.ndarray, watch: Optional[Watch] = None) -> np.ndarray:
        """Put prepared images of one width, (N, H, W) uint8, through the network.

        Parameters
        ----------
        images : numpy.ndarray
        watch : callable, optional
            Is told every tensor on the way.

        Returns
        -------
        numpy.ndarray
            (T', N, C) int64; times 2^`exponent` they are the logits.
        """
        watch = watch or (lambda name, numbers, exponent: None)
        x = self.grey[images].transpose(0, 2, 1)[:, np.newaxis]  # (N, 1, T, F)
        watch("data", x[:, 0], self.grey_exponent)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)  # (N, K, T', F')
            watch(f"conv{i}_output", x, convolution.exponent)
        sequence = x.transpose(2, 0, 1, 3).reshape(x.shape[2], x.shape[0], -1)  # (T', N, K F')
        for layer, directions in enumerate(self.layers):
            sequence = self._layer(sequence, directions, layer, watch)
        (weight,) = self.classifier.weights
        logits = self.classifier.sums(product(sequence, weight))
        watch("logits", logits, self.exponent)
        return logits

    @property
    def exponent(self) -> int:
        """Of the logits."""
        return int(self.classifier.exponents[0])

    def _layer(self, sequence: np.ndarray, directions: Sequence[Direction], layer: int, watch: Watch) -> np.ndarray:
        outputs = [directions[0](sequence, f"l{layer}_", watch)]
        if len(directions) == 2:
            outputs.append(directions[1](sequence[::-1], f"l{layer}_r_", watch)[::-1])
        return sum(outputs[1:], outputs[0]) if self.is_summed else np.concatenate(outputs, axis=2)


def product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x (..., F) times weights (R, F): in double precision, which is exact below 2^53, and fast."""
    return (x.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)


def _pooled(x: np.ndarray, pool: Tuple[int, int]) -> np.ndarray:
    """Return the largest numbers of (N, T, F, K) in windows, of whole ones alone."""
    steps, rows = pool
    n, t, f, k = x.shape[0], x.shape[1] // steps, x.shape[2] // rows, x.shape[3]
    whole = x[:, : t * steps, : f * rows].reshape(n, t, steps, f, rows, k)
    return whole.max(axis=(2, 4))
