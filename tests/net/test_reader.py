"""Reading against forward passes of our own in numpy, and against the original example's script."""

import math
import resource

import cv2
import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import read_image
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import override
from ocr_lib.recognize.automaton import all_texts
from ocr_lib.recognize.beam import BeamDecoder
from ocr_lib.recognize.pattern import compile_pattern
from tests import original_example
from tests.numpy_network import numpy_forward
from tests.small_network import ROWS, WIDTH, draw_marks, mark_params, mark_recipe, random_params, save

TEXTS = ["0089", "7", "31415", "", "555", "90", "123456", "0000"]


def rows_of(text):
    return [int(character) for character in text]


@pytest.fixture(scope="module")
def mark_checkpoint(tmp_path_factory):
    return load_checkpoint(save(tmp_path_factory.mktemp("marks") / "ocr", mark_recipe(), mark_params()))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the prefix of a checkpoint of the original example, in its own size."""
    prefix = tmp_path_factory.mktemp("original") / "ocr"
    original_example.save(prefix)
    return str(prefix)


class TestProbabilities:
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"convolutions": [{"filters": 3}], "layers": 2},
            {
                "convolutions": [{"filters": 2}, {"filters": 3, "pool": [1, 2]}],
                "bidirectional": True,
                "layers": 2,
                "hidden": 5,
            },
            {"convolutions": [{"filters": 3, "kernel": [5, 1]}, {"filters": 2, "kernel": [1, 3], "pool": [1, 1]}]},
            {"convolutions": [{"filters": 3, "kernel": [4, 2], "padding": False}, {"filters": 2, "padding": False}]},
            {"convolutions": [{"filters": 3, "batch_norm": False}, {"filters": 2}]},
            {"bidirectional": True, "layers": 2, "hidden": 5, "merge": "sum"},
            {"bidirectional": True, "output_norm": True},
            {"output_norm": True, "dropout": 0.5},
        ],
        ids=["raw", "conv", "two-conv", "kernels", "valid", "bias", "sum", "norm", "dropout"],
    )
    def test_agree_with_numpy(self, tmp_path, cell, settings):
        sizes = [("image.width", 30), ("image.height", 14), ("image.mean", 100.0)]
        network = [(f"network.{key}", value) for key, value in settings.items()]
        recipe = override(mark_recipe(cell=cell), [*sizes, *network])
        params = random_params(recipe, seed=3)
        reader = Reader(load_checkpoint(save(tmp_path / "ocr", recipe, params)), 4)
        images = np.random.default_rng(0).integers(0, 256, (4, 14, 30), np.uint8)
        found = reader.probabilities(images)
        assert found.shape == (recipe.time_steps, 4, 11)
        np.testing.assert_allclose(found, numpy_forward(images, params, recipe), atol=1e-5)


class TestRead:
    @pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8, 100])
    def test_any_batch_size_gives_the_same(self, mark_checkpoint, batch_size):
        images = [draw_marks(rows_of(text)) for text in TEXTS]
        alone = [Reader(mark_checkpoint, 1).read([image])[0] for image in images]
        assert [reading.text for reading in alone] == TEXTS
        together = Reader(mark_checkpoint, batch_size).read(images)
        assert [reading.text for reading in together] == TEXTS
        for one, other in zip(together, alone):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)

    def test_batches_of_changing_sizes(self, mark_checkpoint):
        reader = Reader(mark_checkpoint, 3)
        images = [draw_marks(rows_of(text)) for text in TEXTS]
        for count in (8, 1, 3, 0, 2, 7):
            assert [reading.text for reading in reader.read(images[:count])] == TEXTS[:count]

    @pytest.mark.parametrize("zoom", [2, 3, 7, 60])
    def test_images_of_any_size(self, mark_checkpoint, zoom):
        images = [draw_marks(rows_of(text), zoom) for text in TEXTS]
        assert images[0].shape == (ROWS * zoom, WIDTH * zoom)
        assert [reading.text for reading in Reader(mark_checkpoint).read(images)] == TEXTS

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 9), (3, 4000), (ROWS, WIDTH - 1)])
    def test_odd_shapes_go_through(self, mark_checkpoint, shape):
        (reading,) = Reader(mark_checkpoint).read([np.full(shape, 255, np.uint8)])
        assert reading.text == ""
        assert reading.probabilities.shape == (WIDTH, ROWS + 1)

    def test_sizes_may_differ_in_a_batch(self, mark_checkpoint):
        images = [draw_marks(rows_of(text), zoom) for zoom, text in enumerate(TEXTS, start=1)]
        assert [reading.text for reading in Reader(mark_checkpoint, 3).read(images)] == TEXTS

    def test_light_on_dark_reads_as_dark_on_light(self, mark_checkpoint):
        images = [draw_marks(rows_of(text), zoom=2) for text in TEXTS]
        reader = Reader(mark_checkpoint)
        for one, other in zip(reader.read(images), reader.read([255 - image for image in images])):
            assert one.text == other.text
            assert one.confidence == other.confidence

    def test_order_is_kept(self, mark_checkpoint):
        images = [draw_marks(rows_of(text)) for text in reversed(TEXTS)]
        assert [reading.text for reading in Reader(mark_checkpoint, 3).read(images)] == TEXTS[::-1]

    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_is_given_a_decoder(self, mark_checkpoint, batch_size):
        images = [draw_marks(rows_of(text)) for text in TEXTS]
        alphabet = mark_checkpoint.recipe.alphabet
        free = Reader(mark_checkpoint, batch_size, BeamDecoder(all_texts(alphabet.num_classes))).read(images)
        assert [reading.text for reading in free] == TEXTS
        held = Reader(mark_checkpoint, batch_size, BeamDecoder(compile_pattern(r"\d{4}", alphabet))).read(images)
        for text, one, other in zip(TEXTS, held, free):
            assert len(one.text) == 4
            if len(text) == 4:
                assert (one.text, one.confidence) == (text, other.confidence)
            else:
                assert one.confidence < other.confidence
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)

    def test_confidence_is_what_ctc_gives_the_text(self, mark_checkpoint):
        images = [draw_marks(rows_of(text)) for text in TEXTS if text]
        for reading in Reader(mark_checkpoint).read(images):
            logits = mx.nd.array(np.log(reading.probabilities[:, None]))
            label = mx.nd.array([[row + 1 for row in rows_of(reading.text)]])
            cost = mx.nd.contrib.ctc_loss(logits, label, blank_label="first").asscalar()
            assert 0.01 < reading.confidence < 0.99
            assert reading.confidence == pytest.approx(math.exp(-cost), abs=1e-5)


class TestMisfit:
    def refused(self, tmp_path, recipe, params, symbol_recipe=None):
        symbol = training_symbol(symbol_recipe or recipe)
        prefix = save(tmp_path / "ocr", recipe, params, symbol=symbol)
        with pytest.raises(
            OCRError, match=f"^{prefix}-0001.params: the parameters don't fit the symbol and the recipe"
        ):
            Reader(load_checkpoint(prefix))

    @pytest.mark.parametrize("name", ["l0_i2h_weight", "l0_h2h_bias", "pred_fc_weight"])
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_parameters_of_another_shape(self, tmp_path, name, cell):
        params = mark_params()
        params[name] = params[name][:-1]
        self.refused(tmp_path, mark_recipe(cell=cell), params)

    @pytest.mark.parametrize("name", ["l0_i2h_weight", "l0_h2h_bias", "pred_fc_weight"])
    def test_missing_parameters(self, tmp_path, name):
        params = mark_params()
        del params[name]
        self.refused(tmp_path, mark_recipe(), params)

    def test_missing_auxiliary_states(self, tmp_path):
        recipe = mark_recipe(convolutions=[{"filters": 2}])
        params = random_params(recipe)
        del params["aux:bn0_moving_var"]
        self.refused(tmp_path, recipe, params)

    def test_recipe_of_another_network(self, tmp_path):
        recipe = override(mark_recipe(), [("image.height", 12)])
        self.refused(tmp_path, recipe, mark_params(), symbol_recipe=mark_recipe())

    def test_parameters_that_are_no_numbers(self, tmp_path):
        params = mark_params()
        params["pred_fc_bias"][3] = np.nan
        reader = Reader(load_checkpoint(save(tmp_path / "ocr", mark_recipe(), params)))
        with pytest.raises(OCRError, match="ocr-0001.params: what the network computes is no number"):
            reader.read([draw_marks([1])])

    def test_huge_layers_take_no_memory(self, tmp_path):
        columns = mx.sym.repeat(mx.sym.Variable("data"), repeats=999_999, axis=1)
        first = mx.sym.transpose(mx.sym.slice_axis(columns, axis=1, begin=0, end=WIDTH), axes=(1, 0, 2))
        symbol = mx.sym.FullyConnected(first, num_hidden=ROWS + 1, flatten=False, name="pred_fc")
        params = {name: array for name, array in mark_params().items() if name.startswith("pred_fc")}
        prefix = save(tmp_path / "ocr", mark_recipe(), params, symbol=symbol)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(OCRError, match="the parameters don't fit the symbol and the recipe"):
            Reader(load_checkpoint(prefix))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000

    def test_symbol_of_other_time_steps(self, tmp_path):
        original_example.save(tmp_path / "ocr", steps=8, hidden=3)
        path = tmp_path / "ocr-symbol.json"
        assert '"num_outputs": "8"' in path.read_text()
        path.write_text(path.read_text().replace('"num_outputs": "8"', '"num_outputs": "50000"'))
        with pytest.raises(OCRError, match="the parameters don't fit the symbol and the recipe"):
            Reader(load_checkpoint(str(tmp_path / "ocr")))

    def test_recipe_of_another_alphabet(self, tmp_path):
        recipe = override(mark_recipe(), [("text.alphabet", "0123")])
        self.refused(tmp_path, recipe, mark_params(), symbol_recipe=mark_recipe())


class TestOriginal:
    def images(self, folder):
        """Write images of several sizes, with smooth shapes, dark and light ones, grey and colour."""
        rng = np.random.default_rng(5)
        for i, shape in enumerate([(30, 80), (60, 160), (45, 131), (20, 50, 3), (200, 333, 3), (60, 160)]):
            image = cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 3)
            image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
            path = folder / f"{i}.png"
            assert cv2.imwrite(str(path), image // 4 if i == 5 else image)
            yield path

    def test_predicts_as_its_own_script(self, original, tmp_path):
        reader = Reader(load_checkpoint(original), 4)
        paths = list(self.images(tmp_path))
        found = reader.read([read_image(path) for path in paths])
        texts = set()
        for path, reading in zip(paths, found):
            digits, probabilities = original_example.predict(original, path)
            np.testing.assert_allclose(reading.probabilities, probabilities, atol=1e-5)
            assert [int(character) for character in reading.text] == digits
            texts.add(reading.text)
        assert len(texts) > 3, "the images are read too much alike to tell anything"

    def test_any_batch_size(self, original, tmp_path):
        images = [read_image(path) for path in self.images(tmp_path)]
        texts = [reading.text for reading in Reader(load_checkpoint(original), 1).read(images)]
        for batch_size in (4, 6):
            assert [r.text for r in Reader(load_checkpoint(original), batch_size).read(images)] == texts

    def test_missing_parameters(self, tmp_path):
        params = original_example.random_params(hidden=3)
        del params["l1_i2h_bias"]
        original_example.save(tmp_path / "ocr", params=params, steps=8, hidden=3)
        with pytest.raises(OCRError, match="ocr-0100.params: the parameters don't fit the symbol and the recipe"):
            Reader(load_checkpoint(str(tmp_path / "ocr")))

    def test_missing_weight_that_sizes_a_state(self, tmp_path):
        params = original_example.random_params(hidden=3)
        del params["l1_h2h_weight"]
        original_example.save(tmp_path / "ocr", params=params, steps=8, hidden=3)
        with pytest.raises(OCRError, match="ocr-0100.params: the parameters don't fit the symbol and the recipe"):
            Reader(load_checkpoint(str(tmp_path / "ocr")))
