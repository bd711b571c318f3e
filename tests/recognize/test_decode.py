"""Greedy decoding against a plain loop."""

import numpy as np
import pytest

from ocr_lib.recognize.decode import best_path, blank_share
from tests.recognize.enumeration import log_softmax


def one_hot(classes, num_classes=4):
    """Scores whose best classes are those given: (T, N) -> (T, N, C)."""
    return np.eye(num_classes)[np.asarray(classes)]


def plain_best_path(scores, length):
    """One sample, step by step: (T, C) -> class ids."""
    ids, previous = [], 0
    for step in scores[:length]:
        best = max(range(len(step)), key=lambda index: step[index])
        if best not in (0, previous):
            ids.append(best)
        previous = best
    return ids


@pytest.mark.parametrize(
    "path, expected",
    [
        ([0, 0, 0], []),
        ([1, 1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([1, 1, 0, 0, 1, 2, 2], [1, 1, 2]),
        ([0, 3, 3, 0], [3]),
        ([1, 2, 1], [1, 2, 1]),
        ([2], [2]),
    ],
)
def test_collapses_repeats_and_drops_blanks(path, expected):
    assert best_path(one_hot([path]).transpose(1, 0, 2)) == [expected]


def test_steps_behind_the_length_add_nothing():
    path = [[1], [0], [2], [2], [3]]
    expected = [[], [1], [1], [1, 2], [1, 2], [1, 2, 3]]
    assert [best_path(one_hot(path), [length])[0] for length in range(6)] == expected


def test_samples_do_not_run_into_each_other():
    classes = np.array([[1, 1, 0], [1, 2, 0], [2, 2, 2], [2, 2, 2]])  # (T, N)
    assert best_path(one_hot(classes), [4, 1, 4]) == [[1, 2], [1], [2]]


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    steps, samples, classes = rng.integers(1, [12, 9, 6])
    scores = rng.normal(size=(steps, samples, classes))
    scores[..., 0] += 0.5
    lengths = rng.integers(0, steps + 1, size=samples)
    cut = [plain_best_path(scores[:, n], length) for n, length in enumerate(lengths)]
    assert best_path(scores, lengths) == cut
    assert best_path(scores) == [plain_best_path(scores[:, n], steps) for n in range(samples)]
    assert best_path(log_softmax(scores), lengths) == best_path(np.exp(log_softmax(scores)), lengths) == cut


def test_ids_are_plain_integers():
    assert type(best_path(one_hot([[1]]))[0][0]) is int


def test_empty_batches():
    assert best_path(np.zeros((3, 0, 4))) == []
    assert best_path(np.zeros((0, 2, 4))) == [[], []]
    assert blank_share(np.zeros((0, 2, 4))) == 0.0


def test_blank_share():
    classes = [[0, 1], [0, 0], [2, 0], [0, 3]]  # (T, N)
    assert blank_share(one_hot(classes)) == 5 / 8
    assert blank_share(one_hot(classes), [2, 1]) == 2 / 3
    assert blank_share(one_hot(classes), [0, 0]) == 0.0


@pytest.mark.parametrize("function", [best_path, blank_share])
@pytest.mark.parametrize(
    "shape, lengths",
    [((3, 4), None), ((3, 2, 4), [3]), ((3, 2, 4), [[3, 3]]), ((3, 2, 4), [3, 4]), ((3, 2, 4), [-1, 3])],
)
def test_refuses_what_does_not_fit(function, shape, lengths):
    with pytest.raises(ValueError, match="shape|lengths"):
        function(np.zeros(shape), lengths)
