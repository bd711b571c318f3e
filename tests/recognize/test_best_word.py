"""The best of given words, against the CTC of `ocr_lib.recognize.ctc`, which is tested against all paths."""

import numpy as np
import pytest

from ocr_lib.recognize.best_word import BestWord
from ocr_lib.recognize.ctc import log_likelihood, required_steps


def softmax(rng, shape, sharpness):
    scores = np.exp(sharpness * rng.standard_normal(shape))
    return scores / scores.sum(axis=2, keepdims=True)


def words_of(rng, count, classes, longest):
    return [rng.integers(1, classes, rng.integers(0, longest + 1)).tolist() for _ in range(count)]


@pytest.mark.parametrize("sharpness", [0.1, 1, 10, 50])
@pytest.mark.parametrize("steps, classes, longest", [(1, 3, 2), (4, 3, 4), (12, 4, 8), (30, 40, 12)])
def test_is_the_most_probable(sharpness, steps, classes, longest):
    rng = np.random.default_rng([steps, round(10 * sharpness)])
    for _ in range(20):
        probabilities = softmax(rng, (steps, 3, classes), sharpness)
        lexicons = [words_of(rng, count, classes, longest) for count in (1, 7, 60)]
        for n, (words, found) in enumerate(zip(lexicons, BestWord(lexicons)(probabilities))):
            sample = np.log(np.broadcast_to(probabilities[:, n : n + 1], (steps, len(words), classes)))
            likelihoods = log_likelihood(sample, words)
            fitting = [word for word in words if required_steps(word) <= steps]
            assert found in fitting if fitting else found is None
            if found is not None:
                assert likelihoods[words.index(found)] == pytest.approx(likelihoods.max(), abs=1e-9)


def test_a_word_that_is_impossible_by_rounding_is_found():
    probabilities = np.zeros((4, 1, 3))
    probabilities[:, :, 1] = 1
    assert BestWord([[[2, 2, 2], [2, 1]]])(probabilities) == [[2, 1]]
    assert BestWord([[[2, 2]]])(probabilities) == [[2, 2]]


def test_padding_changes_nothing():
    rng = np.random.default_rng(0)
    probabilities = softmax(rng, (6, 1, 4), 1)
    padding = np.zeros((9, 1, 4))
    padding[:, :, 0] = 1
    words = words_of(rng, 30, 4, 5)
    assert BestWord([words])(np.concatenate([probabilities, padding])) == BestWord([words])(probabilities)


def test_of_equal_ones_the_first():
    assert BestWord([[[2], [1]]])(np.full((1, 1, 3), 1 / 3)) == [[2]]


def test_nothing_to_choose_from():
    probabilities = np.full((2, 3, 3), 1 / 3)
    assert BestWord([[], [[1, 1]], [[]]])(probabilities) == [None, None, []]


@pytest.mark.parametrize(
    "lexicons, told", [([[]], "1 lexicons do not pair with 2 samples"), ([[[3]], []], "ids outside")]
)
def test_refused(lexicons, told):
    with pytest.raises(ValueError, match=told):
        BestWord(lexicons)(np.full((2, 2, 3), 1 / 3))
