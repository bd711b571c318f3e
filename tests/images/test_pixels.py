"""Pixels of any depth at full contrast, and ink of any lightness visible on transparent paper."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import decode_image
from ocr_lib.images.inputs import load_image
from ocr_lib.images.pixels import Rendition, render, with_channels
from ocr_lib.images.polarity import dark_on_light
from tests.images.encoded_images import SMOOTH, encoded, png_of

COLOUR = Rendition(3)


class TestDepth:
    @pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
    @pytest.mark.parametrize("write", ["PNG", "TIFF", "png_of", "array", "pillow"])
    def test_in_16_bits(self, bits, write):
        most = (1 << bits) - 1
        deep = np.linspace(0, most, 24 * 40).round().astype(np.uint16).reshape(24, 40)
        given = {
            "PNG": lambda: encoded(deep, "PNG"),
            "TIFF": lambda: encoded(deep, "TIFF"),
            "png_of": lambda: png_of(deep[..., None]),
            "array": lambda: deep,
            "pillow": lambda: Image.open(io.BytesIO(encoded(deep, "PNG"))),
        }[write]()
        np.testing.assert_allclose(load_image(given), deep / (most / 255), rtol=0, atol=0.5 + 1e-6)

    @given(st.integers(256, 65535))
    def test_no_more_than_two_bits_are_lost(self, largest):
        assert 63 <= render(np.array([[0, largest]], np.uint16))[0, 1] <= 255

    def test_in_colour_and_with_opacity(self):
        deep = np.random.default_rng(0).integers(0, 4096, (24, 40, 4), np.uint16)
        deep[..., 3] = 65535
        deep[0, 0, :3] = 4095
        for pixels in deep, np.ascontiguousarray(deep[..., :3]):
            expected = deep[..., 2::-1] / (4095 / 255)
            np.testing.assert_allclose(decode_image(png_of(pixels), COLOUR), expected, rtol=0, atol=1)

    @pytest.mark.parametrize("white", [1, 15, 100, 255, 1000, 4095, 65535])
    @pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
    def test_as_a_pnm_states_it(self, kind, white):
        values = np.linspace(0, white, 12).astype(int)
        numbers = np.repeat(values, 3 if kind in ("P3", "P6") else 1)
        text, binary = " ".join(map(str, numbers)).encode(), numbers.astype("u1" if white < 256 else ">u2").tobytes()
        data = f"{kind}\n12 1\n{white}\n".encode() + (text + b"\n" if kind in ("P2", "P3") else binary)
        np.testing.assert_allclose(decode_image(data)[0], values * 255 / white, rtol=0, atol=1)

    def test_a_pnm_whose_largest_value_is_below_what_it_states(self):
        data = b"P5 2 1 4095\n" + np.array([0, 100], ">u2").tobytes()
        assert decode_image(data).tolist() == [[0, 6]]

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_numbers_that_are_no_pixels(self, dtype):
        data = encoded(Image.fromarray(np.linspace(0, 200, 12).astype(dtype).reshape(3, 4)), "TIFF")
        with pytest.raises(OCRError, match=rf"^its pixels are {np.dtype(dtype)}: save it as PNG, of 8 or 16 bits$"):
            decode_image(data)


def letters(grey, colour=(1.0, 1.0, 1.0), margin=10, thickness=2):
    """Return ink of a grey on nothing: (H, W, 4) uint8, blue, green, red and opacity."""
    (width, height), below = cv2.getTextSize("R3gal", cv2.FONT_HERSHEY_DUPLEX, 1, thickness)
    opacity = np.zeros((height + below + 2 * margin, width + 2 * margin), np.uint8)
    cv2.putText(opacity, "R3gal", (margin, margin + height), cv2.FONT_HERSHEY_DUPLEX, 1, 255, thickness, cv2.LINE_AA)
    ink = np.full((*opacity.shape, 3), np.array(colour) * grey)
    return np.dstack([ink.astype(np.uint8), opacity])


def as_given(image, kind):
    rgba = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    if kind == "array":
        return image
    if kind == "16 bits":
        return png_of(np.asarray(rgba).astype(np.uint16) * 257)
    if kind == "LA":
        return encoded(rgba.convert("LA"), "PNG")
    if kind == "palette":
        return encoded(rgba.quantize(32, method=Image.Quantize.FASTOCTREE), "PNG")
    if kind == "GIF":
        return encoded(rgba, "GIF")
    if kind == "WebP":
        return encoded(rgba, "WEBP", lossless=True, exact=True)
    return encoded(rgba, kind)


class TestTransparentPaper:
    @pytest.mark.parametrize("grey", [0, 60, 120, 140, 200, 255])
    @pytest.mark.parametrize("kind", ["array", "PNG", "16 bits", "LA", "palette", "GIF", "WebP", "TIFF"])
    def test_ink_of_any_grey_can_be_seen(self, kind, grey):
        image = letters(grey)
        prepared = dark_on_light(load_image(as_given(image, kind)))
        seen = image[..., 3] == 255
        assert np.median(prepared) == 255
        assert prepared[seen].max() < 130

    @pytest.mark.parametrize("margin, thickness", [(0, 9), (2, 9), (30, 1)])
    def test_however_much_of_it_there_is(self, margin, thickness):
        for grey, paper in (0, 255), (255, 0):
            found = render(letters(grey, margin=margin, thickness=thickness))
            assert (found.min(), found.max()) == (0, 255)
            assert found[0, 0] == paper

    def test_in_colour(self):
        light = render(letters(255, colour=(0.2, 1, 1)), channels=3)
        assert light[0, 0].tolist() == [0, 0, 0] and light.reshape(-1, 3).max(0).tolist() == [51, 255, 255]
        dark = render(letters(200, colour=(1, 0, 0)), channels=3)
        assert dark[0, 0].tolist() == [255, 255, 255]

    def test_an_image_with_paper_of_its_own_has_white_corners(self):
        for paper, ink in (250, 10), (40, 250), (90, 10):
            image = np.full((40, 120, 4), (paper, paper, paper, 255), np.uint8)
            cv2.putText(image, "R3gal", (10, 30), cv2.FONT_HERSHEY_DUPLEX, 1, (ink, ink, ink, 255), 2)
            image[:5, :5, 3] = 0
            assert render(image)[0, 0] == 255

    @pytest.mark.parametrize("channels", [1, 3])
    def test_where_nothing_or_all_is_visible(self, channels):
        for grey in 0, 255:
            nothing = np.full((5, 5, 4), (grey, grey, grey, 0), np.uint8)
            assert (render(nothing, channels) == 255).all()
            everything = np.full((5, 5, 4), (grey, grey, grey, 255), np.uint8)
            assert (render(everything, channels) == grey).all()


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 3), (6, 9, 4)])
def test_channels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    grey, colour = with_channels(image, 1), with_channels(image, 3)
    assert (grey.shape, colour.shape) == ((6, 9), (6, 9, 3))
    if image.shape[2:] in ((3,), (4,)):
        np.testing.assert_array_equal(colour, image[..., :3])
        np.testing.assert_allclose(grey, image[..., :3] @ [0.114, 0.587, 0.299], rtol=0, atol=1)
    else:
        np.testing.assert_array_equal(colour, np.dstack([grey] * 3))


def test_the_colours_of_a_file_are_in_opencvs_order():
    rgb = np.random.default_rng(1).integers(0, 256, (*SMOOTH.shape, 3), np.uint8)
    for image_format in "PNG", "BMP", "TIFF", "PPM":
        np.testing.assert_array_equal(decode_image(encoded(rgb, image_format), COLOUR), rgb[..., ::-1])
    for image in Image.fromarray(rgb), np.ascontiguousarray(rgb[..., ::-1]):
        np.testing.assert_array_equal(load_image(image, COLOUR), rgb[..., ::-1])
