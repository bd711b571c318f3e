"""Networks in 8 bits by MXNet: what is quantized, and how near they stay to those in floating point."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint, split_params
from ocr_lib.net.reader import Reader
from ocr_lib.quant.int8 import layer_names, quantize, quantized_layers
from ocr_lib.recipe import override
from tests.small_network import draw_marks, mark_params, mark_recipe, random_params, save

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 16, 13
CONVOLUTIONS = [{"filters": 3, "pool": [2, 2]}, {"filters": 5, "pool": [2, 2]}]
NETWORKS = {"raw": [], "two-conv": CONVOLUTIONS}
TEXTS = ["0089", "7", "31415", "", "555", "90", "1234567"]
CONVOLUTION, PRODUCT, LSTM = "_sg_mkldnn_conv", "_sg_mkldnn_fully_connected", "_contrib_quantized_rnn"

cells = pytest.mark.parametrize("cell", ["fused", "unrolled"])
networks = pytest.mark.parametrize("convolutions", NETWORKS.values(), ids=NETWORKS)

pytestmark = pytest.mark.skipif(not mx.runtime.Features().is_enabled("MKLDNN"), reason="this MXNet has no oneDNN")


def make_recipe(height=HEIGHT, **network):
    sizes = [("image.width", WIDTH), ("image.height", height), ("text.min_length", 1), ("text.max_length", 1)]
    sizes += [("network.hidden", 16), *((f"network.{key}", value) for key, value in network.items())]
    return override(mark_recipe(), sizes)


def smooth_params(recipe, seed=1):
    """Return parameters of the sizes that training leaves: units are neither idle nor saturated, and classes clear."""
    params = random_params(recipe, seed, scale=1.0)
    for name, array in params.items():
        if name.endswith("_weight"):
            array *= (8 if name == "arg:pred_fc_weight" else 1.5) / np.sqrt(array[0].size)
        elif name.endswith(("_bias", "_beta")):
            array *= 0.1
        elif name.endswith("_gamma"):
            array[:] = 1
    return params


def random_images(count, seed=0, height=HEIGHT):
    """Return images of squares, which differ more from each other than those of single pixels do."""
    squares = np.random.default_rng(seed).integers(0, 256, (count, -(-height // 4), WIDTH // 4), np.uint8)
    return squares.repeat(4, axis=1).repeat(4, axis=2)[:, :height]


@pytest.fixture
def make_checkpoint(tmp_path):
    def make(recipe, params=None):
        return load_checkpoint(save(tmp_path / "ocr", recipe, smooth_params(recipe) if params is None else params))

    return make


def quantized_reader(checkpoint, quantized, batch_size=128):
    arg_params, aux_params = split_params(quantized.params)
    return Reader(
        checkpoint._replace(symbol=quantized.symbol, arg_params=arg_params, aux_params=aux_params), batch_size
    )


def differences(checkpoint, quantized, images):
    """Return by how much probabilities differ, once they are seen to be worth comparing."""
    expected = Reader(checkpoint).probabilities(images)
    assert np.ptp(expected, axis=1).max() > 0.05, "the images are read too much alike to tell anything"
    return np.abs(quantized_reader(checkpoint, quantized).probabilities(images) - expected)


def nodes_of(symbol):
    return json.loads(symbol.tojson())["nodes"]


def belongs(node, layer):
    """Tell whether a node is a layer's, or has a part of it within."""
    inner = [each["name"] for graph in node.get("subgraphs", []) for each in graph["nodes"] if each["op"] != "null"]
    names = [node["name"].replace("quantized_", "", 1), *inner]
    return node["op"] != "null" and any(f"{name}_".startswith(f"{layer}_") for name in names)


def is_quantized(node):
    return node.get("attrs", {}).get("quantized", "").lower() == "true"


def count(symbol, operator):
    return sum(node["op"] == operator for node in nodes_of(symbol))


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


RECIPES = {cell: make_recipe(cell=cell, convolutions=CONVOLUTIONS, layers=2) for cell in ("fused", "unrolled")}


class TestExclude:
    @pytest.mark.parametrize(
        "cell, layer", [(cell, layer) for cell, recipe in RECIPES.items() for layer in layer_names(recipe)]
    )
    def test_that_layer_is_in_floating_point_and_all_others_are_not(self, make_checkpoint, cell, layer):
        recipe = RECIPES[cell]
        checkpoint = make_checkpoint(recipe)
        quantized = quantize(checkpoint, random_images(4), exclude=[layer])
        nodes = nodes_of(quantized.symbol)
        for name in layer_names(recipe):
            own = [node for node in nodes if belongs(node, name)]
            assert own, name
            assert any(map(is_quantized, own)) == (name != layer), name
        assert differences(checkpoint, quantized, random_images(4, seed=1)).max() < 0.4

    @cells
    def test_all(self, make_checkpoint, cell):
        recipe = RECIPES[cell]
        checkpoint = make_checkpoint(recipe)
        quantized = quantize(checkpoint, random_images(4), exclude=layer_names(recipe))
        assert quantized_layers(quantized.symbol) == {}
        assert differences(checkpoint, quantized, random_images(4, seed=1)).max() < 1e-5

    def test_an_unknown_one_names_those_there_are(self, make_checkpoint):
        for cell, recipe in RECIPES.items():
            names = ", ".join(layer_names(recipe))
            assert names.startswith("conv0, conv1, l") and names.endswith(", pred_fc"), cell
            with pytest.raises(OCRError, match=f"^--exclude conv7: the layers are {names}$"):
                quantize(make_checkpoint(recipe), random_images(4), exclude=["pred_fc", "conv7"])

    def test_a_prefix_of_a_name_is_no_name(self, make_checkpoint):
        with pytest.raises(OCRError, match="^--exclude conv: "):
            quantize(make_checkpoint(RECIPES["fused"]), random_images(4), exclude=["conv"])


