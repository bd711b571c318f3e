"""Steps that suit what is known of tensors."""

import numpy as np
import pytest

from ocr_lib.fixed.arithmetic import Levels
from ocr_lib.fixed.calibrate import RANGES, Observer, best_exponent, fitted_steps, observe
from ocr_lib.fixed.steps import step_shapes
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.quantization import Precision
from ocr_lib.recipe.settings import override
from tests.fixed.quantized import CONVOLUTIONS, quantized_recipe, random_images, random_weights
from tests.numpy_network import convolve, max_pool, sigmoid

FOUR_BITS = Levels.of(Precision("fixed", 4))


def error(values, exponent, levels=FOUR_BITS):
    step = 2.0**exponent
    return ((np.clip(np.round(values / step), levels.low, levels.high) * step - values) ** 2).sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_least_squared_error_is_the_least_of_all_exponents(seed):
    values = np.random.default_rng(seed).standard_t(3, 1000) * 2.0**seed
    found = best_exponent(values, FOUR_BITS, "mse")
    assert found == min(range(-12, 12), key=lambda exponent: error(values, exponent))


def test_extremes_cut_nothing_off_with_the_finest_step():
    values = np.array([0.1, -3.0, 7.4])
    found = best_exponent(values, FOUR_BITS, "extremes")
    assert 7.5 * 2.0**found >= 7.4 > 7.5 * 2.0 ** (found - 1)


def test_percentiles_leave_out_what_is_rare():
    values = np.concatenate([np.linspace(-1, 1, 100_000), [1000.0]])
    assert best_exponent(values, FOUR_BITS, "extremes") == 8
    assert best_exponent(values, FOUR_BITS, "percentile") == -2


def test_the_least_divergence_leaves_out_what_is_rare():
    values = np.concatenate([np.random.default_rng(0).normal(0, 0.5, 100_000), [16.0]])
    assert best_exponent(values, FOUR_BITS, "extremes") == 2
    assert -3 <= best_exponent(values, FOUR_BITS, "kl") <= -1


def test_divergence_prefers_levels_where_values_are():
    """Two values, 0 and 1, lose nothing with a step of 1, and all with one that cuts 1 off."""
    values = np.repeat([0.01, 1.0], 500)
    assert best_exponent(values, FOUR_BITS, "kl") >= -2


def test_of_nothing_but_zeros_any_step_will_do():
    assert [best_exponent(np.zeros(3), FOUR_BITS, choice) for choice in RANGES] == [0] * len(RANGES)


def test_steps_of_a_whole_network():
    recipe = quantized_recipe("W4A4", CONVOLUTIONS, bidirectional=True)
    weights = {name: array for name, array in random_weights(recipe).items() if name not in step_shapes(recipe)}
    observed = observe(recipe, weights, random_images(3))
    steps = fitted_steps(recipe, weights, observed)
    assert {name: array.shape for name, array in steps.items()} == step_shapes(recipe)
    rows = np.split(weights["l0_i2h_weight"], 4)
    expected = [min(range(-9, 4), key=lambda exponent: error(gate, exponent)) for gate in rows]
    assert steps["l0_i2h_weight_log2_step"].tolist() == expected


def test_cells_that_were_not_observed_may_reach_16():
    recipe = quantized_recipe("W4A4")
    weights = {name: np.ones(shape) for name, shape in weight_shapes(recipe).items()}
    assert fitted_steps(recipe, weights, {})["l0_cell_log2_step"].tolist() == [-11]


def test_observes_what_a_network_in_floating_point_computes():
    recipe = override(quantized_recipe("W4A4", CONVOLUTIONS[:1]), {"quantization": None})
    weights = random_weights(recipe)
    (image,) = random_images(1)
    seen = observe(recipe, weights, [image])
    x = ((image.T - recipe.image.mean) / recipe.image.scale)[np.newaxis]
    planes = convolve(x, weights["conv0_weight"].astype(float), True) + weights["conv0_bias"][:, None, None]
    planes = max_pool(np.maximum(planes, 0)[np.newaxis], 2, 2)[0]
    np.testing.assert_allclose(np.sort(seen["conv0_output"]), np.sort(planes.ravel()), rtol=1e-5)
    gates = weights["l0_i2h_weight"] @ planes[:, 0].ravel() + weights["l0_i2h_bias"] + weights["l0_h2h_bias"]
    i, _, new, _ = np.split(gates, 4)
    np.testing.assert_allclose(seen["l0_cell"][:5], sigmoid(i) * np.tanh(new), rtol=1e-5)


def test_of_many_values_some_are_kept():
    observer = Observer()
    for part in range(40):
        observer("x", np.full(100_000, part))
    kept = observer.values()["x"]
    assert 2**19 <= len(kept) <= 2**20 and len(np.unique(kept)) == 40
