"""Networks in 8 bits by MXNet: what is quantized, what is left out, and what is refused."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint, split_params
from ocr_lib.net.reader import Reader
from ocr_lib.quant.int8 import quantize
from ocr_lib.recipe.settings import override
from tests.quant.networks import (
    CONVOLUTION,
    CONVOLUTIONS,
    LSTM,
    PRODUCT,
    belongs,
    cells,
    count,
    differences,
    is_quantized,
    make_recipe,
    networks,
    nodes_of,
    quantized_layers,
    quantized_reader,
    random_images,
    with_onednn,
)
from tests.small_network import save

pytestmark = with_onednn


class TestGraph:
    @networks
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
    @pytest.mark.parametrize("calib_mode", ["naive", "none"])
    def test_fused_is_quantized_throughout(self, make_checkpoint, calib_mode, bidirectional, convolutions):
        checkpoint = make_checkpoint(make_recipe(convolutions=convolutions, bidirectional=bidirectional))
        symbol, _ = quantize(checkpoint, random_images(4), calib_mode)
        found = quantized_layers(symbol)
        assert found.pop(LSTM) >= 1
        assert found == ({CONVOLUTION: len(convolutions), PRODUCT: 1} if convolutions else {PRODUCT: 1})
        assert not any(count(symbol, name) for name in ("RNN", "FullyConnected", "Convolution", "Activation"))

    @networks
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
    @pytest.mark.parametrize("calib_mode", ["naive", "none"])
    def test_unrolled_is_quantized_but_for_products_of_zeros(
        self, make_checkpoint, calib_mode, bidirectional, convolutions
    ):
        recipe = make_recipe(cell="unrolled", convolutions=convolutions, bidirectional=bidirectional, layers=2)
        checkpoint = make_checkpoint(recipe)
        quantized = quantize(checkpoint, random_images(4), calib_mode)
        steps = recipe.time_steps
        directions = 2 * (1 + bidirectional)
        found = quantized_layers(quantized.symbol)
        assert found.pop(CONVOLUTION, 0) == len(convolutions)
        assert found == {PRODUCT: directions * (1 + steps - 1) + 1}  # i2h, h2h, pred_fc
        floating = [
            n for n in nodes_of(quantized.symbol) if n["op"] in (PRODUCT, "FullyConnected") and not is_quantized(n)
        ]
        ways = [("_", 0), ("_r_", steps - 1)][: 1 + bidirectional]
        assert len(floating) == directions
        for name in (f"l{layer}{way}t{first}_h2h" for layer in (0, 1) for way, first in ways):
            assert any(belongs(node, name) for node in floating)
        assert np.isfinite(quantized_reader(checkpoint, quantized).probabilities(random_images(3, seed=1))).all()

    def test_ranges_are_stored_but_with_none(self, make_checkpoint):
        checkpoint = make_checkpoint(make_recipe(convolutions=CONVOLUTIONS))
        for calib_mode, stored in (("naive", True), ("none", False)):
            symbol, _ = quantize(checkpoint, random_images(4), calib_mode)
            inputs = [node["attrs"] for node in nodes_of(symbol) if node["op"] == "_contrib_quantize_v2"]
            assert inputs
            assert all(("min_calib_range" in attributes) == stored for attributes in inputs)
            states = [node["attrs"] for node in nodes_of(symbol) if node["op"] == "_contrib_quantize_asym"]
            assert states
            for attributes in states:  # whatever the calibration
                assert float(attributes["min_calib_range"]) <= -1
                assert float(attributes["max_calib_range"]) >= 1

    @cells
    def test_output_is_called_logits(self, make_checkpoint, cell):
        symbol, params = quantize(make_checkpoint(make_recipe(cell=cell, convolutions=CONVOLUTIONS)), random_images(4))
        assert symbol.list_outputs() == ["pred_fc_output"]
        assert set(symbol.list_arguments()) - {"data"} == {name[4:] for name in params}


@cells
@networks
@pytest.mark.parametrize("calib_mode", ["naive", "none"])
def test_is_the_same_once_saved(make_checkpoint, tmp_path, calib_mode, convolutions, cell):
    checkpoint = make_checkpoint(make_recipe(cell=cell, convolutions=convolutions, bidirectional=True))
    quantized = quantize(checkpoint, random_images(4), calib_mode)
    prefix = save(tmp_path / "int8", checkpoint.recipe, quantized.params, symbol=quantized.symbol)
    found = Reader(load_checkpoint(prefix)).probabilities(random_images(3, seed=1))
    expected = quantized_reader(checkpoint, quantized).probabilities(random_images(3, seed=1))
    np.testing.assert_array_equal(found, expected)


RECIPES = {cell: make_recipe(cell=cell, convolutions=CONVOLUTIONS, layers=2) for cell in ("fused", "unrolled")}


class TestExclude:
    @pytest.mark.parametrize(
        "cell, layer", [(cell, layer) for cell, recipe in RECIPES.items() for layer in recipe.layer_names]
    )
    def test_that_layer_is_in_floating_point_and_all_others_are_not(self, make_checkpoint, cell, layer):
        recipe = RECIPES[cell]
        checkpoint = make_checkpoint(recipe)
        quantized = quantize(checkpoint, random_images(4), exclude=[layer])
        nodes = nodes_of(quantized.symbol)
        for name in recipe.layer_names:
            own = [node for node in nodes if belongs(node, name)]
            assert own, name
            assert any(map(is_quantized, own)) == (name != layer), name
        assert differences(checkpoint, quantized, random_images(4, seed=1)).max() < 0.4

    @cells
    def test_all(self, make_checkpoint, cell):
        recipe = RECIPES[cell]
        checkpoint = make_checkpoint(recipe)
        quantized = quantize(checkpoint, random_images(4), exclude=recipe.layer_names)
        assert quantized_layers(quantized.symbol) == {}
        assert differences(checkpoint, quantized, random_images(4, seed=1)).max() < 1e-5

    def test_an_unknown_one_names_those_there_are(self, make_checkpoint):
        for cell, recipe in RECIPES.items():
            names = ", ".join(recipe.layer_names)
            assert names.startswith("conv0, conv1, l") and names.endswith(", pred_fc"), cell
            with pytest.raises(OCRError, match=f"^--exclude conv7: the layers are {names}$"):
                quantize(make_checkpoint(recipe), random_images(4), exclude=["pred_fc", "conv7"])

    def test_a_prefix_of_a_name_is_no_name(self, make_checkpoint):
        with pytest.raises(OCRError, match="^--exclude conv: "):
            quantize(make_checkpoint(RECIPES["fused"]), random_images(4), exclude=["conv"])


class TestUnfit:
    def test_quantizing_twice(self, make_checkpoint):
        checkpoint = make_checkpoint(make_recipe(layers=1))
        symbol, params = quantize(checkpoint, random_images(4))
        arg_params, aux_params = split_params(params)
        again = checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params)
        with pytest.raises(OCRError, match="is of 8 bits already: take the checkpoint that it was made from"):
            quantize(again, random_images(4))

    def test_a_network_for_lines_of_any_width(self, make_checkpoint):
        checkpoint = make_checkpoint(override(make_recipe(layers=1), [("image.width", None)]))
        with pytest.raises(OCRError, match=r"need a fixed image.width; lstm_ocr_export.py --int8 takes") as caught:
            quantize(checkpoint, random_images(4))
        assert len(str(caught.value).splitlines()) == 1

    def test_an_mxnet_without_onednn(self, make_checkpoint, monkeypatch):
        checkpoint = make_checkpoint(make_recipe(layers=1))

        class Features:
            def is_enabled(self, name):
                assert name == "MKLDNN"
                return False

        monkeypatch.setattr(mx.runtime, "Features", Features)
        with pytest.raises(OCRError, match="without MKL-DNN"):
            quantize(checkpoint, random_images(4))
