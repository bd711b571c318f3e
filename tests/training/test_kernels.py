"""Compiled arithmetic on vectors, beside numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ocr_lib.training.kernels import adam_step, momentum_step, squared_norm, sum_rows

FLOATS = st.floats(-1e6, 1e6, width=32)


@given(arrays.arrays(np.float32, st.integers(0, 70), elements=FLOATS))
def test_squared_norm(vector):
    assert squared_norm(vector) == pytest.approx(np.square(vector, dtype=np.float64).sum(), rel=1e-12)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 1001])
def test_squared_norm_leaves_out_no_number(size):
    for place in {0, size // 2, size - 1}:
        vector = np.zeros(size, np.float32)
        vector[place] = 3
        assert squared_norm(vector) == 9


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_squared_norm_shows_what_is_no_number(number):
    assert not np.isfinite(squared_norm(np.array([1, number, 2], np.float32)))


def test_squared_norm_is_exact_where_single_precision_is_not():
    assert squared_norm(np.full(2**16, 4097, np.float32)) == 4097**2 * 2**16


@given(arrays.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(0, 20)), elements=FLOATS), st.data())
def test_rows_are_summed_in_their_order(rows, data):
    total = np.full(data.draw(st.integers(0, rows.shape[1])), np.nan, np.float32)
    expected = np.zeros_like(total)
    for row in rows:
        expected += row[: total.size]
    before = rows.copy()
    sum_rows(rows, total)
    np.testing.assert_array_equal(total, expected)
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("size", [0, 1, 13])
def test_steps_change_weights_and_state_alone(size):
    for step, states, options in ((momentum_step, 1, 4), (adam_step, 2, 6)):
        vectors = [np.ones(size, np.float32) for _ in range(2 + states)]
        step(*vectors, *[0.25] * options)
        np.testing.assert_array_equal(vectors[1], np.ones(size))
        for vector in (vectors[0], *vectors[2:]):
            assert np.isfinite(vector).all() and len(set(vector.tolist())) <= 1 and 1 not in vector
