"""Reading images with an exported model: what it takes."""

import io
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_lib.alphabet import Alphabet
from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.errors import OCRError
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.recognize.automaton import all_texts
from ocr_lib.recognize.beam import BeamDecoder
from ocr_lib.recognize.pattern import compile_pattern
from tests import original_example
from tests.cli.infer_command import write
from tests.deploy.models import mark_model
from tests.images.encoded_images import COLOUR_MODES, encoded, pillow_of_mode, turned
from tests.small_network import LETTERS, draw_marks, mark_params, mark_recipe, save

TEXTS = ["0089", "7", "31415", "", "555", "90", "123456", "0000"]


def marks(text, zoom=3):
    return draw_marks([int(character) for character in text], zoom)


def coloured(grey):
    """Return an image in OpenCV's order of colours that is as dark as a grey one only if read in that order."""
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    colour[grey == 255] = (0, 255, 200)  # light in green and red
    return colour


def same(one, other):
    """Compare readings as a whole."""
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    assert one.text == other.text == "".join(character.text for character in one.characters)
    assert one.confidence == pytest.approx(other.confidence, abs=1e-5)
    for character, as_other in zip(one.characters, other.characters):
        assert character[1:] == pytest.approx(as_other[1:], abs=1e-3)
    return True


@pytest.fixture(scope="module")
def data():
    return mark_model()


@pytest.fixture(scope="module")
def predictor(data):
    return Predictor(data)


class TestModelArgument:
    @pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: path.read_bytes()], ids=["str", "Path", "b"])
    def test_a_file_or_what_it_holds(self, data, tmp_path, kind):
        (tmp_path / "модель.onnx").write_bytes(data)
        assert Predictor(kind(tmp_path / "модель.onnx")).predict(marks("0089")).text == "0089"

    def test_reads_as_the_checkpoint(self, predictor, tmp_path):
        reader = Reader(load_checkpoint(save(tmp_path / "ocr", mark_recipe(), mark_params())))
        images = [marks(text) for text in TEXTS]
        assert [reading.text for reading in predictor.predict(images)] == TEXTS
        assert all(same(ours, theirs) for ours, theirs in zip(predictor.predict(images), reader.predict(images)))
        assert same(predictor.predict(encoded(images[0], "PNG")), reader.predict(encoded(images[0], "PNG")))

    def test_letters(self):
        assert Predictor(mark_model(LETTERS)).predict(marks("0123")).text == LETTERS[:4]


