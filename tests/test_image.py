"""Image files of every kind to grey arrays, and those that are none refused by name."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ocr_lib.errors import OCRError
from ocr_lib.image import dark_on_light, decode_image, fit, normalise, read_image

NOISE = np.random.default_rng(1).integers(0, 256, (24, 40, 4), dtype=np.uint8)
SMOOTH = np.full((24, 40), 230, np.uint8)
SMOOTH[8:16, 5:35] = 20
CUT_OFF_LOOKS = "cut off|damaged"


def encoded(pixels, image_format, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    with io.BytesIO() as file:
        image.save(file, image_format, **options)
        return file.getvalue()


def luminance(rgb):
    return rgb[..., :3] @ [0.299, 0.587, 0.114]


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, rows):
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def refusal(data):
    with pytest.raises(OCRError) as caught:
        decode_image(data)
    return str(caught.value)


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


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.png", b"", "the file is empty"),
        ("a.png", b"these are words\n", "no image that OpenCV can read"),
        ("a.jpg", b"\0" * 999, "no image that OpenCV can read"),
        ("a.png", b"\x89PNG", "no image that OpenCV can read"),
        ("a.gif", b"GIF89a", "no image that OpenCV can read"),
    ],
)
def test_names_a_file_that_is_no_image(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OCRError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_names_what_is_no_file(tmp_path):
    with pytest.raises(OCRError, match=f"{tmp_path}: Is a directory"):
        read_image(tmp_path)
    with pytest.raises(OCRError, match="absent.png: No such file or directory"):
        read_image(tmp_path / "absent.png")
    (tmp_path / "file").touch()
    with pytest.raises(OCRError, match="Not a directory"):
        read_image(tmp_path / "file" / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_names_an_unreadable_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(SMOOTH, "PNG"))
    path.chmod(0)
    with pytest.raises(OCRError, match="a.png: Permission denied"):
        read_image(path)


CUT_CASES = {
    "png": (encoded(NOISE, "PNG"), "cut off"),
    "smooth png": (encoded(SMOOTH, "PNG"), "cut off"),
    "jpeg": (encoded(NOISE[..., :3], "JPEG"), "cut off"),
    "progressive jpeg": (encoded(SMOOTH, "JPEG", progressive=True), "cut off"),
    "bmp": (encoded(NOISE[..., :3], "BMP"), CUT_OFF_LOOKS),
    "palette bmp": (encoded(Image.fromarray(SMOOTH).convert("P"), "BMP"), CUT_OFF_LOOKS),
    "tiff": (encoded(NOISE[..., :3], "TIFF"), CUT_OFF_LOOKS),
    "lzw tiff": (encoded(NOISE[..., :3], "TIFF", compression="tiff_lzw"), CUT_OFF_LOOKS),
    "webp": (encoded(NOISE[..., :3], "WEBP"), CUT_OFF_LOOKS),
    "lossless webp": (encoded(NOISE, "WEBP", lossless=True), CUT_OFF_LOOKS),
    "gif": (encoded(NOISE[..., 0], "GIF"), CUT_OFF_LOOKS),
}


@pytest.mark.parametrize("case", CUT_CASES)
def test_a_cut_off_image_is_refused(case):
    data, expected = CUT_CASES[case]
    if case != "gif":  # not every build of OpenCV reads GIF
        assert decode_image(data).shape == SMOOTH.shape
    near_the_ends = [*range(12, 40), *range(len(data) - 20, len(data))]
    for end in sorted({*near_the_ends, *range(12, len(data), len(data) // 40)}):
        with pytest.raises(OCRError, match=expected):
            decode_image(data[:end])


def test_a_thumbnail_does_not_hide_that_the_image_is_cut_off():
    image, thumbnail = encoded(NOISE[..., :3], "JPEG"), encoded(SMOOTH, "JPEG")
    segment = b"Exif\0\0" + thumbnail
    whole = image[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + image[2:]
    assert decode_image(whole).tolist() == decode_image(image).tolist()
    for end in range(len(thumbnail), len(whole), 50):
        assert refusal(whole[:end]) == "the image is cut off or damaged"


def test_what_follows_an_image_does_not_matter():
    for data in encoded(SMOOTH, "JPEG"), encoded(SMOOTH, "PNG"):
        appended = data + b"a video \xff\xda without an end of the image's kind"
        assert decode_image(appended).tolist() == decode_image(data).tolist()


def test_a_damaged_png_is_refused_without_a_word_of_the_png_library(capfd):
    whole = encoded(NOISE, "PNG")
    for position in sorted({*range(8, 60), *range(60, len(whole), len(whole) // 100)}):
        data = bytearray(whole)
        data[position] ^= 0x10
        assert refusal(bytes(data)) == "the image is cut off or damaged"
    assert capfd.readouterr().err == ""


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(CUT_CASES)), st.binary(max_size=40), st.floats(0, 1))
def test_any_bytes_give_an_image_or_a_refusal(case, junk, where):
    data = CUT_CASES[case][0]
    at = int(where * len(data))
    for candidate in data[:at] + junk, data[:at] + junk + data[at + len(junk) :]:
        try:
            image = decode_image(candidate)
        except OCRError:
            continue
        assert image.dtype == np.uint8 and image.ndim == 2


def huge_png():
    # Whole and valid: 400 MB of grey in 300 kB, should anyone decode it.
    compressor = zlib.compressobj(1)
    row = bytes(1 + 20000 // 8)
    return png(20000, 20000, 1, b"".join(compressor.compress(row) for _ in range(20000)) + compressor.flush())


def huge_jpeg():
    data = bytearray(encoded(SMOOTH, "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 20000, 20000)
    return bytes(data)


def huge_bmp():
    data = bytearray(encoded(SMOOTH, "BMP"))
    data[18:26] = struct.pack("<ii", 20000, 20000)
    return bytes(data)


@pytest.mark.parametrize("make", [huge_png, huge_jpeg, huge_bmp])
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path, make):
    path = tmp_path / "huge"
    path.write_bytes(make())
    program = """
