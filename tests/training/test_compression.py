"""Gradients that machines exchange in two bits each: machines here are threads that sum in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.feed.batches import Share
from ocr_lib.training.compression import batch_sums
from ocr_lib.training.layout import Layout
from tests.toy import toy_recipe

LAYOUT = Layout(toy_recipe())
SIZE = LAYOUT.size + 3
PATIENCE_S = 20


class Connected:
    """A machine of several; notes what it sends."""

    def __init__(self, rank, machines, barrier, vectors):
        self.share = Share(rank, machines)
        self.sent = []
        self._barrier, self._vectors = barrier, vectors

    def sum(self, name, vector):
        self.sent.append((name, vector.copy()))
        self._vectors[self.share.rank] = name, vector.copy()
        self._barrier.wait(PATIENCE_S)
        names, vectors = zip(*self._vectors)
        assert len(set(names)) == 1
        # As servers do: in single precision, in any order.
        total = np.sum([each.astype(np.float32) for each in reversed(vectors)], axis=0, dtype=np.float32)
        self._barrier.wait(PATIENCE_S)
        vector[:] = total


def summed(given, whole, compression="2bit"):
    """Sum vectors (updates, machines, S) one after another; return the sums that each machine has, and the machines."""
    machines = given.shape[1]
    barrier, vectors = threading.Barrier(machines), [None] * machines
    connected = [Connected(rank, machines, barrier, vectors) for rank in range(machines)]

    def work(exchange):
        sums = batch_sums(exchange, LAYOUT, compression)
        own = given[:, exchange.share.rank].copy()
        for vector, is_whole in zip(own, whole):
            sums.sum(vector, is_whole)
        return own

    with ThreadPoolExecutor(machines) as pool:
        return np.stack(list(pool.map(work, connected)), axis=1), connected


def gradients(updates, machines, seed=0):
    """Vectors whose arrays have magnitudes of their own, in which some numbers are far larger than others."""
    random = np.random.default_rng(seed)
    scales = np.ones(SIZE, np.float32)
    for k, start in enumerate(LAYOUT.starts):
        scales[start:] = 10.0 ** (k % 5 - 2)
    return (random.standard_t(3, (updates, machines, SIZE)) * scales).astype(np.float32)


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_nothing_is_lost_by_the_time_a_vector_is_whole(machines, updates, seed):
    vectors = gradients(updates, machines, seed)
    found, _ = summed(vectors, [False] * (updates - 1) + [True])
    expected = vectors.astype(np.float64).sum((0, 1))[: LAYOUT.trained]
    error = np.abs(found[:, 0, : LAYOUT.trained].astype(np.float64).sum(0) - expected)
    assert (error <= 1e-6 * np.abs(vectors[..., : LAYOUT.trained]).sum((0, 1)) * updates).all()


@pytest.mark.parametrize("machines", [1, 2, 3, 4, 17])
def test_all_machines_have_the_same_sums(machines):
    found, _ = summed(gradients(4, machines), [False] * 4)
    for rank in range(machines):
        np.testing.assert_array_equal(found[:, rank], found[:, 0])


def test_only_the_signs_of_large_gradients_are_sent_but_for_the_first_vector():
    vectors = gradients(3, 2)
    found, _ = summed(vectors, [False] * 3)
    trained = LAYOUT.trained
    np.testing.assert_array_equal(found[0, 0], vectors[0].sum(0))
    for start, stop in zip(LAYOUT.starts, [*LAYOUT.starts[1:], trained]):
        step = 1.5 * np.abs(vectors[0, :, start:stop]).mean()
        unsent = vectors[1, :, start:stop]
        signs = np.where(np.abs(unsent) > step / 2, np.sign(unsent), 0)
        np.testing.assert_allclose(found[1, 0, start:stop], signs.sum(0) * step, rtol=1e-5)
        step = 1.5 * np.abs(unsent).mean()
        unsent = unsent - signs * 1.5 * np.abs(vectors[0, :, start:stop]).mean() + vectors[2, :, start:stop]
        near = np.abs(np.abs(unsent) - step / 2) < 1e-4 * step
        signs = np.where(np.abs(unsent) > step / 2, np.sign(unsent), 0)
        clear = ~near.any(0)
        np.testing.assert_allclose(found[2, 0, start:stop][clear], (signs.sum(0) * step)[clear], rtol=1e-4)


def test_what_is_no_gradient_is_always_sent_in_full():
    vectors = gradients(3, 2)
    found, _ = summed(vectors, [False] * 3)
    np.testing.assert_array_equal(found[:, 0, LAYOUT.trained :], vectors.sum(1)[:, LAYOUT.trained :])


def test_what_follows_a_whole_vector_does_not_hang_on_what_was_before():
    vectors = gradients(5, 2)
    found, _ = summed(vectors, [False, True, False, False, True])
    fresh, _ = summed(vectors[2:], [False, False, True])
    np.testing.assert_array_equal(found[2:], fresh)


@pytest.mark.parametrize("machines, smaller", [(2, 10), (4, 7), (17, 4)])
def test_gradients_are_sent_in_so_many_times_fewer_numbers(machines, smaller):
    _, (first, *_) = summed(gradients(3, machines), [False, False, True])
    sizes = {name: len(vector) for name, vector in first.sent}
    assert sizes["signs"] == -(-LAYOUT.trained // smaller)
    assert [name for name, _ in first.sent] == ["batch", "signs", "rest", "batch"]
    assert sizes["rest"] < sizes["batch"] - LAYOUT.trained + 1
    assert max(vector.max() for name, vector in first.sent if name == "signs") * machines < 2**24


def test_sums_are_those_of_all_machines_at_their_largest():
    vectors = np.ones((3, 17, SIZE), np.float32)
    found, _ = summed(vectors, [False] * 3)
    np.testing.assert_allclose(found[1, 0, : LAYOUT.trained], 17 * 1.5, rtol=1e-5)
    assert not found[2, 0, : LAYOUT.trained].any()  # as each has sent half a gradient too much


def test_an_array_without_gradients_stays_without():
    vectors = np.zeros((3, 2, SIZE), np.float32)
    found, _ = summed(vectors, [False] * 3)
    assert not found.any()


def test_without_compression_vectors_are_sent_as_they_are():
    vectors = gradients(2, 2)
    found, (first, _) = summed(vectors, [False, True], "none")
    np.testing.assert_array_equal(found[:, 0], vectors.sum(1))
    assert [name for name, _ in first.sent] == ["batch", "batch"]
