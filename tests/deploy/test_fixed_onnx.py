"""ONNX files of networks in whole numbers: near what these compute, and the same where ONNX can say it."""

import numpy as np
import onnx
import pytest

from ocr_lib import OCRError
from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.predictor import Predictor
from ocr_lib.fixed.reader import FixedReader
from ocr_lib.recipe.settings import override
from tests.fixed.quantized import CONVOLUTIONS, quantized_recipe, random_images, random_weights


def models(recipe, seed=0):
    weights = random_weights(recipe, seed)
    return Predictor(export_onnx(recipe, weights), threads=1), FixedReader(recipe, weights)


@pytest.mark.parametrize("convolutions", [[], CONVOLUTIONS], ids=["columns", "convolutions"])
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_reads_nearly_as_whole_numbers_do(convolutions, merge):
    recipe = quantized_recipe("W8A8", convolutions, bidirectional=True, layers=2, merge=merge)
    model, reader = models(recipe)
    images = random_images(20)
    found, expected = model.probabilities(images), reader.probabilities(images)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.05
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_lines_of_any_width():
    recipe = quantized_recipe("W8A8", CONVOLUTIONS, width=None, bidirectional=True)
    model, reader = models(recipe)
    images, widths = random_images(3, 40), np.array([40, 21, 12])
    difference = np.abs(model.probabilities(images, widths) - reader.probabilities(images, widths))
    assert difference.max() < 0.05


def test_of_more_bits_sums_alone_are_rounded():
    """With activations of 16 bits next to nothing is rounded, so that parameters and layout alone are compared."""
    recipe = quantized_recipe("W4A16I16", CONVOLUTIONS, bidirectional=True, layers=2)
    model, reader = models(recipe)
    images = random_images(5)
    assert np.abs(model.probabilities(images) - reader.probabilities(images)).max() < 0.01


def test_parameters_are_whole_numbers():
    recipe = quantized_recipe("W4A4", CONVOLUTIONS, bidirectional=True)
    model = onnx.load_from_string(export_onnx(recipe, random_weights(recipe)))
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    kernel = arrays["conv0_weight_numbers"]
    assert kernel.dtype == np.int8 and kernel.shape == (3, 1, 3, 3) and -8 <= kernel.min() < kernel.max() <= 7
    operators = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "LSTM"} <= operators
    assert {node.domain for node in model.graph.node} == {""}


def test_refuses_what_is_quantized_in_part():
    recipe = override(quantized_recipe(), {"quantization.classifier_bias.kind": "float"})
    with pytest.raises(OCRError, match="in floating point, in part at least"):
        export_onnx(recipe, random_weights(recipe))
