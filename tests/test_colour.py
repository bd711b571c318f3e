"""Networks that see colour: the same in every form, and told red from green of one grey."""

import cv2
import numpy as np
import pytest

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.hls import hls_header
from ocr_lib.errors import OCRError
from ocr_lib.fixed.build import integer_network
from ocr_lib.images.inputs import load_image
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.exact import ExactNetwork
from ocr_lib.net.reader import Reader
from ocr_lib.preparation import Preparation, pad
from ocr_lib.quant.quantizer import Quantizer
from ocr_lib.recipe.settings import override
from tests.deploy.models import HEIGHT, TWO_CONVOLUTIONS, WIDTH, random_model, smooth_weights, weights_of
from tests.deploy.models import small_recipe as grey_recipe
from tests.numpy_network import numpy_forward
from tests.small_network import random_params, save

IN_COLOUR = ("image.channels", 3)
convolutions = pytest.mark.parametrize("convolutions", [[], TWO_CONVOLUTIONS], ids=["columns", "convolutions"])


def small_recipe(*settings, **network):
    return grey_recipe(IN_COLOUR, *settings, **network)


def coloured(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def planes(*images):
    """Return images (H, W, 3) as the network reads them, (N, 3 H, W)."""
    return np.stack([np.concatenate([image[..., channel] for channel in range(3)]) for image in images])


@pytest.fixture
def reader_of(tmp_path):
    def make(recipe, params):
        return Reader(load_checkpoint(save(tmp_path / "ocr", recipe, params)), 4)

    return make


class TestNetwork:
    @convolutions
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_is_the_same_in_every_form(self, reader_of, convolutions, cell):
        recipe = small_recipe(convolutions=convolutions, cell=cell, layers=2, bidirectional=True)
        params = random_params(recipe, seed=1)
        images = planes(*(coloured(HEIGHT, WIDTH, seed=seed) for seed in range(3)))
        expected = numpy_forward(images, params, recipe)
        exact = ExactNetwork(recipe, weights_of(params))
        predictor = Predictor(export_onnx(recipe, weights_of(params)))
        assert np.ptp(expected, axis=1).max() > 1e-3, "the images are read too much alike to tell anything"
        np.testing.assert_allclose(reader_of(recipe, params).probabilities(images), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(predictor.probabilities(images), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(exact.probabilities(images[0]), expected[:, 0], rtol=0, atol=1e-5)

    @convolutions
    def test_of_any_width(self, reader_of, convolutions):
        recipe = small_recipe(("image.width", None), convolutions=convolutions, bidirectional=True)
        params = random_params(recipe, seed=2)
        images = [coloured(HEIGHT, width, seed=width) for width in (20, 33)]
        padded, widths = pad(images)
        for recognizer in reader_of(recipe, params), Predictor(export_onnx(recipe, weights_of(params))):
            found = recognizer.probabilities(padded, widths)
            for n, image in enumerate(images):
                expected = numpy_forward(planes(image), params, recipe)[:, 0]
                np.testing.assert_allclose(found[: len(expected), n], expected, rtol=0, atol=1e-5)

    @convolutions
    def test_in_8_bits(self, convolutions):
        recipe = small_recipe(convolutions=convolutions, bidirectional=True)
        images = planes(*(coloured(HEIGHT, WIDTH, seed=seed) for seed in range(16)))
        fp32, int8 = Predictor(random_model(recipe)), Predictor(random_model(recipe, images))
        assert int8.metadata.precision == "int8"
        np.testing.assert_allclose(int8.probabilities(images), fp32.probabilities(images), rtol=0, atol=0.03)

    def test_in_whole_numbers_is_refused(self, tmp_path):
        recipe = small_recipe()
        with pytest.raises(OCRError, match=r"quantization takes grey images, and image.channels is 3"):
            override(recipe, [("quantization", "W4A4")])
        checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, random_params(recipe)))
        weights = weights_of(random_params(recipe))
        for refuse in (
            lambda: Quantizer(checkpoint),
            lambda: integer_network(recipe, weights),
            lambda: hls_header(recipe, weights),
        ):
            with pytest.raises(
                OCRError, match=r"^networks in whole numbers see grey, and this one colours: train with"
            ):
                refuse()


class TestReading:
    @pytest.fixture
    def predictor(self):
        recipe = small_recipe(convolutions=TWO_CONVOLUTIONS)
        return Predictor(export_onnx(recipe, smooth_weights(recipe)))

    def test_the_file_says_how_images_are_read(self, predictor):
        assert predictor.preparation.channels == predictor.preparation.rendition.channels == 3

    def test_colours_are_those_of_the_image_however_it_is_given(self, predictor):
        image = coloured(2 * HEIGHT, 2 * WIDTH)
        file = cv2.imencode(".png", image)[1].tobytes()
        expected = predictor.read([image])[0]
        np.testing.assert_allclose(expected.probabilities, self.by_hand(predictor, image), rtol=0, atol=1e-6)
        for given in image, file, np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]):
            np.testing.assert_array_equal(predictor.predict(given).probabilities, expected.probabilities)
        assert np.abs(predictor.read([image[..., ::-1]])[0].probabilities - expected.probabilities).max() > 0.01

    @staticmethod
    def by_hand(predictor, image):
        small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        return predictor.probabilities(planes(small))[:, 0]

    def test_a_grey_image_is_one_of_equal_colours(self, predictor):
        grey = coloured(HEIGHT, WIDTH)[..., 0]
        both = predictor.predict([grey, np.dstack([grey] * 3)])
        np.testing.assert_array_equal(both[0].probabilities, both[1].probabilities)

    def test_a_colour_image_is_grey_to_a_network_that_sees_none(self):
        preparation = Preparation((WIDTH, HEIGHT))
        image = coloured(40, 60)
        np.testing.assert_array_equal(preparation.prepare(image), preparation.prepare(load_image(image)))


def test_red_on_green_of_one_grey_has_contrast():
    image = np.full((60, 160, 3), (0, 130, 0), np.uint8)
    cv2.putText(image, "4711", (20, 45), cv2.FONT_HERSHEY_DUPLEX, 1.2, (0, 0, 255), 3)
    grey, colour = (Preparation((80, 30), channels=channels).prepare(image) for channels in (1, 3))
    assert np.ptp(grey) < 10 and np.ptp(colour, axis=(0, 1)).max() > 200


def test_light_on_dark_is_turned_by_luminance_in_all_channels():
    image = np.full((30, 80, 3), (60, 20, 20), np.uint8)
    cv2.rectangle(image, (10, 10), (20, 20), (150, 255, 255), -1)
    np.testing.assert_array_equal(Preparation((80, 30), channels=3).prepare(image), 255 - image)