# Of mean differences. A simulation in numpy of what 8 bits must cost gives 0.001. Without VNNI, products of 8 bits are
# summed in 16, and overflow: a fused graph came to 0.012 to 0.019 by this, and to 0.002 to 0.008 with inputs of 7 bits.
NEAR = {"fused": 0.009, "unrolled": 0.02}
# Ranges of the moment can't be widened, so here sums of products saturate on CPUs without VNNI.
NEAR_WITHOUT_CALIBRATION = {"fused": 0.015, "unrolled": 0.08}
NEAREST_WIDE = 0.12  # at most; up to 0.7 with scales of other weights


class TestNear:
    @cells
    @networks
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
    @pytest.mark.parametrize("calib_mode", ["naive", "none"])
    def test_one_layer(self, make_checkpoint, calib_mode, bidirectional, convolutions, cell):
        recipe = make_recipe(cell=cell, convolutions=convolutions, bidirectional=bidirectional, layers=1)
        checkpoint = make_checkpoint(recipe)
        found = differences(checkpoint, quantize(checkpoint, random_images(32), calib_mode), random_images(16, seed=1))
        near = NEAR_WITHOUT_CALIBRATION if calib_mode == "none" else NEAR
        assert 0 < found.mean() < near[cell]

    @pytest.mark.parametrize("layers", [2, 3])
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
    def test_an_input_wider_than_the_states(self, make_checkpoint, bidirectional, layers):
        """MXNet 1.9.1 takes the scales of all layers' weights from beyond them if the first is the widest."""
        recipe = make_recipe(height=100, layers=layers, hidden=8, bidirectional=bidirectional)
        checkpoint = make_checkpoint(recipe)
        images = random_images(8, seed=1, height=100)
        quantized = quantize(checkpoint, random_images(32, height=100))
        outputs = []
        for i in range(4):
            mx.nd.array(np.full(100_000 * (i + 1), 3.0**i)).wait_to_read()  # others' leavings in memory
            outputs.append(quantized_reader(checkpoint, quantized, 8 + i).probabilities(images))
        for output in outputs[1:]:
            np.testing.assert_array_equal(output, outputs[0])
        assert differences(checkpoint, quantized, images).max() < NEAREST_WIDE

    @cells
    @pytest.mark.parametrize("calib_mode", ["naive", "none"])
    def test_marks_are_read_alike(self, make_checkpoint, calib_mode, cell):
        checkpoint = make_checkpoint(mark_recipe(cell=cell), mark_params())
        images = np.stack([draw_marks([int(character) for character in text]) for text in TEXTS])
        quantized = quantize(checkpoint, images, calib_mode)
        assert [reading.text for reading in quantized_reader(checkpoint, quantized).read(list(images))] == TEXTS
        assert differences(checkpoint, quantized, images).max() < 0.1

    @pytest.mark.parametrize("cell", ["fused", pytest.param("unrolled", marks=pytest.mark.slow)])  # seconds a product
    def test_entropy(self, make_checkpoint, cell):
        pytest.importorskip("scipy")
        checkpoint = make_checkpoint(make_recipe(cell=cell, convolutions=[{"filters": 3, "pool": [8, 2]}], layers=1))
        quantized = quantize(checkpoint, random_images(8), "entropy")
        expected = {CONVOLUTION: 1, **({LSTM: 1, PRODUCT: 1} if cell == "fused" else {PRODUCT: 3})}
        assert quantized_layers(quantized.symbol) == expected
        assert differences(checkpoint, quantized, random_images(8, seed=1)).mean() < NEAR[cell]

    @pytest.mark.parametrize("size", [1, 31, 33])
    def test_any_number_of_images_calibrates(self, make_checkpoint, size):
        checkpoint = make_checkpoint(make_recipe(convolutions=CONVOLUTIONS, layers=1))
        found = differences(checkpoint, quantize(checkpoint, random_images(size)), random_images(8, seed=1))
        assert found.max() < 0.2

    def test_ranges_are_taken_from_all_images(self, make_checkpoint):
        checkpoint = make_checkpoint(make_recipe(convolutions=CONVOLUTIONS, layers=1))
        images = np.full((65, HEIGHT, WIDTH), 255, np.uint8)
        images[-1] = random_images(1)[0]
        one, other, without = (
            ranges(quantize(checkpoint, part).symbol) for part in (images, images[::-1], images[:-1])
        )
        assert one == other != without


