"""Whatever an image may be given as: the same image every time, or one sentence."""

import io
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.inputs import is_image, load_image, name_of
from tests.images.encoded_images import COLOUR_MODES, NOISE, SMOOTH, encoded, pillow_of_mode

PNG = encoded(SMOOTH, "PNG")
BGRA = np.ascontiguousarray(NOISE[..., [2, 1, 0, 3]])


class Upload:
    """What web frameworks hand over: it can be read, and has a name or none."""

    def __init__(self, content, name=None):
        self.content = content
        self.name = name

    def read(self):
        return self.content


def refusal(given):
    with pytest.raises(OCRError) as caught:
        load_image(given)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "знак.png"
    path.write_bytes(PNG)
    return path


def entry_of(path):
    with os.scandir(path.parent) as entries:
        return next(entries)


FILES = {
    "str": str,
    "Path": lambda path: path,
    "DirEntry": entry_of,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "a part of a memoryview": lambda path: memoryview(b"before" + path.read_bytes())[6:],
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "upload": lambda path: Upload(bytearray(path.read_bytes())),
    "Pillow": Image.open,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_in_every_form(path, kind):
    given = FILES[kind](path)
    assert is_image(given)
    np.testing.assert_array_equal(load_image(given), SMOOTH)


def test_open_files(path):
    with path.open("rb") as file, path.open("rb", buffering=0) as raw, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(PNG)
        spooled.seek(0)
        for given in file, raw, spooled:
            np.testing.assert_array_equal(load_image(given), SMOOTH)
        file.seek(0)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            np.testing.assert_array_equal(load_image(mapped), SMOOTH)


@pytest.mark.parametrize("mode", COLOUR_MODES)
def test_images_of_pillow_of_every_mode(mode):
    np.testing.assert_allclose(load_image(pillow_of_mode(SMOOTH, mode)), SMOOTH, rtol=0, atol=1)


@pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa"])
def test_opacity_of_pillow_shows_white_paper(mode):
    opacity = Image.fromarray(np.repeat(np.uint8([0, 255]), SMOOTH.size // 2).reshape(SMOOTH.shape))
    image = Image.merge("LA", [Image.fromarray(SMOOTH), opacity])
    for step in {"RGBa": ["RGBA", "RGBa"]}.get(mode, [mode]):
        image = image.convert(step)
    grey = load_image(image)
    assert (grey[:12] == 255).all()
    np.testing.assert_array_equal(grey[12:], SMOOTH[12:])


def test_a_palette_of_pillow_with_opacity():
    image = Image.new("PA", (3, 1))
    image.putpalette([5, 5, 5, 9, 9, 9])
    image.putdata([(0, 0), (0, 255), (1, 255)])
    assert load_image(image).tolist() == [[255, 5, 9]]


def test_a_bilevel_image_of_pillow():
    assert load_image(Image.fromarray(SMOOTH > 128)).tolist() == np.where(SMOOTH > 128, 255, 0).tolist()


def test_numbers_of_pillow_that_are_no_greys():
    numbers = np.float32([[np.nan, -np.inf, np.inf, -3, 300, 77.4]])
    assert load_image(Image.fromarray(numbers)).tolist() == [[0, 0, 255, 0, 255, 77]]
    assert load_image(Image.fromarray(np.int32([[-5, 70000, 257]]))).tolist() == [[0, 255, 1]]


def test_a_cut_off_file_opened_by_pillow():
    assert refusal(Image.open(io.BytesIO(PNG[:-30]))) == "the image is cut off or damaged"


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_arrays_are_what_a_file_of_them_is(channels):
    array = {None: BGRA[..., 0], 1: BGRA[..., :1], 3: BGRA[..., :3], 4: BGRA}[channels]
    done, data = cv2.imencode(".png", array)
    assert done
    np.testing.assert_allclose(load_image(array), load_image(data.tobytes()), rtol=0, atol=1)


@pytest.mark.parametrize("shape", [(), (5,), (5, 5, 2), (5, 5, 5), (1, 5, 5, 3), (0, 5), (5, 0, 3), (5, 5, 0)])
def test_arrays_of_other_shapes(shape):
    expected = (
        f"an array of uint8 of the shape {shape}; it takes uint8 or uint16 of (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
    )
    assert refusal(np.zeros(shape, np.uint8)) == expected


@pytest.mark.parametrize("dtype", [np.int16, np.float32, bool, object])
def test_arrays_of_other_types(dtype):
    assert refusal(np.zeros((5, 5), dtype)).startswith(f"an array of {np.dtype(dtype)} of the shape (5, 5); ")


@pytest.mark.parametrize("given", [None, 3, 2.5, {"a": 1}, {1, 2}, object(), np.uint8(3), [], (b"",)])
def test_what_is_no_image_is_told_by_its_type(given):
    assert not is_image(given)
    assert refusal(given).startswith(f"{type(given).__name__} is no image: it takes a path, bytes, ")


@pytest.mark.parametrize("content", [None, "text", 5])
def test_what_can_be_read_but_gives_no_bytes(content):
    assert refusal(Upload(content)).startswith(f"{type(content).__name__} is no image: it takes a path, bytes, ")


def test_files_that_can_not_be_read(path, tmp_path):
    with path.open(encoding="utf-8") as text:
        assert refusal(text) == "a file opened as text: open it with mode 'rb'"
    with path.open("rb") as closed:
        pass
    assert refusal(closed) == "read of closed file"
    assert refusal(io.BytesIO()) == "the file is empty"
    assert refusal("a\0b") == "embedded null byte"
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "missing.png")


SIZED = [*[encoded(SMOOTH, kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF")], SMOOTH, BGRA]


@pytest.mark.parametrize("given", [*SIZED, Image.fromarray(SMOOTH), io.BytesIO(PNG)])
def test_a_limit_holds_for_all(given):
    with pytest.raises(OCRError, match="^the image is larger than 959 pixels$"):
        load_image(given, max_pixels=SMOOTH.size - 1)
    if not isinstance(given, io.BytesIO):
        assert load_image(given, max_pixels=SMOOTH.size).shape == SMOOTH.shape


def test_names(path):
    assert name_of(path, "image 3") == name_of(str(path), "image 3") == str(path)
    with path.open("rb") as file, Image.open(path) as image:
        assert name_of(file, "image 3") == name_of(image, "image 3") == str(path)
    for nameless in b"", SMOOTH, io.BytesIO(), Upload(b""), Upload(b"", 7), Image.new("L", (1, 1)), None:
        assert name_of(nameless, "image 3") == "image 3"
