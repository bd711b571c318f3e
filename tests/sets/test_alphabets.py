"""Alphabets that are given by name or in a file."""

import re

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
        ("bé\na".encode("utf-16"), "béa"),
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
        ("ab".encode("utf-16")[:-1], "alphabet.txt: neither UTF-8 nor whole UTF-16"),
        (b"a\nb\nc\td", r"alphabet.txt: line 3 has the control character U\+0009; remove it"),
        (b"0123456789abcdef\x00", r"alphabet.txt: line 1 has the control character U\+0000"),
        (b"a\x1bb", r"alphabet.txt: line 1 has the control character U\+001B"),
    ],
    ids=ascii,
)
def test_files_that_are_refused(read, data, said):
    with pytest.raises(OCRError, match=said):
        read(data)


@pytest.mark.parametrize(
    "name", ["roman", "digitz", "HEX", "upper-case", "abc.txt", "./ab", "../ab", "/ab", "x/ab", "~/ab", r"C:\ab"]
)
def test_names_and_paths_that_are_mistyped_are_no_characters(name):
    with pytest.raises(
        OCRError, match=f"^--alphabet {re.escape(name)}: no such file, nor one of the sets {', '.join(SETS)}; if these"
    ):
        find_alphabet(name)


@pytest.mark.parametrize(
    "characters",
    ["0", "xy", "0123456789abcdef", "ABCXYZ0123", "aeiou", "01数", "жзи", "+-*/=0123456789", "/.abc", "ba", "a b"],
)
def test_characters_themselves(characters):
    assert find_alphabet(characters) == characters


@pytest.mark.parametrize(
    "given, said", [("", "the alphabet is empty"), ("0120", "'0'.* more than once"), ("0\t1", "control")]
)
def test_characters_that_are_no_alphabet(given, said):
    with pytest.raises(OCRError, match=said):
        find_alphabet(given)


def test_a_file_goes_before_the_characters_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_alphabet("xy") == "xy"
    (tmp_path / "xy").write_text("abc")
    assert find_alphabet("xy") == "abc"


def test_a_folder_is_no_alphabet(tmp_path):
    with pytest.raises(OCRError, match=f"^{tmp_path}: Is a directory$"):
        find_alphabet(str(tmp_path))
