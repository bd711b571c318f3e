"""What all that reads images has in common, with a network that tells what it was given."""

from collections import deque

import numpy as np
import pytest
from PIL import Image

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.geometry import Shrinkage
from ocr_lib.preparation import Preparation
from ocr_lib.recognize.recognizer import Recognizer, batches
from tests.images.encoded_images import encoded

ALPHABET = Alphabet("".join(map(chr, range(0x4E00, 0x4E00 + 60))))
HEIGHT = 16
FREE = Preparation((None, HEIGHT), shrinkage=(Shrinkage(0, 2), Shrinkage(1, 2)))
FIXED = Preparation((40, HEIGHT), shrinkage=(Shrinkage(0, 4),))


def image_of(number, height, width):
    """Return paper of a grey that only this number has."""
    return np.full((height, width), 150 + number, np.uint8)


class Told(Recognizer):
    """Reads paper of a grey as the character of its number, in the middle step of the image."""

    def __init__(self, preparation=FREE, **options):
        super().__init__(ALPHABET, preparation, **options)
        self.parts = []

    def probabilities(self, images, widths=None):
        assert images.dtype == np.uint8 and images.shape[1] == HEIGHT
        self.parts.append(widths.tolist())
        assert images.shape[2] == widths.max() and len(images) == len(widths)
        classes = np.zeros((self.preparation.steps(images.shape[2]), len(images)), int)
        for n, (image, width) in enumerate(zip(images, widths.tolist())):
            assert len(np.unique(image[:, :width])) == 1
            assert (image[:, width:] == 255).all()
            classes[self.preparation.steps(width) // 2, n] = 1 + image[0, 0] - 150
        return np.eye(ALPHABET.num_classes, dtype=np.float32)[classes]


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    heights, widths = generator.integers(8, 33, 60), generator.integers(9, 400, 60)
    return [image_of(n, *shape) for n, shape in enumerate(zip(heights.tolist(), widths.tolist()))]


EXPECTED = list(ALPHABET.characters)


@pytest.mark.parametrize("preparation", [FREE, FIXED])
@pytest.mark.parametrize("batch_size", [1, 7, 128])
class TestEveryPreparation:
    def test_results_come_in_the_order_of_the_images(self, images, preparation, batch_size):
        assert Told(preparation, batch_size=batch_size).texts(images) == EXPECTED
        assert [reading.text for reading in Told(preparation, batch_size=batch_size).read(images)] == EXPECTED
        backwards = Told(preparation, batch_size=batch_size).texts(images[::-1])
        assert backwards == EXPECTED[::-1]

    def test_characters_are_found_in_pixels_of_the_image_as_it_was_given(self, images, preparation, batch_size):
        for image, reading in zip(images, Told(preparation, batch_size=batch_size).read(images)):
            steps = preparation.steps(preparation.width_of(image))
            (character,) = reading.characters
            assert (character.text, character.confidence) == (reading.text, pytest.approx(1))
            assert character.x == pytest.approx((steps // 2 + 0.5) / steps * image.shape[1])

    def test_probabilities_are_those_of_its_own_steps(self, images, preparation, batch_size):
        for n, (image, reading) in enumerate(zip(images, Told(preparation, batch_size=batch_size).read(images))):
            steps = preparation.steps(preparation.width_of(image))
            assert reading.probabilities.shape == (steps, ALPHABET.num_classes)
            assert reading.probabilities[steps // 2, 1 + n] == 1
            assert reading.confidence == pytest.approx(1)


@pytest.mark.parametrize("method", ["read", "texts"])
class TestParts:
    @pytest.mark.parametrize("batch_size", [1, 7, 128])
    def test_have_like_widths(self, images, method, batch_size):
        recognizer = Told(batch_size=batch_size)
        getattr(recognizer, method)(images)
        assert sorted(width for part in recognizer.parts for width in part) == sorted(
            FREE.width_of(image) for image in images
        )
        for widths in recognizer.parts:
            assert len(widths) <= batch_size
            assert max(widths) <= 1.25 * min(widths)
        if batch_size == 128:
            assert len(recognizer.parts) < 25

    def test_of_one_width_are_as_large_as_may_be(self, images, method):
        recognizer = Told(FIXED, batch_size=25)
        getattr(recognizer, method)(images)
        assert recognizer.parts == [[40] * 25, [40] * 25, [40] * 10]

    def test_no_images(self, method):
        recognizer = Told()
        assert getattr(recognizer, method)([]) == []
        assert recognizer.parts == []

    def test_an_image_that_is_no_line(self, images, method):
        with pytest.raises(OCRError, match="^999 by 1 pixels are no line of text"):
            getattr(Told(), method)([*images, np.zeros((1, 999), np.uint8)])


class TestPredict:
    """What it is given; `tests/images/test_image_input.py` has all that an image may be."""

    def numbers(self, readings):
        return [ALPHABET.characters.index(reading.text) for reading in readings]

    def test_one_image_has_one_reading(self, images):
        for number in 0, 7:
            assert self.numbers([Told().predict(images[number])]) == [number]
            assert self.numbers([Told().predict(encoded(images[number], "PNG"))]) == [number]

    @pytest.mark.parametrize("several", [list, tuple, iter, deque, lambda images: (image for image in images)])
    def test_several_have_a_list(self, images, several):
        found = Told(batch_size=3).predict(several(images[:10]))
        assert isinstance(found, list) and self.numbers(found) == list(range(10))

    def test_kinds_may_be_mixed(self, images, tmp_path):
        (tmp_path / "1.png").write_bytes(encoded(images[1], "PNG"))
        mixed = [images[0], tmp_path / "1.png", encoded(images[2], "BMP"), Image.fromarray(images[3])]
        assert self.numbers(Told().predict(mixed)) == [0, 1, 2, 3]

    @pytest.mark.parametrize("nothing", [[], (), iter([])])
    def test_none(self, nothing):
        assert Told().predict(nothing) == []

    @pytest.mark.parametrize("given", [None, 5, {"a": 1}, {1, 2}, object()])
    def test_what_is_neither_is_told_by_its_type(self, given):
        with pytest.raises(OCRError, match=f"^the image: {type(given).__name__} is no image: it takes a path, "):
            Told().predict(given)

    @pytest.mark.parametrize(
        "given, said", [(b"words", "no image"), (3, "int is no"), (np.zeros((1, 999), np.uint8), "999 by 1")]
    )
    def test_a_fault_has_the_place_of_its_image(self, images, given, said, tmp_path):
        with pytest.raises(OCRError, match=f"^image 2: {said}"):
            Told().predict([*images[:2], given, *images[3:5]])
        with pytest.raises(OCRError, match=f"^the image: {said}"):
            Told().predict(given)

    def test_a_fault_has_the_name_of_its_file(self, images, tmp_path):
        path = tmp_path / "wide.png"
        path.write_bytes(encoded(np.zeros((1, 999), np.uint8), "PNG"))
        with path.open("rb") as file, Image.open(path) as image:
            for given in path, str(path), file, image:
                with pytest.raises(OCRError, match=f"^{path}: 999 by 1 pixels are no line of text"):
                    Told().predict([images[0], given])

    def test_a_limit_is_that_of_every_image(self, images):
        strict = Told(max_pixels=images[0].size)
        assert strict.predict(images[0]).text == ALPHABET.characters[0]
        larger = np.vstack([images[0], images[0][:1]])
        for given in larger, encoded(larger, "PNG"), Image.fromarray(larger):
            with pytest.raises(OCRError, match=f"^image 1: the image is larger than {images[0].size:,} pixels$"):
                strict.predict([images[0], given])


def test_where_no_text_is_found_there_is_none(images):
    def decode(probabilities):
        return [None if n % 2 else [n + 1] for n in range(probabilities.shape[1])]

    recognizer = Told(FIXED, decode=decode)
    expected = ["" if n % 2 else ALPHABET.characters[n] for n in range(60)]
    assert recognizer.texts(images) == expected
    readings = recognizer.read(images)
    assert [reading.text for reading in readings] == expected
    assert [reading.confidence for reading in readings[1::2]] == [0.0] * 30


class TestLexicons:
    def test_each_image_is_the_best_of_its_own(self, images):
        characters = ALPHABET.characters
        lexicons = [[characters[n - 1], characters[n], characters[n] * 2] for n in range(60)]
        for batch_size in 1, 7, 128:
            readings = Told(batch_size=batch_size).read(images, lexicons)
            assert [reading.text for reading in readings] == EXPECTED
        wrong = [reading.text for reading in Told().read(images, [[words[0]] for words in lexicons])]
        assert wrong == [characters[n - 1] for n in range(60)]

    def test_without_a_word_that_fits(self, images):
        (reading,) = Told(FIXED).read(images[:1], [["\u4e00" * 99]])
        assert (reading.text, reading.confidence) == ("", 0)

    def test_of_characters_that_the_alphabet_lacks(self, images):
        with pytest.raises(OCRError, match="the alphabet lacks 'x'"):
            Told().read(images[:1], [["x"]])


def test_images_are_not_written_to(images):
    copies = [image.copy() for image in images]
    Told().read(images)
    assert all(map(np.array_equal, images, copies))


@pytest.mark.parametrize("count, size, lengths", [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 3, [2]), (0, 3, [])])
def test_batches(count, size, lengths):
    for items in list(range(count)), np.arange(count):
        parts = batches(items, size)
        assert [len(part) for part in parts] == lengths
        assert [item for part in parts for item in part] == list(range(count))
