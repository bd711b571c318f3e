"""Exporting as a function: what it compares, what it allows for rounding, and what it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import ocr_lib.deploy.export
from ocr_lib import OCRError, export, load
from ocr_lib.feed.samples import Samples
from ocr_lib.jobs.export import MAX_DIFFERENCE, checked_model
from ocr_lib.net.checkpoint import load_checkpoint
from tests.cli.quantize_command import TEXTS, contents, marks, write_samples
from tests.lines import line_recipe, random_lines
from tests.small_network import draw_marks, mark_params, mark_recipe, random_params, save


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def prefix(tmp_path):
    (tmp_path / "run").mkdir()
    return save(tmp_path / "run" / "ocr", mark_recipe(), mark_params(), (1, 2), (0.5, 1.0))


@pytest.fixture
def changing(monkeypatch):
    """Let exported models have other parameters than their checkpoint: return what takes the change."""

    def changing(change):
        real = ocr_lib.deploy.export.export_onnx

        def changed(recipe, weights, *arguments):
            return real(recipe, change({name: array.copy() for name, array in weights.items()}), *arguments)

        monkeypatch.setattr(ocr_lib.deploy.export, "export_onnx", changed)

    return changing


def with_bias(more):
    def change(weights):
        weights["pred_fc_bias"][1] += more
        return weights

    return change


class TestExport:
    def test_writes_a_model_and_says_how_it_compares(self, prefix, samples):
        exported = export(prefix, samples=samples)
        assert exported.path == Path(f"{prefix}.onnx") and exported.path.stat().st_size == exported.size
        assert (
            exported.source == Path(f"{prefix}-0002.params") and exported.source.stat().st_size == exported.size_before
        )
        assert (exported.comparison.count, exported.comparison.same_texts, exported.speedups) == (5, 5, {})
        assert [reading.text for reading in load(exported.path).predict(list(marks()))] == TEXTS

    def test_of_8_bits(self, prefix, samples, tmp_path):
        exported = export(prefix, tmp_path / "new" / "small.onnx", samples=str(samples), epoch=1, int8=True, num_test=3)
        assert exported.path == tmp_path / "new" / "small.onnx" and exported.source == Path(f"{prefix}-0001.params")
        assert set(exported.speedups) == {1, 128} and exported.comparison.count == 3
        assert load(exported.path).predict(draw_marks([4, 2])).text == "42"

    @pytest.mark.parametrize("name", ["ocr.onnx", "ocr-int8.onnx"])
    def test_what_is_there_is_somebodys(self, prefix, samples, name):
        folder = Path(prefix).parent
        (folder / name).write_bytes(b"somebody's")
        before = contents(folder)
        options = {"samples": samples, "int8": "int8" in name}
        with pytest.raises(OCRError, match=f"^{folder / name} is there already: --overwrite replaces it"):
            export(prefix, **options)
        assert contents(folder) == before
        assert export(prefix, overwrite=True, **options).path == folder / name

    def test_that_is_looked_at_first(self, prefix, tmp_path):
        (tmp_path / "a.onnx").touch()
        with pytest.raises(OCRError, match="a.onnx is there already"):
            export(tmp_path / "none", tmp_path / "a.onnx", samples=tmp_path / "none")

    def test_a_folder_and_other_names(self, prefix, tmp_path):
        (tmp_path / "a.onnx").mkdir()
        for name in ("a.onnx", "b.bin"):
            with pytest.raises(OCRError, match=f"^--out {tmp_path / name}: give the name of a file, ending in .onnx$"):
                export(prefix, tmp_path / name, overwrite=True)


class TestDifferences:
    @pytest.mark.parametrize("more", [0.01, -3.0, np.nan])
    def test_a_model_that_differs_is_refused(self, prefix, samples, changing, more):
        changing(with_bias(np.float32(more)))
        before = contents(Path(prefix).parent)
        with pytest.raises(OCRError):
            export(prefix, samples=samples)
        assert contents(Path(prefix).parent) == before

    def test_the_message_tells_both(self, prefix, samples, changing):
        changing(with_bias(np.float32(0.5)))
        with pytest.raises(
            OCRError, match=r"^the model differs from its source: probabilities by 0\.\d+, where rounding exp"
        ):
            export(prefix, samples=samples)

    def test_a_difference_of_rounding_is_none(self, prefix, samples, changing):
        changing(with_bias(np.float32(1e-5)))
        assert 1e-7 < export(prefix, samples=samples).comparison.max_difference <= MAX_DIFFERENCE


class TestAmplifiedRounding:
    """Networks whose states hang on the last bit of what came before: MXNet itself is off by more than 1e-4."""

    WIDTHS = (80, 33, 60, 80, 70, 79, 80, 41)
    FIXED, *FIXED_TOO = (80, 10, 1.2), (80, 5, 1.2)
    FREE, *FREE_TOO = (None, 0, 1.2), (None, 8, 1.2), (None, 11, 1.5)

    @pytest.fixture(params=[FIXED, *FIXED_TOO, FREE, *FREE_TOO])
    def checkpoint(self, tmp_path, request):
        width, seed, scale = request.param
        recipe = line_recipe(width=width, hidden=32)
        return load_checkpoint(save(tmp_path / "ocr", recipe, random_params(recipe, seed, scale)))

    @pytest.fixture
    def lines(self, checkpoint):
        widths = np.full(8, 80) if checkpoint.recipe.image.width else np.array(self.WIDTHS)
        images = np.zeros((8, checkpoint.recipe.image.height, 80), np.uint8)
        for image, line in zip(images, random_lines(widths)):
            image[:, : line.shape[1]] = line
        return Samples(images, None, widths)

    def test_are_exported(self, checkpoint, lines):
        model = checked_model(checkpoint, lines)
        assert MAX_DIFFERENCE < model.comparison.max_difference < 0.1

    @pytest.mark.parametrize("more", [1.0, -3.0, np.nan])
    @pytest.mark.parametrize(
        "checkpoint",
        [FIXED, FREE, *(pytest.param(each, marks=pytest.mark.slow) for each in (*FIXED_TOO, *FREE_TOO))],
        indirect=True,
    )
    def test_are_refused_where_they_differ(self, checkpoint, lines, changing, more):
        changing(with_bias(np.float32(more)))
        with pytest.raises(OCRError):
            checked_model(checkpoint, lines)


class TestReadsNothing:
    @pytest.fixture
    def silent(self, tmp_path):
        params = mark_params()
        params["pred_fc_bias"][0] = 50
        return save(tmp_path / "ocr", mark_recipe(), params)

    @pytest.mark.parametrize("has_labels", [True, False])
    def test_8_bits_are_refused_in_words(self, silent, samples, tmp_path, has_labels):
        folder = tmp_path / "images"
        shutil.copytree(samples, folder, ignore=None if has_labels else shutil.ignore_patterns("*.tsv"))
        with pytest.raises(OCRError, match=r"^these images don't show what quantizing costs: .*; nothing was written$"):
            export(silent, samples=folder, int8=True)
        assert not list(tmp_path.glob("*.onnx"))
        exported = export(silent, samples=folder, int8=True, max_drop=1)
        assert exported.comparison.empty_before == 5 and not exported.comparison.says_something

    def test_in_floating_point_probabilities_are_enough(self, silent, samples):
        assert load(export(silent, samples=samples).path).predict(draw_marks([1])).text == ""


def test_a_source_that_is_always_wrong_still_shows_what_changes(tmp_path):
    """Digits are read as the next one: no text is right, but characters that 8 bits change are seen."""
    folder = write_samples(tmp_path / "samples")
    params = mark_params()
    for name in ("pred_fc_weight", "pred_fc_bias"):
        params[name][1:] = np.roll(params[name][1:], 1, axis=0)
    params["l0_i2h_weight"][:, 9] = 2000  # leaves 8 bits none for the other rows
    prefix = save(tmp_path / "ocr", mark_recipe(), params)
    labels = [
        f"{i}.png\t{text.translate(str.maketrans('0123456789', '1234567890'))}x\n" for i, text in enumerate(TEXTS)
    ]
    (folder / "labels.tsv").write_text("".join(labels))
    with pytest.raises(OCRError, match=r"reads \d+\.\d+% of 5 images worse than its source"):
        export(prefix, samples=folder, int8=True)
