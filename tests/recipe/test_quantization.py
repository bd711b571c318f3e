"""The precisions of a network, and the shorthand for them."""

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.recipe.quantization import Precision, parse_shorthand
from ocr_lib.recipe.settings import encode_json, load_preset, override
from tests.fixed.quantized import CONVOLUTIONS, quantized_recipe


def bits(quantization):
    return {name: precision.stored_bits for name, precision in quantization.parts()}


def test_shorthand():
    parts = bits(parse_shorthand("W2B8A4I32_FC_W32B32"))
    assert parts == {
        "input": 4,
        "convolution_weight": 2,
        "convolution_bias": 8,
        "convolution_output": 4,
        "recurrent_weight": 2,
        "recurrent_bias": 8,
        "hidden": 4,
        "internal": 32,
        "cell": 32,
        "classifier_weight": 32,
        "classifier_bias": 32,
    }


def test_what_the_shorthand_leaves_out():
    parts = bits(parse_shorthand("W4A8"))
    assert [parts[name] for name in ("recurrent_bias", "internal", "cell")] == [16, 8, 16]
    assert [parts[name] for name in ("classifier_weight", "classifier_bias")] == [8, 16]
    assert parse_shorthand("W1A4").recurrent_weight == Precision("binary")


@pytest.mark.parametrize("text", ["W4", "A4W4", "W4A4I", "W0A4", "W17A4", "W4A4_FC", "w4a4"])
def test_what_is_no_shorthand(text):
    with pytest.raises(OCRError, match=rf"^quantization: '{text}'"):
        override(quantized_recipe(), {"quantization": text})


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"quantization.hidden.kind": "octal"}, "octal.*quantization.hidden.kind"),
        ({"quantization.hidden.bits": 1}, ">= 2.*quantization.hidden.bits"),
        ({"quantization.hidden.bits": 17}, "<= 16.*quantization.hidden.bits"),
        ({"quantization.cell.kind": "float"}, "internal and cell are both float, or neither is"),
        ({"quantization.cell.kind": "fixed_unit"}, "cell goes beyond"),
        ({"quantization.internal.kind": "binary"}, "quantization.internal can be float, fixed or fixed_unit"),
        ({"quantization.input.kind": "binary"}, "input can't be binary"),
        ({"quantization.input.kind": "float"}, "internal takes input and hidden that are not float"),
        ({"quantization.recurrent_bias.kind": "float"}, "internal takes recurrent_weight and recurrent_bias"),
        ({"quantization.weight_bits": {"l0": 1}}, ">= 2.*weight_bits"),
        ({"quantization.weight_bits": {"l7": 4}}, "weight_bits: l7 is none of the layers l0, pred_fc"),
    ],
)
def test_impossible_precisions(settings, reason):
    with pytest.raises(OCRError, match=reason):
        override(quantized_recipe(), settings)


@pytest.mark.parametrize("norms", [{"network.output_norm": True}, {"network.convolutions": [{"filters": 3}]}])
def test_batch_normalisation_must_be_folded(norms):
    with pytest.raises(OCRError, match="train without quantization, then --pretrained folds them into the weights"):
        override(quantized_recipe(), norms)


def test_batch_normalisation_may_stay_where_nothing_is_quantized():
    recipe = override(load_preset("uw3-bilstm"), {"quantization": "W2B8A4I32_FC_W32B32"})
    assert recipe.network.output_norm and not recipe.is_whole


def test_null_is_floating_point():
    recipe = override(quantized_recipe(), {"quantization": "null"})
    assert recipe.quantization is None and not recipe.is_whole


def test_a_recipe_with_a_quantization_is_json(tmp_path):
    recipe = quantized_recipe("W3B8A4I8_FC_W4B8", CONVOLUTIONS)
    path = tmp_path / "recipe.json"
    path.write_bytes(encode_json(recipe))
    assert load_preset(path) == recipe and recipe.is_whole


@pytest.mark.parametrize(
    "text, is_trainable", [("W8A8", True), ("W2A4", True), ("W9A8", False), ("W4A4I9", False), ("W2A2I32", True)]
)
def test_training_is_exact_up_to_some_bits(text, is_trainable):
    assert parse_shorthand(text).is_trainable is is_trainable
