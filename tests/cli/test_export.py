"""The command that turns a checkpoint into an ONNX file: what it writes, prints and refuses."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cli.export import main
from ocr_lib.deploy import Predictor
from ocr_lib.files import sha256
from tests.cli.infer_command import write
from tests.cli.running import run_lines
from tests.small_network import draw_marks, files_of, mark_params, mark_recipe, save
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]
SPEEDS = ["1 at a time", "128 at a time"]
TEXTS = ["0", "12", "345", "6780", "1234", "5", "67", "80", "2222", "31"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of images without their texts."""
    return write_images(tmp_path_factory.mktemp("images"), labels=None)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("labelled"), TEXTS)


def write_images(folder, labels):
    for i, text in enumerate(TEXTS):
        write(folder / f"{i}.png", text)
    if labels is not None:
        rows = (f"{i}.png\t{text}\n" for i, text in enumerate(labels))
        (folder / "labels.tsv").write_text("".join(rows))
    return folder


@pytest.fixture
def export(capfd, prefix, tmp_path):
    """Return what runs the command in this process: it returns the exit code, and the lines of stdout and stderr."""

    def run(*arguments, prefix=prefix, out=tmp_path / "out.onnx"):
        return run_lines(capfd, main, f"--prefix={prefix}", *([f"--out={out}"] if out else []), *arguments)

    return run


def fragile_prefix(folder):
    """Save a network whose weights for row 9, which no image has a mark in, leave 8 bits none for the others."""
    params = mark_params()
    params["l0_i2h_weight"][:, 9] = 2000
    return save(folder / "ocr", mark_recipe(), params)


class TestFloatingPoint:
    def test_writes_a_file_that_reads_as_the_checkpoint(self, export, labelled, tmp_path, prefix):
        code, lines, errors = export(f"--samples={labelled}")
        assert (code, errors) == (0, [])
        path, best = tmp_path / "out.onnx", Path(f"{prefix}-0002.params")
        size, before = f"{path.stat().st_size:,}", f"{best.stat().st_size:,}"
        assert lines[0] == f"{path}: {size} bytes, against {before} of {best}"
        assert lines[1].startswith("5 of 5 images read the same, probabilities differ by ")
        assert lines[1].endswith("; exact match 100.00% against 100.00%, CER 0.00% against 0.00%")
        assert len(lines) == 2
        assert Predictor(path).predict(draw_marks([0, 0, 8, 9])).text == "0089"

    def test_json(self, export, labelled, tmp_path, prefix):
        code, lines, errors = export("--json", "--samples", labelled)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (0, [])
        assert 0 <= found.pop("max_difference") < 1e-5
        assert found == {
            "path": str(tmp_path / "out.onnx"),
            "bytes": (tmp_path / "out.onnx").stat().st_size,
            "bytes_before": Path(f"{prefix}-0002.params").stat().st_size,
            "count": 5,
            "same_texts": 5,
            "empty_before": 0,
            "accuracy": 1.0,
            "accuracy_before": 1.0,
            "cer": 0.0,
            "cer_before": 0.0,
            "changed": 0.0,
        }

    def test_images_without_texts(self, export, images):
        code, lines, errors = export("--json", "--samples", images)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (0, [])
        assert (found["count"], found["same_texts"], found["accuracy"], found["cer"]) == (5, 5, None, None)
        assert "exact match" not in "\n".join(export("--samples", images)[1])

    def test_images_with_other_texts_tell_how_well_it_reads(self, export, tmp_path):
        samples = write_images(tmp_path / "wrong", ["9999", *TEXTS[1:5], "0", *TEXTS[6:]])
        code, lines, _ = export("--json", "--samples", samples)
        found = json.loads("\n".join(lines))
        assert (code, found["accuracy"], found["accuracy_before"]) == (0, 0.8, 0.8)
        assert found["cer"] == found["cer_before"] == pytest.approx(1 / len("".join(TEXTS[1::2])))

    def test_captchas_in_fonts(self, export, font):
        code, lines, errors = export("--json", "--samples", font, "--num-test", 17)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (0, [])
        assert (found["count"], found["same_texts"]) == (17, 17)
        assert 0 <= found["accuracy"] == found["accuracy_before"] <= 1

    def test_num_test(self, export, images):
        assert json.loads("\n".join(export("--json", f"--samples={images}", "--num-test=2")[1]))["count"] == 2

    @pytest.mark.parametrize("epoch, digit", [("1", "5"), ("best", "4"), ("last", "3")])
    def test_epoch(self, export, images, tmp_path, epoch, digit):
        assert export(f"--epoch={epoch}", f"--samples={images}")[0] == 0
        assert Predictor(tmp_path / "out.onnx").predict(draw_marks([4])).text == digit

    def test_license(self, export, images, tmp_path):
        assert export("--license=CC-BY-4.0", f"--samples={images}")[0] == 0
        assert Predictor(tmp_path / "out.onnx").metadata.license == "CC-BY-4.0"

    def test_name_is_that_of_the_checkpoint(self, export, images, tmp_path):
        prefix = save(tmp_path / "run" / "my.ocr", mark_recipe(), mark_params())
        before = files_of(prefix)
        assert export(f"--samples={images}", prefix=prefix, out=None)[0] == 0
        assert sorted((tmp_path / "run").iterdir()) == sorted([*before, tmp_path / "run" / "my.ocr.onnx"])

    def test_folders_are_made_and_a_file_is_replaced_when_asked(self, export, images, tmp_path):
        out = tmp_path / "new" / "folder" / "a.onnx"
        assert export(f"--samples={images}", out=out)[0] == 0
        first = sha256(out)
        out.write_bytes(b"another")
        code, lines, errors = export(f"--samples={images}", out=out)
        assert (code, lines, len(errors)) == (1, [], 1)
        assert f"{out} is there already: --overwrite replaces it, another name leaves it alone" in errors[0]
        assert out.read_bytes() == b"another"
        assert export(f"--samples={images}", "--overwrite", out=out)[0] == 0
        assert sha256(out) == first
        assert list(out.parent.iterdir()) == [out]


