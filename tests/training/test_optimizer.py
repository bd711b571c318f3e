"""The schedule of the learning rate, and optimizers beside MXNet's own."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ocr_lib.mx import mx
from ocr_lib.training.layout import Layout
from ocr_lib.training.optimizer import Optimizer, clipped, make_schedule
from tests.toy import toy_recipe

EPOCH = 10  # updates
STEPS = 5


def training_of(**settings):
    return toy_recipe(*((f"training.{key}", value) for key, value in settings.items())).training


def rate(update, **settings):
    return make_schedule(training_of(learning_rate=1.0, **settings), EPOCH)(update)


@pytest.mark.parametrize(
    "settings, update, expected",
    [
        ({"schedule": "constant"}, 1, 1.0),
        ({"schedule": "constant"}, 10_000, 1.0),
        ({"schedule": "constant", "warmup": 2.0}, 10, 0.5),
        ({"schedule": "constant", "warmup": 2.0}, 20, 1.0),
        ({"schedule": "step", "step_epochs": 3, "step_factor": 0.1}, 3 * EPOCH, 1.0),
        ({"schedule": "step", "step_epochs": 3, "step_factor": 0.1}, 3 * EPOCH + 1, 0.1),
        ({"schedule": "step", "step_epochs": 3, "step_factor": 0.1}, 6 * EPOCH + 1, 0.01),
        ({"schedule": "cosine", "epochs": 8}, 4 * EPOCH, 0.5),
        ({"schedule": "cosine", "epochs": 8}, 2 * EPOCH, (1 + math.cos(math.pi / 4)) / 2),
        ({"schedule": "cosine", "epochs": 8}, 8 * EPOCH, 0.0),
        ({"schedule": "cosine", "epochs": 8, "warmup": 1.0}, 5, 0.5),
        ({"schedule": "cosine", "epochs": 8, "warmup": 8.0}, 80, 1.0),
    ],
)
def test_learning_rate(settings, update, expected):
    assert rate(update, **settings) == pytest.approx(expected, abs=1e-9)


class OfMXNet:
    """MXNet's optimizer of a recipe, array by array."""

    def __init__(self, training, layout, updates):
        self._layout = layout
        self._names = list(layout.views(np.zeros(layout.trained)))
        options = {"momentum": training.momentum} if training.optimizer == "sgd" else {}
        self._optimizer = mx.optimizer.create(
            training.optimizer,
            learning_rate=training.learning_rate,
            lr_scheduler=make_schedule(training, EPOCH),
            wd=training.weight_decay,
            begin_num_update=updates,
            param_idx2name=dict(enumerate(self._names)),
            **options,
        )
        self._updater = mx.optimizer.get_updater(self._optimizer)

    def update(self, weights, gradients, rescale):
        self._optimizer.rescale_grad = rescale
        for index, name in enumerate(self._names):
            array = mx.nd.array(self._layout.views(weights)[name])
            self._updater(index, mx.nd.array(self._layout.views(gradients)[name]), array)
            self._layout.views(weights)[name][...] = array.asnumpy()

    @property
    def states(self):
        found = {}
        for index, name in enumerate(self._names):
            state = self._updater.states[index]
            state = state if isinstance(state, tuple) else (state,)
            found.update((f"{name}:{k}", array.asnumpy()) for k, array in enumerate(state))
        return found


@pytest.mark.parametrize("updates", [0, 13])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "sgd", "momentum": 0.5, "schedule": "step", "step_epochs": 1, "learning_rate": 0.5},
        {"optimizer": "adam"},
        {"optimizer": "adam", "schedule": "cosine", "epochs": 3, "warmup": 1.5},
    ],
)
def test_steps_are_those_of_mxnet(settings, weight_decay, updates):
    recipe = toy_recipe()
    training = training_of(weight_decay=weight_decay, **settings)
    layout = Layout(recipe)
    rng = np.random.default_rng(0)
    ours = rng.normal(size=layout.size).astype(np.float32)
    theirs, averages = ours.copy(), ours[layout.trained :].copy()
    optimizer, reference = (
        kind(training, layout, *rest) for kind, *rest in ((Optimizer, EPOCH, updates), (OfMXNet, updates))
    )
    for step in range(STEPS):
        gradients = rng.normal(scale=8, size=layout.size).astype(np.float32)
        rescale = 1 / (8 - step)
        optimizer.update(ours, gradients, rescale)
        reference.update(theirs, gradients, rescale)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(ours[layout.trained :], averages)
    assert optimizer.states.keys() == reference.states.keys()
    for name, state in reference.states.items():
        np.testing.assert_allclose(optimizer.states[name], state, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_states_and_update_count_carry_an_optimizer_on(optimizer):
    training, layout = training_of(optimizer=optimizer, schedule="cosine"), Layout(toy_recipe())
    gradients = np.random.default_rng(0).normal(size=(6, layout.size)).astype(np.float32)

    def after(optimizer, weights, steps):
        for step in steps:
            optimizer.update(weights, gradients[step], 1.0)
        return weights.copy()

    whole = after(Optimizer(training, layout, EPOCH), np.ones(layout.size, np.float32), range(6))
    first = Optimizer(training, layout, EPOCH)
    amid = after(first, np.ones(layout.size, np.float32), range(3))
    second, without = (Optimizer(training, layout, EPOCH, 3) for _ in range(2))
    for name, array in first.states.items():
        second.states[name][...] = array
    np.testing.assert_array_equal(after(second, amid.copy(), range(3, 6)), whole)
    assert not np.array_equal(after(without, amid.copy(), range(3, 6)), whole)


VECTORS = arrays.arrays(np.float32, st.integers(0, 40), elements=st.floats(-1e4, 1e4, width=32))


@given(VECTORS, st.floats(0.01, 1), st.floats(0.01, 100))
def test_clipping_bounds_the_norm(gradients, rescale, max_norm):
    norm = np.linalg.norm(rescale * gradients.astype(np.float64))
    factor = clipped(gradients, rescale, max_norm)
    assert 0 < factor <= rescale * (1 + 1e-12)
    assert factor * np.linalg.norm(gradients.astype(np.float64)) == pytest.approx(min(norm, max_norm), rel=1e-9)


@given(VECTORS, st.floats(0.01, 1))
def test_a_norm_of_0_clips_nothing(gradients, rescale):
    assert clipped(gradients, rescale, 0.0) == rescale
