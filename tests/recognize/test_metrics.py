"""The figures of recognized text against tables of cases and a plain dynamic programme."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.metrics import (
    CER,
    CER_LINE,
    EXACT,
    EXACT_ALNUM_CI,
    EXACT_CI,
    LCS,
    MEASURES,
    WER,
    Measure,
    evaluate,
)

NAMES = ["accuracy", "accuracy_ci", "accuracy_alnum_ci", "accuracy_lcs", "cer", "cer_line", "wer"]
TEXTS = st.text("ab \u00e9\U0001f600", max_size=12)


def plain_lcs(left, right):
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def plain_edits(left, right):
    table = [[i + j for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = min(table[i][j] + (a != b), table[i][j + 1] + 1, table[i + 1][j] + 1)
    return table[-1][-1]


@pytest.mark.parametrize(
    "reference, hypothesis, exact, lcs, cer, wer",
    [
        ("1234", "1234", (1, 1), (1, 1), (0, 4), (0, 1)),
        ("1234", "1243", (0, 1), (0.75, 1), (2, 4), (1, 1)),
        ("1234", "", (0, 1), (0, 1), (4, 4), (1, 1)),
        ("1234", "5678", (0, 1), (0, 1), (4, 4), (1, 1)),
        ("12", "0102", (0, 1), (1, 1), (2, 2), (1, 1)),
        ("1", "9999", (0, 1), (0, 1), (4, 1), (1, 1)),
        ("", "", (1, 1), (1, 1), (0, 0), (0, 0)),
        ("", "1", (0, 1), (0, 1), (1, 0), (1, 0)),
        ("a b c", "a c", (0, 1), (0.6, 1), (2, 5), (1, 3)),
        ("a  b ", "a b", (0, 1), (0.6, 1), (2, 5), (0, 2)),
        ("one two", "two one", (0, 1), (3 / 7, 1), (6, 7), (2, 2)),
        ("kitten", "sitting", (0, 1), (4 / 6, 1), (3, 6), (1, 1)),
        ("abc", "ABC", (0, 1), (0, 1), (3, 3), (1, 1)),
        ("Straße", "Strasse", (0, 1), (5 / 6, 1), (2, 6), (1, 1)),
    ],
)
def test_scores_of_single_pairs(reference, hypothesis, exact, lcs, cer, wer):
    assert EXACT.score(reference, hypothesis) == exact
    assert LCS.score(reference, hypothesis) == pytest.approx(lcs)
    assert CER.score(reference, hypothesis) == cer
    assert WER.score(reference, hypothesis) == wer


@pytest.mark.parametrize(
    "reference, hypothesis, same, same_alnum",
    [
        ("Ab1", "aB1", 1, 1),
        ("Ab1", "aB2", 0, 0),
        ("It's 5!", "ITS5", 0, 1),
        ("a b", "ab", 0, 1),
        ("...", "!", 0, 1),
        ("", "", 1, 1),
        ("a", "", 0, 0),
        ("Straße", "STRASSE", 1, 1),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ", 1, 1),
        ("Ё", "е", 0, 0),
        ("कि!", "कि", 0, 1),
        ("कि", "का", 0, 0),  # vowel signs are marks, not letters
        ("x²", "x", 0, 0),
        ("\U0001f600a", "a", 0, 1),
    ],
)
def test_exact_match_without_case_and_signs(reference, hypothesis, same, same_alnum):
    assert EXACT_CI.score(reference, hypothesis) == EXACT_CI.score(hypothesis, reference) == (same, 1)
    assert EXACT_ALNUM_CI.score(reference, hypothesis) == EXACT_ALNUM_CI.score(hypothesis, reference) == (same_alnum, 1)


@pytest.mark.parametrize(
    "reference, hypothesis, rate",
    [
        ("1234", "1234", 0),
        ("1234", "1243", 0.5),
        ("12", "0102", 0.5),
        ("1", "9999", 1),
        ("1", "", 1),
        ("", "1", 1),
        ("", "", 0),
        ("kitten", "sitting", 3 / 7),
    ],
)
def test_error_rate_of_a_line(reference, hypothesis, rate):
    assert CER_LINE.score(reference, hypothesis) == pytest.approx((rate, 1))


def test_scores_agree_with_a_plain_dynamic_programme():
    rng = random.Random(7)
    for _ in range(1000):
        symbols = rng.choice(["01", "0123456789", "ab ", "aé €\U0001f600"])
        reference, hypothesis = ("".join(rng.choices(symbols, k=rng.randint(0, 12))) for _ in range(2))
        if reference:
            common = plain_lcs(reference, hypothesis) / len(reference)
            assert LCS.score(reference, hypothesis) == pytest.approx((common, 1))
        words, read = reference.split(), hypothesis.split()
        edits = plain_edits(reference, hypothesis)
        assert CER.score(reference, hypothesis) == (edits, len(reference))
        rate = edits / max(len(reference), len(hypothesis), 1)
        assert CER_LINE.score(reference, hypothesis) == pytest.approx((rate, 1))
        assert WER.score(reference, hypothesis) == (plain_edits(words, read), len(words))


def test_rates_weigh_by_length_and_accuracies_by_text():
    figures = evaluate(["12345678", "12"], ["12345678", "00"])
    assert figures == {
        "accuracy": 0.5,
        "accuracy_ci": 0.5,
        "accuracy_alnum_ci": 0.5,
        "accuracy_lcs": 0.5,
        "cer": 0.2,
        "cer_line": 0.5,
        "wer": 0.5,
    }
    assert evaluate(["a b c d", "x"], ["a b c d", "y"])["wer"] == 0.2


def test_surplus_characters_push_the_rate_over_one():
    assert evaluate(["1"], ["9999"])["cer"] == 4.0


def test_empty_references():
    shares, rates = [name for name in NAMES if "accuracy" in name], ["cer", "cer_line", "wer"]
    assert evaluate([""], [""]) == {**dict.fromkeys(shares, 1), **dict.fromkeys(rates, 0)}
    rates_found = {"cer": math.inf, "cer_line": 1, "wer": math.inf}
    assert evaluate([""], ["1"]) == {**dict.fromkeys(shares, 0), **rates_found}
    assert evaluate(["", "12"], ["1", "12"])["cer"] == 0.5


def test_measures_are_named_and_chosen():
    assert [measure.name for measure in MEASURES] == NAMES
    assert list(evaluate(["1"], ["1"])) == NAMES
    length = Measure("length", lambda reference, hypothesis: (len(hypothesis), 1))
    assert evaluate(["", ""], ["1", "123"], measures=[length]) == {"length": 2.0}


@pytest.mark.parametrize("references, hypotheses", [([], []), (["1"], []), (["1"], ["1", "2"])])
def test_refuses_what_does_not_pair(references, hypotheses):
    with pytest.raises(ValueError, match="pair|no texts"):
        evaluate(references, hypotheses)


@given(TEXTS)
def test_a_text_agrees_with_itself(text):
    assert evaluate([text], [text]) == {name: float("accuracy" in name) for name in NAMES}


@given(TEXTS, TEXTS)
def test_bounds_and_symmetry(left, right):
    edits, _ = CER.score(left, right)
    assert edits == CER.score(right, left)[0]
    assert abs(len(left) - len(right)) <= edits <= max(len(left), len(right))
    assert WER.score(left, right)[0] == WER.score(right, left)[0]
    assert 0 <= LCS.score(left, right)[0] <= 1
    if left and right:
        common = LCS.score(left, right)[0] * len(left)
        assert common == pytest.approx(LCS.score(right, left)[0] * len(right))
        assert len(left) + len(right) - 2 * common >= edits - 1e-9


@given(TEXTS, TEXTS, TEXTS)
def test_edits_obey_the_triangle_inequality(first, second, third):
    assert CER.score(first, third)[0] <= CER.score(first, second)[0] + CER.score(second, third)[0]


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), st.randoms())
def test_order_of_pairs_does_not_matter(pairs, rng):
    shuffled = rng.sample(pairs, len(pairs))
    assert evaluate(*zip(*pairs)) == evaluate(*zip(*shuffled))
