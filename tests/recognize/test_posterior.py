"""Confidences and positions of characters against the enumeration of every path."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.recognize import posterior as module
from ocr_lib.recognize.ctc import log_likelihood
from ocr_lib.recognize.posterior import posteriors
from tests.recognize.enumeration import collapse, label_probabilities, random_log_probs

SEEDS = st.integers(0, 2**32 - 1)
LABELS = st.lists(st.integers(1, 2), max_size=4)


def confidences(probs, label):
    """Compare a label with all that differ from it in one place: (T, C) -> one number a character."""
    totals = label_probabilities(probs)
    label = tuple(label)

    def rivals(k):
        others = [(), *((index,) for index in range(1, probs.shape[1]))]
        return sum(totals.get(label[:k] + other + label[k + 1 :], 0.0) for other in others)

    mine = totals.get(label, 0.0)
    return [mine / rivals(k) if mine else 0.0 for k in range(len(label))]


def positions(probs, label):
    """Average over the paths of a label at which steps they stand on each of its characters: (T, C) -> fractions."""
    weights = np.zeros((len(label), len(probs)))
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        if collapse(path) == tuple(label):
            begins = [index not in (0, before) for before, index in zip((0, *path), path)]
            for t, (index, begun) in enumerate(zip(path, itertools.accumulate(begins))):
                if index:
                    weights[begun - 1, t] += math.prod(step[i] for step, i in zip(probs, path))
    middles = (np.arange(len(probs)) + 0.5) / len(probs)
    return weights @ middles / weights.sum(axis=1)


def sparse_probs(seed, *shape):
    """Draw probabilities of which a third are 0."""
    rng = np.random.default_rng(seed)
    probs = np.exp(random_log_probs(seed, *shape)) * (rng.random(shape) > 1 / 3)
    return probs / np.maximum(probs.sum(axis=-1, keepdims=True), 1e-9)


@pytest.mark.parametrize("draw", [lambda *args: np.exp(random_log_probs(*args)), sparse_probs])
@pytest.mark.parametrize("steps, classes", [(1, 3), (2, 3), (3, 4), (4, 3), (5, 3), (6, 2)])
def test_every_label_agrees_with_the_enumeration_of_all_paths(draw, steps, classes):
    probs = draw(steps, steps, classes)
    totals = label_probabilities(probs)
    labels = list(totals)
    found = posteriors(np.repeat(probs[:, None], len(labels), axis=1), labels)
    for label, posterior in zip(labels, found):
        assert math.exp(posterior.log_likelihood) == pytest.approx(totals[label], abs=1e-12)
        np.testing.assert_allclose(posterior.confidences, confidences(probs, label), rtol=1e-9, atol=1e-12)
        if totals[label]:
            np.testing.assert_allclose(posterior.positions, positions(probs, label), rtol=1e-9)


@settings(max_examples=60)
@given(SEEDS, st.lists(st.tuples(LABELS, st.integers(0, 5)), min_size=1, max_size=4))
def test_samples_of_one_batch_keep_apart_and_end_at_their_lengths(seed, samples):
    labels, lengths = map(list, zip(*samples))
    probs = np.exp(random_log_probs(seed, 5, len(labels), 3))
    expected = [posteriors(probs[:length, [n]], [labels[n]])[0] for n, length in enumerate(lengths)]
    for n, length in enumerate(lengths):
        probs[length:, n] = np.nan
    for one, alone in zip(posteriors(probs, labels, lengths), expected):
        np.testing.assert_allclose(one.log_likelihood, alone.log_likelihood, rtol=1e-12)
        np.testing.assert_allclose(one.confidences, alone.confidences, rtol=1e-12)
        np.testing.assert_allclose(one.positions, alone.positions, rtol=1e-12)


@settings(max_examples=100)
@given(SEEDS, st.lists(st.integers(1, 4), max_size=8), st.integers(0, 40), st.sampled_from([1.0, 30.0, 500.0]))
def test_ranges(seed, label, steps, scale):
    scores = np.random.default_rng(seed).normal(scale=scale, size=(steps, 1, 5))
    probs = np.exp(scores - scores.max(axis=2, keepdims=True))
    probs /= probs.sum(axis=2, keepdims=True)
    with np.errstate(divide="ignore"):
        expected = log_likelihood(np.log(probs), [label])[0]
    (found,) = posteriors(probs, [label])
    assert found.log_likelihood == pytest.approx(expected, abs=1e-9)
    assert found.confidences.shape == found.positions.shape == (len(label),)
    assert ((found.confidences >= 0) & (found.confidences <= 1)).all()
    assert ((found.positions > 0) & (found.positions < 1)).all()
    if expected == -np.inf:
        assert not found.confidences.any()


def test_reversed_samples_have_reversed_characters():
    probs = np.exp(random_log_probs(7, 12, 1, 4))
    (found,) = posteriors(probs, [[1, 1, 2, 3, 3]])
    (mirrored,) = posteriors(probs[::-1], [[3, 3, 2, 1, 1]])
    np.testing.assert_allclose(mirrored.confidences[::-1], found.confidences, rtol=1e-12)
    np.testing.assert_allclose(1 - mirrored.positions[::-1], found.positions, rtol=1e-12)


def test_certainty_is_exactly_one():
    (found,) = posteriors(np.eye(3)[[0, 1, 1, 0, 1, 2]][:, None], [[1, 1, 2]])
    assert found.log_likelihood == 0.0
    assert found.confidences.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(found.positions, [2 / 6, 4.5 / 6, 5.5 / 6], rtol=1e-15)


@pytest.mark.parametrize("label, steps", [([1, 2, 1], 2), ([1, 1], 2), ([1], 0), ([3], 4)])
def test_the_impossible_is_spread_evenly_without_confidence(label, steps, recwarn):
    (found,) = posteriors(np.full((steps, 1, 4), [0.4, 0.3, 0.3, 0.0]), [label])
    assert found.log_likelihood == -np.inf
    assert found.confidences.tolist() == [0.0] * len(label)
    assert found.positions.tolist() == [(k + 0.5) / len(label) for k in range(len(label))]
    assert not recwarn.list


def test_long_samples_do_not_underflow():
    """Uniform steps: n characters, r of them like their left neighbours, have binomial(T + n - r, 2 n) paths."""
    steps, classes, length = 3000, 11, 200
    label = [1 + k % 10 for k in range(length)]
    (found,) = posteriors(np.full((steps, 1, classes), 1 / classes), [label])
    whole = math.comb(steps + length, 2 * length)
    assert found.log_likelihood == pytest.approx(math.log(whole) - steps * math.log(classes), rel=1e-12)
    # Eight other characters differ from both neighbours; two repeat one. At the ends nine differ, less one.
    shorter, repeating = math.comb(steps + length - 1, 2 * length - 2), math.comb(steps + length - 1, 2 * length)
    np.testing.assert_allclose(found.confidences[1:-1], whole / (8 * whole + 2 * repeating + shorter), rtol=1e-9)
    np.testing.assert_allclose(found.confidences[[0, -1]], whole / (9 * whole + repeating + shorter), rtol=1e-9)
    np.testing.assert_allclose(found.positions + found.positions[::-1], 1.0, rtol=1e-9)


def test_a_rival_that_is_only_possible_later_is_not_lost():
    """Two characters, each all but impossible while the other is read: 1e-350 is no float64."""
    faint = 1e-35
    steps = np.full((20, 1, 3), faint)
    steps[:10, :, 1] = steps[10:, :, 2] = 1.0
    (found,) = posteriors(steps, [[1]])
    assert found.log_likelihood == pytest.approx(10 * math.log(faint) + math.log(11), rel=1e-12)
    assert found.confidences[0] == pytest.approx(0.5, rel=1e-9)


def test_a_label_that_little_speaks_for_has_no_confidence(recwarn):
    steps = np.full((60, 1, 3), 1e-30)
    steps[:, :, 1] = 1.0
    (found,) = posteriors(steps, [[2] * 20])
    assert found.log_likelihood < 50 * math.log(1e-30)
    assert found.confidences.tolist() == [0.0] * 20
    assert not recwarn.list


def test_empty_labels_and_batches():
    probs = np.exp(random_log_probs(0, 3, 2, 3))
    for n, found in enumerate(posteriors(probs, [[], []])):
        assert found.log_likelihood == pytest.approx(np.log(probs[:, n, 0]).sum())
        assert found.confidences.shape == found.positions.shape == (0,)
    assert posteriors(np.zeros((3, 0, 4)), []) == []


@pytest.mark.parametrize(
    "shape, labels, lengths, message",
    [
        ((3, 4), [[1]], None, "shape"),
        ((3, 2, 4), [[1]], None, "1 labels do not pair with 2 samples"),
        ((3, 1, 4), [[1, 0]], None, "outside 1 to 3"),
        ((3, 1, 4), [[4]], None, "outside 1 to 3"),
        ((3, 1, 4), [[1]], [4], "from 0 to 3 time steps"),
        ((3, 1, 4), [[1]], [3, 3], "lengths must have the shape"),
    ],
)
def test_refuses_what_does_not_fit(shape, labels, lengths, message):
    with pytest.raises(ValueError, match=message):
        posteriors(np.full(shape, 0.25), labels, lengths)


def test_a_text_of_many_characters_may_have_all_of_its_alphabet():
    label = [*range(1, 140), *range(139, 0, -1)]
    probabilities = np.full((600, 1, 140), 1 / 140)
    (found,) = posteriors(probabilities, [label])
    assert np.isfinite(found.log_likelihood) and (found.confidences > 0).all()


def test_alphabets_of_thousands_change_confidences_by_what_rare_classes_say(monkeypatch):
    random = np.random.default_rng(8)
    probabilities = random.dirichlet(np.full(600, 0.01), (30, 2))  # a few likely classes at each step
    labels = [list(random.integers(1, 600, 6)), [5, 5, 9]]
    few = posteriors(probabilities, labels)
    monkeypatch.setattr(module, "_MANY", 10**6)
    for found, exact in zip(few, posteriors(probabilities, labels)):
        assert found.log_likelihood == exact.log_likelihood
        assert found.confidences == pytest.approx(exact.confidences, abs=1e-4)
