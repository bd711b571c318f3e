"""Images turned as their files ask, and opacity."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ocr_lib.images.decode import decode_image, render_pillow
from ocr_lib.images.orientation import orientation_of, upright
from ocr_lib.images.pixels import render
from tests.images.encoded_images import encoded, png_of, tiff, turned

CORNER = np.full((16, 40, 4), 255, np.uint8)
CORNER[:8, :16, :3] = 0  # each way to turn it gives another image
RGB = np.ascontiguousarray(CORNER[..., :3])

WAYS = {
    "jpeg": lambda turn: encoded(RGB, "JPEG", exif=turn, quality=95),
    "grey jpeg": lambda turn: encoded(RGB[..., 0].copy(), "JPEG", exif=turn, quality=95),
    "png": lambda turn: encoded(RGB, "PNG", exif=turn),
    "png with opacity": lambda turn: encoded(CORNER, "PNG", exif=turn),
    "webp": lambda turn: encoded(RGB, "WEBP", exif=turn, quality=95),
    "webp with opacity": lambda turn: encoded(CORNER, "WEBP", exif=turn, lossless=True),
    "tiff": lambda turn: tiff(RGB, more=[(0x0112, "H", [turn[0x0112]])]),
    "tiff with opacity": lambda turn: tiff(CORNER, ">", more=[(0x0112, "H", [turn[0x0112]])]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_as_pillow_turns_it(way, orientation):
    data = WAYS[way](turned(orientation))
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L"))
        as_pillow = render_pillow(image)
    found = decode_image(data)
    assert found.shape == as_pillow.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=20)
    np.testing.assert_allclose(as_pillow, expected, rtol=0, atol=3)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09", b"JUNK"]
)
def test_exif_data_that_says_nothing(exif):
    assert orientation_of(exif) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_there_is_not(value):
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, value, 0)
    assert orientation_of(b"MM\0*\0\0\0\x08\0\x01" + entry) == 1


@given(st.binary(max_size=60), st.sampled_from([b"", b"Exif\0\0"]), st.sampled_from([b"II*\0", b"MM\0*"]))
def test_any_exif_data_gives_an_orientation(data, prefix, order):
    assert orientation_of(prefix + order + data) in range(1, 9)


@given(st.integers(1, 8))
def test_turning_loses_no_pixel(orientation):
    pixels = np.arange(6).reshape(2, 3)
    found = upright(pixels, orientation)
    assert sorted(found.ravel()) == list(range(6))
    assert found.shape == ((3, 2) if orientation > 4 else (2, 3))
    assert found.flags.c_contiguous


class TestOpacity:
    def all_pairs(self):
        """Return an image (256, 256, 4) of each grey with each opacity, and what it looks like on white paper."""
        grey, opacity = np.meshgrid(np.arange(256), np.arange(256))
        return np.stack([grey, grey, grey, opacity], axis=2).astype(np.uint8), grey * (opacity / 255) + 255 - opacity

    def test_ink_is_blended_over_white(self):
        pixels, expected = self.all_pairs()
        np.testing.assert_allclose(render(pixels), expected, rtol=0, atol=0.5 + 1e-9)

    @pytest.mark.parametrize("write", [png_of, lambda pixels: encoded(pixels, "WEBP", lossless=True, exact=True), tiff])
    def test_every_format_is_blended(self, write):
        pixels, expected = self.all_pairs()
        np.testing.assert_allclose(decode_image(write(pixels)), expected, rtol=0, atol=1)

    @pytest.mark.parametrize("write", [png_of, tiff])
    def test_16_bits(self, write):
        pixels, expected = self.all_pairs()
        np.testing.assert_allclose(decode_image(write(pixels.astype(np.uint16) * 257)), expected, rtol=0, atol=1)

    def test_opaque_images_are_what_opencv_makes_grey(self):
        pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
        opaque = np.dstack([pixels, np.full((20, 30), 255, np.uint8)])
        np.testing.assert_array_equal(render(opaque), render(pixels))
