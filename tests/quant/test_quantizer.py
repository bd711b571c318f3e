"""Quantizing what is trained: calibrate, test, export."""

import json

import numpy as np
import pytest

from ocr_lib import OCRError
from ocr_lib.fixed.build import integer_network
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.quant.golden import check_golden
from ocr_lib.quant.mixed import fewest_bits
from ocr_lib.quant.quantizer import Quantizer
from ocr_lib.recipe.quantization import parse_shorthand
from tests.cli.quantize_command import TEXTS, marks
from tests.fixed.quantized import CONVOLUTIONS, quantized_recipe, random_images, random_weights
from tests.small_network import mark_params, mark_recipe, save, smooth_params


@pytest.fixture
def prefix(tmp_path):
    return save(tmp_path / "ocr", mark_recipe(), mark_params())


def calibrated(prefix, folder, bits=8, **options):
    quantizer = Quantizer(prefix, "calib", bits, folder, **options)
    assert [reading.text for reading in quantizer.model.predict(list(marks()))] == TEXTS
    assert quantizer.export_config() == folder / "quant_info.json"
    return quantizer


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("choice", ["extremes", "percentile", "mse", "kl"])
def test_reads_as_before(prefix, tmp_path, bits, choice):
    calibrated(prefix, tmp_path, bits, choice=choice)
    model = Quantizer(prefix, "test", output_dir=tmp_path).model
    assert [reading.text for reading in model.predict(list(marks()))] == TEXTS
    before = Reader(load_checkpoint(prefix)).probabilities(marks())
    assert np.abs(model.probabilities(marks()) - before).max() < 0.1


def test_the_observing_model_reads_in_floating_point(prefix, tmp_path):
    model = Quantizer(prefix, output_dir=tmp_path).model
    np.testing.assert_allclose(
        model.probabilities(marks()), Reader(load_checkpoint(prefix)).probabilities(marks()), atol=1e-5
    )


def test_batch_normalisation_is_folded(tmp_path):
    settings = {"network.convolutions": [{"filters": 4}], "network.output_norm": True, "network.bidirectional": True}
    recipe = mark_recipe(**{key.partition(".")[2]: value for key, value in settings.items()})
    prefix = save(tmp_path / "ocr", recipe, smooth_params(recipe))
    quantizer = Quantizer(prefix, output_dir=tmp_path, bits=16)
    before = quantizer.model.probabilities(marks())
    quantized, _ = quantizer.quantized()
    assert not quantized.network.output_norm and not quantized.network.convolutions[0].batch_norm
    quantizer.export_config()
    model = Quantizer(prefix, "test", output_dir=tmp_path).model
    assert np.abs(model.probabilities(marks()) - before).max() < 0.1


def test_says_everything_of_every_tensor(prefix, tmp_path):
    calibrated(prefix, tmp_path)
    info = json.loads((tmp_path / "quant_info.json").read_bytes())
    tensors = info["tensors"]
    assert tensors["l0_hidden"] == {"kind": "fixed", "bits": 8, "exponents": [-7], "range": [-1.0, 1 - 2**-7]}
    assert len(tensors["l0_i2h_weight"]["exponents"]) == 4 and tensors["l0_cell"]["bits"] == 16
    assert {"data", "l0_i", "l0_index", "l0_h2h_bias", "pred_fc_weight", "pred_fc_bias"} <= tensors.keys()


def test_mixed_bits_are_the_fewest_that_lose_nothing(prefix, tmp_path):
    told = []
    quantizer = Quantizer(prefix, "calib", "mixed", tmp_path, max_drop=0.0)
    quantizer.model.predict(list(marks()))
    (recipe, weights) = quantizer.quantized(told.append)
    bits = recipe.quantization.weight_bits
    assert set(bits) == {"l0", "pred_fc"} and max(bits.values()) < 8
    assert told[0].startswith("8 bits: 0.00% of 10 texts")
    assert any("kept" in line for line in told)
    network = integer_network(recipe, weights)
    largest = np.abs(network.layers[0][0].linear.weights[0]).max()
    assert largest <= 2 ** (bits["l0"] - 1)


