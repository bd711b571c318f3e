"""Networks in 8 bits by MXNet: how near they stay to those in floating point."""

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.quant.int8 import quantize
from tests.quant.networks import (
    CONVOLUTION,
    CONVOLUTIONS,
    HEIGHT,
    LSTM,
    PRODUCT,
    TEXTS,
    WIDTH,
    cells,
    differences,
    make_recipe,
    networks,
    nodes_of,
    quantized_layers,
    quantized_reader,
    random_images,
    with_onednn,
)
from tests.small_network import draw_marks, mark_params, mark_recipe, smooth_params

pytestmark = with_onednn

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
