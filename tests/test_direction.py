"""The order of text from right to left: the algorithm beside another implementation, and the way back."""

import unicodedata

import bidi
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ocr_lib.direction import as_read, has_right_to_left, logical, mirror_images, visual

HEBREW, ARABIC = "אבגדת", "ابجدي"
MARKS = "\u05b8\u05bc"
NUMBERS = st.from_regex(r"[0-9]{1,4}([.,:/][0-9]{1,3})?%?", fullmatch=True)


def words(*kinds):
    """Texts of words of these kinds."""
    return st.lists(st.one_of(*kinds), min_size=1, max_size=6).map(" ".join)


def letters(characters):
    return st.text(st.sampled_from(characters), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "text, seen",
    [
        ("", ""),
        ("abc 12.", "abc 12."),
        ("12-34", "12-34"),
        ("אבג", "גבא"),
        ("רד 327", "327 דר"),
        ("1,000 ₪ לחודש", "שדוחל ₪ 1,000"),
        ("(אב) 12", "12 (בא)"),
        ("אב (cd) 12", "12 (cd) בא"),
        ("אב cd ef גד", "דג cd ef בא"),
        ("العدد 12-34", "34-12 ددعلا"),
        ("عدد ١٢٣", "١٢٣ ددع"),
        ("שָׁלוֹם", "םוֹלשָׁ"),
    ],
)
def test_order(text, seen):
    text, seen = (unicodedata.normalize("NFC", each) for each in (text, seen))
    assert visual(text) == seen
    assert logical(seen) == text


@given(words(letters(HEBREW), letters(ARABIC), letters("abc"), NUMBERS, st.text(st.sampled_from("()[].,-!? "))))
def test_is_that_of_another_implementation(text):
    assume(has_right_to_left(text))
    theirs = bidi.get_display(text, base_dir="R")  # which mirrors nothing
    pairs = str.maketrans(")]", "([")
    assert visual(text).translate(pairs) == theirs.translate(pairs)


@given(words(letters(HEBREW), letters(ARABIC), NUMBERS))
def test_letters_and_numbers_come_back(text):
    assert logical(visual(text)) == text


@given(words(letters(HEBREW), letters("abcé")))
def test_words_of_two_scripts_come_back(text):
    assert logical(visual(text)) == text


@given(words(letters(HEBREW + MARKS)))
def test_marks_stay_behind_their_letters(text):
    assume(unicodedata.bidirectional(text[0]) != "NSM" and not any(f" {mark}" in text for mark in MARKS))
    seen = visual(text)
    assert logical(seen) == text
    assert all(seen.index(mark) > 0 and seen[seen.index(mark) - 1] != " " for mark in MARKS if mark in seen)


@given(st.text(st.sampled_from(HEBREW + ARABIC + "ab12 ()[],.-%" + MARKS)))
def test_what_is_read_stands_as_it_is_seen(text):
    """Of texts that look the same one is read, always the same; brackets without a partner may become the other one."""
    read, brackets = as_read(text), str.maketrans(")]", "([")
    assert sorted(read.translate(brackets)) == sorted(text.translate(brackets))
    assert as_read(read) == read


def test_texts_that_look_the_same():
    assert visual("שלום abc 12 דג") == visual("שלום 12 abc דג")
    assert as_read("שלום 12 abc דג") == "שלום abc 12 דג"


def test_what_is_from_right_to_left():
    assert has_right_to_left("a א") and has_right_to_left("ا")
    assert not any(map(has_right_to_left, ("", "abc", "Größe", "12\u200f3", "٣")))


def test_mirror_images():
    assert mirror_images("a(b»א1") == ")«"
