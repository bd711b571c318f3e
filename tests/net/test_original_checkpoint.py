"""Checkpoints of MXNet's original example: what they leave to be told, and losses that this MXNet lacks."""

import json
import string
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.errors import OCRError
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import encode_json, load_preset, override
from tests import original_example


def test_recipe_is_told_by_the_network(tmp_path):
    original_example.save(tmp_path / "ocr", 3, steps=20, rows=12, hidden=6, layers=1)
    checkpoint = load_checkpoint(str(tmp_path / "ocr"))
    recipe = checkpoint.recipe
    assert checkpoint.has_original_gates
    assert (recipe.image.width, recipe.image.height, recipe.time_steps) == (20, 12, 20)
    assert (recipe.network.layers, recipe.network.hidden) == (1, 6)
    assert (recipe.image.mean, recipe.image.scale) == (0, 255)
    assert (recipe.image.resize, recipe.image.invert) == ("bilinear", "never")
    assert recipe.alphabet.characters == "0123456789"


def test_the_newest_epoch_or_the_one_asked_for(tmp_path):
    for epoch in (9, 10):
        original_example.save(tmp_path / "ocr", epoch, steps=8, hidden=3, layers=1)
    prefix = str(tmp_path / "ocr")
    assert load_checkpoint(prefix).params_path.name == "ocr-0010.params"
    assert load_checkpoint(prefix, 9).params_path.name == "ocr-0009.params"


def test_other_classes_than_digits_need_a_recipe(tmp_path):
    original_example.save(tmp_path / "ocr", steps=8, hidden=3, classes=27)
    message = "ocr-recipe.json is missing, so the characters of the 27 classes are unknown: .*ocr_lib.save_recipe"
    with pytest.raises(OCRError, match=message):
        load_checkpoint(str(tmp_path / "ocr"))


def test_other_classes_with_a_recipe(tmp_path):
    prefix = tmp_path / "ocr"
    original_example.save(prefix, steps=16, rows=12, hidden=6, classes=27)
    sizes = [
        ("image.width", 16),
        ("image.height", 12),
        ("network.hidden", 6),
        ("text.alphabet", string.ascii_lowercase),
    ]
    how = [("image.resize", "bilinear"), ("image.invert", "never")]
    recipe = override(load_preset("mxnet-ctc"), [*sizes, *how])
    Path(f"{prefix}-recipe.json").write_bytes(encode_json(recipe))
    checkpoint = load_checkpoint(str(prefix))
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 16), np.uint8)
    predictor = Predictor(export_onnx(recipe, numpy_weights(checkpoint)))
    expected = Reader(checkpoint).probabilities(images)
    np.testing.assert_allclose(predictor.probabilities(images), expected, atol=1e-5)


def test_a_loss_that_this_mxnet_lacks(tmp_path):
    sizes = {"steps": 16, "hidden": 6, "layers": 2}
    original_example.save(tmp_path / "ocr", rows=12, **sizes)
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 16), np.uint8)
    expected = Reader(load_checkpoint(str(tmp_path / "ocr"))).probabilities(images)
    (tmp_path / "ocr-symbol.json").write_text(original_example.warpctc_symbol(**sizes))
    checkpoint = load_checkpoint(str(tmp_path / "ocr"))
    assert checkpoint.recipe.image.width == 16
    np.testing.assert_array_equal(Reader(checkpoint).probabilities(images), expected)


@pytest.mark.parametrize("name", ["l0_i2h_weight", "l0_h2h_weight", "pred_fc_bias"])
def test_without_a_parameter_that_tells_the_recipe(tmp_path, name):
    params = original_example.random_params(hidden=3)
    del params[name]
    original_example.save(tmp_path / "ocr", params=params, steps=8, hidden=3)
    with pytest.raises(OCRError, match="ocr-recipe.json is missing, and the network is not the original MXNet"):
        load_checkpoint(str(tmp_path / "ocr"))


def test_a_vector_in_place_of_a_matrix(tmp_path):
    params = original_example.random_params(hidden=3)
    params["l0_i2h_weight"] = params["l0_i2h_bias"]
    original_example.save(tmp_path / "ocr", params=params, steps=8, hidden=3)
    with pytest.raises(OCRError, match="ocr-recipe.json is missing, and the network is not the original MXNet"):
        load_checkpoint(str(tmp_path / "ocr"))


@pytest.mark.parametrize("output", [1, 10**8, 2**32 - 1])
def test_a_symbol_that_reads_an_output_that_is_not_there(tmp_path, output):
    """MXNet would read whatever lies there in its memory, and die."""
    original_example.save(tmp_path / "ocr", steps=8, hidden=3)
    path = tmp_path / "ocr-symbol.json"
    graph = json.loads(path.read_text())
    product = next(node for node in graph["nodes"] if node["name"] == "t3_l1_h2h")
    product["inputs"][0][1] = output
    path.write_text(json.dumps(graph))
    with pytest.raises(OCRError, match=rf"^{path}: cut off, or not an MXNet symbol \(.* has no output {output}\)$"):
        load_checkpoint(str(tmp_path / "ocr"))
