"""Which image files are accepted, by their first bytes, and what becomes of the others."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import decode_image, image_files, read_image, render_pillow
from ocr_lib.images.file import examine
from ocr_lib.images.pixels import Rendition
from tests.images.encoded_images import NOISE, SMOOTH, encoded, png_chunk
from tests.images.image_seeds import ANIMATIONS, SEEDS

MUTATED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "crash" / "mutated.jp2"


@pytest.fixture
def no_decoder(monkeypatch):
    def decode(*_):
        raise AssertionError("a decoder saw the file")

    monkeypatch.setattr(cv2, "imdecode", decode)
    monkeypatch.setattr(Image, "open", decode)


def refusal(data):
    with pytest.raises(OCRError) as caught:
        decode_image(data)
    return str(caught.value)


@pytest.mark.parametrize("image_format", SEEDS)
def test_files_of_every_kind_are_read_as_pillow_reads_them(image_format):
    for data in SEEDS[image_format]:
        with Image.open(io.BytesIO(data)) as image:
            as_pillow = render_pillow(image)
        found = decode_image(data)
        assert found.shape == as_pillow.shape
        assert np.ptp(found) > 50
        np.testing.assert_allclose(found, as_pillow, rtol=0, atol=4)


@pytest.mark.parametrize("image_format", [name for name in SEEDS if name != "GIF"])
def test_images_without_opacity_are_made_grey_as_opencv_makes_them(image_format):
    for data in SEEDS[image_format]:
        file = examine(data)
        if not file.may_be_transparent and file.orientation == 1:
            expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
            np.testing.assert_array_equal(decode_image(data), expected)


OTHERS = {
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), b"\xff\x4f\xff\x51" + bytes(99)],
    "JPEG XL": [b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99), b"\xff\x0a" + bytes(99)],
    "AVIF or HEIC": [b"\0\0\0\x20ftypavif" + bytes(99), b"\0\0\0\x18ftypheic" + bytes(99)],
    "OpenEXR": [b"\x76\x2f\x31\x01\x02\0\0\0" + bytes(99)],
    "Radiance HDR": [b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\0\0\0\0", b"#?RGBE\n"],
    "Sun raster": [b"\x59\xa6\x6a\x95" + bytes(99)],
    "PAM": [b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n\0"],
    "PFM": [b"Pf\n1 1\n-1.0\n\0\0\0\0", b"PF\n1 1\n1.0\n" + bytes(12)],
    "BigTIFF": [b"II+\0\x08\0\0\0" + bytes(99), b"MM\0+\0\x08\0\0" + bytes(99)],
    "PDF": [b"%PDF-1.7\n"],
    "SVG": [b'<svg xmlns="http://www.w3.org/2000/svg"/>', b'<?xml version="1.0"?>\n<svg/>'],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_refused_by_name_before_any_decoder_sees_them(name, no_decoder):
    for data in OTHERS[name]:
        assert refusal(data) == f"{name} is not read: save it as PNG or JPEG"


@pytest.mark.parametrize("suffix", [".jp2", ".hdr", ".ras", ".pam", ".pfm"])
def test_what_only_opencv_writes_is_refused(suffix):
    pixels = np.tile(NOISE[..., :3], (3, 2, 1))
    done, data = cv2.imencode(suffix, pixels.astype(np.float32) if suffix in (".hdr", ".pfm") else pixels)
    assert done and "is not read: save it as PNG or JPEG" in refusal(data.tobytes())


@pytest.mark.skipif(not MUTATED.exists(), reason="the file that OpenCV dies of is not part of this repository")
def test_the_file_that_opencv_dies_of(no_decoder):
    with pytest.raises(OCRError, match="mutated.jp2: JPEG 2000 is not read"):
        read_image(MUTATED)


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF\x10\0\0\0WAVEfmt ", b"P6P6", b"BLANK", b"BMW makes cars, " * 9, b"\0" * 99, b"ID3\x04", b"\xff"],
)
def test_anything_else_does_not_reach_a_decoder(data, no_decoder):
    assert refusal(data) in ("the file is empty", "no image that OpenCV can read, or a damaged one")


def test_the_name_does_not_matter(tmp_path):
    (tmp_path / "a.jp2").write_bytes(encoded(SMOOTH, "PNG"))
    assert read_image(tmp_path / "a.jp2").tolist() == SMOOTH.tolist()
    (tmp_path / "a.png").write_bytes(OTHERS["JPEG 2000"][0])
    with pytest.raises(OCRError, match="a.png: JPEG 2000 is not read"):
        read_image(tmp_path / "a.png")


def test_a_folder_has_the_files_that_may_be_read(tmp_path):
    names = ["a.png", "b.JPG", "c.jpeg", "d.tif", "e.webp", "f.pgm", "g.gif", "h.bmp"]
    for name in [*names, "i.jp2", "j.exr", "k.avif", "l.txt", "m.hdr"]:
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == names


def animation(image_format, frames, **options):
    first, *more = map(Image.fromarray, frames)
    return encoded(first, image_format, save_all=True, append_images=more, duration=100, **options)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "image_format, options", [("GIF", {}), ("PNG", {}), ("PNG", {"default_image": True}), ("WEBP", {"lossless": True})]
)
def test_the_frame_of_an_animation_that_is_asked_for(image_format, options, channels):
    texts = [np.roll(SMOOTH, 5 * shift, axis=1) for shift in range(3)]
    other = [255 - SMOOTH] if options.get("default_image") else []
    data = animation(image_format, [*other, *texts], **options)
    for frame, expected in ("first", texts[0]), ("last", texts[2]), ("blend", np.rint(np.mean(texts, axis=0))):
        image = decode_image(data, Rendition(channels, frame))
        expected = expected if channels == 1 else np.dstack([expected] * 3)
        np.testing.assert_allclose(image, expected, rtol=0, atol=1)
    np.testing.assert_array_equal(decode_image(data), decode_image(data, Rendition(1, "last")))


def test_of_a_still_image_any_frame_is_the_same():
    for data in SEEDS["GIF"][0], SEEDS["PNG"][0], SEEDS["WebP"][0]:
        for frame in "first", "blend":
            np.testing.assert_array_equal(decode_image(data, Rendition(1, frame)), decode_image(data))


def test_an_image_of_pillow_is_the_frame_at_which_it_stands():
    with Image.open(io.BytesIO(ANIMATIONS["GIF"])) as image:
        image.seek(1)
        assert render_pillow(image).tolist() != decode_image(ANIMATIONS["GIF"]).tolist()
        image.seek(2)
        assert render_pillow(image).tolist() == decode_image(ANIMATIONS["GIF"]).tolist()


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_all_frames_of_an_animation_count(image_format, no_decoder):
    frames = [np.full((1500, 1500), grey, np.uint8) for grey in range(0, 250, 10)]
    assert refusal(animation(image_format, frames)) == "its 25 frames have more than 20,000,000 pixels together"


@pytest.mark.parametrize("image_format", ANIMATIONS)
def test_a_cut_off_animation_is_refused(image_format):
    data = ANIMATIONS[image_format]
    for end in range(len(data) // 3, len(data) - 20, len(data) // 9):
        assert refusal(data[:end]) == "the image is cut off or damaged"


def test_a_damaged_animation_does_not_reach_opencv(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    # OpenCV 4.11 dies of animated PNGs whose compressed pixels are damaged, all checksums being right.
    data = ANIMATIONS["PNG"]
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    damaged = data[: at - 4] + png_chunk(b"IDAT", bytes(length)) + data[at + 8 + length :]
    assert refusal(damaged) == "the image is cut off or damaged"


def test_pages_behind_the_first_do_not_matter():
    with Image.open(io.BytesIO(SEEDS["TIFF"][0])) as image:
        alone, more = (
            encoded(image, "TIFF"),
            encoded(image, "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]),
        )
    assert decode_image(more).tolist() == decode_image(alone).tolist()


@pytest.mark.parametrize("data", [SEEDS["GIF"][0], *ANIMATIONS.values()])
def test_gifs_and_animations_need_pillow(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert refusal(data) == "GIF and animations are read with Pillow: pip install Pillow, or save it as PNG"
    assert decode_image(SEEDS["PNG"][0]).shape == (24, 61)
