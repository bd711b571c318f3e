"""The CTC cost against the sum over every path, counted one by one."""

import itertools

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.loss import ctc_cost


def read(path):
    """Return the label that a path stands for: repeats collapsed, then blanks dropped."""
    return tuple(key for key, _ in itertools.groupby(path) if key)


def enumerated_cost(logits, label):
    """Return the cost of one sample, (T, C), by adding up the probabilities of all C**T paths."""
    scores = np.asarray(logits, np.float64)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    steps, classes = scores.shape
    paths = itertools.product(range(classes), repeat=steps)
    total = sum(np.prod(probabilities[range(steps), path]) for path in paths if read(path) == tuple(label))
    return -np.log(total)


def enumerated_gradient(logits, label, nudge=1e-5):
    """Return the gradient of `enumerated_cost` by central differences, in double precision."""
    gradient = np.zeros(logits.shape)
    for place in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[place] = nudge
        gradient[place] = enumerated_cost(logits + step, label) - enumerated_cost(logits - step, label)
    return gradient / (2 * nudge)


def cost_and_gradient(logits, labels, out_grad=None, loss="ctc", any_width=False):
    """Return the costs (N,) and the gradient (T, N, C) that the head of our training symbol gives."""
    steps = None if any_width else len(logits)
    symbol = ctc_cost(mx.sym.Variable("logits"), mx.sym.Variable("label"), steps, labels.shape[1], loss)
    executor = symbol.simple_bind(
        mx.cpu(), logits=logits.shape, label=labels.shape, grad_req={"logits": "write", "label": "null"}
    )
    (cost,) = executor.forward(is_train=True, logits=mx.nd.array(logits), label=mx.nd.array(labels))
    executor.backward(out_grad)
    return cost.asnumpy(), executor.grad_dict["logits"].asnumpy()


def padded(labels, width):
    return np.array([[*label, *[0] * (width - len(label))] for label in labels], np.float32)


CASES = [
    pytest.param(4, 3, [(1, 2), (2, 1), (1,)], id="varying lengths"),
    pytest.param(5, 3, [(1, 1), (2, 2, 1), (1, 1, 1)], id="repeats"),
    pytest.param(3, 3, [(1, 1), (1, 2, 1)], id="no step to spare"),
    pytest.param(6, 2, [(1,), (1, 1), (1, 1, 1)], id="one character"),
    pytest.param(4, 5, [(4, 3, 2, 1), (3,), (2, 4)], id="as many characters as steps"),
    pytest.param(4, 3, [(1, 2), (), (2,)], id="an empty label among others"),
    pytest.param(1, 4, [(3,), (1,)], id="one step"),
    pytest.param(5, 4, [(3, 1, 1)], id="one sample"),
]


@pytest.mark.parametrize("steps, classes, labels", CASES)
def test_cost_is_that_of_all_paths(steps, classes, labels):
    width = max(map(len, labels))
    for seed in range(3):
        logits = np.random.default_rng(seed).normal(0, 2, (steps, len(labels), classes)).astype(np.float32)
        costs, _ = cost_and_gradient(logits, padded(labels, width))
        expected = [enumerated_cost(logits[:, n], label) for n, label in enumerate(labels)]
        np.testing.assert_allclose(costs, expected, atol=1e-5)


@pytest.mark.parametrize("steps, classes, labels", CASES)
def test_gradient_is_a_finite_difference(steps, classes, labels):
    if classes**steps > 300:
        labels = labels[:1]  # one is slow enough
    logits = np.random.default_rng(7).normal(size=(steps, len(labels), classes)).astype(np.float32)
    _, gradient = cost_and_gradient(logits, padded(labels, max(map(len, labels))))
    expected = np.stack([enumerated_gradient(logits[:, n], label) for n, label in enumerate(labels)], axis=1)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_a_cost_counted_by_hand():
    # Two even classes, two steps: of the paths 00, 01, 10 and 11, three read as the label and one as nothing.
    costs, _ = cost_and_gradient(np.zeros((2, 2, 2), np.float32), padded([(1,), ()], 1))
    np.testing.assert_allclose(costs, -np.log([3 / 4, 1 / 4]), rtol=1e-6)


def test_padding_adds_nothing():
    logits = np.random.default_rng(0).normal(size=(6, 2, 4)).astype(np.float32)
    labels = [(1, 3), (2,)]
    narrow, wide = (cost_and_gradient(logits, padded(labels, width)) for width in (2, 6))
    for one, other in zip(narrow, wide):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
def test_steps_that_are_blank_for_certain_add_nothing(request, loss):
    if loss == "warpctc":
        request.getfixturevalue("library")
    labels, ends = [(1, 2), (2, 2), (), (3, 1, 3), (1,)], [3, 3, 2, 5, 1]
    logits = np.random.default_rng(0).normal(0, 2, (5, len(labels), 4)).astype(np.float32)
    for sample, end in enumerate(ends):
        logits[end:, sample] = [0, -1e4, -1e4, -1e4]
    costs, gradient = cost_and_gradient(logits, padded(labels, 3), loss=loss, any_width=True)
    for sample, (label, end) in enumerate(zip(labels, ends)):
        alone = logits[:end, sample]
        assert costs[sample] == pytest.approx(enumerated_cost(alone, label), abs=1e-5)
        np.testing.assert_allclose(gradient[:end, sample], enumerated_gradient(alone, label), atol=1e-5)
        np.testing.assert_allclose(gradient[end:, sample], 0, atol=1e-6)


def test_samples_are_added_up_without_weights():
    logits = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    labels = [(1, 3), (2,), (3, 3)]
    _, together = cost_and_gradient(logits, padded(labels, 2))
    for n, label in enumerate(labels):
        _, alone = cost_and_gradient(logits[:, n : n + 1], padded([label], 2))
        np.testing.assert_allclose(together[:, n : n + 1], alone, atol=1e-6)


def test_the_cost_is_its_own_head():
    logits = np.random.default_rng(0).normal(size=(5, 2, 4)).astype(np.float32)
    labels = padded([(1, 3), (2,)], 2)
    _, plain = cost_and_gradient(logits, labels)
    _, weighted = cost_and_gradient(logits, labels, [mx.nd.array([3, -7])])
    np.testing.assert_array_equal(plain, weighted)


def test_a_cost_of_many_steps_is_finite():
    logits = np.random.default_rng(0).normal(0, 30, (200, 2, 11)).astype(np.float32)
    cost, gradient = cost_and_gradient(logits, padded([(1, 1, 2, 3), (9,)], 4))
    assert np.isfinite(cost).all() and (cost > 1000).all()
    # A softmax's logits may all grow alike; a float32 of this size is good to 5e-4.
    np.testing.assert_allclose(gradient.sum(axis=2), 0, atol=1e-2)
