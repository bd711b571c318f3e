"""Texts drawn from patterns."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.alphabet import SETS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.pattern import compile_pattern
from ocr_lib.recognize.sampling import Sampler

ASCII = Alphabet(SETS["ascii"])


def drawn(pattern, count, least=1, most=20, alphabet=ASCII, seed=0):
    sampler = Sampler(compile_pattern(pattern, alphabet), least, most)
    random = np.random.default_rng(seed)
    return [alphabet.decode(sampler(random)) for _ in range(count)]


@given(
    st.sampled_from([r"\d{3,4}", r"[A-Z]{2}-\d+", "yes|no", "(ab)*c?d+", r"a{0,3}(b|cd)e*", r".+"]),
    st.integers(1, 4),
    st.integers(0, 8),
    st.integers(0, 99),
)
def test_texts_match_and_have_a_length_that_is_asked_for(pattern, least, more, seed):
    lengths = {r"\d{3,4}": (3, 4), r"[A-Z]{2}-\d+": (4, 12), "yes|no": (2, 3), r"a{0,3}(b|cd)e*": (1, 12)}
    shortest, longest = lengths.get(pattern, (1, 12))
    if least > longest or least + more < shortest:
        with pytest.raises(OCRError, match="^no text of the pattern has"):
            drawn(pattern, 1, least, least + more)
        return
    for text in drawn(pattern, 5, least, least + more, seed=seed):
        assert re.fullmatch(pattern, text) and least <= len(text) <= least + more


def test_lengths_are_as_likely_and_so_are_the_texts_of_one():
    count = 6000
    counts = Counter(drawn("a|b[cd]|(ef)*", count, 1, 4))
    # By hand: length 1 has a; 2 has bc, bd and ef; 4 has efef.
    expected = {"a": 1 / 3, "bc": 1 / 9, "bd": 1 / 9, "ef": 1 / 9, "efef": 1 / 3}
    assert set(counts) == set(expected)
    for text, share in expected.items():
        deviation = np.sqrt(count * share * (1 - share))
        assert abs(counts[text] - count * share) < 4 * deviation


def test_long_texts_of_many_characters_do_not_overflow():
    (text,) = drawn(".+", 1, 400, 400)
    assert len(text) == 400 and len(set(text)) > 50


def test_no_text_of_such_a_length():
    with pytest.raises(OCRError, match="^no text of the pattern has 5 to 9 characters$"):
        drawn("abc", 1, 5, 9)
