"""The most probable texts of an image, with posteriors against the enumeration of all paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.alternatives import alternatives
from ocr_lib.recognize.automaton import trie
from tests.recognize.enumeration import label_probabilities, random_log_probs

ALPHABET = Alphabet("ab")


def probabilities(seed, steps=4):
    return np.exp(random_log_probs(seed, steps, 3))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_are_the_most_probable_texts(seed, count):
    given = probabilities(seed)
    expected = sorted(((p, ALPHABET.decode(list(ids))) for ids, p in label_probabilities(given).items()), reverse=True)
    found = alternatives(given, ALPHABET, count, width=100)
    assert [each.text for each in found] == [text for _, text in expected[:count]]
    assert [each.confidence for each in found] == pytest.approx([p for p, _ in expected[:count]], rel=1e-9)


def test_only_texts_of_an_automaton():
    words = [[1, 2], [2], [2, 2, 2, 2, 2]]  # the last does not fit into the steps
    found = alternatives(probabilities(1), ALPHABET, 5, trie(words))
    assert {each.text for each in found} == {"ab", "b"}


def test_none_fits():
    assert alternatives(probabilities(1), ALPHABET, 5, trie([[1, 1, 1, 1]])) == []


def test_a_narrow_beam_is_as_wide_as_the_count():
    assert len(alternatives(probabilities(1), ALPHABET, 6, width=1)) == 6
