import math

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.training.optimizer import (
    clip_gradients,
    init_optimizer,
    make_schedule,
    optimizer_states,
    restore_states,
)
from tests.toy import toy_recipe

EPOCH = 10  # updates


def rate(update, **settings):
    settings = {"epoch_size": EPOCH * 4, "batch_size": 4, "learning_rate": 1.0, **settings}
    recipe = toy_recipe(*((f"training.{key}", value) for key, value in settings.items()))
    return make_schedule(recipe.training)(update)


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


def module_after(recipe, contexts, steps=1, states=None, updates=0, params=None, clip=0.0):
    """Train a Module for some steps on fixed data; return it and its optimizer."""
    batch = recipe.training.batch_size
    rng = np.random.default_rng(0)
    data = mx.nd.array(rng.random((batch, recipe.image.width, recipe.image.height)))
    label = mx.nd.array(rng.integers(1, 3, (batch, 2)))
    module = mx.mod.Module(training_symbol(recipe), label_names=["label"], context=contexts)
    module.bind([mx.io.DataDesc("data", data.shape)], [mx.io.DataDesc("label", label.shape)])
    mx.random.seed(0)
    module.init_params(mx.init.Xavier())
    if params:
        module.set_params(*params)
    optimizer = init_optimizer(module, recipe.training, updates)
    if states:
        restore_states(module, states)
    for _ in range(steps):
        module.forward_backward(mx.io.DataBatch([data], [label]))
        if clip:
            clip_gradients(module, clip, optimizer.rescale_grad)
        module.update()
    return module


def values(module):
    return {name: array.asnumpy() for params in module.get_params() for name, array in params.items()}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_states_and_update_count_carry_an_optimizer_on(optimizer):
    recipe = toy_recipe(("training.optimizer", optimizer), ("training.momentum", 0.9), ("training.schedule", "cosine"))
    whole = module_after(recipe, mx.cpu(), steps=6)
    first = module_after(recipe, mx.cpu(), steps=3)
    states = {name: array.copy() for name, array in optimizer_states(first).items()}
    second = module_after(recipe, mx.cpu(), 3, states, updates=3, params=first.get_params())
    without = module_after(recipe, mx.cpu(), 3, None, updates=3, params=first.get_params())
    np.testing.assert_array_equal(values(second)["pred_fc_weight"], values(whole)["pred_fc_weight"])
    assert not np.array_equal(values(without)["pred_fc_weight"], values(whole)["pred_fc_weight"])


def test_two_devices_train_like_one():
    # No convolutions: batch normalisation sees half a batch on each device.
    recipe = toy_recipe(("training.optimizer", "sgd"), ("network.convolutions", []))
    one, two = (module_after(recipe, contexts, 3, clip=0.5) for contexts in (mx.cpu(), [mx.cpu(0), mx.cpu(1)]))
    for name, value in values(one).items():
        np.testing.assert_allclose(values(two)[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("max_norm", [0.01, 1e6])
def test_clipping_bounds_the_global_norm_and_keeps_the_direction(max_norm):
    recipe = toy_recipe(("training.optimizer", "sgd"), ("training.learning_rate", 1.0), ("training.momentum", 0.0))
    start = values(module_after(recipe, mx.cpu(), steps=0))
    free, clipped = (module_after(recipe, mx.cpu(), clip=norm) for norm in (0.0, max_norm))
    names = free.symbol.list_arguments()[1:]
    steps = [
        np.concatenate([(values(module)[name] - start[name]).ravel() for name in names if name != "label"])
        for module in (free, clipped)
    ]
    norms = [np.linalg.norm(step) for step in steps]
    assert norms[1] == pytest.approx(min(max_norm, norms[0]), rel=1e-4)
    assert steps[0] @ steps[1] / (norms[0] * norms[1]) == pytest.approx(1, abs=1e-4)