class TestImages:
    def test_any_kind_reads_the_same(self, predictor, tmp_path):
        path = write(tmp_path / "a.png", "31415")
        grey = marks("31415")
        kinds = [str(path), path, path.read_bytes(), bytearray(path.read_bytes()), Image.fromarray(grey)]
        kinds += [
            grey,
            grey[..., None],
            cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
            cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA),
        ]
        together = predictor.predict(iter(kinds))
        assert [reading.text for reading in together] == ["31415"] * len(kinds)
        for kind, reading in zip(kinds, together):
            assert same(predictor.predict(kind), together[0]) and same(reading, together[0])

    def test_colours_are_in_opencvs_order(self, predictor, tmp_path):
        colour = coloured(marks("31415"))
        assert cv2.imwrite(str(tmp_path / "a.png"), colour)
        grey = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
        assert np.ptp(grey) > 100
        assert same(predictor.predict(colour), predictor.predict(tmp_path / "a.png"))

    @pytest.mark.parametrize(
        "view",
        [
            lambda image: image[::-1],
            lambda image: image[:, ::2],
            np.asfortranarray,
            lambda image: image.repeat(2, axis=1)[:, ::2],
            lambda image: cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)[..., ::-1],
        ],
    )
    def test_views_of_arrays(self, predictor, view):
        image = view(marks("31415", 4))
        assert same(predictor.predict(image), predictor.predict(image.copy()))

    def test_arrays_are_left_as_they_are(self, predictor):
        image = marks("31415")
        image.flags.writeable = False
        before = image.copy()
        assert predictor.predict(image).text == "31415"
        np.testing.assert_array_equal(image, before)

    def test_light_on_dark_reads_as_dark_on_light(self, predictor):
        for text in TEXTS:
            assert same(predictor.predict(255 - marks(text)), predictor.predict(marks(text)))

    @pytest.mark.parametrize("mode", COLOUR_MODES)
    def test_images_of_pillow(self, predictor, mode):
        assert predictor.predict(pillow_of_mode(marks("31415"), mode)).text == "31415"

    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
    def test_files_read_as_when_pillow_opens_them(self, predictor, image_format):
        data = encoded(marks("31415"), image_format)
        assert predictor.predict(data).text == predictor.predict(Image.open(io.BytesIO(data))).text == "31415"

    def test_a_turned_photograph(self, predictor):
        data = encoded(np.ascontiguousarray(np.rot90(marks("31415"))), "JPEG", exif=turned(6), quality=95)
        assert predictor.predict(data).text == predictor.predict(Image.open(io.BytesIO(data))).text == "31415"

    def test_ink_without_paper(self, predictor):
        ink = np.dstack([np.zeros((*marks("31415").shape, 3), np.uint8), 255 - marks("31415")])
        assert predictor.predict(ink).text == predictor.predict(encoded(ink, "PNG")).text == "31415"

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 4000), (10, 15)])
    def test_odd_shapes_go_through(self, predictor, shape):
        reading = predictor.predict(np.full(shape, 255, np.uint8))
        assert (reading.text, reading.probabilities.shape) == ("", (16, 11))

    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_any_batch_size_reads_the_same(self, data, predictor, batch_size):
        images = [marks(text, zoom) for zoom, text in enumerate(TEXTS, start=1)]
        found = Predictor(data, batch_size).predict(images)
        assert [reading.text for reading in found] == TEXTS
        assert all(same(predictor.predict(image), reading) for image, reading in zip(images, found))

    def test_is_given_a_decoder(self, data, predictor):
        images = [marks(text) for text in TEXTS]
        free = Predictor(data, decode=BeamDecoder(all_texts(11))).predict(images)
        assert [reading.text for reading in free] == TEXTS
        held = Predictor(data, decode=BeamDecoder(compile_pattern(r"\d{4}", Alphabet("0123456789")))).predict(images)
        assert [len(reading.text) for reading in held] == [4] * len(TEXTS)
        assert held[0].text == "0089"

    @pytest.mark.parametrize("threads", [1, 3])
    def test_any_number_of_threads_reads_the_same(self, data, predictor, threads):
        assert same(Predictor(data, threads=threads).predict(marks("0089")), predictor.predict(marks("0089")))

    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_the_images_of_a_large_batch_keep_their_order(self, data, threads):
        texts = [f"{number:03d}" for number in range(75)]
        found = Predictor(data, threads=threads).predict([marks(text) for text in texts])
        assert [reading.text for reading in found] == texts

    def test_threads_may_share_one(self, data):
        shared = Predictor(data, batch_size=2)
        images = [marks(text) for text in TEXTS]
        alone = shared.predict(images)
        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(lambda i: shared.predict(images[i % 8 :] + images[: i % 8]), range(80)))
        for i, found in enumerate(runs):
            assert all(same(one, other) for one, other in zip(found, alone[i % 8 :] + alone[: i % 8]))


