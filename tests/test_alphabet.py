"""Characters to class ids and back."""

import dataclasses
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.alphabet import DIGITS, SETS, Alphabet
from ocr_lib.errors import OCRError

LETTERS = Alphabet("abcé €")


def test_digits_follow_the_blank():
    alphabet = Alphabet(DIGITS)
    assert alphabet.num_classes == 11
    assert alphabet.encode("0129") == [1, 2, 3, 10]
    assert alphabet.decode([1, 2, 3, 10]) == "0129"


@pytest.mark.parametrize(
    "name, characters",
    [
        ("digits", string.digits),
        ("hex", "0123456789abcdef"),
        ("lower", string.ascii_lowercase),
        ("upper", string.ascii_uppercase),
        ("letters", string.ascii_letters),
        ("alphanumeric", string.digits + string.ascii_letters),
        ("ascii", string.digits + string.ascii_letters + string.punctuation + " "),
    ],
)
def test_sets(name, characters):
    assert Alphabet(SETS[name]).characters == "".join(sorted(characters))


def test_there_are_no_other_sets():
    assert list(SETS) == "digits hex lower upper letters alphanumeric ascii".split()


@pytest.mark.parametrize("characters, expected", [(DIGITS, True), ("97", True), ("12a", False), ("٠١", False)])
def test_is_digits(characters, expected):
    assert Alphabet(characters).is_digits is expected


def test_is_a_frozen_value():
    assert Alphabet("ab") == Alphabet("ab") != Alphabet("ba")
    assert hash(Alphabet("ab")) == hash(Alphabet("ab"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        LETTERS.characters = "x"


@pytest.mark.parametrize(
    "characters, message",
    [
        ("", "empty"),
        ("abca", r"'a' \(U\+0061\) more than once"),
        ("ab\n", r"control character '\\n' \(U\+000A\)"),
        ("a\tb", r"control character '\\t' \(U\+0009\)"),
        ("a\u2028", r"U\+2028"),
        ("a\ud800", r"U\+D800"),
        ("a\u212b", r"U\+212B\), which NFC text writes 'Å'"),
    ],
)
def test_refuses_an_impossible_alphabet(characters, message):
    with pytest.raises(OCRError, match=message):
        Alphabet(characters)


def test_encode_names_the_unknown_character_and_the_text():
    with pytest.raises(OCRError, match=r"'x' \(U\+0078\), which is in the text 'abxc'"):
        LETTERS.encode("abxc")


def test_encode_composes_text():
    assert LETTERS.encode("e\u0301") == LETTERS.encode("é") == [4]


def test_decode_composes_text():
    assert Alphabet("e\u0301").decode([1, 2]) == "é"


def test_one_code_point_is_one_character():
    assert Alphabet("👍🏽a").encode("a👍🏽") == [3, 1, 2]


def test_decode_drops_padding():
    assert LETTERS.decode([1, 2, 0, 0]) == "ab"
    assert LETTERS.decode([]) == ""


@pytest.mark.parametrize("index", [-1, 7])
def test_decode_refuses_ids_out_of_range(index):
    with pytest.raises(ValueError, match=f"class id {index} is outside 0 to 6"):
        LETTERS.decode([1, index])


def test_encode_batch_pads_with_zeros():
    labels = LETTERS.encode_batch(["ab", "", "cab"], width=4)
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1, 2, 0, 0], [0, 0, 0, 0], [3, 1, 2, 0]]
    assert LETTERS.encode_batch([], width=4).shape == (0, 4)


def test_encode_batch_refuses_a_text_that_is_too_long():
    assert LETTERS.encode_batch(["abc"], width=3).tolist() == [[1, 2, 3]]
    with pytest.raises(OCRError, match="'abca' has 4 characters; a label has room for 3"):
        LETTERS.encode_batch(["ab", "abca"], width=3)


@pytest.mark.parametrize("labels", [[1, 2], [[[1]]], 1])
def test_decode_batch_refuses_other_shapes(labels):
    with pytest.raises(ValueError, match="shape"):
        LETTERS.decode_batch(labels)


@given(st.lists(st.text(LETTERS.characters, max_size=8), max_size=5))
def test_batches_round_trip(texts):
    assert LETTERS.decode_batch(LETTERS.encode_batch(texts, width=8)) == texts