import resource, sys
from pathlib import Path
from ocr_lib.errors import OCRError
from ocr_lib.image import read_image
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_image(Path(sys.argv[1]))
except OCRError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
"""
    done = subprocess.run([sys.executable, "-c", program, path], stdout=subprocess.PIPE, timeout=60, check=True)
    message, grown_kb = done.stdout.decode().splitlines()
    assert message == f"{path}: the image is larger than 50,000,000 pixels"
    assert int(grown_kb) < 100_000


def test_the_limit_is_the_one_that_is_stated():
    rows = zlib.compress(bytes(10001 * 5001), 1)
    assert decode_image(png(10000, 5000, 8, rows)).shape == (5000, 10000)
    for width, height in (10001, 5000), (10000, 5001):
        assert refusal(png(width, height, 8, rows)) == "the image is larger than 50,000,000 pixels"


def test_opencv_prints_nothing_of_its_own(tmp_path):
    bad = [b"", b"words", huge_jpeg(), huge_bmp(), huge_png()]
    for data, _ in CUT_CASES.values():
        bad += [data[: len(data) * share // 10] for share in range(1, 10)] + [data[:-1]]
    paths = [tmp_path / str(number) for number in range(len(bad))]
    for path, data in zip(paths, bad):
        path.write_bytes(data)
    program = """
import sys
from pathlib import Path
from ocr_lib.errors import OCRError
from ocr_lib.image import read_image
for path in sys.argv[1:]:
    try:
        read_image(Path(path))
    except OCRError as error:
        print(error)
"""
    environment = {key: value for key, value in os.environ.items() if key != "OPENCV_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", program, *paths],
        capture_output=True,
        env=environment,
        timeout=60,
        check=True,
    )
    assert done.stderr.decode() == ""
    assert len(done.stdout.splitlines()) == len(bad)


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


def test_fit_writes_to_the_array_that_it_is_given():
    batch = np.zeros((3, 6, 10), np.uint8)
    for image in NOISE[..., 0], NOISE[:6, :10, 1], NOISE[:3, :5, 2]:
        for row in batch:
            fit(image, (10, 6), row)
            np.testing.assert_array_equal(row, fit(image, (10, 6)))
        assert (batch == batch[0]).all()


def test_dark_on_light_turns_dark_paper_light():
    np.testing.assert_array_equal(dark_on_light(SMOOTH), SMOOTH)
    np.testing.assert_array_equal(dark_on_light(255 - SMOOTH), SMOOTH)


@settings(deadline=None)
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
