"""Running means of the training figures."""

import math

import pytest

from ocr_lib.training.means import Means


def test_each_sample_counts_once():
    means = Means()
    means.add(8, [4, 16.0])
    means.add(2, [2, 1.0])
    assert means.of_epoch() == means.since_line() == {"accuracy": 0.6, "loss": 1.7}


def test_a_line_begins_anew_and_the_epoch_goes_on():
    means = Means()
    means.add(4, [4, 8.0])
    means.begin_line()
    assert all(map(math.isnan, means.since_line().values()))
    means.add(4, [0, 4.0])
    assert means.since_line() == {"accuracy": 0, "loss": 1}
    assert means.of_epoch() == {"accuracy": 0.5, "loss": 1.5}


def test_sums_carry_an_epoch_on():
    first = Means()
    first.add(3, [1, 6.0])
    second = Means(first.sums)
    first.add(9, [9, 9.0])  # does not reach what was taken over
    second.add(1, [1, 2.0])
    assert second.of_epoch() == {"accuracy": 0.5, "loss": 2}
    assert second.since_line() == pytest.approx({"accuracy": 1, "loss": 2})


def test_before_the_first_batch_there_are_none():
    assert all(map(math.isnan, Means().of_epoch().values()))
