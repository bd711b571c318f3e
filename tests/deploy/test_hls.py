"""Headers for LSTM-PYNQ: what they hold, as a C++ compiler reads them."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.deploy.hls import hls_header
from ocr_lib.errors import OCRError
from ocr_lib.fixed.build import integer_network
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.settings import load_preset, override

HERE = Path(__file__).parent
HEIGHT, HIDDEN, COLUMNS = 12, 6, 9
BITS = {
    "input": 4,
    "recurrent_weight": 3,
    "recurrent_bias": 8,
    "hidden": 5,
    "internal": 8,
    "classifier_weight": 7,
    "classifier_bias": 9,
}
OTHER_BITS = {**BITS, "input": 8, "recurrent_weight": 2, "recurrent_bias": 4, "hidden": 2, "classifier_bias": 16}
FOLDINGS = [(BITS, 1, 1), (BITS, 3, 1), (BITS, 1, 2), (OTHER_BITS, 2, 1), (OTHER_BITS, 1, 6)]
PLACES = {"gi": 0, "gf": 1, "ci": 2, "go": 3}

with_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


def make_recipe(*settings, bits=BITS):
    quantization = {part: {"kind": "fixed_unit", "bits": each} for part, each in bits.items()}
    fixed = ["cell", "convolution_weight", "convolution_bias", "convolution_output"]
    quantization.update((part, {"kind": "fixed", "bits": 12}) for part in fixed)
    sizes = {
        "image.height": HEIGHT,
        "text.alphabet": "0123456789",
        "network.hidden": HIDDEN,
        "network.output_norm": False,
        "quantization": quantization,
    }
    return override(load_preset("uw3-bilstm"), {**sizes, **dict(settings)})


def make_weights(recipe, seed=0):
    """Return parameters of which many lie halfway between two whole numbers, and some beyond them all."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(recipe).items():
        if name.endswith("_log2_step"):
            weights[name] = np.full(shape, -7 - ("_r_" in name), np.float32)
            continue
        finest = 2.0 ** recipe_bits(recipe, name)
        weights[name] = (np.rint(rng.normal(0, 0.5, shape) * finest) / finest).astype(np.float32)
        weights[name].flat[:2] = -1, 1
    return weights


def recipe_bits(recipe, name):
    part = "classifier" if name.startswith("pred_fc") else "recurrent"
    return getattr(recipe.quantization, f"{part}_{name.rpartition('_')[2]}").bits


def nearest(recipe, weights, name, *place):
    """Return a parameter's whole number: to the nearest one, ties to the even one."""
    bits = recipe_bits(recipe, name)
    limited = min(max(float(weights[name][place]), -1), 1 - 2 ** (1 - bits))
    return round(limited * 2 ** (bits - 1))


