"""Lines of many widths in one batch: each reads as it does alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.net.build import inference_symbol, training_symbol
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import override
from tests.lines import (
    HEIGHT,
    NETWORKS,
    WIDTHS,
    assert_as_alone,
    line_params,
    line_recipe,
    pad_with_noise,
    random_lines,
)
from tests.numpy_network import numpy_forward
from tests.small_network import ROWS, draw_marks, mark_params, mark_recipe, save

networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def numpy_alone(lines, params, recipe):
    return [numpy_forward(line[None], params, recipe)[:, 0] for line in lines]


@networks
class TestNetworks:
    @pytest.fixture
    def recipe(self, network):
        return line_recipe(**network)

    @pytest.fixture
    def reader(self, recipe, tmp_path):
        return Reader(load_checkpoint(save(tmp_path / "ocr", recipe, line_params(recipe))), 4)

    def test_padded_lines_are_as_numpy_has_each_alone(self, recipe, reader):
        lines = random_lines()
        expected = numpy_alone(lines, line_params(recipe), recipe)
        assert max(np.ptp(each, axis=0).max() for each in expected) > 0.1, "nothing to tell"
        assert_as_alone(reader, *pad_with_noise(lines), expected)
        assert_as_alone(reader, *pad_with_noise(lines, more=20), expected)

    def test_order_and_company_change_nothing(self, recipe, reader):
        lines = random_lines()
        alone = [reader.probabilities(line[None])[:, 0] for line in lines]
        for places in ([7, 6, 5, 4, 3, 2, 1, 0], [2, 2], [2, 1], [5, 0, 3]):
            assert_as_alone(reader, *pad_with_noise([lines[i] for i in places]), [alone[i] for i in places])

    def test_reading_many_gives_the_texts_of_each_alone(self, reader):
        lines = random_lines(WIDTHS * 2)
        alone = [reader.read([line])[0] for line in lines]
        assert len({reading.text for reading in alone}) > 2, "the lines are read too much alike to tell anything"
        for reading, expected in zip(reader.read(lines), alone):
            assert reading.text == expected.text
            assert reading.confidence == pytest.approx(expected.confidence, abs=1e-5)
        assert reader.texts(lines) == [reading.text for reading in alone]

    def test_narrowest_has_one_step(self, reader):
        least = reader.preparation.prepare(np.zeros((HEIGHT, 1), np.uint8)).shape[1]
        assert reader.preparation.steps(np.array([least - 1, least])).tolist() == [0, 1]
        lines = random_lines([least, 40])
        alone = [reader.probabilities(line[None])[:, 0] for line in lines]
        assert_as_alone(reader, *pad_with_noise(lines), alone)

    def test_parameters_are_those_of_a_network_of_one_width(self, recipe, reader, tmp_path):
        fixed = override(recipe, [("image.width", 40)])
        prefix = save(tmp_path / "fixed", fixed, line_params(recipe))
        images = np.stack(random_lines([40] * 3))
        expected = Reader(load_checkpoint(prefix)).probabilities(images)
        np.testing.assert_allclose(reader.probabilities(images), expected, atol=1e-5)


KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 3))
POOLS = st.tuples(st.integers(1, 3), st.integers(1, 2))
CONVOLUTIONS = st.builds(
    lambda filters, pool, kernel, padding, batch_norm: {
        "filters": filters,
        "pool": pool,
        "kernel": kernel,
        "padding": padding and all(size % 2 for size in kernel),
        "batch_norm": batch_norm,
    },
    st.integers(1, 3),
    POOLS,
    KERNELS,
    st.booleans(),
    st.booleans(),
)
ANY_NETWORK = st.fixed_dictionaries(
    {
        "convolutions": st.lists(CONVOLUTIONS, max_size=2),
        "layers": st.integers(1, 2),
        "bidirectional": st.booleans(),
        "merge": st.sampled_from(["concat", "sum"]),
        "output_norm": st.booleans(),
    }
)


@settings(max_examples=25, derandomize=True)
@given(ANY_NETWORK, st.lists(st.integers(30, 60), min_size=1, max_size=5), st.integers(0, 9))
def test_any_network_reads_any_batch_as_numpy_reads_each_alone(tmp_path_factory, network, widths, more):
    recipe = line_recipe(**network)
    params = line_params(recipe)
    reader = Reader(load_checkpoint(save(tmp_path_factory.mktemp("net") / "ocr", recipe, params)), 2)
    lines = random_lines(widths)
    assert_as_alone(reader, *pad_with_noise(lines, more), numpy_alone(lines, params, recipe))


def test_texts_of_any_length_in_one_batch(tmp_path):
    recipe = override(mark_recipe(), [("image.width", None)])
    reader = Reader(load_checkpoint(save(tmp_path / "ocr", recipe, mark_params())), 3)
    whole, texts = draw_marks([3, 1, 4, 1, 5, 9, 2]), ["3", "314", "31415", "3141592"]
    lines = [whole[:, : 2 * len(text) + 1] for text in texts] * 2
    padded = np.full((len(lines), ROWS, whole.shape[1]), 0, np.uint8)  # what is read as many marks, were it read
    for row, line in zip(padded, lines):
        row[:, : line.shape[1]] = line
    widths = np.array([line.shape[1] for line in lines])
    labels = reader.decode(reader.probabilities(padded, widths))
    assert [reader.alphabet.decode(each) for each in labels] == texts * 2
    assert reader.texts(lines) == [reading.text for reading in reader.read(lines)] == texts * 2


@networks
def test_shapes(network):
    recipe = line_recipe(**network)
    symbol = training_symbol(recipe)
    assert {"data", "widths", "label"} < set(symbol.list_arguments())
    for width in (40, 57):
        steps = override(recipe, [("image.width", width)]).time_steps
        _, shapes, _ = symbol.infer_shape(data=(7, width, HEIGHT), widths=(7,), label=(7, 2))
        assert shapes == [(7, steps, 11), (7,)]
        _, shapes, _ = inference_symbol(symbol).infer_shape(data=(7, width, HEIGHT), widths=(7,))
        assert shapes == [(steps, 7, 11)]


def test_a_network_of_one_width_takes_no_widths():
    assert "widths" not in training_symbol(line_recipe(width=40)).list_arguments()
