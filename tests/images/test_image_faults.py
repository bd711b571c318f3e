"""Files that are no images, or cut off, damaged or huge ones, refused by name."""

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

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import decode_image, read_image
from tests.images.encoded_images import NOISE, SMOOTH, encoded, png

CUT_OFF_LOOKS = "cut off|damaged"


def refusal(data):
    with pytest.raises(OCRError) as caught:
        decode_image(data)
    return str(caught.value)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.png", b"", "the file is empty"),
        ("a.png", b"these are words\n", "no image that OpenCV can read"),
        ("a.jpg", b"\0" * 999, "no image that OpenCV can read"),
        ("a.png", b"\x89PNG", "no image that OpenCV can read"),
        ("a.gif", b"GIF89a", "the image is cut off or damaged"),
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


@settings(max_examples=200)
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


def huge_tiff():
    data = encoded(SMOOTH, "TIFF")
    for tag in (256, 257):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data = data[:at] + struct.pack("<I", 20000) + data[at + 4 :]
    return data


def huge_webp():
    data = bytearray(encoded(SMOOTH, "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", 16000 | 16000 << 14)
    return bytes(data)


def huge_gif():
    # What it says at its head is small.
    data = bytearray(encoded(SMOOTH, "GIF"))
    at = data.index(b",\0\0\0\0") + 5
    data[at : at + 4] = struct.pack("<HH", 20000, 20000)
    return bytes(data)


HUGE = [huge_png, huge_jpeg, huge_bmp, huge_tiff, huge_webp, huge_gif]


# OpenCV has a limit of its own, which can't be set any more once it is loaded.
@pytest.mark.parametrize("first", ["", "import cv2"])
@pytest.mark.parametrize("make", HUGE)
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path, make, first):
    path = tmp_path / "huge"
    path.write_bytes(make())
    program = f"""
{first}
import resource, sys
from pathlib import Path
from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import read_image
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_image(Path(sys.argv[1]))
except OCRError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENCV_")}
    command = [sys.executable, "-c", program, path]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, timeout=60, check=True)
    message, grown_kb = done.stdout.decode().splitlines()
    assert message == f"{path}: the image is larger than 50,000,000 pixels"
    assert int(grown_kb) < 100_000


def test_the_limit_is_the_one_that_is_stated():
    rows = zlib.compress(bytes(10001 * 5001), 1)
    assert decode_image(png(10000, 5000, 8, rows)).shape == (5000, 10000)
    for width, height in (10001, 5000), (10000, 5001):
        assert refusal(png(width, height, 8, rows)) == "the image is larger than 50,000,000 pixels"


@pytest.mark.parametrize("make", HUGE)
def test_a_smaller_limit_holds_before_anything_is_decoded(make, monkeypatch):
    for module, name in (cv2, "imdecode"), (Image, "open"):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(OCRError, match="^the image is larger than 1,000 pixels$"):
        decode_image(make(), max_pixels=1000)


def test_a_limit_counts_pixels():
    data = encoded(SMOOTH, "PNG")
    assert decode_image(data, max_pixels=SMOOTH.size).shape == SMOOTH.shape
    with pytest.raises(OCRError, match="^the image is larger than 959 pixels$"):
        decode_image(data, max_pixels=SMOOTH.size - 1)


def test_a_jpeg_of_very_many_scans_is_refused():
    # Each scan takes as long as a whole image, in a few bytes.
    data = encoded(SMOOTH, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert decode_image(data[:-2] + 20 * scan + data[-2:]).shape == SMOOTH.shape
    assert refusal(data[:-2] + 200 * scan + data[-2:]) == "a JPEG of more than 100 scans: save it as PNG"
