"""Vectors as whole numbers that single precision adds up exactly, so that no order of machines changes their sums.

Each block of numbers has a unit, a power of two as the largest magnitude of all machines demands. A number is so many
units and so many small fractions of one, which together hold more than single precision does; the sums of either have
no more than 24 bits. After Demmel and Nguyen, "Parallel reproducible summation" (2015).
"""

from typing import Tuple

import numpy as np

from ocr_lib.training.kernels import join_whole, split_whole

BLOCK = 256
_BITS = 23  # of a sum, so that it is exact


def block_peaks(vector: np.ndarray) -> np.ndarray:
    """Return the largest magnitude of each block of a vector (S,) float32, (ceil(S / BLOCK),) float32."""
    return np.maximum.reduceat(np.abs(vector), np.arange(0, len(vector), BLOCK))


def to_whole(vector: np.ndarray, peaks: np.ndarray, machines: int) -> np.ndarray:
    """Return a machine's vector (S,) as whole numbers (2, S) float32.

    Parameters
    ----------
    vector : numpy.ndarray
    peaks : numpy.ndarray
        What `block_peaks` is at most on any machine.
    machines : int
        How many such vectors are to be summed.
    """
    whole = np.empty((2, len(vector)), np.float32)
    split_whole(vector, *_units(peaks, machines), BLOCK, whole)
    return whole


def from_whole(sums: np.ndarray, peaks: np.ndarray, machines: int, vector: np.ndarray) -> None:
    """Make a vector (S,) what the sums (2, S) of all machines' whole numbers stand for."""
    join_whole(sums, *_units(peaks, machines), BLOCK, vector)


def _units(peaks: np.ndarray, machines: int) -> Tuple[np.ndarray, float]:
    """Return the unit of each block, and how many fractions it has."""
    bits = _BITS - (machines - 1).bit_length()
    exponents = np.frexp(peaks.astype(np.float64))[1]
    return np.ldexp(1.0, exponents - bits), 2.0**bits
