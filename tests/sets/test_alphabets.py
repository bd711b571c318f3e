"""Alphabets that are given by name or in a file."""

import pytest

from ocr_lib.alphabet import SETS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.sets.alphabets import find_alphabet


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the alphabet of a file with these bytes."""

    def read(data):
        path = tmp_path / "alphabet.txt"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return find_alphabet(str(path))

    return read


@pytest.mark.parametrize("name", SETS)
def test_sets_go_by_name(name):
    assert find_alphabet(name) == SETS[name]


def test_a_set_goes_before_a_file_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hex").write_text("xyz")
    assert find_alphabet("hex") == SETS["hex"]
    assert find_alphabet("./hex") == "xyz"


@pytest.mark.parametrize(
    "data, expected",
    [
        ("abc", "abc"),
        ("c\na\r\nb\rd\n", "cabd"),
        ("zaz\nab", "zab"),
        ("a b", "a b"),
        ("  a \n\n   \nb  ", "ab"),
        ("a \u00a0 b", "a b"),
        ("e\u0301 é", "é "),
        ("e\n\u0301", "e\u0301"),
        ("\u212b", "Å"),
        ("\ufeffab", "ab"),
        ("€👍ß", "€👍ß"),
        ("#", "#"),
    ],
    ids=ascii,
)
def test_characters_of_a_file(read, data, expected):
    assert read(data) == expected
    assert Alphabet(expected)


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "alphabet.txt: the file has no characters"),
        (b" \r\n\n", "alphabet.txt: the file has no characters"),
        (b"\xef\xbb\xbf", "alphabet.txt: the file has no characters"),
        (b"ab\nc\xe9\n", "alphabet.txt: line 2 is not UTF-8"),
        ("ab".encode("utf-16"), "alphabet.txt: line 1 is not UTF-8"),
        (b"a\nb\nc\td", r"alphabet.txt: line 3 has the control character U\+0009; remove it"),
        (b"a\x00", r"alphabet.txt: line 1 has the control character U\+0000"),
        (b"a\x1bb", r"alphabet.txt: line 1 has the control character U\+001B"),
    ],
    ids=ascii,
)
def test_files_that_are_refused(read, data, said):
    with pytest.raises(OCRError, match=said):
        read(data)


def test_neither_a_set_nor_a_file(tmp_path):
    with pytest.raises(OCRError, match=f"^--alphabet roman: no such file, nor one of the sets {', '.join(SETS)}$"):
        find_alphabet("roman")
    with pytest.raises(OCRError, match=f"^{tmp_path}: Is a directory$"):
        find_alphabet(str(tmp_path))
