"""What convolutions leave of an image's columns and rows. Needs numpy alone."""

from typing import NamedTuple, Sequence, TypeVar

import numpy as np

N = TypeVar("N", int, np.ndarray)


class Shrinkage(NamedTuple):
    """What a convolution and its pooling do to one axis.

    Attributes
    ----------
    lost : int
        Columns or rows at which the kernel would reach over the edge, where it has no padding.
    pool : int
        How many of the others become one; what is left over is dropped.
    """

    lost: int
    pool: int


def shrunk(size: N, layers: Sequence[Shrinkage]) -> N:
    """Return how many columns, or rows, a number of them become."""
    for lost, pool in layers:
        size = (size - lost) // pool
    return size


def least_size(layers: Sequence[Shrinkage], size: int = 1) -> int:
    """Return the smallest size of which so much is left."""
    for lost, pool in reversed(layers):
        size = size * pool + lost
    return size
