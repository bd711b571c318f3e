"""The training graph of quantized networks, in its two forms, against whole numbers; and its gradients."""

import numpy as np
import pytest

from ocr_lib.fixed.arithmetic import exponents
from ocr_lib.fixed.build import integer_network
from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.forward import training_logits
from ocr_lib.net.quantized import constants
from ocr_lib.recipe.settings import override
from tests.fixed.quantized import CONVOLUTIONS, quantized_recipe, random_images, random_weights

BOTH_WAYS = {"bidirectional": True, "layers": 2}
cells = pytest.mark.parametrize("cell", ["fused", "unrolled"])


def logits_of(recipe, weights, images):
    network = integer_network(recipe, weights)
    return network.logits(images) * 2.0**network.exponent


def step(recipe, weights, images, labels):
    """Return the cost of a training step and the gradients of all parameters."""
    symbol = training_symbol(recipe)
    data = normalise(images, recipe.image.mean, recipe.image.scale)
    values = {"data": data, "label": labels, **weights}
    arguments = {name: mx.nd.array(array) for name, array in values.items()}
    arguments.update(constants(symbol))
    gradients = {name: mx.nd.zeros(array.shape) for name, array in weights.items()}
    requests = {name: "write" if name in weights else "null" for name in arguments}
    executor = symbol.bind(mx.cpu(), arguments, gradients, requests)
    cost = executor.forward(is_train=True)[1].asnumpy().sum()
    executor.backward()
    return cost, {name: array.asnumpy() for name, array in gradients.items()}


@cells
@pytest.mark.parametrize("convolutions", [[], CONVOLUTIONS], ids=["columns", "convolutions"])
@pytest.mark.parametrize("quantization", ["W4A4", "W2B8A4I8_FC_W4B8", "W8A8", "W2A2", "W1A3I4"])
def test_logits_are_those_of_whole_numbers(quantization, convolutions, cell):
    recipe = quantized_recipe(quantization, convolutions, cell=cell, **BOTH_WAYS)
    weights = random_weights(recipe)
    images = random_images(3)
    np.testing.assert_array_equal(training_logits(recipe, weights, images), logits_of(recipe, weights, images))


@cells
@pytest.mark.parametrize("kind", ["fixed_unit", "ternary", "binary"])
def test_other_kinds(kind, cell):
    parts = ["recurrent_weight", "recurrent_bias", "hidden", "classifier_weight"]
    settings = {"quantization": "W4A4", **{f"quantization.{part}.kind": kind for part in parts}}
    recipe = quantized_recipe(settings, cell=cell, merge="sum", **BOTH_WAYS)
    weights, images = random_weights(recipe), random_images(2)
    np.testing.assert_array_equal(training_logits(recipe, weights, images), logits_of(recipe, weights, images))


@pytest.mark.parametrize("convolutions", [[], CONVOLUTIONS], ids=["columns", "convolutions"])
def test_lines_in_a_batch_are_what_they_are_alone(convolutions):
    recipe = quantized_recipe("W4A4", convolutions, width=None, **BOTH_WAYS)
    weights, images = random_weights(recipe), random_images(2, 30)
    for width in (30, 17):
        line = images[:, :, :width]
        np.testing.assert_array_equal(training_logits(recipe, weights, line), logits_of(recipe, weights, line))


@pytest.mark.parametrize("quantization", ["W4A4", "W2B8A4I32_FC_W32B32", "W1A2"])
def test_both_forms_have_the_same_gradients(quantization):
    images, labels = random_images(4), np.array([[1, 2], [3, 0], [4, 4], [0, 0]])
    found = []
    for cell in ("fused", "unrolled"):
        recipe = quantized_recipe(quantization, CONVOLUTIONS, cell=cell, **BOTH_WAYS)
        found.append(step(recipe, random_weights(recipe), images, labels))
    (cost, gradients), (other_cost, others) = found
    assert cost == pytest.approx(other_cost, rel=1e-6)
    assert gradients.keys() == others.keys()
    for name, gradient in gradients.items():
        scale = np.abs(gradient).max()
        assert np.abs(gradient - others[name]).max() <= 1e-4 * scale + 1e-6, name
    assert all(np.abs(gradients[name]).max() > 0 for name in ("conv0_weight", "l0_i2h_weight", "l1_r_h2h_weight"))


@cells
def test_what_is_cut_off_has_no_gradient(cell):
    """The first unit's gates are beyond the tables, at either end; the second's are not."""
    recipe = quantized_recipe("W4A4", cell=cell)
    weights = random_weights(recipe)
    weights["l0_i2h_bias_log2_step"][:] = -2
    biases = weights["l0_i2h_bias"].reshape(4, -1)
    biases[:, 0] = 200, 200, -200, 200
    _, gradients = step(recipe, weights, random_images(4), np.array([[1, 2], [3, 0], [4, 4], [0, 0]]))
    gradient = gradients["l0_i2h_bias"].reshape(4, -1)
    assert (gradient[:, 0] == 0).all() and (gradient[:, 1:] != 0).any(axis=1).all()


def test_gradients_of_steps_are_those_of_learned_step_size_quantization():
    """Esser et al. 2020: round(w/s) - w/s for what is inside, the last level for what is cut off, times s ln 2."""
    recipe = quantized_recipe("W32B32A4I32_FC_W3B32", hidden=3)
    weights, images, labels = random_weights(recipe, 5), random_images(2), np.array([[1, 2], [3, 0]])
    _, quantized = step(recipe, weights, images, labels)
    w, log2_step = weights["pred_fc_weight"].astype(float), weights["pred_fc_weight_log2_step"]
    s = 2.0 ** exponents(log2_step)[0]
    numbers = w / s
    rounded = np.clip(np.rint(np.clip(numbers, -4, 3)), -4, 3)
    inside = (numbers >= -4) & (numbers <= 3)
    # the gradient of the values is that of a network in which they stand as they are
    plain = override(recipe, {"quantization.classifier_weight.kind": "float"})
    values = {name: array for name, array in weights.items() if name != "pred_fc_weight_log2_step"}
    _, of_values = step(plain, {**values, "pred_fc_weight": (rounded * s).astype("f4")}, images, labels)
    by_value = of_values["pred_fc_weight"]
    expected = (by_value * (rounded - np.where(inside, numbers, 0))).sum() * s * np.log(2)
    assert 0 < inside.mean() < 1
    assert quantized["pred_fc_weight_log2_step"][0] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(quantized["pred_fc_weight"], by_value * inside, rtol=1e-4, atol=1e-6)


def test_steps_may_be_left_as_they_are():
    recipe = quantized_recipe({"quantization": "W4A4", "quantization.learned_steps": False})
    _, gradients = step(recipe, random_weights(recipe), random_images(2), np.array([[1, 2], [3, 0]]))
    assert all((gradients[name] == 0).all() for name in gradients if name.endswith("_log2_step"))
    assert np.abs(gradients["l0_i2h_weight"]).max() > 0
