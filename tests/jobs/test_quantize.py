"""Making checkpoints of 8 bits as a function; what it writes and refuses is tested with the command."""

from pathlib import Path

import numpy as np
import pytest

from ocr_lib import OCRError, load, quantize
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.recognize import comparison
from tests.cli.quantize_command import TEXTS, contents, marks, write_samples
from tests.small_network import mark_params, mark_recipe, save


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "_TURN_S", 0.001)
    (tmp_path / "run").mkdir()
    return Path(save(tmp_path / "run" / "ocr", mark_recipe(), mark_params(), (1, 2), (0.5, 1.0)))


def test_says_what_was_written_and_how_it_compares(prefix, samples):
    quantized = quantize(prefix, samples=samples)
    assert (quantized.prefix, quantized.path) == (f"{prefix}-int8", Path(f"{prefix}-int8-0000.params"))
    assert quantized.path.exists() and set(quantized.speedups) == {1, 128}
    assert (quantized.comparison.count, quantized.comparison.accuracy, quantized.comparison.drop) == (5, 1.0, 0.0)
    assert [reading.text for reading in load(quantized.prefix).predict(list(marks()))] == TEXTS


def test_options(prefix, samples, tmp_path):
    out = tmp_path / "new" / "small"
    quantized = quantize(
        str(prefix), out, samples=str(samples), epoch=1, calib_mode="none", exclude=["pred_fc"], num_calib=1, num_test=3
    )
    assert (quantized.prefix, quantized.comparison.count) == (str(out), 3)
    np.testing.assert_array_equal(
        load_checkpoint(quantized.prefix).arg_params["pred_fc_weight"].asnumpy(), mark_params()["pred_fc_weight"]
    )


@pytest.mark.parametrize("suffix", ["-symbol.json", "-0001.params", "-0100.params", "-manifest.json"])
def test_what_is_there_is_somebodys(prefix, samples, suffix):
    Path(f"{prefix}-int8{suffix}").write_bytes(b"{}")
    before = contents(prefix.parent)
    with pytest.raises(OCRError):
        quantize(prefix, samples=samples)
    assert contents(prefix.parent) == before
    quantize(prefix, samples=samples, overwrite=True)
    assert sorted(set(contents(prefix.parent)) - {name for name in before if "int8" not in name}) == [
        f"ocr-int8{name}" for name in ("-0000.params", "-manifest.json", "-recipe.json", "-symbol.json")
    ]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "out, said",
    [
        ("run/ocr", "--out and --prefix are both"),
        ("run", "--out .*run is a folder"),
        ("run/ocr-0001.params/x", "can't be written"),
    ],
)
def test_no_place_for_it(prefix, tmp_path, out, said, overwrite):
    before = contents(prefix.parent)
    with pytest.raises(OCRError, match=said):
        quantize(prefix, tmp_path / out, samples=tmp_path / "none", overwrite=overwrite)
    assert contents(prefix.parent) == before