class TestInt8:
    def test_json(self, export, labelled, tmp_path):
        prefix = save(tmp_path / "ocr", mark_recipe(), mark_params())
        code, lines, errors = export("--int8", "--json", "--samples", labelled, prefix=prefix, out=None)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (0, [])
        assert found["path"] == f"{prefix}-int8.onnx"
        assert found["bytes"] == Path(found["path"]).stat().st_size
        assert 1e-5 < found["max_difference"] < 0.1
        assert (found["count"], found["same_texts"], found["accuracy"]) == (5, 5, 1.0)
        assert list(found)[-2:] == ["speedup_1", "speedup_128"]
        assert all(0.01 < found[key] < 100 for key in ("speedup_1", "speedup_128"))
        predictor = Predictor(found["path"])
        assert predictor.metadata.precision == "int8"
        assert predictor.predict(draw_marks([0, 0, 8, 9])).text == "0089"

    @pytest.mark.parametrize("kind", ["labelled", "images"])
    def test_a_loss_leaves_an_older_file_as_it_was(self, export, request, tmp_path, kind):
        prefix = fragile_prefix(tmp_path)
        out = tmp_path / "out" / "a.onnx"
        out.parent.mkdir()
        out.write_bytes(b"good")
        samples = request.getfixturevalue(kind)
        code, lines, errors = export("--int8", "--overwrite", f"--samples={samples}", prefix=prefix, out=out)
        assert (code, lines, len(errors)) == (1, [], 1)
        assert "reads 100.00% of 5 images worse than its source, and --max-drop allows 1.00%" in errors[0]
        assert out.read_bytes() == b"good"
        assert list(out.parent.iterdir()) == [out]

    def test_a_loss_writes_no_new_file_either(self, export, labelled, tmp_path):
        prefix = fragile_prefix(tmp_path)
        before = sorted(tmp_path.iterdir())
        assert export("--int8", "--max-drop=99.9", f"--samples={labelled}", prefix=prefix, out=None)[0] == 1
        assert sorted(tmp_path.iterdir()) == before

    def test_a_loss_may_be_allowed(self, export, labelled, tmp_path):
        prefix = fragile_prefix(tmp_path)
        code, lines, errors = export("--int8", "--max-drop=100", f"--samples={labelled}", prefix=prefix)
        assert (code, errors) == (0, [])
        assert "exact match 0.00% against 100.00%" in lines[1]
        assert [line.partition(" times as fast as floating point, ")[2] for line in lines[2:]] == SPEEDS

    def test_in_floating_point_nothing_is_lost(self, export, labelled, tmp_path):
        assert export(f"--samples={labelled}", prefix=fragile_prefix(tmp_path))[0] == 0


