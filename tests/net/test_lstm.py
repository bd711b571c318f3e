"""Both forms of the LSTM against one written in numpy, from the equations."""

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.lstm import lstm_layers
from ocr_lib.recipe import NetworkRecipe

STEPS, FEATURES, HIDDEN = 6, 3, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_direction(data, params, prefix):
    """Run one direction over (T, N, F), first row first; the gates are in the order i, f, c, o."""
    names = [prefix + name for name in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")]
    i2h_weight, i2h_bias, h2h_weight, h2h_bias = (params[name].astype(np.float64) for name in names)
    hidden = h2h_weight.shape[1]
    h = c = np.zeros((data.shape[1], hidden))
    outputs = []
    for x in data:
        gates = x @ i2h_weight.T + i2h_bias + h @ h2h_weight.T + h2h_bias
        i, f, new, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def numpy_lstm(data, params, layers, bidirectional):
    for layer in range(layers):
        outputs = [numpy_direction(data, params, f"l{layer}_")]
        if bidirectional:
            outputs.append(numpy_direction(data[::-1], params, f"l{layer}_r_")[::-1])
        data = np.concatenate(outputs, axis=2)
    return data


def random_executor(recipe, batch, seed=0, steps=STEPS):
    """Bind the recipe's layers alone, with random inputs and parameters; return it and the arrays by name."""
    symbol = lstm_layers(mx.sym.Variable("data"), steps, FEATURES, recipe)
    executor = symbol.simple_bind(mx.cpu(), data=(steps, batch, FEATURES), grad_req="null")
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
    expected = numpy_lstm(arrays["data"], arrays, layers, bidirectional)
    (output,) = executor.forward()
    assert output.shape == (STEPS, batch, HIDDEN * (1 + bidirectional))
    np.testing.assert_allclose(output.asnumpy(), expected, atol=1e-5)


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
    expected = numpy_lstm(arrays["data"], arrays, 2, bidirectional)
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), expected, atol=1e-5)


def test_one_set_of_parameters():
    expected = {"data": (STEPS, 2, FEATURES)}
    for layer, features in ((0, FEATURES), (1, 2 * HIDDEN)):
        for prefix in (f"l{layer}_", f"l{layer}_r_"):
            expected[f"{prefix}i2h_weight"] = (4 * HIDDEN, features)
            expected[f"{prefix}h2h_weight"] = (4 * HIDDEN, HIDDEN)
            expected[f"{prefix}i2h_bias"] = expected[f"{prefix}h2h_bias"] = (4 * HIDDEN,)
    for cell in ("fused", "unrolled"):
        recipe = NetworkRecipe(layers=2, hidden=HIDDEN, bidirectional=True, cell=cell)
        executor, _ = random_executor(recipe, batch=2)
        assert {name: array.shape for name, array in executor.arg_dict.items()} == expected
