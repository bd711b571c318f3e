"""Both forms of the LSTM against one written in numpy, from the equations."""

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.lstm import lstm_layers
from ocr_lib.recipe.network import NetworkRecipe
from tests.numpy_network import numpy_lstm

STEPS, FEATURES, HIDDEN = 6, 3, 4


def random_executor(recipe, batch, seed=0, steps=STEPS, by_ends=False):
    """Bind the recipe's layers alone, with random inputs and parameters; return it and the arrays by name."""
    inputs = {"data": (steps, batch, FEATURES), **({"ends": (batch,)} if by_ends and recipe.bidirectional else {})}
    symbol = lstm_layers(mx.sym.Variable("data"), steps, FEATURES, recipe, mx.sym.Variable("ends") if by_ends else None)
    executor = symbol.simple_bind(mx.cpu(), **inputs, grad_req="null")
    rng = np.random.default_rng(seed)
    # In the order of names, so that both forms get the same.
    arrays = {name: rng.normal(size=array.shape).astype("f") for name, array in sorted(executor.arg_dict.items())}
    for name, array in arrays.items():
        executor.arg_dict[name][:] = array
    return executor, arrays


@pytest.mark.parametrize("cell", ["fused", "unrolled"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 3])
def test_agrees_with_numpy(cell, bidirectional, layers, batch):
    recipe = NetworkRecipe(layers=layers, hidden=HIDDEN, bidirectional=bidirectional, cell=cell)
    executor, arrays = random_executor(recipe, batch)
    expected = numpy_lstm(arrays["data"], arrays, recipe)
    (output,) = executor.forward()
    assert output.shape == (STEPS, batch, HIDDEN * (1 + bidirectional))
    np.testing.assert_allclose(output.asnumpy(), expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["fused", "unrolled"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_sum_of_directions_agrees_with_numpy(cell, layers):
    recipe = NetworkRecipe(layers=layers, hidden=HIDDEN, bidirectional=True, merge="sum", cell=cell)
    executor, arrays = random_executor(recipe, batch=3)
    (output,) = executor.forward()
    assert output.shape == (STEPS, 3, recipe.width) == (STEPS, 3, HIDDEN)
    np.testing.assert_allclose(output.asnumpy(), numpy_lstm(arrays["data"], arrays, recipe), atol=1e-5)


@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("ends", [[6, 1, 4, 3], [2, 5, 2], [1], [6]], ids=str)
def test_samples_that_end_early_agree_with_numpy_on_each_alone(ends, layers, bidirectional, merge):
    recipe = NetworkRecipe(layers=layers, hidden=HIDDEN, bidirectional=bidirectional, merge=merge)
    executor, arrays = random_executor(recipe, len(ends), by_ends=True)
    if bidirectional:  # what comes behind changes nothing of the other way
        executor.arg_dict["ends"][:] = mx.nd.array(ends)
    (output,) = executor.forward()
    assert output.shape == (STEPS, len(ends), recipe.width)
    for sample, end in enumerate(ends):
        expected = numpy_lstm(arrays["data"][:end, sample : sample + 1], arrays, recipe)
        np.testing.assert_allclose(output[:end, sample : sample + 1].asnumpy(), expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["fused", "unrolled"])
def test_every_pass_begins_at_zero_states(cell):
    executor, _ = random_executor(NetworkRecipe(layers=1, hidden=HIDDEN, cell=cell), batch=2)
    first = executor.forward()[0].asnumpy()
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), first)


@pytest.mark.parametrize("cell", ["fused", "unrolled"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_time_step(cell, bidirectional):
    recipe = NetworkRecipe(layers=2, hidden=HIDDEN, bidirectional=bidirectional, cell=cell)
    executor, arrays = random_executor(recipe, batch=2, steps=1)
    expected = numpy_lstm(arrays["data"], arrays, recipe)
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), expected, atol=1e-5)


@pytest.mark.parametrize("by_ends", [False, True])
def test_one_set_of_parameters(by_ends):
    expected = {"data": (STEPS, 2, FEATURES)}
    for layer, features in ((0, FEATURES), (1, 2 * HIDDEN)):
        for prefix in (f"l{layer}_", f"l{layer}_r_"):
            expected[f"{prefix}i2h_weight"] = (4 * HIDDEN, features)
            expected[f"{prefix}h2h_weight"] = (4 * HIDDEN, HIDDEN)
            expected[f"{prefix}i2h_bias"] = expected[f"{prefix}h2h_bias"] = (4 * HIDDEN,)
    if by_ends:
        expected["ends"] = (2,)
    for cell in ("fused",) if by_ends else ("fused", "unrolled"):
        recipe = NetworkRecipe(layers=2, hidden=HIDDEN, bidirectional=True, cell=cell)
        executor, _ = random_executor(recipe, batch=2, by_ends=by_ends)
        assert {name: array.shape for name, array in executor.arg_dict.items()} == expected
