"""The cost of a padded batch, and its gradient: the sum of those of the samples alone."""

import numpy as np
import pytest

from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recognize.ctc import log_likelihood
from tests.lines import NETWORKS, line_params, line_recipe, pad_with_noise, random_lines
from tests.numpy_network import numpy_forward

# Batch normalisation in training looks at a whole batch, so these networks have none.
PLAIN = {
    name: {
        **NETWORKS[name],
        "convolutions": [{**layer, "batch_norm": False} for layer in NETWORKS[name]["convolutions"]],
    }
    for name in ("raw", "one-way", "sum", "remainder", "valid", "even", "biases")
}
WIDTHS = [32, 57, 20, 40]
LABELS = [[1, 2, 2], [3, 10, 4, 3], [5], [9, 8]]
networks = pytest.mark.parametrize("network", PLAIN.values(), ids=PLAIN)


def cost_and_gradients(recipe, params, lines, labels, more=0):
    """Return the costs (N,), and the gradients of all parameters and of the data by name."""
    padded, widths = pad_with_noise(lines, more)
    label = np.zeros((len(lines), max(map(len, labels))), np.float32)
    for row, each in zip(label, labels):
        row[: len(each)] = each
    data = normalise(padded, recipe.image.mean, recipe.image.scale, widths)
    inputs = {"data": data, "widths": widths, "label": label}
    symbol = training_symbol(recipe)
    needed = {name: "null" if name in ("label", "widths") else "write" for name in symbol.list_arguments()}
    shapes = {name: array.shape for name, array in inputs.items()}
    executor = symbol.simple_bind(mx.cpu(), **shapes, grad_req=needed)
    executor.copy_params_from({name[4:]: mx.nd.array(array) for name, array in params.items()})
    executor.forward(is_train=True, **{name: mx.nd.array(array) for name, array in inputs.items()})
    costs = executor.outputs[1].asnumpy()
    executor.backward()
    return costs, {name: grad.asnumpy() for name, grad in executor.grad_dict.items() if grad is not None}


def numpy_cost(recipe, params, lines, labels):
    """Return the costs of lines (N,), each alone, by the forward algorithm in double precision."""
    parts = [np.log(numpy_forward(line[None], params, recipe)) for line in lines]
    return -np.concatenate([log_likelihood(part, [label]) for part, label in zip(parts, labels)])


@networks
@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
class TestPadded:
    @pytest.fixture
    def recipe(self, network, loss, request):
        if loss == "warpctc":
            request.getfixturevalue("library")
        return line_recipe(("training.loss", loss), **network)

    def test_cost_and_gradients_are_the_sums_of_those_alone(self, recipe):
        params, lines = line_params(recipe), random_lines(WIDTHS)
        costs, gradients = cost_and_gradients(recipe, params, lines, LABELS, more=7)
        alone = [cost_and_gradients(recipe, params, [line], [label]) for line, label in zip(lines, LABELS)]
        np.testing.assert_allclose(costs, [cost for (cost,), _ in alone], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(costs, numpy_cost(recipe, params, lines, LABELS), rtol=1e-5, atol=1e-4)
        data = gradients.pop("data")
        for n, (_, each) in enumerate(alone):
            np.testing.assert_allclose(data[n, : WIDTHS[n]], each["data"][0], rtol=1e-4, atol=1e-4)
        for name, gradient in gradients.items():
            expected = sum(each[name] for _, each in alone)
            assert np.abs(expected).max() > 1e-2, f"the gradient of {name} is too small to compare"
            np.testing.assert_allclose(gradient, expected, atol=5e-5 * np.abs(expected).max(), err_msg=name)


@networks
def test_an_empty_label_among_others(network):
    # (MXNet's operator has it that a batch of nothing else costs nothing.)
    recipe, labels = line_recipe(**network), [[], [3, 10, 4, 3], [5], []]
    params, lines = line_params(recipe), random_lines(WIDTHS)
    costs, _ = cost_and_gradients(recipe, params, lines, labels)
    np.testing.assert_allclose(costs, numpy_cost(recipe, params, lines, labels), rtol=1e-5, atol=1e-4)


@networks
def test_gradients_are_finite_differences_of_numpys_cost(network):
    recipe = line_recipe(**{**network, "layers": 1})
    params, lines, nudge = line_params(recipe), random_lines(WIDTHS), 1e-5
    params = {name: array.astype(np.float64) for name, array in params.items()}
    _, gradients = cost_and_gradients(recipe, params, lines, LABELS, more=3)
    for name, array in params.items():
        gradient = gradients[name[4:]]
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        costs = []
        for sign in (1, -1):
            nudged = array.copy()
            nudged[place] += sign * nudge
            costs.append(numpy_cost(recipe, {**params, name: nudged}, lines, LABELS).sum())
        assert gradient[place] == pytest.approx((costs[0] - costs[1]) / (2 * nudge), rel=2e-3), name


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_a_label_of_as_many_characters_as_the_line_has_steps(merge):
    recipe = line_recipe(convolutions=[{"filters": 2, "pool": [8, 2], "batch_norm": False}], merge=merge)
    lines, labels = random_lines([57, 31]), [[1, 2, 2, 4, 5, 6], [4, 5, 6]]  # 7 and 3 steps, all needed
    params = line_params(recipe)
    costs, _ = cost_and_gradients(recipe, params, lines, labels)
    np.testing.assert_allclose(costs, numpy_cost(recipe, params, lines, labels), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
def test_a_label_that_the_line_has_no_room_for_breaks_nothing(request, loss):
    if loss == "warpctc":
        request.getfixturevalue("library")
    recipe = line_recipe(("training.loss", loss), convolutions=[{"filters": 2, "pool": [8, 2], "batch_norm": False}])
    lines, params = random_lines([57, 31]), line_params(recipe)  # 7 and 3 steps
    costs, gradients = cost_and_gradients(recipe, params, lines, [[1, 2, 3], [4, 5, 6, 7, 8]])
    assert costs[0] == pytest.approx(numpy_cost(recipe, params, lines[:1], [[1, 2, 3]])[0], rel=1e-5)
    assert costs[1] > 100  # libwarpctc takes no probability to be less than the smallest float
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
