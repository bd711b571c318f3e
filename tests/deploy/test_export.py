"""What an exported file computes, against MXNet and against numpy, and what it says of itself."""

import io
import json

import numpy as np
import onnx
import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.errors import OCRError
from ocr_lib.files import sha256
from ocr_lib.geometry import shrunk
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.settings import override
from tests.deploy.models import (
    HEIGHT,
    TWO_CONVOLUTIONS,
    WIDTH,
    random_images,
    random_model,
    small_recipe,
    weights_of,
)
from tests.numpy_network import numpy_forward
from tests.small_network import LETTERS, random_params, save

CONVOLUTIONS = {"none": [], "two": TWO_CONVOLUTIONS}
VARIETIES = [(0.0, 255.0, "0123456789"), (255.0, -255.0, LETTERS), (127.5, 60.0, "a")]


def largest_difference(one, other):
    assert one.shape == other.shape
    return np.abs(one - other).max()


def properties(data):
    return {entry.key: entry.value for entry in onnx.load(io.BytesIO(data)).metadata_props}


class TestProbabilities:
    @pytest.mark.parametrize("mean, scale, alphabet", VARIETIES, ids=["white-1", "dark-1", "centred"])
    @pytest.mark.parametrize("convolutions", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
    @pytest.mark.parametrize("layers", [1, 2])
    def test_are_those_of_the_checkpoint_and_of_numpy(
        self, tmp_path, layers, bidirectional, convolutions, mean, scale, alphabet
    ):
        settings = [("image.mean", mean), ("image.scale", scale), ("text.alphabet", alphabet)]
        recipe = small_recipe(*settings, layers=layers, bidirectional=bidirectional, convolutions=convolutions)
        params = random_params(recipe, seed=layers)
        checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, params))
        predictor = Predictor(export_onnx(recipe, numpy_weights(checkpoint)))
        reader = Reader(checkpoint, 5)
        images = random_images(5)
        found = predictor.probabilities(images)
        assert found.dtype == np.float32
        assert np.ptp(found, axis=1).max() > 1e-3, "the images are read too much alike to tell anything"
        assert largest_difference(found, reader.probabilities(images)) < 1e-5
        assert largest_difference(found, numpy_forward(images, params, recipe)) < 1e-5
        alone = predictor.log_probabilities(images[2:3])
        assert largest_difference(np.exp(alone), found[:, 2:3]) < 1e-5
        np.testing.assert_allclose(np.logaddexp.reduce(alone, axis=2), 0, atol=1e-5)

    @pytest.mark.parametrize("pool", [[1, 1], [3, 1], [1, 3], [3, 2]])
    def test_of_a_pooling_that_leaves_pixels_over(self, pool):
        recipe = small_recipe(convolutions=[{"filters": 4, "pool": pool}, {"filters": 2, "pool": [1, 2]}])
        params = random_params(recipe, seed=5)
        images = random_images(2)
        found = Predictor(export_onnx(recipe, weights_of(params))).probabilities(images)
        assert largest_difference(found, numpy_forward(images, params, recipe)) < 1e-5

    def test_of_the_unrolled_network_are_the_same(self):
        recipe = small_recipe(layers=2, bidirectional=True)
        unrolled = override(recipe, [("network.cell", "unrolled")])
        weights, images = weights_of(random_params(recipe)), random_images(2)
        one, other = (Predictor(export_onnx(each, weights)).probabilities(images) for each in (recipe, unrolled))
        np.testing.assert_array_equal(one, other)


