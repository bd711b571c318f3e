"""CTC likelihoods against the enumeration of every path."""

import math

import numpy as np
import pytest

from ocr_lib.recognize.ctc import log_likelihood, step_mask
from tests.recognize.enumeration import label_probabilities, least_steps, random_log_probs


@pytest.mark.parametrize(
    "labels, steps", [([], 0), ([1], 1), ([1, 2, 1], 3), ([1, 1], 3), ([2, 2, 2], 5), ([1, 1, 2, 2, 1], 7)]
)
def test_a_label_needs_a_step_a_character_and_one_between_equal_neighbours(labels, steps):
    assert least_steps(labels) == steps
    log_probs = random_log_probs(0, steps + 1, 1, 3)
    assert np.isfinite(log_likelihood(log_probs[:steps], [labels]))
    if steps:
        assert log_likelihood(log_probs[: steps - 1], [labels]) == -np.inf


@pytest.mark.parametrize("steps, classes", [(1, 3), (2, 3), (3, 4), (4, 3), (5, 3), (6, 2)])
def test_every_label_agrees_with_the_enumeration_of_all_paths(steps, classes):
    """Every label a sample can have, one a batch column, so labels of all lengths share a batch."""
    log_probs = random_log_probs(steps, steps, 1, classes)
    expected = label_probabilities(np.exp(log_probs[:, 0]))
    labels = list(expected)
    found = log_likelihood(np.repeat(log_probs, len(labels), axis=1), labels)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.log(list(expected.values())), rtol=0, atol=1e-10)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)


def test_samples_of_one_batch_keep_apart():
    log_probs = random_log_probs(3, 5, 6, 3)
    labels = [[1, 2], [], [1, 1], [2], [2, 1, 2], [1, 1, 1]]
    lengths = [5, 4, 3, 1, 0, 5]
    found = log_likelihood(log_probs, labels, lengths)
    for n, (label, length) in enumerate(zip(labels, lengths)):
        probability = label_probabilities(np.exp(log_probs[:length, n])).get(tuple(label), 0.0)
        assert found[n] == pytest.approx(math.log(probability) if probability else -math.inf, abs=1e-10)
    assert found[4] == -math.inf


def test_steps_behind_the_length_do_not_count():
    log_probs = random_log_probs(4, 6, 2, 3)
    spoiled = log_probs.copy()
    spoiled[4:, 1] = np.nan
    labels = [[1, 2], [2, 2]]
    found = log_likelihood(spoiled, labels, [6, 4])
    np.testing.assert_array_equal(found[1:], log_likelihood(log_probs[:4, 1:], labels[1:]))
    np.testing.assert_array_equal(found[:1], log_likelihood(log_probs[:, :1], labels[:1]))


@pytest.mark.parametrize("label, length, expected", [([], 0, 0.0), ([1], 0, -np.inf), ([1, 1], 2, -np.inf)])
def test_too_few_steps(label, length, expected):
    assert log_likelihood(random_log_probs(5, 3, 1, 3), [label], [length]).tolist() == [expected]


def test_long_samples_do_not_underflow():
    """Uniform steps: T over U characters apart from their neighbours has binomial(T + U, 2 U) paths."""
    steps, classes, label = 2000, 11, list(range(1, 11)) * 10
    uniform = np.full((steps, 1, classes), -math.log(classes))
    expected = math.log(math.comb(steps + len(label), 2 * len(label))) - steps * math.log(classes)
    assert log_likelihood(uniform, [label])[0] == pytest.approx(expected, rel=1e-12)


def test_impossible_classes_raise_no_warning(recwarn):
    with np.errstate(divide="ignore"):
        certain = np.log(np.eye(3)[[1, 0, 1, 2]])[:, None]  # (T, 1, C)
    assert log_likelihood(certain, [[1, 1, 2]]).tolist() == [0.0]
    assert log_likelihood(certain, [[1, 2]]).tolist() == [-np.inf]
    assert not recwarn.list


def test_empty_batch():
    assert log_likelihood(np.zeros((3, 0, 4)), []).shape == (0,)


@pytest.mark.parametrize(
    "shape, labels, lengths, message",
    [
        ((3, 4), [[1]], None, "shape"),
        ((3, 2, 4), [[1]], None, "1 labels do not pair with 2 samples"),
        ((3, 1, 4), [[1, 0]], None, "outside 1 to 3"),
        ((3, 1, 4), [[4]], None, "outside 1 to 3"),
        ((3, 1, 4), [[-1]], None, "outside 1 to 3"),
        ((3, 1, 4), [[1]], [4], "from 0 to 3 time steps"),
        ((3, 1, 4), [[1]], [-1], "from 0 to 3 time steps"),
        ((3, 1, 4), [[1]], [3, 3], "lengths must have the shape"),
    ],
)
def test_refuses_what_does_not_fit(shape, labels, lengths, message):
    with pytest.raises(ValueError, match=message):
        log_likelihood(np.zeros(shape), labels, lengths)


def test_step_mask():
    assert step_mask((2, 3), [0, 1, 2]).tolist() == [[False, True, True], [False, False, True]]
    assert step_mask((2, 1)).tolist() == [[True], [True]]
