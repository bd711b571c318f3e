"""Commands that read with a network for lines of any width: an image that can be no line is told, not fatal."""

import json

import cv2
import numpy as np
import pytest

from ocr_lib.cli import eval as evaluate
from ocr_lib.cli import infer
from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.errors import OCRError
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from tests.lines import line_params, line_recipe, random_lines
from tests.small_network import save

TOO_WIDE = "4000 by 4 pixels are no line of text"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    recipe = line_recipe(convolutions=[{"filters": 2}])
    return save(tmp_path_factory.mktemp("lines") / "ocr", recipe, line_params(recipe))


@pytest.fixture
def folder(tmp_path):
    """Write two lines, and an image that is none between them."""
    one, other = random_lines([40, 60])
    images = {"a.png": one, "b.png": np.full((4, 4000), 255, np.uint8), "c.png": other}
    for name, image in images.items():
        assert cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "labels.tsv").write_text("".join(f"{name}\t1\n" for name in images))
    return tmp_path


def test_infer_names_it_and_reads_the_others(prefix, folder, capsys):
    assert infer.main(["--prefix", str(prefix), *(str(folder / f"{name}.png") for name in "abc")]) == 1
    said = capsys.readouterr()
    assert f"error: {folder}/b.png: {TOO_WIDE}" in said.err
    assert [line.partition("\t")[0] for line in said.out.splitlines()] == [f"{folder}/a.png", f"{folder}/c.png"]


def test_eval_skips_it(prefix, folder, capsys):
    arguments = ["--prefix", str(prefix), "--data", str(folder), "--json", "--max-problems", "0.5"]
    assert evaluate.main(arguments) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["count"], found["skipped"]) == (2, 1)
    assert f"b.png: {TOO_WIDE}" in said.err


def test_the_predictor_names_it(prefix, folder):
    checkpoint = load_checkpoint(str(prefix))
    predictor = Predictor(export_onnx(checkpoint.recipe, numpy_weights(checkpoint)))
    with pytest.raises(OCRError, match=f"^{folder}/b.png: {TOO_WIDE}"):
        predictor.predict([folder / "a.png", folder / "b.png"])
    with pytest.raises(OCRError, match=f"^the image: {TOO_WIDE}"):
        predictor.predict(np.full((4, 4000), 255, np.uint8))
