"""Networks in whole numbers, number by number, against a network in Python's integers and fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from ocr_lib import OCRError
from ocr_lib.fixed.arithmetic import Levels, tables, unit_exponent
from ocr_lib.fixed.build import integer_network
from ocr_lib.fixed.steps import stepped_tensors
from ocr_lib.recipe.settings import override
from tests.fixed.quantized import CONVOLUTIONS, HEIGHT, WIDTH, quantized_recipe, random_images, random_weights
from tests.small_network import mark_recipe

NETWORKS = {
    "columns": {},
    "both-ways": {"bidirectional": True, "layers": 2},
    "summed": {"bidirectional": True, "layers": 2, "merge": "sum"},
    "convolutions": {"convolutions": CONVOLUTIONS, "bidirectional": True},
}


class ByHand:
    """A quantized network in fractions: every value is a whole number times a power of two."""

    def __init__(self, recipe, weights):
        self.recipe, self.quantization, self.weights = recipe, recipe.quantization, weights
        self.tensors = stepped_tensors(recipe)

    def steps(self, name):
        precision, groups = self.tensors[name]
        if precision.kind == "fixed_unit":
            return [Fraction(2) ** unit_exponent(precision)] * groups
        return [Fraction(2) ** floor(Fraction(float(x)) + Fraction(1, 2)) for x in self.weights[f"{name}_log2_step"]]

    def parameter(self, name):
        """Return a parameter's values, (R, ...) of Fraction."""
        array, steps = self.weights[name], self.steps(name)
        levels = Levels.of(self.tensors[name].precision)
        rows = len(array) // len(steps)
        values = np.empty(array.shape, object)
        for place, number in np.ndenumerate(array):
            step = steps[place[0] // rows]
            scaled = Fraction(float(number)) / step
            if levels.is_binary:
                values[place] = step if scaled >= 0 else -step
            else:
                values[place] = min(levels.high, max(levels.low, round(scaled))) * step  # round: ties to even
        return values

    @staticmethod
    def cut(value, levels, step):
        if levels.is_binary:
            return step if value >= 0 else -step
        return min(levels.high, max(levels.low, floor(value / step + Fraction(1, 2)))) * step

    def logits(self, image):
        x = np.empty((1, *image.T.shape), object)  # (C, T, F)
        (step,) = self.steps("data")
        greys = (image.T.astype(np.float32) - self.recipe.image.mean) / self.recipe.image.scale
        for place, grey in np.ndenumerate(greys):
            x[0][place] = self.cut(Fraction(float(grey)), Levels.of(self.quantization.input, False), step)
        for i, convolution in enumerate(self.recipe.network.convolutions):
            x = self.convolved(x, convolution, f"conv{i}")
        sequence = [[value for plane in x for value in plane[t]] for t in range(x.shape[1])]
        network = self.recipe.network
        for layer in range(network.layers):
            outputs = [self.lstm(sequence, f"l{layer}_")]
            if network.bidirectional:
                outputs.append(self.lstm(sequence[::-1], f"l{layer}_r_")[::-1])
            if network.merge == "sum":
                sequence = [[sum(values) for values in zip(*at_step)] for at_step in zip(*outputs)]
            else:
                sequence = [[value for each in at_step for value in each] for at_step in zip(*outputs)]
        weight, bias = self.parameter("pred_fc_weight"), self.parameter("pred_fc_bias")
        return [[sum(w * v for w, v in zip(row, x)) + b for row, b in zip(weight, bias)] for x in sequence]

    def convolved(self, x, convolution, name):
        weight, bias = self.parameter(f"{name}_weight"), self.parameter(f"{name}_bias")
        length, height = convolution.kernel
        margins = [size // 2 if convolution.padding else 0 for size in convolution.kernel]
        framed = np.pad(x, [(0, 0), *((m, m) for m in margins)], constant_values=Fraction(0))
        steps, rows = framed.shape[1] - length + 1, framed.shape[2] - height + 1
        (step,) = self.steps(f"{name}_output")
        levels = Levels.of(self.quantization.convolution_output, False)
        a, b = convolution.pool
        found = np.empty((len(weight), steps // a, rows // b), object)
        for k, t, f in np.ndindex(*found.shape):
            window = [
                (framed[:, u : u + length, v : v + height] * weight[k]).sum() + bias[k]
                for u in range(t * a, t * a + a)
                for v in range(f * b, f * b + b)
            ]
            found[k, t, f] = self.cut(max(0, *window), levels, step)
        return found

    def lstm(self, sequence, prefix):
        names = "i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"
        i2h, h2h, *biases = (self.parameter(prefix + name) for name in names)
        made, units = tables(self.quantization.internal), self.recipe.network.hidden
        index_step, step = Fraction(2) ** made.index_exponent, Fraction(2) ** made.exponent
        (cell_step,) = self.steps(f"{prefix}cell")
        hidden_step = Fraction(2) ** unit_exponent(self.quantization.hidden)

        def looked_up(table, value):
            index = self.cut(value, made.index_levels, index_step) / index_step
            return int(table[int(index) - made.index_levels.low]) * step

        h = c = [Fraction(0)] * units
        outputs = []
        for x in sequence:
            sums = [
                sum(w * v for w, v in zip(i2h[r], x))
                + sum(w * v for w, v in zip(h2h[r], h))
                + sum(b[r] for b in biases)
                for r in range(4 * units)
            ]
            gates = [looked_up(made.tanh if r // units == 2 else made.sigmoid, s) for r, s in enumerate(sums)]
            i, f, g, o = (gates[k * units : (k + 1) * units] for k in range(4))
            levels = Levels.of(self.quantization.cell)
            c = [self.cut(i[j] * g[j] + f[j] * c[j], levels, cell_step) for j in range(units)]
            h = [
                self.cut(o[j] * looked_up(made.tanh, c[j]), Levels.of(self.quantization.hidden), hidden_step)
                for j in range(units)
            ]
            outputs.append(h)
        return outputs


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("quantization", ["W4A4", "W2B8A2I4_FC_W4B8", "W8A8", "W1A3"])
def test_every_logit_is_what_it_is_in_fractions(network, quantization):
    recipe = quantized_recipe(quantization, **network)
    weights, images = random_weights(recipe), random_images(2)
    integers = integer_network(recipe, weights)
    found = integers.logits(images)
    assert len(np.unique(found)) >= 10
    for n, image in enumerate(images):
        expected = np.array(ByHand(recipe, weights).logits(image)) / Fraction(2) ** integers.exponent
        assert (found[:, n] == expected).all()


@pytest.mark.parametrize("kind", ["fixed_unit", "ternary", "binary"])
def test_other_kinds(kind):
    parts = ["recurrent_weight", "recurrent_bias", "hidden", "classifier_weight", "classifier_bias"]
    settings = {f"quantization.{part}.kind": kind for part in parts}
    recipe = quantized_recipe({"quantization": "W4A4", **settings}, bidirectional=True)
    weights, images = random_weights(recipe, 3), random_images(1)
    integers = integer_network(recipe, weights)
    expected = np.array(ByHand(recipe, weights).logits(images[0])) / Fraction(2) ** integers.exponent
    assert (integers.logits(images)[:, 0] == expected).all()


def test_watches_every_tensor():
    recipe = quantized_recipe("W4A4", CONVOLUTIONS, bidirectional=True)
    seen = {}
    integers = integer_network(recipe, random_weights(recipe))
    logits = integers.logits(random_images(2), lambda name, numbers, exponent: seen.update({name: (numbers, exponent)}))
    of_lstm = [f"l0_{r}{key}" for r in ("", "r_") for key in ("index", "i", "f", "c", "o", "cell", "hidden")]
    assert set(seen) == {"data", "conv0_output", "conv1_output", *of_lstm, "logits"}
    assert seen["data"][0].shape == (2, WIDTH, HEIGHT) and (seen["logits"][0] == logits).all()
    assert seen["l0_hidden"][1] == -3 and np.abs(seen["l0_hidden"][0]).max() <= 8


def test_refuses_what_is_not_in_whole_numbers():
    with pytest.raises(OCRError, match="in floating point, in part at least: quantize it"):
        integer_network(mark_recipe(), {})
    recipe = override(quantized_recipe(), {"quantization.classifier_bias.kind": "float"})
    with pytest.raises(OCRError, match="in floating point, in part at least"):
        integer_network(recipe, random_weights(recipe))


def test_refuses_steps_that_are_too_far_apart():
    recipe = quantized_recipe()
    weights = {**random_weights(recipe), "l0_i2h_bias_log2_step": np.array([-80], np.float32)}
    with pytest.raises(OCRError, match=r"^l0_i2h_weight: its steps .* apart: train it anew$"):
        integer_network(recipe, weights)
