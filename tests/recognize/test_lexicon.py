"""Lexicons as files: what is read, and what is refused by name."""

import re

import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.lexicon import load_lexicon


def words_of(automaton, alphabet, length=4):
    found, texts = [], [""]
    for _ in range(length + 1):
        found += [text for text in texts if automaton.accepts(alphabet.encode(text))]
        texts = [text + character for text in texts for character in alphabet.characters]
    return found


@pytest.mark.parametrize(
    "data, words",
    [
        ("ab\nba\n", ["ab", "ba"]),
        ("ab\r\nba", ["ab", "ba"]),
        ("\n\nba\n\nab\nab\n", ["ab", "ba"]),
        ("\ufeffab\n", ["ab"]),
        ("a é\n", ["a é"]),
        ("be\u0301\n", ["bé"]),
        ("жa\n", ["жa"]),
    ],
)
def test_words_are_read(tmp_path, data, words):
    alphabet = Alphabet("abéж ")
    (tmp_path / "words.txt").write_bytes(data.encode())
    assert words_of(load_lexicon(tmp_path / "words.txt", alphabet), alphabet) == words


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "words.txt has no word"),
        (b"\n\r\n\n", "words.txt has no word"),
        (b"ab\n\nabc\n", "words.txt, line 3: the alphabet lacks 'c' (U+0063), which is in the text 'abc'"),
        (b"a \n", "words.txt, line 1: the alphabet lacks ' ' (U+0020), which is in the text 'a '"),
        (b"ab\xff\n", "words.txt: line 1 is not UTF-8; save the file in that encoding"),
        (None, "words.txt: No such file or directory"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path, data, message):
    path = tmp_path / "words.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(OCRError, match=f"^the lexicon {re.escape(str(tmp_path))}/{re.escape(message)}$"):
        load_lexicon(path, Alphabet("ab"))


def test_a_folder_is_no_lexicon(tmp_path):
    with pytest.raises(OCRError, match=": Is a directory"):
        load_lexicon(tmp_path, Alphabet("ab"))
