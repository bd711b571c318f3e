"""The network in double precision: as its equations have it, and as MXNet computes it but for rounding."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.exact import ExactNetwork, rounding
from ocr_lib.net.reader import Reader
from tests.feed.work import ENVIRONMENT
from tests.lines import NETWORKS, WIDTHS, line_params, line_recipe, random_lines
from tests.net.test_any_width import ANY_NETWORK
from tests.numpy_network import numpy_forward
from tests.small_network import draw_marks, mark_params, mark_recipe, random_params, save, smooth_params

EXACT_GREY = "image.scale", 64.0  # by which single precision divides without rounding
networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def bare(params):
    return {name.rpartition(":")[2]: array for name, array in params.items()}


def assert_exact(recipe, params, lines):
    network = ExactNetwork(recipe, bare(params))
    for line in lines:
        found = network.probabilities(line)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, numpy_forward(line[None], params, recipe)[:, 0], atol=1e-10, rtol=0)


@networks
def test_is_as_the_equations_have_it(network):
    recipe = line_recipe(EXACT_GREY, **network)
    params = line_params(recipe)
    assert_exact(recipe, params, random_lines())


@settings(max_examples=25)
@given(ANY_NETWORK)
def test_so_is_any_network(network):
    recipe = line_recipe(EXACT_GREY, **network)
    assert_exact(recipe, line_params(recipe), random_lines([40]))


@networks
@pytest.mark.parametrize("width, cell", [(None, "fused"), (40, "fused"), (40, "unrolled")])
def test_mxnet_differs_by_rounding_alone(network, width, cell, tmp_path):
    recipe = line_recipe(width=width, cell=cell, **network)
    checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, line_params(recipe)))
    reader, exact = Reader(checkpoint), ExactNetwork(recipe, numpy_weights(checkpoint))
    differences = []
    for line in random_lines([width] * 3 if width else WIDTHS):
        found, expected = reader.probabilities(line[None])[:, 0], exact.probabilities(line)
        assert found.shape == expected.shape
        differences.append(np.abs(found - expected).max())
    assert 0 < max(differences) < 1e-5


def test_reads_what_is_known():
    network = ExactNetwork(mark_recipe(), mark_params())
    best = network.probabilities(draw_marks([4, 2])).argmax(axis=1).tolist()
    assert best == [0, 5, 0, 3, *[0] * 12]


@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_large_parameters_do_no_harm(scale):
    recipe = line_recipe(**NETWORKS["two-conv"])
    params = {name: array * np.float32(scale) for name, array in bare(line_params(recipe)).items()}
    with np.errstate(over="raise", invalid="raise"):
        found = ExactNetwork(recipe, params).probabilities(random_lines()[0])
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_needs_no_mxnet():
    program = "import sys; sys.modules['mxnet'] = None; import ocr_lib.net.exact"
    subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=True, timeout=60)


class TestRounding:
    @pytest.mark.parametrize("seed", range(4))
    def test_is_about_as_much_as_single_precision_moves(self, seed, tmp_path):
        recipe = line_recipe(**NETWORKS["two-conv"])
        checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, smooth_params(recipe, seed)))
        weights, reader, lines = numpy_weights(checkpoint), Reader(checkpoint), random_lines()
        exact = ExactNetwork(recipe, weights)
        computed = [reader.probabilities(line[None])[:, 0] for line in lines]
        moved = max(np.abs(found - exact.probabilities(line)).max() for found, line in zip(computed, lines))
        assert moved <= rounding(recipe, weights, lines, computed) < 10 * moved

    def test_counts_what_was_computed(self):
        image = draw_marks([4, 2])
        exact = ExactNetwork(mark_recipe(), mark_params()).probabilities(image)
        for more in (0.25, np.nan):
            off = [exact, exact + more * np.eye(*exact.shape)]
            np.testing.assert_equal(rounding(mark_recipe(), mark_params(), [image] * 2, off), more)

    def test_is_more_where_more_hangs_on_the_last_bit(self):
        recipe, line = line_recipe(hidden=32), random_lines([80])[0]
        found = []
        for scale in (0.3, 1.2):
            params = bare(random_params(recipe, 0, scale))
            found.append(rounding(recipe, params, [line], [ExactNetwork(recipe, params).probabilities(line)]))
        assert 0 < 30 * found[0] < found[1]