def expected_arrays(recipe, weights, simd_factor, pe):
    """Return the elements of all arrays, one by one, as the format defines them."""
    arrays = {}

    def column_of(gate, column):
        return ["l0_", "l0_r_"][column // HIDDEN], PLACES[gate] * HIDDEN + column % HIDDEN

    for gate in PLACES:
        for kind, ours, inputs in (("ih", "i2h", HEIGHT), ("hh", "h2h", HIDDEN)):
            simd = inputs // simd_factor
            weight, bias = [], []
            for s, f, q, r in np.ndindex(simd, simd_factor, pe, 2 * HIDDEN // pe):
                prefix, row = column_of(gate, r * pe + q)
                weight.append(nearest(recipe, weights, f"{prefix}{ours}_weight", row, f * simd + s))
            for q, r in np.ndindex(pe, 2 * HIDDEN // pe):
                prefix, row = column_of(gate, r * pe + q)
                bias.append(nearest(recipe, weights, f"{prefix}{ours}_bias", row))
            arrays[f"w{gate}_{kind}"], arrays[f"b{gate}_{kind}"] = weight, bias
    classes = recipe.alphabet.num_classes
    arrays["wfc"] = [
        nearest(recipe, weights, "pred_fc_weight", each % classes, each // classes * HIDDEN + unit)
        for unit, each in np.ndindex(HIDDEN, 2 * classes)
    ]
    arrays["bfc"] = [nearest(recipe, weights, "pred_fc_bias", each) for each in range(classes)] + [0] * classes
    return arrays


def expected_macros(bits, simd_factor, pe):
    return {
        "PE": pe,
        "SIMD_INPUT": HEIGHT // simd_factor,
        "SIMD_RECURRENT": HIDDEN // simd_factor,
        "NUMBER_OF_NEURONS": HIDDEN,
        "NUMBER_OF_NEURONS_TYPEWIDTH": 4,
        "HEIGHT_IN_PIX": HEIGHT,
        "HEIGHT_IN_PIX_TYPEWIDTH": 5,
        "NUMBER_OF_CLASSES": 11,
        "NUMBER_OF_CLASSES_TYPEWIDTH": 8,
        "MAX_NUMBER_COLUMNS_TEST_SET": 732,
        "MAX_NUMBER_COLUMNS_TEST_SET_TYPEWIDTH": 11,
        "SIZE_OF_OUTPUT_BUFFER": 96,
        "PACKEDWIDTH": {4: 64, 8: 128}[bits["input"]],
        "DATAWIDTH": 64,
        "PIXELWIDTH": bits["input"],
        "WEIGHTWIDTH": bits["recurrent_weight"],
        "BIASWIDTH": bits["recurrent_bias"],
        "FCWEIGHTWIDTH": bits["classifier_weight"],
        "FCBIASWIDTH": bits["classifier_bias"],
        "OUTPUTACTIVATIONHIDDENLAYERWIDTH": bits["hidden"],
        "OUTPUTACTIVATIONOUTPUTLAYERWIDTH": 16,
    }


def settings_of(network, image):
    """Return what hls_check reads: what a header doesn't hold, and an image (H, W)."""
    forward, backward = network.layers[0]
    tables, levels = forward.tables, forward.cell_levels
    columns = network.grey[image].T
    numbers = [len(tables.tanh), tables.index_exponent, tables.exponent, *tables.sigmoid, *tables.tanh]
    numbers += [levels.low, levels.high, forward.cell_exponent, backward.cell_exponent, len(columns), *columns.flat]
    return " ".join(map(str, numbers))


def compile_and_run(folder, header, standard_input):
    """Return the numbers that hls_check prints, by name."""
    (folder / "r_model_fw_bw.hpp").write_text(header)
    types = os.environ.get("OCR_AP_TYPES") or str(HERE / "ap_fixed_standin")
    program = folder / "hls_check"
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-isystem", types]
    subprocess.run([*command, str(HERE / "hls_check.cpp"), "-o", str(program)], check=True)
    answer = subprocess.run([str(program)], input=standard_input, stdout=subprocess.PIPE, text=True, check=True)
    lines = (line.split() for line in answer.stdout.splitlines())
    return {name: [int(number) for number in numbers] for name, *numbers in lines}


@with_compiler
@pytest.mark.parametrize("bits,simd_factor,pe", FOLDINGS)
def test_a_compiler_reads_the_networks_numbers_and_computes_its_logits(bits, simd_factor, pe, tmp_path):
    recipe = make_recipe(bits=bits)
    weights = make_weights(recipe)
    network = integer_network(recipe, weights)
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, COLUMNS), np.uint8)
    found = compile_and_run(tmp_path, hls_header(recipe, weights, simd_factor, pe), settings_of(network, image))

    for name, numbers in expected_arrays(recipe, weights, simd_factor, pe).items():
        pairs = found.pop(name)
        assert pairs[1::2] == numbers, name
        part = ("classifier" if "fc" in name else "recurrent") + ("_weight" if name[0] == "w" else "_bias")
        assert pairs[::2] == [number % 2 ** bits[part] for number in numbers], name
    logits, exponent = found.pop("logits"), found.pop("exponent")
    assert {name: number for name, (number,) in found.items()} == expected_macros(bits, simd_factor, pe)

    assert exponent == [network.exponent]
    expected = network.logits(image[np.newaxis])[:, 0]
    assert len(np.unique(expected)) > 20
    assert np.array_equal(np.reshape(logits, expected.shape), expected)


class TestHeader:
    def test_types_are_those_of_all_arrays(self):
        lines = hls_header(make_recipe(), make_weights(make_recipe())).splitlines()
        types = [line.split()[-1] for line in lines if line.startswith("typedef")]
        arrays = [line.split()[2].partition("[")[0] for line in lines if line.startswith("const")]
        assert types == [f"t_fixed_{name};" for name in arrays]
        assert len(arrays) == 18
        assert "typedef ap_fixed<3, 1, AP_RND_ZERO, AP_WRAP> t_fixed_wgo_hh;" in lines

    def test_shapes(self):
        text = hls_header(make_recipe(), make_weights(make_recipe()), pe=3)
        for array in ["<3> wgi_ih[12][1][3][4]", "<3> wci_hh[6][1][3][4]", "<8> bgo_hh[3][4]", "<7> wfc[6][22]"]:
            assert f"const ap_uint{array} =\n{{" in text
        assert "const ap_uint<3> wgf_hh[2][3][1][12] =\n{{{{0x" in hls_header(
            make_recipe(), make_weights(make_recipe()), simd_factor=3
        )

    def test_columns_are_counted(self):
        text = hls_header(make_recipe(), make_weights(make_recipe()), max_columns=2048)
        assert "#define MAX_NUMBER_COLUMNS_TEST_SET 2048\n#define MAX_NUMBER_COLUMNS_TEST_SET_TYPEWIDTH 12\n" in text

    def test_widths_of_the_accelerators_own_networks(self):
        recipe = override(
            make_recipe(),
            {"image.height": 32, "network.hidden": 128, "text.alphabet": "".join(map(chr, range(0x100, 0x151)))},
        )
        text = hls_header(recipe, make_weights(recipe), simd_factor=2)
        widths = {"NUMBER_OF_NEURONS": 8, "HEIGHT_IN_PIX": 6, "NUMBER_OF_CLASSES": 8, "MAX_NUMBER_COLUMNS_TEST_SET": 11}
        for name, width in widths.items():
            assert f"#define {name}_TYPEWIDTH {width}\n" in text
        assert "#define NUMBER_OF_CLASSES 82\n" in text
        assert "#define PACKEDWIDTH 128\n" in text
        assert max(map(len, text.splitlines())) <= 120

    def test_the_last_label_fits(self):
        recipe = override(make_recipe(), {"text.alphabet": "".join(map(chr, range(0x4E00, 0x4F00)))})
        assert "#define NUMBER_OF_CLASSES_TYPEWIDTH 9\n" in hls_header(recipe, make_weights(recipe))


class TestErrors:
    @pytest.mark.parametrize(
        "key,value,message",
        [
            ("network.convolutions", [{"filters": 3, "batch_norm": False}], r"train with network\.convolutions=\[\]"),
            ("network.layers", 2, "takes network.layers=1, and the network has 2"),
            ("network.bidirectional", False, "takes network.bidirectional=true, and the network has false"),
            ("network.merge", "sum", "takes network.merge=concat, and the network has sum"),
            ("quantization", None, "floating point: quantize it"),
            ("quantization.input.kind", "fixed", "takes quantization.input.kind=fixed_unit, .* has fixed:"),
            ("quantization.recurrent_weight.kind", "ternary", "recurrent_weight.kind=fixed_unit, .* has ternary"),
            ("quantization.recurrent_bias.kind", "fixed", "recurrent_bias.kind=fixed_unit"),
            ("quantization.hidden.kind", "binary", "hidden.kind=fixed_unit, .* has binary"),
            ("quantization.classifier_weight.kind", "float", "classifier_weight.kind=fixed_unit, .* has float"),
            ("quantization.classifier_bias.kind", "fixed", "classifier_bias.kind=fixed_unit"),
            ("quantization.weight_bits", {"l0": 4}, "weights of one kind, and the network has weight_bits"),
        ],
    )
    def test_networks_of_another_kind(self, key, value, message):
        recipe = make_recipe((key, value)) if key == "quantization" else override(make_recipe(), {key: value})
        with pytest.raises(OCRError, match=message) as caught:
            hls_header(recipe, {name: np.zeros(shape) for name, shape in weight_shapes(recipe).items()})
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "options,message",
        [
            ({"simd_factor": 0}, "simd_factor 0 and pe 1 must be 1 at least"),
            ({"pe": -1}, "must be 1 at least"),
            ({"simd_factor": 2, "pe": 2}, "one of them must be 1"),
            ({"simd_factor": 4}, "simd_factor 4 must divide 12 rows and 6 hidden units: take 1, 2, 3 or 6"),
            ({"simd_factor": 5}, "take 1, 2, 3 or 6"),
            ({"pe": 4}, "pe 4 must divide 6 hidden units: take 1, 2, 3 or 6"),
            ({"pe": 12}, "pe 12 must divide 6 hidden units"),
            ({"max_columns": 0}, "max_columns 0 is too few .* take 1 or more"),
        ],
    )
    def test_foldings(self, options, message):
        with pytest.raises(OCRError, match=message):
            hls_header(make_recipe(), make_weights(make_recipe()), **options)

    def test_wider_images(self):
        recipe = make_recipe(("image.width", 100), ("training.sorted_epochs", 0))
        with pytest.raises(OCRError, match="max_columns 99 is too few .* take 100 or more"):
            hls_header(recipe, make_weights(recipe), max_columns=99)

    def test_weights_of_another_network(self):
        weights = make_weights(make_recipe(("network.hidden", 5)))
        with pytest.raises(OCRError, match="the parameters don't fit"):
            hls_header(make_recipe(), weights)
