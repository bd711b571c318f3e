"""The order of an epoch's samples: random, with like widths in each batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.feed.disk import batch_order

COUNT, BATCH = 2007, 16  # 125 batches, and one of 7


def generator(seed=0):
    return np.random.Generator(np.random.Philox(key=[seed, 1]))


@pytest.fixture(scope="module")
def widths():
    return np.random.default_rng(0).lognormal(5, 0.5, COUNT).astype(int)


def padded_share(widths, order, batch_size=BATCH):
    """Return the share of padding in whole batches."""
    rows = widths[order][: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return 1 - rows.sum() / (batch_size * rows.max(axis=1).sum())


@given(st.lists(st.integers(1, 99), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 5))
def test_is_a_permutation_with_whole_batches_sorted(widths, batch_size, seed):
    widths = np.array(widths)
    order = batch_order(widths, batch_size, generator(seed))
    assert sorted(order.tolist()) == list(range(len(widths)))
    if len(set(widths.tolist())) > 1:
        whole = len(widths) // batch_size * batch_size
        for row in widths[order[:whole]].reshape(-1, batch_size):
            assert (np.diff(row) >= 0).all()


def test_little_is_padded(widths):
    ours = padded_share(widths, batch_order(widths, BATCH, generator()))
    random = padded_share(widths, generator().permutation(COUNT))
    assert random > 0.5 and ours < 0.18


def test_the_incomplete_batch_comes_last_and_is_random(widths):
    lasts = np.stack([batch_order(widths, BATCH, generator(seed))[-7:] for seed in range(300)])
    ranks = np.argsort(np.argsort(widths, kind="stable"), kind="stable")[lasts] / COUNT
    assert abs(ranks.mean() - 0.5) < 0.03  # a deviation of 0.006
    assert len(np.unique(lasts)) > 1200


def test_batches_come_in_random_order(widths):
    order = batch_order(widths, BATCH, generator())
    means = widths[order[: COUNT // BATCH * BATCH]].reshape(-1, BATCH).mean(axis=1)
    assert abs((np.diff(means) > 0).mean() - 0.5) < 0.15  # 124 steps: a deviation of 0.026
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3  # 125 batches: a deviation of 0.09


def test_batches_have_other_samples_in_every_epoch(widths):
    batches = [
        {frozenset(row) for row in batch_order(widths, BATCH, generator(seed))[:2000].reshape(-1, BATCH).tolist()}
        for seed in range(2)
    ]
    assert len(batches[0] & batches[1]) == 0


def test_the_generator_decides(widths):
    orders = [tuple(batch_order(widths, BATCH, generator(seed)).tolist()) for seed in (0, 0, 1, 2)]
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3


@pytest.mark.parametrize("batch_size", [1, 16, 5000])
def test_of_equal_widths_is_a_plain_permutation(batch_size):
    order = batch_order(np.full(COUNT, 80), batch_size, generator(5))
    np.testing.assert_array_equal(order, generator(5).permutation(COUNT))


def test_fewer_samples_than_a_batch(widths):
    order = batch_order(widths[:7], 16, generator())
    assert sorted(order.tolist()) == list(range(7))
    assert sorted(batch_order(widths[:1], 16, generator()).tolist()) == [0]


def test_widths_are_not_written_to(widths):
    before = widths.copy()
    batch_order(widths, BATCH, generator())
    np.testing.assert_array_equal(widths, before)
