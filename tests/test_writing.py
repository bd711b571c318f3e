"""How texts are written: case, invisible characters, direction, and alphabets that know it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.writing import Writing, is_invisible, name_of

WRITINGS = [Writing(case, invisible) for case in ("keep", "lower", "upper") for invisible in ("keep", "drop")]


@pytest.mark.parametrize(
    "writing, written",
    [
        (Writing(), "Stra\u00adße é"),
        (Writing("lower"), "stra\u00adße é"),
        (Writing("upper"), "STRA\u00adSSE É"),
        (Writing("lower", "drop"), "straße é"),
    ],
)
def test_case_and_invisible_characters(writing, written):
    assert writing("Stra\u00adße e\u0301") == written


@given(st.text(), st.sampled_from(WRITINGS))
def test_what_is_written_stays(text, writing):
    written = writing(text)
    assert writing(written) == written
    assert writing.invisible == "keep" or not any(map(is_invisible, written))


@pytest.mark.parametrize("character", "\u200b\u200c\u00ad\u200f\ufeff\u2060")
def test_names_of_invisible_characters(character):
    assert is_invisible(character) and f"(U+{ord(character):04X})" in name_of(character)


def test_name():
    assert name_of("\u200b") == "ZERO WIDTH SPACE (U+200B)"


def test_an_alphabet_follows():
    assert Writing("lower").alphabet("ABCabß") == "abcß"
    assert Writing("keep", "drop").alphabet("a\u200bb") == "ab"
    assert Writing().alphabet("bA") == "bA"


def test_texts_of_either_case_have_one_class():
    alphabet = Alphabet("abc", Writing("lower"))
    assert alphabet.encode("aBC") == alphabet.encode("Abc") == [1, 2, 3]
    assert alphabet.decode([1, 2, 3]) == "abc" and alphabet.known("AxB") == "ab"


class TestFromRightToLeft:
    alphabet = Alphabet("אבגדabc 0123()", Writing(direction="rtl"))

    def test_ids_are_in_the_order_of_the_image(self):
        ids = self.alphabet.encode("אב (ג) 12")
        assert "".join(self.alphabet.characters[i - 1] for i in ids) == "12 (ג) בא"
        assert self.alphabet.decode(ids) == "אב (ג) 12"

    def test_known_is_what_can_be_read(self):
        assert self.alphabet.known("אxב 2 a") == self.alphabet.decode(self.alphabet.encode("אב 2 a"))

    def test_a_bracket_needs_its_mirror_image(self):
        with pytest.raises(OCRError, match=r"the alphabet lacks '\)' \(U\+0029\), whose mirror image it has; add it"):
            Alphabet("א(", Writing(direction="rtl"))
        assert Alphabet("א(").num_classes == 3
