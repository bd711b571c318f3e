"""Networks of a few units with their loss, random batches for them, and what they make of these."""

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

WIDTH, HEIGHT, LABEL_WIDTH = 24, 8, 3
ONE = [{"filters": 3}]
directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])


def small_recipe(**settings):
    sizes = {
        "image.width": WIDTH,
        "image.height": HEIGHT,
        "text.alphabet": "abcd",
        "text.max_length": LABEL_WIDTH,
        "network.hidden": 5,
    }
    sizes.update((key.replace("__", "."), value) for key, value in settings.items())
    return override(Recipe(), sizes.items())


def random_batch(samples, seed=0):
    """Return data (N, T, F) and labels (N, L) of lengths 1, 2, 3, 0, and so on."""
    rng = np.random.default_rng(seed)
    lengths = np.arange(1, samples + 1)[:, None] % (LABEL_WIDTH + 1)
    labels = rng.integers(1, 5, (samples, LABEL_WIDTH)) * (np.arange(LABEL_WIDTH) < lengths)
    return rng.normal(size=(samples, WIDTH, HEIGHT)).astype(np.float32), labels.astype(np.float32)


def run(recipe, params, data, labels, out_grads=None):
    """Return the outputs, and the gradients of all parameters and of the data by name."""
    symbol = training_symbol(recipe)
    needed = {name: "null" if name == "label" else "write" for name in symbol.list_arguments()}
    executor = symbol.simple_bind(mx.cpu(), data=data.shape, label=labels.shape, grad_req=needed)
    executor.copy_params_from(*split(params))
    executor.forward(is_train=True, data=mx.nd.array(data), label=mx.nd.array(labels))
    outputs = [output.asnumpy() for output in executor.outputs]
    executor.backward(out_grads and [mx.nd.array(grad) for grad in out_grads])
    return outputs, {name: grad.asnumpy() for name, grad in executor.grad_dict.items() if grad is not None}


def split(params):
    return [
        {name[4:]: mx.nd.array(array) for name, array in params.items() if name.startswith(kind)}
        for kind in ("arg:", "aux:")
    ]


def assert_same_run(one, other, atol=1e-4):
    for output, expected in zip(one[0], other[0]):
        np.testing.assert_allclose(output, expected, atol=atol)
    assert one[1].keys() == other[1].keys()
    for name, gradient in one[1].items():
        assert np.abs(other[1][name]).max() > 1e-3, f"the gradient of {name} is too small to compare"
        np.testing.assert_allclose(gradient, other[1][name], atol=atol, err_msg=name)
