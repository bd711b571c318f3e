"""Sums of machines that no order changes, beside the exact ones."""

import math
from functools import reduce
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.training.exact_sums import BLOCK, block_peaks, from_whole, to_whole


def summed(vectors, order=None):
    """Sum vectors (machines, S) as servers do: in single precision, in some order."""
    machines = len(vectors)
    peaks = np.max([block_peaks(vector) for vector in vectors], axis=0)
    sums = np.zeros((2, vectors.shape[1]), np.float32)
    for number in order or range(machines):
        sums += to_whole(vectors[number], peaks, machines)
    found = np.full(vectors.shape[1], np.nan, np.float32)
    from_whole(sums, peaks, machines, found)
    return found


def numbers(machines, size, seed=0):
    random = np.random.default_rng(seed)
    return (random.standard_t(2, (machines, size)) * 10.0 ** random.integers(-6, 6, size)).astype(np.float32)


@settings(max_examples=50)
@given(st.integers(1, 70), st.integers(1, 3 * BLOCK), st.integers(0, 2**32 - 1))
def test_are_as_exact_as_single_precision_within_a_block_can_be(machines, size, seed):
    vectors = numbers(machines, size, seed)
    exact = np.array([math.fsum(column) for column in vectors.T.tolist()])
    peaks = np.repeat([np.abs(vectors[:, k : k + BLOCK]).max() for k in range(0, size, BLOCK)], BLOCK)[:size]
    error = np.abs(summed(vectors) - exact)
    assert (error <= 2.0**-24 * np.abs(exact) + machines * 2.0**-32 * peaks).all()


def test_do_not_hang_on_the_order():
    vectors = numbers(4, 1000)
    expected = summed(vectors)
    for order in permutations(range(4)):
        np.testing.assert_array_equal(summed(vectors, order), expected)


def test_do_not_hang_on_the_order_where_single_precision_does():
    vectors = np.array([[2.0**24], [1.0], [1.0], [-(2.0**24)]], np.float32)
    assert {float(summed(vectors, order)[0]) for order in permutations(range(4))} == {2.0}
    assert {float(reduce(np.add, vectors[list(order), 0])) for order in permutations(range(4))} != {2.0}


@pytest.mark.parametrize("machines", [2, 3, 64, 1000])
def test_whole_numbers_add_up_exactly_in_single_precision(machines):
    largest = np.full(BLOCK + 1, np.float32(np.nextafter(np.float32(8), np.float32(0))))
    whole = to_whole(largest, block_peaks(largest), machines)
    assert whole.shape == (2, BLOCK + 1)
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert (machines * np.abs(whole.astype(np.float64)) <= 2**24).all()


def test_blocks_have_units_of_their_own():
    vectors = np.zeros((3, 2 * BLOCK), np.float32)
    vectors[:, 0], vectors[:, BLOCK] = 1e30, 1e-30
    np.testing.assert_allclose(summed(vectors)[[0, BLOCK]], [3e30, 3e-30], rtol=1e-6)
    assert not summed(vectors)[1:BLOCK].any()


def test_zeros_stay_zeros():
    assert not summed(np.zeros((3, 10), np.float32)).any()


def test_what_is_no_number_is_seen():
    vectors = np.ones((3, 2 * BLOCK), np.float32)
    vectors[1, 0] = np.nan
    found = summed(vectors)
    assert not np.isfinite(found[0])
    assert (found[BLOCK:] == 3).all()