class TestWidth:
    @pytest.mark.parametrize("width", [6, 30, 32, 33, 200])
    @pytest.mark.parametrize("convolutions", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
    def test_any_gives_its_time_steps(self, convolutions, width):
        recipe = small_recipe(convolutions=convolutions, bidirectional=True)
        images = random_images(2, width)
        found = Predictor(random_model(recipe)).probabilities(images)
        assert found.shape == (shrunk(width, recipe.network.shrinkage(0)), 2, 11)
        wide = override(recipe, [("image.width", max(width, 16)), ("text.max_length", 1), ("text.min_length", 1)])
        assert largest_difference(found, numpy_forward(images, random_params(recipe, 3), wide)) < 1e-5

    def test_what_follows_changes_nothing_of_a_one_way_network(self):
        predictor = Predictor(random_model(small_recipe(layers=2)))
        image = random_images(1, 90)
        whole, first = predictor.probabilities(image), predictor.probabilities(image[:, :, :WIDTH])
        assert len(whole) == 90
        assert largest_difference(whole[:WIDTH], first) < 1e-6

    def test_of_8_bits(self):
        recipe = small_recipe(convolutions=TWO_CONVOLUTIONS)
        fp32, int8 = Predictor(random_model(recipe)), Predictor(random_model(recipe, random_images(32)))
        images = random_images(2, 200, seed=1)
        assert largest_difference(int8.probabilities(images), fp32.probabilities(images)) < 0.02


class TestFile:
    RECIPE = small_recipe(convolutions=TWO_CONVOLUTIONS, layers=2)

    @pytest.fixture(params=["fp32", "int8"])
    def calibration(self, request):
        return random_images(8) if request.param == "int8" else None

    @pytest.fixture
    def data(self, calibration):
        return random_model(self.RECIPE, calibration)

    def test_is_valid_onnx_of_opset_13(self, data):
        model = onnx.load(io.BytesIO(data))
        onnx.checker.check_model(model)
        assert {entry.domain: entry.version for entry in model.opset_import}[""] == 13
        (images,), (output,) = model.graph.input, model.graph.output
        assert (images.name, output.name) == ("images", "log_probabilities")
        rows = images.type.tensor_type.shape.dim
        assert [size.dim_value for size in rows] == [0, HEIGHT, 0]
        assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8

    def test_exporting_twice_gives_the_same_bytes(self, data, calibration):
        assert random_model(self.RECIPE, calibration) == data

    def test_digest_is_that_of_the_file_with_zeros_in_its_place(self, data):
        digest = properties(data)["sha256"]
        assert data.count(digest.encode()) == 1
        assert sha256(data.replace(digest.encode(), b"0" * 64)) == digest


class TestMetadata:
    def test_says_what_the_model_is(self):
        recipe = small_recipe(("text.alphabet", LETTERS), ("name", "marks"))
        weights = weights_of(random_params(recipe))
        data = export_onnx(recipe, weights, model_license="Apache-2.0")
        found = properties(data)
        assert {key: found[key] for key in ("format", "alphabet", "precision", "license")} == {
            "format": "lstm-ocr onnx 2",
            "alphabet": LETTERS,
            "precision": "fp32",
            "license": "Apache-2.0",
        }
        as_json = json.loads(found["recipe"])
        assert as_json["name"] == "marks"
        sizes = {"width": WIDTH, "height": HEIGHT, "mean": 255.0, "scale": -255.0}
        assert as_json["image"] == {
            **sizes,
            "channels": 1,
            "frame": "last",
            "rotate": 0,
            "crop": [0.0, 0.0],
            "ground": "keep",
            "resize": "area",
            "invert": "auto",
        }
        predictor = Predictor(data)
        assert predictor.metadata._asdict() == {key: found[key] for key in predictor.metadata._fields}
        assert predictor.alphabet == Alphabet(LETTERS)
        assert predictor.preparation == Preparation((WIDTH, HEIGHT))

    def test_of_a_network_for_any_width(self):
        valid = {"filters": 2, "kernel": [5, 2], "padding": False, "pool": [3, 1]}
        recipe = small_recipe(("image.width", None), convolutions=[valid, {"filters": 3}])
        data = random_model(recipe)
        assert Predictor(data).preparation == Preparation((None, HEIGHT), ((4, 3), (0, 2)))
        images, widths = onnx.load(io.BytesIO(data)).graph.input
        assert (images.name, widths.name) == ("images", "widths")
        assert widths.type.tensor_type.elem_type == onnx.TensorProto.INT64

    def test_license_is_not_stated_unless_it_is(self):
        assert properties(random_model(small_recipe()))["license"] == "not stated"

    def test_of_8_bits(self):
        assert properties(random_model(small_recipe(), random_images(2)))["precision"] == "int8"

    @pytest.mark.parametrize("resize", ["area", "bilinear"])
    @pytest.mark.parametrize("invert", ["auto", "never", "always"])
    def test_says_how_images_are_prepared(self, resize, invert):
        data = random_model(small_recipe(("image.resize", resize), ("image.invert", invert)))
        assert Predictor(data).preparation == Preparation((WIDTH, HEIGHT), (), resize, invert)

    @pytest.mark.parametrize("text", ["0" * 64, "0" * 200, "лицензия"])
    def test_any_text_can_be_sealed(self, text):
        recipe = small_recipe()
        data = export_onnx(recipe, weights_of(random_params(recipe)), model_license=text)
        assert Predictor(data).metadata.license == text


class TestMisfit:
    RECIPE = small_recipe(convolutions=TWO_CONVOLUTIONS, layers=2, bidirectional=True)
    NAMES = sorted(weights_of(random_params(RECIPE)))

    def refused(self, weights, calibration, recipe=RECIPE):
        with pytest.raises(OCRError, match="parameters don't fit the recipe's network") as caught:
            export_onnx(recipe, weights, calibration=calibration)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.fixture(params=["fp32", "int8"])
    def calibration(self, request):
        return random_images(2) if request.param == "int8" else None

    @pytest.fixture
    def weights(self):
        return weights_of(random_params(self.RECIPE))

    @pytest.mark.parametrize("name", NAMES)
    def test_a_missing_parameter(self, weights, calibration, name):
        del weights[name]
        self.refused(weights, calibration)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("axis", [0, 1])
    def test_a_parameter_of_another_shape(self, weights, calibration, name, axis):
        array = weights[name]
        weights[name] = array.take(range(array.shape[axis] - 1), axis) if axis < array.ndim else array[None]
        self.refused(weights, calibration)

    @pytest.mark.parametrize(
        "key, value",
        [
            ("network.convolutions", TWO_CONVOLUTIONS[:1]),
            ("network.convolutions", []),
            ("network.layers", 1),
            ("network.layers", 3),
            ("network.hidden", 6),
            ("network.bidirectional", False),
            ("image.height", 17),
            ("text.alphabet", "0123"),
        ],
    )
    def test_a_recipe_of_another_network(self, weights, key, value):
        self.refused(weights, None, override(self.RECIPE, [(key, value)]))
