"""Images as a network wants them: of one width or any, padded, and parted by width."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.geometry import Shrinkage, shrunk
from ocr_lib.images.decode import fit
from ocr_lib.images.polarity import dark_on_light
from ocr_lib.preparation import MAX_WIDTH, Preparation, pad, parts_of_like_width
from ocr_lib.recipe.settings import load_preset, override

POOLS = (Shrinkage(0, 4), Shrinkage(2, 2))  # leave something of 16 columns
ORIGINAL = {"resize": "bilinear", "invert": "never"}
HOW = [{}, ORIGINAL, {"resize": "bilinear"}, {"invert": "never"}, {"invert": "always"}]


def prepared_by_hand(image, size, resize="area", invert="auto"):
    """Return the image inverted, if it is to be, and resized."""
    image = {"auto": dark_on_light, "never": lambda image: image, "always": cv2.bitwise_not}[invert](image)
    return cv2.resize(image, size) if resize == "bilinear" else fit(image, size)


def noise(height, width, darkest=0, lightest=255):
    return np.random.default_rng(height * 1000 + width).integers(darkest, lightest + 1, (height, width), np.uint8)


class TestAnyWidth:
    @given(
        st.integers(1, 99), st.integers(1, 400), st.integers(1, 48), st.sampled_from([(), POOLS]), st.sampled_from(HOW)
    )
    def test_the_aspect_ratio_is_kept(self, height, width, target, shrinkage, how):
        preparation = Preparation((None, target), shrinkage, **how)
        image = noise(height, width)
        exact = width * target / height
        if exact > MAX_WIDTH + 1:
            with pytest.raises(OCRError):
                preparation.prepare(image)
            return
        prepared = preparation.prepare(image)
        least = 16 if shrinkage else 1
        assert prepared.dtype == np.uint8 and prepared.shape[0] == target
        assert prepared.shape[1] == preparation.width_of(image) >= least
        assert abs(prepared.shape[1] - exact) <= 0.5 or prepared.shape[1] == least > exact

    @pytest.mark.parametrize("shape, width", [((60, 160), 80), ((30, 80), 80), ((7, 33), 141), ((64, 9), 4)])
    def test_cases(self, shape, width):
        image = noise(*shape, 140)
        prepared = Preparation((None, 30), invert="never").prepare(image)
        np.testing.assert_array_equal(prepared, fit(image, (width, 30)))

    def test_light_text_on_dark_paper_is_inverted_unless_it_is_never(self):
        image = noise(20, 70, 0, 100)
        image[5:15, 5:20] = 180
        for invert in "auto", "always":
            prepared = Preparation((None, 10), invert=invert).prepare(image)
            np.testing.assert_array_equal(prepared, fit(255 - image, (35, 10)))
        np.testing.assert_array_equal(
            Preparation((None, 10), invert="always").prepare(255 - image), fit(image, (35, 10))
        )
        original = Preparation((None, 10), **ORIGINAL).prepare(image)
        np.testing.assert_array_equal(original, cv2.resize(image, (35, 10)))

    def test_what_is_cut_off_does_not_count_as_height(self):
        image = noise(40, 70, 140)
        preparation = Preparation((None, 10), invert="never", crop=(0.26, 0.251))
        np.testing.assert_array_equal(preparation.prepare(image), fit(image[10:30], (35, 10)))
        assert preparation.width_of(image) == 35
        turned = preparation._replace(rotate=90)
        np.testing.assert_array_equal(turned.prepare(np.rot90(image, -1)), preparation.prepare(image))
        assert turned.width_of(np.rot90(image)) == 35

    @given(st.integers(1, 40), st.floats(0, 0.99), st.floats(0, 0.99))
    def test_a_row_is_left_of_the_lowest_image(self, height, top, share):
        crop = top, share * (0.99 - top)
        assert Preparation((5, 8), crop=crop).prepare(noise(height, 9)).shape == (8, 5)

    @pytest.mark.parametrize("width", [1, 3, 15, 16])
    def test_a_narrow_image_is_widened_to_what_the_network_needs(self, width):
        preparation = Preparation((None, 32), shrinkage=POOLS)
        image = noise(32, width)
        assert preparation.width_of(image) == 16
        assert preparation.prepare(image).shape == (32, 16)
        assert preparation.steps(16) == 1 and preparation.steps(15) == 0
        assert preparation.width_of(noise(32, 17)) == 17

    @pytest.mark.parametrize("how", HOW)
    @pytest.mark.parametrize(
        "height, shape, times", [(32, (1, 257), 256), (32, (10, 2565), 256), (48, (3, 513), 170), (1, (1, 8193), 8192)]
    )
    def test_an_image_that_is_no_line_is_refused(self, height, shape, times, how):
        preparation = Preparation((None, height), **how)
        message = f"^{shape[1]} by {shape[0]} pixels are no line of text: at most {times} times as wide as high$"
        for refuse in preparation.prepare, preparation.resized, preparation.width_of:
            with pytest.raises(OCRError, match=message):
                refuse(np.zeros(shape, np.uint8))

    def test_the_widest_line_is_accepted(self):
        assert Preparation((None, 32)).prepare(np.zeros((1, 256), np.uint8)).shape == (32, MAX_WIDTH)


class TestFixedWidth:
    @pytest.mark.parametrize("shape", [(60, 160), (30, 80), (1, 1), (200, 3), (1, 3000), (9, 81)])
    @pytest.mark.parametrize("how", HOW)
    @pytest.mark.parametrize("lightest", [100, 255])
    def test_every_image_has_it(self, shape, how, lightest):
        image = noise(*shape, 0, lightest)
        preparation = Preparation((80, 30), POOLS, **how)
        assert preparation.width_of(image) == 80
        np.testing.assert_array_equal(preparation.prepare(image), prepared_by_hand(image, (80, 30), **how))

    @pytest.mark.parametrize("how", HOW)
    def test_what_is_only_resized_is_never_inverted(self, how):
        image = noise(60, 160, 0, 100)
        expected = prepared_by_hand(image, (80, 30), how.get("resize", "area"), "never")
        np.testing.assert_array_equal(Preparation((80, 30), **how).resized(image), expected)

    @pytest.mark.parametrize("how", HOW)
    def test_the_recipe_says_how(self, how):
        recipe = override(load_preset("captcha"), [(f"image.{key}", value) for key, value in how.items()])
        assert Preparation.of(recipe) == Preparation((80, 30), recipe.network.shrinkage(0), **how)


def test_steps_are_what_the_network_leaves_of_columns():
    widths = np.array([16, 17, 24, 100])
    preparation = Preparation((None, 32), shrinkage=POOLS)
    assert preparation.steps(widths).tolist() == [preparation.steps(int(width)) for width in widths]
    assert [preparation.steps(int(width)) for width in widths] == [1, 1, 2, 11]
    assert preparation.steps(100) == shrunk(100, POOLS)
    assert Preparation((80, 30)).steps(80) == 80


@given(st.integers(1, 4), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_pad_puts_paper_behind(height, widths):
    images = [noise(height, width) for width in widths]
    copies = [image.copy() for image in images]
    padded, found = pad(images)
    assert padded.shape == (len(widths), height, max(widths)) and padded.dtype == np.uint8
    assert found.dtype == np.int64 and found.tolist() == widths
    for row, image, copy in zip(padded, images, copies):
        np.testing.assert_array_equal(row[:, : image.shape[1]], copy)
        np.testing.assert_array_equal(image, copy)
        assert (row[:, image.shape[1] :] == 255).all()


class TestPartsOfLikeWidth:
    @given(st.lists(st.integers(1, 400), max_size=60), st.integers(1, 9))
    def test_every_image_is_in_one_part_of_like_width(self, widths, size):
        parts = parts_of_like_width(widths, size)
        assert sorted(index for part in parts for index in part) == list(range(len(widths)))
        of_parts = [[widths[index] for index in part] for part in parts]
        for part in of_parts:
            assert 1 <= len(part) <= size
            assert max(part) <= 1.25 * min(part)
        for part, following in zip(of_parts, of_parts[1:]):
            assert max(part) <= min(following)
            assert len(part) == size or min(following) > 1.25 * min(part)  # no part is needless

    @pytest.mark.parametrize(
        "widths, size, parts",
        [
            ([], 3, []),
            ([80] * 5, 2, [[0, 1], [2, 3], [4]]),
            ([100, 125, 126], 9, [[0, 1], [2]]),
            ([126, 100, 125], 9, [[1, 2], [0]]),
            ([7, 1000, 8, 1001], 2, [[0, 2], [1, 3]]),
        ],
    )
    def test_cases(self, widths, size, parts):
        assert parts_of_like_width(widths, size) == parts
        assert parts_of_like_width(np.array(widths, int), size) == parts


class TestRotation:
    @pytest.mark.parametrize("rotate, turns", [(0, 0), (90, 1), (180, 2), (270, 3)])
    @pytest.mark.parametrize("width", [None, 40])
    def test_turns_anticlockwise_before_all_else(self, rotate, turns, width):
        image = noise(33, 15)
        preparation = Preparation((width, 10), rotate=rotate)
        turned = np.rot90(image, turns)
        np.testing.assert_array_equal(preparation.prepare(image), Preparation((width, 10)).prepare(turned))
        assert preparation.width_of(image) == preparation.prepare(image).shape[1]
        assert preparation.line_shape(*image.shape) == turned.shape

    def test_of_90_brings_the_top_to_the_left(self):
        image = np.full((30, 10), 255, np.uint8)
        image[:10] = 0
        assert Preparation((None, 10), rotate=90).prepare(image)[:, :10].max() == 0

    def test_is_not_done_again_to_what_is_resized(self):
        prepared = Preparation((30, 10), rotate=90).prepare(noise(30, 10))
        assert Preparation((30, 10), rotate=90).resized(prepared).tolist() == prepared.tolist()

    def test_the_recipe_says_how(self):
        recipe = override(load_preset("captcha"), [("image.rotate", 270), ("image.channels", 3)])
        preparation = Preparation.of(recipe)
        assert (preparation.rotate, preparation.channels, preparation.frame) == (270, 3, "last")
        with pytest.raises(OCRError, match="image.rotate"):
            override(recipe, [("image.rotate", 45)])


def test_pad_puts_the_colours_of_an_image_one_below_the_other():
    images = [np.random.default_rng(width).integers(0, 256, (4, width, 3), np.uint8) for width in (5, 3)]
    padded, widths = pad(images)
    assert padded.shape == (2, 12, 5) and widths.tolist() == [5, 3]
    for row, image in zip(padded, images):
        for channel in range(3):
            np.testing.assert_array_equal(row[4 * channel :][:4, : image.shape[1]], image[..., channel])
    assert (padded[1, :, 3:] == 255).all()
