"""Files of MATLAB, as scipy writes them and by hand: what is in them, and damaged ones, which are refused."""

import struct
import zlib

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.mat import variables
from tests.sets.standard_sets import cells, structs, write_mat


def everything(data):
    """Return all texts of a file, by the names of its arrays and fields."""
    found = {}
    for array in variables(data):
        found[array.name] = list(array.texts())
        for number, entry in enumerate(array.structs()):
            found.update({(array.name, number, field): list(value.texts()) for field, value in entry.items()})
    return found


@pytest.mark.parametrize("compressed", [True, False])
def test_texts(tmp_path, compressed):
    entries = structs({"Name": "a", "Words": cells(["b", "çö", ""])}, {"Name": "ж" * 9, "Words": "one"})
    path = write_mat(tmp_path / "a.mat", compressed, list=entries, word="word", row=cells(["x", 5.0]), number=3)
    assert everything(path.read_bytes()) == {
        "list": [""],
        ("list", 0, "Name"): ["a"],
        ("list", 0, "Words"): ["b", "çö", ""],
        ("list", 1, "Name"): ["ж" * 9],
        ("list", 1, "Words"): ["one"],
        "word": ["word"],
        "row": ["x", ""],
        "number": [""],
    }


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def word(data, kind=4, sizes=(1, 2)):
    """Return the array of a string, as MATLAB itself writes it: in UTF-16."""
    flags, name = struct.pack("<II", 4, 0), b"w"
    rest = element(6, flags) + element(5, struct.pack("<2i", *sizes)) + struct.pack("<HH4s", 1, 1, name)
    return element(14, rest + element(kind, data))


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"


@pytest.mark.parametrize(
    "kind, encoding",
    [(1, "latin-1"), (2, "latin-1"), (4, "utf-16-le"), (16, "utf-8"), (17, "utf-16-le"), (18, "utf-32-le")],
)
def test_encodings(kind, encoding):
    assert everything(HEADER + word("é5".encode(encoding), kind)) == {"w": ["é5"]}


def test_compressed_ones_are_not_filled_up():
    packed = zlib.compress(word(b"a\0b\0"))
    data = HEADER + 2 * (struct.pack("<II", 15, len(packed)) + packed) + word(b"c\0d\0")
    assert [array.text() for array in variables(data)] == ["ab", "ab", "cd"]


def test_several_rows_are_no_text():
    assert everything(HEADER + word(b"a\0b\0", sizes=(2, 1))) == {"w": [""]}


@pytest.mark.parametrize(
    "data", [b"", b"MATLAB", HEADER[:-2] + b"MI", b"MATLAB 7.3" + HEADER[10:], b"\x89HDF\r\n" * 40]
)
def test_other_files(data):
    with pytest.raises(OCRError, match="no .mat file of MATLAB 5 to 7.2"):
        everything(data)


@pytest.mark.parametrize(
    "data",
    [
        word(b"a\0b\0")[:-9],
        word(b"a\0b"),
        word(b"a\0b\0", kind=9),
        word(b"a\0b\0", sizes=(-1, 2)),
        element(14, element(6, b"")),
        element(15, b"no zlib"),
        element(15, zlib.compress(element(5, b"")))[:-6],
        element(15, zlib.compress(element(5, b"")[:4])),
        b"\1\0\0",
        struct.pack("<HHI", 1, 5, 0),
    ],
)
def test_damaged_ones(data):
    with pytest.raises(OCRError, match="cut off or damaged"):
        everything(HEADER + data)


@pytest.mark.parametrize("compressed", [True, False])
def test_changed_bytes_are_read_or_refused(tmp_path, compressed):
    entries = structs(*({"Name": f"{i}.png", "Words": cells(["a", "bc"])} for i in range(4)))
    data = write_mat(tmp_path / "a.mat", compressed, list=entries).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(500):
        changed = bytearray(data)
        for place in random.integers(128, len(data), 3):
            changed[place] = random.integers(256)
        try:
            everything(bytes(changed[: random.integers(128, 2 * len(data))]))
        except OCRError:
            continue