def ranges(symbol):
    attributes = [node.get("attrs", {}) for node in nodes_of(symbol)]
    return [(each["min_calib_range"], each["max_calib_range"]) for each in attributes if "min_calib_range" in each]


class TestStates:
    """The quantized LSTM has one range for its input and its states."""

    @pytest.fixture(params=[1.0, 10.0], ids=["small", "large"])
    def checkpoint(self, make_checkpoint, request):
        """Negative states, behind a ReLU whose values reach far beyond 1, or not."""
        recipe = make_recipe(convolutions=CONVOLUTIONS, layers=1)
        params = smooth_params(recipe)
        params["arg:bn1_gamma"][:] *= request.param
        params["arg:bn1_beta"][:] *= request.param
        params["arg:l0_i2h_weight"] /= request.param
        params["arg:l0_h2h_weight"] *= 2
        bias = params["arg:l0_i2h_bias"].reshape(4, -1)
        bias[:] = [[2], [2], [-1], [2]]  # gates are open, and what comes in is negative
        return make_checkpoint(recipe, params)

    @pytest.mark.parametrize("calib_mode", ["naive", "none"])
    def test_negative_ones_are_not_cut_off(self, checkpoint, calib_mode):
        quantized = quantize(checkpoint, random_images(32), calib_mode)
        found = differences(checkpoint, quantized, random_images(16, seed=1))
        assert found.mean() < 0.01


class TestUnfit:
    def test_quantizing_twice(self, make_checkpoint):
        checkpoint = make_checkpoint(make_recipe(layers=1))
        symbol, params = quantize(checkpoint, random_images(4))
        arg_params, aux_params = split_params(params)
        again = checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params)
        with pytest.raises(OCRError, match="is of 8 bits already: take the checkpoint that it was made from"):
            quantize(again, random_images(4))

    def test_an_mxnet_without_onednn(self, make_checkpoint, monkeypatch):
        checkpoint = make_checkpoint(make_recipe(layers=1))

        class Features:
            def is_enabled(self, name):
                assert name == "MKLDNN"
                return False

        monkeypatch.setattr(mx.runtime, "Features", Features)
        with pytest.raises(OCRError, match="without MKL-DNN"):
            quantize(checkpoint, random_images(4))


with_vnni = pytest.mark.skipif("avx512_vnni" not in Path("/proc/cpuinfo").read_text(), reason="this CPU has no VNNI")

COMPARE = """
import sys
import numpy as np
from ocr_lib.net.checkpoint import load_checkpoint, split_params
from ocr_lib.net.reader import Reader
from ocr_lib.quant.int8 import quantize
checkpoint = load_checkpoint(sys.argv[1])
images = np.load(sys.argv[2])
symbol, params = quantize(checkpoint, images)
arg_params, aux_params = split_params(params)
found = Reader(checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params)).probabilities(images)
print(np.abs(found - Reader(checkpoint).probabilities(images)).max() < 0.1)
"""


class TestInstructions:
    """Quantized LSTMs fail where oneDNN may use VNNI."""

    def run(self, program, *arguments, isa=None):
        environment = {name: value for name, value in os.environ.items() if name != "DNNL_MAX_CPU_ISA"}
        if isa is not None:
            environment["DNNL_MAX_CPU_ISA"] = isa
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=False
        )

    @pytest.mark.parametrize("isa, expected", [(None, "AVX512_CORE"), ("AVX2", "AVX2")])
    def test_are_limited_unless_the_environment_chooses(self, isa, expected):
        done = self.run("import os, ocr_lib.mx; print(os.environ['DNNL_MAX_CPU_ISA'])", isa=isa)
        assert (done.stdout, done.stderr) == (f"{expected}\n", "")

    @pytest.fixture
    def compare(self, tmp_path):
        """Compare the network that reads marks with itself in 8 bits, in a process with or without VNNI."""
        np.save(tmp_path / "images.npy", np.stack([draw_marks([int(c) for c in text]) for text in TEXTS]))
        prefix = save(tmp_path / "ocr", mark_recipe(), mark_params())
        return lambda isa=None: self.run(COMPARE, prefix, tmp_path / "images.npy", isa=isa)

    @with_vnni
    def test_lstm_runs_on_a_cpu_with_vnni(self, compare):
        done = compare()
        assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr

    @with_vnni
    def test_what_to_do_is_told_if_the_environment_chose_badly(self, compare):
        last = compare(isa="AVX512_CORE_VNNI").stderr.splitlines()[-1]
        assert last.startswith("ocr_lib.errors.OCRError: ") and "needs DNNL_MAX_CPU_ISA=AVX512_CORE" in last
