"""Image files of every kind to grey arrays, brought to the network's size and its numbers."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocr_lib.images.decode import decode_image, fit, normalise, read_image
from tests.images.encoded_images import NOISE, SMOOTH, encoded, png_chunk


def luminance(rgb):
    return rgb[..., :3] @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize(
    "image_format, options",
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("PPM", {})],
)
@pytest.mark.parametrize("pixels", [NOISE[..., 0], NOISE[..., :3], SMOOTH], ids=["grey", "colour", "smooth"])
def test_lossless_formats_keep_every_pixel(image_format, options, pixels):
    expected = pixels if pixels.ndim == 2 else luminance(pixels)
    image = decode_image(encoded(pixels, image_format, **options))
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, expected, rtol=0, atol=0 if pixels.ndim == 2 else 1.5)


@pytest.mark.parametrize(
    "image_format, options", [("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {"quality": 95})]
)
def test_lossy_formats_stay_close(image_format, options):
    image = decode_image(encoded(SMOOTH, image_format, **options))
    assert image.shape == SMOOTH.shape
    assert np.abs(image.astype(int) - SMOOTH).mean() < 4


def test_webp_without_loss():
    image = decode_image(encoded(NOISE[..., :3], "WEBP", lossless=True))
    np.testing.assert_allclose(image, luminance(NOISE), rtol=0, atol=1)


@pytest.mark.parametrize("image_format, options", [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})])
def test_transparent_pixels_show_white_paper(image_format, options):
    opacity = NOISE[..., 3] / 255
    expected = luminance(NOISE) * opacity + 255 * (1 - opacity)
    image = decode_image(encoded(NOISE, image_format, **options))
    np.testing.assert_allclose(image, expected, rtol=0, atol=1.5)


def test_transparent_grey_png():
    image = decode_image(encoded(np.ascontiguousarray(NOISE[..., 2:]), "PNG"))
    opacity = NOISE[..., 3] / 255
    np.testing.assert_allclose(image, NOISE[..., 2] * opacity + 255 * (1 - opacity), rtol=0, atol=1)


def test_opacity_and_ink_stay_together_in_a_turned_png():
    pixels = np.full((6, 6, 4), (255, 255, 255, 0), np.uint8)
    pixels[0] = 0, 0, 0, 255  # one black line on nothing
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    image = decode_image(encoded(pixels, "PNG", exif=exif))
    assert (image == 0).sum() == 6 and (image == 255).sum() == 30


def test_16_bit_png():
    deep = np.arange(0, 65536, 700, dtype=np.uint16).reshape(2, -1)
    np.testing.assert_allclose(decode_image(encoded(deep, "PNG")), deep / 257, rtol=0, atol=1)


def test_16_bit_png_with_opacity():
    header = struct.pack(">IIBBBBB", 5, 1, 16, 6, 0, 0, 0)
    greys = [(0, 65535), (0, 0), (0, 32768), (65535, 65535), (10000, 65535)]
    pixels = [(grey, grey, grey, opacity) for grey, opacity in greys]
    row = b"\0" + b"".join(struct.pack(">4H", *pixel) for pixel in pixels)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(row)) + png_chunk(b"IEND", b"")
    assert decode_image(b"\x89PNG\r\n\x1a\n" + chunks).tolist() == [[0, 255, 127, 255, 39]]


def test_palette_png():
    image = Image.fromarray(SMOOTH).convert("P")
    assert decode_image(encoded(image, "PNG")).tolist() == SMOOTH.tolist()


def test_palette_png_with_transparency():
    image = Image.new("P", (4, 3))
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.putpixel((0, 0), 1)
    assert decode_image(encoded(image, "PNG", transparency=0)).tolist() == [[9, 255, 255, 255]] + [[255] * 4] * 2


def test_1_bit_png():
    image = Image.fromarray(SMOOTH > 128)
    assert decode_image(encoded(image, "PNG")).tolist() == np.where(SMOOTH > 128, 255, 0).tolist()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 5)])
def test_any_size(image_format, size):
    image = decode_image(encoded(np.full(size, 77, np.uint8), image_format))
    assert image.shape == size
    assert np.abs(image.astype(int) - 77).max() <= 3


def test_cmyk_jpeg():
    assert decode_image(encoded(Image.new("CMYK", (9, 7), (0, 0, 0, 255)), "JPEG")).max() < 10


def test_reads_a_file_of_any_name(tmp_path):
    path = tmp_path / "числа 数 é" / "tête\u0301.dat"
    path.parent.mkdir()
    path.write_bytes(encoded(SMOOTH, "PNG"))
    assert read_image(path).tolist() == SMOOTH.tolist()


@pytest.mark.parametrize("size", [(60, 160), (30, 80), (1, 1), (10, 300), (300, 10), (31, 79)])
def test_fit_gives_the_networks_size_and_keeps_paper_paper(size):
    fitted = fit(np.full(size, 201, np.uint8), (80, 30))
    assert fitted.shape == (30, 80) and fitted.dtype == np.uint8
    assert (fitted == 201).all()


def test_fit_averages_where_it_shrinks():
    image = NOISE[..., 0]
    fitted = fit(image, (10, 6))
    np.testing.assert_allclose(fitted, image.reshape(6, 4, 10, 4).mean((1, 3)), rtol=0, atol=0.5)


def test_fit_leaves_an_image_of_that_size_alone():
    assert fit(NOISE[..., 0], (40, 24)).tolist() == NOISE[..., 0].tolist()


@given(
    st.integers(0, 3),
    st.integers(1, 5),
    st.integers(1, 6),
    st.floats(-300, 300),
    st.floats(1, 500).flatmap(lambda scale: st.sampled_from([scale, -scale])),
    st.randoms(use_true_random=False),
)
def test_normalise_equals_a_loop(count, height, width, mean, scale, random):
    images = np.array([random.randrange(256) for _ in range(count * height * width)], np.uint8)
    images = images.reshape(count, height, width)
    columns = normalise(images, mean, scale)
    assert columns.shape == (count, width, height) and columns.dtype == np.float32
    for n in range(count):
        for x in range(width):
            for y in range(height):
                assert columns[n, x, y] == pytest.approx((int(images[n, y, x]) - mean) / scale, rel=1e-4, abs=1e-4)
    assert images.dtype == np.uint8
