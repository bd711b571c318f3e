"""The commands that make checkpoints in whole numbers, measure them, and export them."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ocr_lib import load
from ocr_lib.cli import export, infer, quantize
from ocr_lib.fixed.reader import FixedReader
from tests.cli.quantize_command import TEXTS, contents, marks, refused
from tests.cli.running import run_main
from tests.fixed.quantized import quantized_recipe, random_weights
from tests.small_network import files_of, mark_params, mark_recipe, save

with_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="no C compiler, or no make"
)


@pytest.fixture
def prefix(tmp_path):
    (tmp_path / "run").mkdir()
    return save(tmp_path / "run" / "ocr", mark_recipe(), mark_params())


@pytest.fixture
def run_quantize(capsys, mark_samples):
    def run(prefix, *arguments):
        given = ["--prefix", prefix, "--engine", "fixed", "--samples", mark_samples, "--quiet", *arguments]
        return run_main(capsys, quantize.main, *given)

    return run


@pytest.fixture
def quantized(prefix, run_quantize):
    """Return the prefix of a checkpoint in whole numbers."""
    assert run_quantize(prefix)[0] == 0
    return f"{prefix}-fixed"


@pytest.fixture
def run_export(capsys, mark_samples):
    def run(prefix, *arguments):
        return run_main(capsys, export.main, "--prefix", prefix, "--samples", mark_samples, "--quiet", *arguments)

    return run


class TestCalibration:
    def test_writes_a_checkpoint_that_reads_like_any_other(self, prefix, run_quantize, mark_samples, capsys):
        before = contents(Path(prefix).parent)
        code, output, errors = run_quantize(prefix, "--mode=calib", "--bits=8", "--subset=3")
        assert (code, errors) == (0, [])
        assert f"{prefix}-fixed-0000.params and what belongs to it written" in output
        assert "5 of 5 images read the same" in output
        ends = ["-0000.params", "-manifest.json", "-quantized", "-recipe.json", "-symbol.json"]
        assert files_of(f"{prefix}-fixed") == [Path(f"{prefix}-fixed{end}") for end in ends]
        assert {name: data for name, data in contents_of_files(prefix).items() if name in before} == before
        reader = load(f"{prefix}-fixed")
        assert isinstance(reader, FixedReader) and reader.texts(list(marks())) == TEXTS
        assert infer.main([f"--prefix={prefix}-fixed", str(mark_samples)]) == 0
        assert f"Digits: {list(map(int, TEXTS[0]))}" in capsys.readouterr().out

    def test_as_an_object(self, prefix, run_quantize, tmp_path):
        arguments = [
            "--bits=mixed",
            "--calib-mode=kl",
            "--out",
            tmp_path / "new" / "small",
            "--output-dir",
            tmp_path / "i",
        ]
        code, output, _ = run_quantize(prefix, *arguments, "--json")
        told = json.loads(output)
        assert (code, told["path"], told["accuracy"]) == (0, str(tmp_path / "new" / "small-0000.params"), 1.0)
        assert json.loads((tmp_path / "i" / "quant_info.json").read_bytes())["quantization"]["weight_bits"]

    @pytest.mark.parametrize(
        "arguments, message",
        [
            (["--engine=mxnet", "--bits=8"], "--bits goes with --engine fixed"),
            (["--engine=mxnet", "--mode=test"], "--mode goes with --engine fixed"),
            (["--exclude=l0"], "--exclude goes with --engine mxnet"),
            (["--calib-mode=naive"], "--calib-mode naive: with --engine fixed it is one of extremes"),
            (["--engine=mxnet", "--calib-mode=mse"], "--calib-mode mse: with --engine mxnet it is one of naive"),
            (["--mode=test", "--bits=8"], "--bits goes with --mode calib"),
            (["--mode=test"], "is not in whole numbers: --mode calib makes a checkpoint that is"),
            (["--samples=nowhere"], "nowhere"),
            (["--subset=0"], "0 samples are too few"),
        ],
    )
    def test_refuses(self, prefix, run_quantize, arguments, message):
        before = contents(Path(prefix).parent)
        refused(run_quantize(prefix, *arguments), message)
        assert contents(Path(prefix).parent) == before

    def test_refuses_what_is_quantized_already(self, quantized, run_quantize):
        refused(run_quantize(quantized), "is quantized already: take mode test")
        refused(run_quantize(quantized, "--engine=mxnet"), "is quantized already: take the checkpoint that it was made")

    def test_refuses_what_reads_much_worse(self, prefix, run_quantize, monkeypatch):
        monkeypatch.setattr("ocr_lib.fixed.calibrate.best_exponent", lambda *_: 4)
        refused(run_quantize(prefix), "the quantized model reads", "nothing was written")
        assert not files_of(f"{prefix}-fixed")


class TestMeasuring:
    def test_writes_what_is_deployed(self, quantized, run_quantize):
        code, output, errors = run_quantize(quantized, "--mode=test")
        assert (code, errors) == (0, [])
        assert "5 images read in whole numbers: exact match 100.00%, CER 0.00%" in output
        folder = Path(f"{quantized}-quantized")
        assert sorted(path.name for path in folder.iterdir()) == ["golden.npz", "model.bin", "quant_info.json"]

    def test_as_an_object(self, quantized, run_quantize, tmp_path):
        code, output, _ = run_quantize(quantized, "--mode=test", "--json", "--output-dir", tmp_path / "d")
        expected = {"images": 5, "accuracy": 1.0, "cer": 0.0, "is_checked": True, "folder": str(tmp_path / "d")}
        assert (code, json.loads(output)) == (0, expected)

    def test_of_more_bits_than_are_trained(self, prefix, run_quantize):
        assert run_quantize(prefix, "--bits=16")[0] == 0
        code, output, _ = run_quantize(f"{prefix}-fixed", "--mode=test")
        assert code == 0 and "exact match 100.00%" in output and "Training's graph" not in output


class TestExport:
    @with_compiler
    def test_a_folder_of_c_reads_as_the_checkpoint_does(self, quantized, run_export, tmp_path):
        code, output, errors = run_export(quantized, "--format=c", "--out", tmp_path / "c")
        assert (code, errors) == (0, [])
        assert " bytes, against " in output and f"make -C {tmp_path / 'c'} test" in output
        built = subprocess.run(["make", "-C", tmp_path / "c", "test"], capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        assert subprocess.run(["make", "-C", tmp_path / "c"], capture_output=True, check=False).returncode == 0
        for mark, text in zip(marks(), TEXTS):
            image = tmp_path / "mark.pgm"
            image.write_bytes(b"P5 %d %d 255\n" % mark.shape[::-1] + mark.tobytes())
            read = subprocess.run([tmp_path / "c" / "ocr_reader", image], capture_output=True, text=True, check=True)
            assert read.stdout.split()[-1] == text

    def test_a_page_for_browsers(self, quantized, run_export, tmp_path):
        page = tmp_path / "reader.html"
        code, output, errors = run_export(quantized, "--format=web", "--out", page)
        assert (code, errors) == (0, []) and f"{page}: {page.stat().st_size:,} bytes" in output
        before = page.read_bytes()
        assert before.startswith(b"<!doctype html>") and b"src=" not in before
        refused(run_export(quantized, "--format=web", "--out", page), f"{page} is there already")
        assert page.read_bytes() == before
        assert run_export(quantized, "--format=web", "--out", page, "--overwrite")[0] == 0

    @pytest.mark.parametrize("form", ["c", "web"])
    def test_what_is_in_floating_point_is_calibrated(self, prefix, run_export, tmp_path, form):
        code, output, errors = run_export(prefix, f"--format={form}", "--out", tmp_path / "made")
        assert (code, errors) == (0, [])
        assert "whole numbers of 8 bits: 5 of 5 images read the same" in output
        code, output, _ = run_export(prefix, f"--format={form}", "--out", tmp_path / "other", "--json")
        assert (code, json.loads(output)["same_texts"]) == (0, 5)

    def test_what_reads_much_worse_is_not_written(self, prefix, run_export, tmp_path, monkeypatch):
        monkeypatch.setattr("ocr_lib.fixed.calibrate.best_exponent", lambda *_: 4)
        refused(run_export(prefix, "--format=web", "--out", tmp_path / "page.html"), "nothing was written")
        assert not (tmp_path / "page.html").exists()

    def test_a_folder_that_is_there(self, quantized, run_export, tmp_path):
        folder = tmp_path / "c"
        assert run_export(quantized, "--format=c", "--out", folder)[0] == 0
        before = contents(folder)
        refused(run_export(quantized, "--format=c", "--out", folder), f"{folder} is there already: --overwrite")
        assert contents(folder) == before
        assert run_export(quantized, "--format=c", "--out", folder, "--overwrite")[0] == 0
        assert contents(folder) == before
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "letter.txt").write_text("dear")
        refused(run_export(quantized, "--format=c", "--out", tmp_path / "mine", "--overwrite"), "another --out")
        assert contents(tmp_path / "mine") == {"letter.txt": b"dear"}

    def test_as_an_object(self, quantized, run_export, tmp_path):
        code, output, _ = run_export(quantized, "--format=c", "--out", tmp_path / "c", "--json")
        told = json.loads(output)
        assert code == 0 and told["bytes"] == len((tmp_path / "c" / "model.bin").read_bytes()) < told["flash"]
        assert told["ram"] < told["fast_ram"]

    def test_an_onnx_file(self, quantized, run_export):
        code, output, errors = run_export(quantized)
        assert (code, errors) == (0, []) and "5 of 5 images read the same" in output
        assert load(f"{quantized}.onnx").texts(list(marks())) == TEXTS
        refused(run_export(quantized, "--int8"), "is quantized already: leave --int8 out")

    def test_a_header(self, run_export, tmp_path):
        parts = ["input", "recurrent_weight", "recurrent_bias", "hidden", "classifier_weight", "classifier_bias"]
        settings = {"quantization": "W4A4", **{f"quantization.{part}.kind": "fixed_unit" for part in parts}}
        recipe = quantized_recipe(settings, width=None, bidirectional=True)
        prefix = save(tmp_path / "ocr", recipe, random_weights(recipe))
        code, output, errors = run_export(prefix, "--format=hls", "--pe=5")
        assert (code, errors) == (0, [])
        assert "#define PE 5" in (tmp_path / "ocr.hpp").read_text() and "r_model_fw_bw.hpp" in output
        refused(run_export(prefix, "--format=hls"), "ocr.hpp is there already")

    @pytest.mark.parametrize(
        "arguments, message",
        [
            (["--format=c", "--num-calib=0"], "0 samples are too few"),
            (["--format=web", "--samples=nowhere"], "nowhere"),
            (["--format=hls"], "an HLS header takes network.bidirectional=true"),
            (["--format=c", "--int8"], "--int8 goes with --format onnx"),
            (["--format=c", "--pe=2"], "--pe goes with --format hls"),
        ],
    )
    def test_refuses(self, prefix, run_export, arguments, message):
        before = contents(Path(prefix).parent)
        refused(run_export(prefix, *arguments), message)
        assert contents(Path(prefix).parent) == before


def contents_of_files(prefix):
    return {path.name: path.read_bytes() for path in Path(prefix).parent.iterdir() if path.is_file()}


def test_readings_need_no_floating_point_network(quantized):
    """Probabilities are those of whole numbers: logits are multiples of one step."""
    reader = load(quantized)
    logits = np.log(reader.probabilities(marks()))
    differences = (logits - logits[:, :, :1]) / 2.0**reader.network.exponent
    found = differences[np.isfinite(differences) & (np.abs(logits) < 15)]
    np.testing.assert_allclose(found, np.round(found), atol=0.05)
