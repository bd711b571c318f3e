"""Weights that are taken back out of exported models."""

import numpy as np
import pytest

from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.predictor import Predictor
from ocr_lib.deploy.weights import read_model
from ocr_lib.errors import OCRError
from ocr_lib.net.weights import fold_batch_norms
from tests.deploy.models import TWO_CONVOLUTIONS, random_images, small_recipe, smooth_weights

RECIPES = {
    "plain": small_recipe(),
    "convolutions": small_recipe(convolutions=TWO_CONVOLUTIONS, bidirectional=True),
    "three layers": small_recipe(convolutions=TWO_CONVOLUTIONS, layers=3, output_norm=True),
    "any width": small_recipe(("image.width", None), convolutions=TWO_CONVOLUTIONS, bidirectional=True, merge="sum"),
}


@pytest.fixture(params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


def test_are_those_that_were_exported_with_batch_normalisation_folded(recipe, tmp_path):
    weights = smooth_weights(recipe)
    path = tmp_path / "a.onnx"
    path.write_bytes(export_onnx(recipe, weights))
    found, taken = read_model(path)
    assert not found.network.output_norm and not any(each.batch_norm for each in found.network.convolutions)
    expected = fold_batch_norms(weights)
    assert taken.keys() == expected.keys()
    for name, array in taken.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_of_8_bits_are_near(recipe, tmp_path):
    weights, images = smooth_weights(recipe), random_images(8)
    path = tmp_path / "a.onnx"
    path.write_bytes(export_onnx(recipe, weights, calibration=images))
    found, taken = read_model(path)
    for name, array in fold_batch_norms(weights).items():
        if name.startswith("conv0"):  # computes in floating point, so that only scaling is undone
            np.testing.assert_allclose(taken[name], array, rtol=1e-5, atol=1e-5, err_msg=name)
        assert np.abs(taken[name] - array).max() <= 0.01 * np.abs(array).max() + 0.02, name
    one, other = (Predictor(data).probabilities(images) for data in (path.read_bytes(), export_onnx(found, taken)))
    assert np.abs(one - other).max() < 0.05


def test_a_file_at_fault(tmp_path):
    path = tmp_path / "a.onnx"
    with pytest.raises(OCRError, match=f"^{path}: No such file"):
        read_model(path)
    for data in b"", b"no model", export_onnx(RECIPES["plain"], smooth_weights(RECIPES["plain"]))[:-1000]:
        path.write_bytes(data)
        with pytest.raises(OCRError, match=f"^{path}: "):
            read_model(path)