def test_mixed_bits_stop_where_too_much_is_lost():
    """A reader that loses a text below 4 bits in one layer, and below 6 in the other."""

    class Reader:
        def __init__(self, quantization):
            bits = {"l0": 8, "pred_fc": 8, **quantization.weight_bits}
            self.lost = (bits["l0"] < 4) + (bits["pred_fc"] < 6)

        def texts(self, images):
            return ["?"] * self.lost + TEXTS[self.lost :]

    def bits(max_drop):
        start, images = parse_shorthand("W8A8"), list(marks())
        found = fewest_bits(start, Reader, mark_recipe(), images, TEXTS, max_drop, told.append)
        return found.weight_bits

    told = []
    assert bits(0.0) == {"l0": 4, "pred_fc": 6}
    assert "l0 with 3 bits: 10.00%, too much" in told
    assert bits(0.1) == {"l0": 2, "pred_fc": 6}


def test_golden_tensors_are_checked_and_written(prefix, tmp_path):
    calibrated(prefix, tmp_path)
    quantizer = Quantizer(prefix, "test", output_dir=tmp_path)
    model = quantizer.export(deploy_check=True)
    assert model == tmp_path / "model.bin" and model.stat().st_size > 100
    golden = dict(np.load(tmp_path / "golden.npz"))
    network = integer_network(*quantizer.quantized())
    assert (golden["logits"] == network.logits(golden["image"][np.newaxis])[:, 0]).all()
    assert golden["logits_exponent"] == network.exponent
    assert golden["l0_cell"].shape == golden["l0_hidden"].shape == (16, 10)
    h = golden["l0_o"][0] * network.layers[0][0].tables.tanh[_place(golden, network)]
    assert ((h + 64) >> 7 == golden["l0_hidden"][0]).all()


def _place(golden, network):
    tables = network.layers[0][0].tables
    shift = tables.index_exponent - int(golden["l0_cell_exponent"])
    index = (golden["l0_cell"][0] + (1 << shift >> 1)) >> shift
    return np.clip(index, *tables.index_levels[:2]) - tables.index_levels.low


def test_golden_logits_that_training_would_not_give_are_refused():
    recipe = quantized_recipe("W4A4", CONVOLUTIONS)
    weights, (image,) = random_weights(recipe), random_images(1)
    network = integer_network(recipe, weights)
    golden = {"logits": network.logits(image[np.newaxis])[:, 0], "logits_exponent": np.array(network.exponent)}
    check_golden(golden, recipe, weights, image)
    golden["logits"][0, 0] += 1
    with pytest.raises(OCRError, match="has other logits"):
        check_golden(golden, recipe, weights, image)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mode": "train"}, "mode 'train' is unknown: take one of calib, test"),
        ({"bits": 7}, "bits 7 is unknown: take one of 8, 16, mixed"),
        ({"choice": "best"}, "choice 'best' is unknown"),
        ({"mode": "test"}, "quant_info.json: no such file; calibrate first"),
    ],
)
def test_refuses(prefix, tmp_path, arguments, message):
    with pytest.raises(OCRError, match=message):
        Quantizer(prefix, output_dir=tmp_path, **arguments)


def test_refuses_to_calibrate_with_nothing(prefix, tmp_path):
    with pytest.raises(OCRError, match="there are no images to calibrate with"):
        Quantizer(prefix, output_dir=tmp_path).export_config()
    assert not (tmp_path / "quant_info.json").exists()


def test_refuses_to_export_before_testing(prefix, tmp_path):
    with pytest.raises(OCRError, match="export takes mode test"):
        calibrated(prefix, tmp_path).export()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda info: {**info, "format": "other 3"}, "of the format 'other 3'"),
        (lambda info: {**info, "tensors": {}}, "of another network than this checkpoint's"),
        (lambda info: {**info, "quantization": {"cell": {"kind": "octal"}}}, "octal"),
        (lambda info: {"format": info["format"]}, "missing required field"),
    ],
)
def test_refuses_what_is_no_config(prefix, tmp_path, change, message):
    calibrated(prefix, tmp_path)
    path = tmp_path / "quant_info.json"
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    with pytest.raises(OCRError, match=message):
        Quantizer(prefix, "test", output_dir=tmp_path)
