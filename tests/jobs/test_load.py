"""Opening a recognizer by its name, whatever it is stored as."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_lib import OCRError, Predictor, export, load, quantize, save_recipe, training_symbol
from ocr_lib.deploy.export import export_onnx
from ocr_lib.jobs.load import load_model
from ocr_lib.mx import mx
from ocr_lib.net.reader import Reader
from tests import original_example
from tests.cli.infer_command import save_epochs
from tests.cli.quantize_command import TEXTS, marks, write_samples
from tests.feed.work import ENVIRONMENT
from tests.small_network import draw_marks, mark_params, mark_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with one network in every form: three epochs, the second of which reads rightly."""
    folder = tmp_path_factory.mktemp("forms")
    save_epochs(folder)
    samples = write_samples(folder / "samples")
    export(folder / "ocr", samples=samples, num_test=2)
    export(folder / "ocr", samples=samples, int8=True, num_calib=2, num_test=2)
    quantize(str(folder / "ocr"), samples=samples, num_calib=2, num_test=2)
    return folder


class TestForms:
    @pytest.mark.parametrize(
        "name, kind", [("ocr", Reader), ("ocr-int8", Reader), ("ocr.onnx", Predictor), ("ocr-int8.onnx", Predictor)]
    )
    @pytest.mark.parametrize("as_text", [True, False])
    def test_all_read_the_same(self, folder, name, kind, as_text):
        path = folder / name
        recognizer = load(str(path) if as_text else path)
        assert isinstance(recognizer, kind)
        assert [reading.text for reading in recognizer.predict(list(marks()))] == TEXTS

    def test_of_the_original_example(self, tmp_path):
        original_example.save(tmp_path / "ocr")
        image = tmp_path / "image.png"
        shutil.copy(Path(__file__).parents[2] / "docs" / "renderers.png", image)
        digits, _ = original_example.predict(tmp_path / "ocr", image)
        assert load(tmp_path / "ocr", 100).predict(image).text == "".join(map(str, digits))

    def test_of_do_checkpoint(self, tmp_path):
        params = {name: mx.nd.array(array) for name, array in mark_params().items()}
        prefix = str(tmp_path / "own")
        mx.model.save_checkpoint(prefix, 7, training_symbol(mark_recipe()), params, {})
        with pytest.raises(
            OCRError, match=rf"^{prefix}-recipe.json is missing, .*: write it by ocr_lib.save_recipe\('{prefix}'"
        ):
            load(prefix)
        save_recipe(prefix, mark_recipe())
        for epoch in (None, 7, "last"):
            assert load(prefix, epoch).predict(draw_marks([4, 2])).text == "42"
        with pytest.raises(OCRError, match="nothing says which epoch of .* is best: give its number, or --epoch last"):
            load(prefix, "best")


class TestEpoch:
    @pytest.mark.parametrize("epoch, text", [(None, "4"), ("best", "4"), (1, "5"), (2, "4"), (3, "3"), ("last", "3")])
    def test_of_a_checkpoint(self, folder, epoch, text):
        assert load(folder / "ocr", epoch).predict(draw_marks([4])).text == text

    @pytest.mark.parametrize("epoch", [1, "best"])
    def test_a_model_has_none(self, folder, epoch):
        with pytest.raises(OCRError, match="ocr.onnx is one model, without epochs: leave the epoch out$"):
            load(folder / "ocr.onnx", epoch)

    def test_that_is_missing(self, folder):
        with pytest.raises(OCRError, match="has no epoch 9; it has 1, 2, 3"):
            load(folder / "ocr", 9)


class TestOptions:
    @pytest.mark.parametrize("name", ["ocr", "ocr.onnx"])
    def test_decode(self, folder, name):
        recognizer = load(folder / name, decode=lambda probabilities: [[1, 2]] * probabilities.shape[1])
        assert [reading.text for reading in recognizer.predict(list(marks()))] == ["01"] * len(TEXTS)

    @pytest.mark.parametrize("name", ["ocr", "ocr.onnx"])
    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_batch_size(self, folder, name, batch_size):
        recognizer = load(folder / name, batch_size=batch_size)
        assert [reading.text for reading in recognizer.predict(list(marks()))] == TEXTS


class TestRefused:
    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(OCRError, match=f"^{tmp_path}/none-symbol.json: no such checkpoint"):
            load(tmp_path / "none")
        with pytest.raises(OCRError, match=f"^{tmp_path}/none.onnx: No such file"):
            load(tmp_path / "none.onnx")

    def test_a_model_of_somebody_elses(self, tmp_path):
        (tmp_path / "a.onnx").write_bytes(b"no model")
        with pytest.raises(OCRError, match=f"^{tmp_path}/a.onnx: "):
            load(tmp_path / "a.onnx")

    def test_a_model_by_any_name(self, tmp_path):
        (tmp_path / "model.bin").write_bytes(export_onnx(mark_recipe(), mark_params(), "none"))
        assert load_model(tmp_path / "model.bin").predict(draw_marks([4, 2])).text == "42"
        with pytest.raises(OCRError, match="model.bin-symbol.json: no such checkpoint"):
            load(tmp_path / "model.bin")

    def test_what_is_not_installed_is_told(self, folder):
        program = (
            "import sys; sys.modules['onnxruntime'] = None\n"
            "import ocr_lib\n"
            "try: ocr_lib.load('ocr.onnx')\n"
            "except ocr_lib.OCRError as error: print(error)"
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.startswith("ocr.onnx needs ONNX Runtime (")
        assert re.search(r"\): pip install .*\[deploy\]", done.stdout)
