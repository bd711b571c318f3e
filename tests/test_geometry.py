"""What convolutions leave of an axis, against windows and groups that are counted one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.geometry import Shrinkage, least_size, shrunk
from ocr_lib.recipe.network import Convolution


def _odd_if_padded(convolution):
    kernel, _, padding = convolution
    return kernel % 2 or not padding


# kernel, pool and padding of each layer
LAYERS = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 4), st.booleans()).filter(_odd_if_padded), max_size=4)


def left(size, layers):
    """Count what is left of so many columns: whole windows of a kernel's, then whole groups of these."""
    columns = [0] * size
    for kernel, pool, padding in layers:
        around = [0] * (kernel // 2 if padding and columns else 0)
        columns = around + columns + around
        windows = [columns[start : start + kernel] for start in range(len(columns))]
        windows = [window for window in windows if len(window) == kernel]
        groups = [windows[start : start + pool] for start in range(0, len(windows), pool)]
        columns = [0 for group in groups if len(group) == pool]
    return len(columns)


def shrinkages(layers, axis=0):
    def size(along):
        return (along, 1) if axis == 0 else (1, along)

    convolutions = [Convolution(1, size(pool), size(kernel), padding) for kernel, pool, padding in layers]
    return [convolution.shrinkage(axis) for convolution in convolutions]


@pytest.mark.parametrize("axis", [0, 1])
@given(size=st.integers(0, 200), layers=LAYERS)
def test_what_is_left(axis, size, layers):
    assert max(0, shrunk(size, shrinkages(layers, axis))) == left(size, layers)


@given(st.lists(st.integers(0, 10**6), max_size=9), LAYERS)
def test_many_at_once_are_as_one_by_one(sizes, layers):
    found = shrunk(np.array(sizes, np.int64), shrinkages(layers))
    assert found.tolist() == [shrunk(size, shrinkages(layers)) for size in sizes]


@given(LAYERS)
def test_the_least_size_leaves_something_and_one_less_nothing(layers):
    least = least_size(shrinkages(layers))
    assert left(least, layers) == 1
    assert left(least - 1, layers) == 0


def test_cases_counted_by_hand():
    assert shrunk(17, []) == 17 and least_size([]) == 1
    assert shrunk(9, [Shrinkage(0, 2), Shrinkage(0, 2)]) == 2
    assert shrunk(20, [Shrinkage(3, 4), Shrinkage(2, 1)]) == 2  # 17 windows, 4 groups, 2 windows
    assert least_size([Shrinkage(3, 4), Shrinkage(2, 1)]) == 15