class TestRefused:
    @pytest.fixture
    def refused(self, export, tmp_path, images):
        """Return what runs the command, which must fail with one line, write nothing, and say something."""

        def run(said, *arguments, samples=images, **options):
            before = sorted(tmp_path.rglob("*"))
            code, lines, errors = export(*arguments, f"--samples={samples}", **options)
            assert (code, lines, len(errors)) == (1, [], 1)
            assert ": error: " in errors[0] and said in errors[0]
            assert sorted(tmp_path.rglob("*")) == before

        return run

    @pytest.mark.parametrize("name", ["a.bin", "a", "a.onnx.gz", "onnx"])
    def test_another_suffix(self, refused, tmp_path, name):
        refused(f"--out {tmp_path}/{name}: give the name of a file, ending in .onnx", out=tmp_path / name)

    def test_a_folder(self, refused, tmp_path):
        (tmp_path / "a.onnx").mkdir()
        refused(f"--out {tmp_path}/a.onnx: give the name of a file", out=tmp_path / "a.onnx")

    def test_a_folder_that_is_a_file(self, refused, tmp_path):
        (tmp_path / "file").touch()
        refused(f"{tmp_path}/file/a.onnx can't be written", out=tmp_path / "file" / "a.onnx")

    def test_a_checkpoint_that_is_missing(self, refused, tmp_path):
        refused(f"{tmp_path}/none-symbol.json: no such checkpoint", prefix=tmp_path / "none")

    def test_an_epoch_that_is_missing(self, refused):
        refused("4", "--epoch=4")

    def test_samples_that_are_missing(self, refused, tmp_path):
        refused(f"{tmp_path}/none: no such font file or folder", samples=tmp_path / "none")

    def test_an_empty_folder(self, refused, tmp_path):
        (tmp_path / "empty").mkdir()
        refused(f"{tmp_path}/empty: no .ttf or .otf file", samples=tmp_path / "empty")

    @pytest.mark.parametrize("position, arguments", [("1", []), ("2", ["--int8"])])
    def test_a_text_called_png(self, refused, tmp_path, position, arguments):
        folder = write_images(tmp_path / "images", None)
        (folder / f"{position}.png").write_text("This is a letter, not a picture of one.\n")
        refused(f"{folder}/{position}.png: no image that OpenCV can read", *arguments, samples=folder)

    def test_one_image_only(self, refused, tmp_path):
        write(tmp_path / "one" / "a.png")
        refused(f"{tmp_path}/one has one image only", samples=tmp_path / "one")

    def test_labels_that_are_no_text(self, refused, tmp_path):
        folder = write_images(tmp_path / "images", None)
        (folder / "labels.tsv").write_bytes(b"1.png\t\xff\n")
        refused(f"{folder}/labels.tsv: line 1 is not UTF-8", samples=folder)

    @pytest.mark.parametrize("arguments", [["--num-test=0"], ["--num-test=-3"], ["--num-calib=0", "--int8"]])
    def test_no_samples(self, refused, arguments):
        refused("samples are too few: at least 1 is needed", *arguments)

    def test_a_checkpoint_with_numbers_that_are_none(self, refused, tmp_path):
        params = mark_params()
        params["pred_fc_bias"][3] = math.nan
        refused("no number", prefix=save(tmp_path / "ocr", mark_recipe(), params))

    @pytest.mark.parametrize(
        "arguments", [["--epoch=x"], ["--max-drop=much"], ["--num-calib=many"], ["--format=tflite"], ["--unknown"]]
    )
    def test_wrong_arguments(self, export, arguments, capfd):
        with pytest.raises(SystemExit) as caught:
            export(*arguments)
        errors = capfd.readouterr().err.splitlines()
        assert (caught.value.code, len(errors)) == (2, 1)
        assert arguments[0].partition("=")[0] in errors[0]


class TestScript:
    def run(self, *arguments, cwd=ROOT):
        command = [sys.executable, str(ROOT / "lstm_ocr_export.py"), *map(str, arguments)]
        finished = subprocess.run(command, cwd=cwd, capture_output=True, timeout=120, check=False, env=UNMEASURED)
        return finished.returncode, finished.stdout.decode().splitlines(), finished.stderr.decode().splitlines()

    def test_writes_8_bits_beside_the_checkpoint(self, tmp_path, labelled):
        save(tmp_path / "ocr", mark_recipe(), mark_params())
        code, lines, errors = self.run("--int8", f"--samples={labelled}", cwd=tmp_path)
        assert (code, errors, len(lines)) == (0, [], 4)
        assert lines[0].startswith("ocr-int8.onnx: ")
        images = np.stack([draw_marks([0, 0, 8, 9])])
        assert Predictor(tmp_path / "ocr-int8.onnx").texts(images) == ["0089"]

    def test_errors_are_one_line(self, tmp_path):
        code, lines, errors = self.run(cwd=tmp_path)
        assert (code, lines, len(errors)) == (1, [], 1)
        assert errors[0].startswith("lstm_ocr_export.py: error: ocr-symbol.json: no such checkpoint")
