"""Exported files of 8 bits: what they hold, and how near they are to those in floating point."""

import io

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import numpy_helper

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.int8 import quantize
from tests.deploy.models import (
    HEIGHT,
    TWO_CONVOLUTIONS,
    WIDTH,
    mark_model,
    random_images,
    random_model,
    small_recipe,
    smooth_weights,
    weights_of,
)
from tests.lines import random_lines
from tests.small_network import LETTERS, draw_marks, random_params

# Places of weights among the inputs of operators
WEIGHTS = {"QLinearConv": [3], "DynamicQuantizeLSTM": [1, 2], "DynamicQuantizeMatMul": [1]}
NETWORKS = {
    "marks": {"layers": 2},
    "one-convolution": {"convolutions": TWO_CONVOLUTIONS[:1]},
    "two-convolutions": {"convolutions": TWO_CONVOLUTIONS},
    "both-ways": {"convolutions": TWO_CONVOLUTIONS, "layers": 2, "bidirectional": True},
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
class TestModel:
    def test_weights_are_of_7_bits(self, network):
        recipe = small_recipe(**network)
        graph = onnx.load(io.BytesIO(random_model(recipe, random_images(8)))).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        operators = [node.op_type for node in graph.node]
        layers, convolutions = recipe.network.layers, len(recipe.network.convolutions)
        assert [operators.count(name) for name in WEIGHTS] == [max(convolutions - 1, 0), layers, 1]
        assert {"LSTM", "MatMul"}.isdisjoint(operators)
        for node in graph.node:
            for place in WEIGHTS.get(node.op_type, []):
                array = constants[node.input[place]]
                assert array.dtype == np.int8
                assert np.abs(array.astype(int)).max() == 63

    @pytest.mark.parametrize("seed", [2, 3])
    def test_reads_nearly_as_in_floating_point(self, network, seed):
        recipe = small_recipe(("text.alphabet", LETTERS), **network)
        weights = smooth_weights(recipe, seed)
        images, calibration = (np.stack(random_lines([WIDTH] * 64, HEIGHT, each)) for each in (0, 1))
        fp32 = Predictor(export_onnx(recipe, weights)).probabilities(images)
        int8 = Predictor(export_onnx(recipe, weights, calibration=calibration)).probabilities(images)
        assert np.ptp(fp32, axis=1).max() > 0.5, "the images are read too much alike to tell anything"
        difference = np.abs(fp32 - int8)
        assert 0 < difference.max() < 0.1  # measured: 0.014 to 0.051
        assert difference.mean() < 0.1 * fp32.std(axis=1).mean()  # measured: 0.017 to 0.044


def test_marks_are_read_alike():
    texts = ["0089", "7", "31415", "", "555"]
    images = [draw_marks([int(character) for character in text]) for text in texts]
    assert Predictor(mark_model(calibration=np.stack(images))).texts(images) == texts


def test_file_is_smaller():
    recipe = small_recipe(hidden=64, convolutions=TWO_CONVOLUTIONS)
    assert len(random_model(recipe, random_images(2))) < 0.4 * len(random_model(recipe))


def test_ranges_are_taken_from_all_images():
    recipe = small_recipe(convolutions=TWO_CONVOLUTIONS)
    dark = np.zeros((300, *random_images(1).shape[1:]), np.uint8)
    dark[:-1] = 255
    assert random_model(recipe, dark) == random_model(recipe, dark[::-1])
    assert random_model(recipe, dark) != random_model(recipe, dark[:-1])


@pytest.mark.parametrize("layer", [0, 1])
def test_a_convolution_that_gives_nothing(layer):
    recipe = small_recipe(convolutions=TWO_CONVOLUTIONS)
    weights = weights_of(random_params(recipe))
    weights[f"bn{layer}_gamma"][:] = 0
    weights[f"bn{layer}_beta"][:] = -1
    images = random_images(4)
    fp32 = Predictor(export_onnx(recipe, weights)).probabilities(images)
    int8 = Predictor(export_onnx(recipe, weights, calibration=images)).probabilities(images)
    np.testing.assert_allclose(int8, fp32, atol=0.03)


FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


class TestQuantize:
    @settings(max_examples=200)
    @given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=FLOATS), st.data())
    def test_is_near(self, array, data):
        axis = data.draw(st.integers(0, array.ndim - 1))
        values, scales = quantize(array, axis)
        assert (values.dtype, scales.dtype) == (np.int8, np.float32)
        assert values.shape == array.shape and scales.shape == (array.shape[axis],)
        assert np.isfinite(scales).all() and (scales > 0).all()
        assert np.abs(values.astype(int)).max() <= 63
        steps = scales.astype(np.float64).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
        assert (np.abs(values * steps - array) <= steps * (0.5 + 1e-5)).all()
        assert not values[array == 0].any()

    def test_each_channel_has_its_own_scale(self):
        values, scales = quantize(np.array([[1.0, 1000, 0], [-63, 500, 0]], np.float32), axis=1)
        np.testing.assert_array_equal(values, [[1, 63, 0], [-63, 32, 0]])
        np.testing.assert_allclose(scales[:2], [1, 1000 / 63])

    @pytest.mark.parametrize("least", [0, 1e-45, 1e-44, 1e-40, 2e-38])
    def test_weights_that_decayed_to_nothing(self, least):
        values, scales = quantize(np.array([[least, 0], [1, -2]], np.float32), axis=0)
        assert np.isfinite(scales).all() and (scales > 0).all()
        assert abs(int(values[0, 0])) <= 63
        assert values[0, 0] * float(scales[0]) == pytest.approx(least, abs=1e-36)