class TestBadImages:
    def refused(self, predictor, image, name, said):
        """Alone it is called `name`; in a list, array and bytes are called by their place."""
        for images, prefix in ((image, name), ([marks("7"), image], name.replace("the image", "image 1"))):
            with pytest.raises(OCRError) as caught:
                predictor.predict(images)
            message = str(caught.value)
            assert message.startswith(f"{prefix}: ") and said in message
            assert len(message.splitlines()) == 1

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint32, bool, object, "<U1"])
    def test_arrays_of_other_types(self, predictor, dtype):
        self.refused(predictor, np.zeros((10, 16), dtype), "the image", str(np.dtype(dtype)))

    @pytest.mark.parametrize("shape", [(), (16,), (10, 16, 2), (2, 10, 16), (1, 10, 16, 3)])
    def test_arrays_of_other_shapes(self, predictor, shape):
        self.refused(predictor, np.zeros(shape, np.uint8), "the image", f"uint8 of the shape {shape}; it takes")

    @pytest.mark.parametrize("shape", [(0, 16), (10, 0), (0, 0), (0, 16, 3), (10, 0, 3)])
    def test_empty_arrays(self, predictor, shape):
        self.refused(predictor, np.zeros(shape, np.uint8), "the image", f"the shape {shape}")

    @pytest.mark.parametrize("image", [7, None, {"path": "a.png"}, object()])
    def test_other_types(self, predictor, image):
        self.refused(predictor, image, "the image", f"{type(image).__name__} is no image: it takes a path, ")

    def test_files(self, predictor, tmp_path, capfd):
        whole = write(tmp_path / "whole.png").read_bytes()
        jpeg = write(tmp_path / "whole.jpg", zoom=9).read_bytes()
        bad = {
            "cut.png": (whole[: len(whole) // 2], "cut off"),
            "cut.jpg": (jpeg[: len(jpeg) // 2], "cut off"),
            "empty.png": (b"", "the file is empty"),
            "text.png": (b"This is a letter, not a picture of one.\n", "no image that OpenCV can read"),
        }
        for name, (content, said) in bad.items():
            (tmp_path / name).write_bytes(content)
            self.refused(predictor, tmp_path / name, str(tmp_path / name), said)
            self.refused(predictor, str(tmp_path / name), str(tmp_path / name), said)
            self.refused(predictor, content, "the image", said)
        assert capfd.readouterr() == ("", "")

    def test_a_missing_file_and_a_folder(self, predictor, tmp_path):
        self.refused(predictor, tmp_path / "missing.png", f"{tmp_path}/missing.png", "No such file")
        self.refused(predictor, str(tmp_path), str(tmp_path), "Is a directory")

    @pytest.mark.parametrize("kind", ["file", "bytes", "grey", "colour", "Pillow"])
    def test_too_large(self, data, tmp_path, kind):
        grey = marks("31415")
        path = write(tmp_path / "a.png", "31415")
        colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        kinds = {"file": path, "bytes": path.read_bytes(), "grey": grey, "colour": colour}
        image = {**kinds, "Pillow": Image.fromarray(grey)}[kind]
        assert Predictor(data, max_pixels=grey.size).predict(image).text == "31415"
        strict = Predictor(data, max_pixels=grey.size - 1)
        name = str(path) if kind == "file" else "the image"
        with pytest.raises(OCRError, match=f"^{name}: the image is larger than 1,439 pixels$"):
            strict.predict(image)

    def test_one_does_not_spoil_the_predictor(self, predictor):
        for image in (np.zeros(3, np.uint8), b"", "missing.png"):
            with pytest.raises(OCRError):
                predictor.predict(image)
            assert predictor.predict(marks("0089")).text == "0089"


def test_the_original_example_reads_as_its_own_script(tmp_path):
    prefix = str(tmp_path / "ocr")
    original_example.save(prefix)
    checkpoint = load_checkpoint(prefix)
    predictor = Predictor(export_onnx(checkpoint.recipe, numpy_weights(checkpoint)))
    rng = np.random.default_rng(5)
    texts = set()
    for i, shape in enumerate([(30, 80), (60, 160), (45, 131, 3), (200, 333)]):
        image = cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 3)
        image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
        path = tmp_path / f"{i}.png"
        assert cv2.imwrite(str(path), image // 4 if i == 3 else image)  # the last is dark, and stays so
        digits, probabilities = original_example.predict(prefix, path)
        reading = predictor.predict(path)
        np.testing.assert_allclose(reading.probabilities, probabilities, atol=1e-5)
        assert reading.text == "".join(map(str, digits))
        texts.add(reading.text)
    assert len(texts) > 2, "the images are read too much alike to tell anything"
