"""The arithmetic of networks in whole numbers: what docs/low-bits.md says, in numpy. No MXNet needed.

A tensor is an array of whole numbers with one exponent, or one for each group of rows: a whole number q stands for
q 2^exponent. Sums are exact. Numbers are rounded in two places alone: parameters once, to the nearest number, ties to
the even one; and what is computed where it is shifted to fewer bits, ties upwards, and cut off at the largest number
that its bits hold.
"""

from functools import lru_cache
from typing import NamedTuple, Union

import numpy as np

from ocr_lib.recipe.quantization import Precision

Shift = Union[int, np.ndarray]

_LEAST_INDEX_BITS, _MOST_INDEX_BITS = 8, 12
_MOST_UNSIGNED_BITS = 15  # so that all numbers but sums fit into 16 bits with a sign
_INDEX_RANGE_BITS = 4  # of what sigmoid and tanh are tabulated for, [-8, 8): beyond, they are as good as constant


class Levels(NamedTuple):
    """The whole numbers that a tensor may hold: all from `low` to `high`, or these two alone."""

    low: int
    high: int
    is_binary: bool = False

    @classmethod
    def of(cls, precision: Precision, is_signed: bool = True) -> "Levels":
        """Return those of a precision.

        Of what is never negative, `fixed` bits hold no sign, but are 15 at most, and two or three values are 0 and 1.
        """
        if precision.kind in ("ternary", "binary"):
            return cls(-1, 1, precision.kind == "binary") if is_signed else cls(0, 1)
        if precision.kind == "fixed" and not is_signed:
            return cls(0, 2 ** min(precision.bits, _MOST_UNSIGNED_BITS) - 1)
        return cls(-(2 ** (precision.bits - 1)), 2 ** (precision.bits - 1) - 1)

    def nearest(self, numbers: np.ndarray) -> np.ndarray:
        """Round parameters, any shape, in units of their step; returns int64."""
        if self.is_binary:
            return np.where(numbers >= 0, 1, -1)
        return np.rint(np.clip(numbers, self.low, self.high)).astype(np.int64)

    def shifted(self, sums: np.ndarray, shift: Shift) -> np.ndarray:
        """Divide whole numbers by 2^shift, and cut off; `shift` may be an array that broadcasts."""
        if self.is_binary:
            return np.where(sums >= 0, 1, -1)
        return np.clip(shifted(sums, shift), self.low, self.high)


def shifted(sums: np.ndarray, shift: Shift) -> np.ndarray:
    """Divide whole numbers by 2^shift, ties upwards: ``(sums + 2^(shift - 1)) >> shift``; or multiply by 2^-shift."""
    right = np.maximum(shift, 0)
    return ((sums << np.maximum(-np.asarray(shift), 0)) + ((1 << right) >> 1)) >> right


class Tables(NamedTuple):
    """Sigmoid and tanh, made once.

    Attributes
    ----------
    sigmoid, tanh : numpy.ndarray
        (2^K,) int64, of the numbers from -2^(K-1) to 2^(K-1) - 1 times 2^`index_exponent`, which is [-8, 8).
    index_exponent : int
    exponent : int
        Of what they hold.
    """

    sigmoid: np.ndarray
    tanh: np.ndarray
    index_exponent: int
    exponent: int

    @property
    def index_levels(self) -> Levels:
        """The numbers there are values for."""
        return Levels(-len(self.tanh) // 2, len(self.tanh) // 2 - 1)


@lru_cache(maxsize=None)
def tables(internal: Precision) -> Tables:
    """Return the tables of a precision: steps of what goes in are those of what comes out, within 8 and 12 bits."""
    bits = min(max(internal.bits + _INDEX_RANGE_BITS - 1, _LEAST_INDEX_BITS), _MOST_INDEX_BITS)
    index_exponent, exponent = _INDEX_RANGE_BITS - bits, 1 - internal.bits
    numbers = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)) * 2.0**index_exponent
    nearest = Levels.of(internal).nearest
    values = nearest(2.0**-exponent / (1 + np.exp(-numbers))), nearest(2.0**-exponent * np.tanh(numbers))
    return Tables(*values, index_exponent, exponent)


def unit_exponent(precision: Precision) -> int:
    """Return the exponent of numbers in [-1, 1): of one that is -1, 0 or 1, the one with which it is just that."""
    return 0 if precision.kind in ("ternary", "binary") else 1 - precision.bits


def exponents(log2_steps: np.ndarray) -> np.ndarray:
    """Return the exponents, int64, of steps that are trained as logarithms, float32."""
    return np.floor(log2_steps + np.float32(0.5)).astype(np.int64)
