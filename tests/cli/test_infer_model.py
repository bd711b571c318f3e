"""Reading images with an exported model: the command says what it says with the checkpoint."""

import json
import subprocess
import sys

import pytest

from ocr_lib.cli.infer import main
from ocr_lib.deploy.export import export_onnx
from tests.cli.infer_command import ROOT, run_script, write
from tests.cli.running import run_lines
from tests.small_network import LETTERS, mark_params, mark_recipe

TEXTS = ["0089", "7", "31415", ""]


@pytest.fixture
def images(tmp_path):
    return [write(tmp_path / f"{i}.png", text) for i, text in enumerate(TEXTS)]


@pytest.fixture
def infer_model(capfd, model):
    return lambda *arguments, model=model: run_lines(capfd, main, f"--model={model}", *arguments)


@pytest.fixture
def infer(capfd, prefix):
    return lambda *arguments: run_lines(capfd, main, f"--prefix={prefix}", *arguments)


class TestAsTheCheckpoint:
    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--confidence"],
            ["--quiet"],
            ["--batch-size=1"],
            ["--batch-size=3", "--confidence"],
            ["--decoder=beam", "--confidence"],
            [r"--pattern=\d{4}", "--confidence"],
        ],
    )
    def test_prints_the_same(self, infer_model, infer, images, options):
        found = infer_model(*options, *images)
        assert found[0] == 0 and len(found[1]) == len(TEXTS)
        assert found == infer(*options, *images)

    def test_reads_what_is_there(self, infer_model, images):
        assert infer_model(images[0]) == (0, ["Digits: [0, 0, 8, 9]"], [])

    @pytest.mark.parametrize("options", [[], [r"--pattern=\d{4}"]])
    def test_json(self, infer_model, infer, images, options):
        (code, lines, errors), (_, expected, _) = (read("--json", *options, *images) for read in (infer_model, infer))
        found, expected = (json.loads("\n".join(text)) for text in (lines, expected))
        assert (code, errors, len(found)) == (0, [], len(TEXTS))
        for ours, theirs in zip(found, expected):
            assert (list(ours), ours["path"], ours["text"]) == (list(theirs), theirs["path"], theirs["text"])
            assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-5)
            assert [c["text"] for c in ours["characters"]] == list(ours["text"])
            for one, other in zip(ours["characters"], theirs["characters"]):
                assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-4)
                assert one["x"] == pytest.approx(other["x"], abs=0.11)

    def test_a_pattern_holds(self, infer_model, images):
        found = json.loads("\n".join(infer_model("--json", r"--pattern=\d{4}", *images)[1]))
        assert [len(entry["text"]) for entry in found] == [4] * len(TEXTS)
        assert found[0]["text"] == "0089"

    def test_letters(self, infer_model, tmp_path):
        model = tmp_path / "letters.onnx"
        model.write_bytes(export_onnx(mark_recipe(LETTERS), mark_params()))
        path = write(tmp_path / "a.png", "вага", LETTERS)
        assert infer_model(path, model=model) == (0, ["Text: вага"], [])

    def test_a_bad_image_costs_only_itself(self, infer_model, images, tmp_path):
        (tmp_path / "empty.png").touch()
        code, lines, errors = infer_model(images[0], tmp_path / "empty.png", images[1])
        assert (code, len(lines), len(errors)) == (1, 2, 1)
        assert f"{tmp_path}/empty.png: the file is empty" in errors[0]


class TestRefused:
    def refused(self, result, said):
        code, lines, errors = result
        assert (code, lines, len(errors)) == (1, [], 1)
        assert ": error: " in errors[0] and said in errors[0]

    @pytest.mark.parametrize("option", ["--prefix=runs/ocr", "--epoch=3", "--epoch=best"])
    def test_a_checkpoint_besides(self, infer_model, images, option):
        self.refused(infer_model(option, *images), "leave --prefix and --epoch out")

    @pytest.mark.parametrize("damage", ["empty", "cut", "text", "changed", "metadata"])
    def test_a_damaged_model(self, infer_model, images, model, tmp_path, damage):
        data = model.read_bytes()
        license_at = data.index(b"not stated")
        contents = {
            "empty": b"",
            "cut": data[: len(data) // 2],
            "text": b"This is a letter.\n",
            "changed": data[:1000] + bytes([data[1000] ^ 1]) + data[1001:],
            "metadata": data[:license_at] + b"\xff" + data[license_at + 1 :],
        }
        (tmp_path / "bad.onnx").write_bytes(contents[damage])
        self.refused(infer_model(*images, model=tmp_path / "bad.onnx"), f"{tmp_path}/bad.onnx: ")

    def test_a_missing_model(self, infer_model, images, tmp_path):
        expected = f"{tmp_path}/none.onnx: No such file or directory"
        self.refused(infer_model(*images, model=tmp_path / "none.onnx"), expected)


class TestScript:
    def test_reads(self, model, images):
        assert run_script(f"--model={model}", images[0]) == (0, "Digits: [0, 0, 8, 9]\n", "")

    def test_needs_no_mxnet(self, model, images):
        assert self.without("mxnet", model, images[0]) == (0, "Digits: [0, 0, 8, 9]\n", "")

    def test_says_that_it_needs_onnx_runtime(self, model, images):
        code, output, errors = self.without("onnxruntime", model, images[0])
        assert (code, output, len(errors.splitlines())) == (1, "", 1)
        assert f"{model} needs ONNX Runtime" in errors and "pip install " in errors and "[deploy]" in errors

    def without(self, module, model, image):
        program = f"import sys; sys.modules[{module!r}] = None; from ocr_lib.cli.infer import main; sys.exit(main())"
        command = [sys.executable, "-c", program, f"--model={model}", str(image)]
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        return finished.returncode, finished.stdout, finished.stderr
