"""Figures and confusions against cases counted by hand and a plain dynamic programme."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.evaluation import Confusion, Evaluator, confusions, visible
from ocr_lib.recognize.reading import Reading
from tests.recognize.evaluations import IMAGE, KEYS, PAIRS, TEXTS, evaluate, evaluator_of


def plain_edits(left, right):
    table = [[i + j for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = min(table[i][j] + (a != b), table[i][j + 1] + 1, table[i + 1][j] + 1)
    return table[-1][-1]


class TestFigures:
    @pytest.mark.parametrize(
        "lines, expected",
        [
            ([("a", "a")], (1, 1, 1, 0, 0, 0, 1)),
            ([("a", "b")], (0, 0, 0, 1, 1, 1, 0)),
            ([("a", "")], (0, 0, 0, 1, 1, 1, 0)),
            ([("a", "aaaa")], (0, 0, 0, 3, 3 / 4, 1, 1)),
            ([("", "")], (1, 1, 1, 0, 0, 0, 1)),
            ([("Ab c", "ab C")], (0, 1, 1, 2 / 4, 2 / 4, 1, 2 / 4)),
            ([("a-b", "A b")], (0, 0, 1, 2 / 3, 2 / 3, 2, 1 / 3)),
            (
                [("1234", "1234"), ("1", "2"), ("AB", "ab"), ("x.", "X")],
                (1 / 4, 2 / 4, 3 / 4, 5 / 9, 3 / 4, 3 / 4, 1 / 4),
            ),
            ([("one two three", "one tow three"), ("four", "four")], (1 / 2,) * 3 + (2 / 17, 1 / 13, 1 / 4, 25 / 26)),
        ],
    )
    def test_of_cases(self, lines, expected):
        figures = evaluate(*lines).figures
        assert list(figures) == KEYS[:7]
        assert list(figures.values()) == pytest.approx(list(expected))

    def test_nothing_read_is_refused(self):
        for evaluator in (Evaluator(), evaluator_of()):
            with pytest.raises(ValueError, match="no texts"):
                evaluator.evaluation(skipped=3)

    def test_may_be_asked_amidst(self):
        evaluator = evaluator_of(("a", "a"))
        assert evaluator.evaluation().figures["exact_match"] == 1
        evaluator.add("b", "b", Reading("c", 0.5, IMAGE, ()), IMAGE)
        found = evaluator.evaluation(2)
        assert (found.figures["exact_match"], found.count, found.skipped) == (0.5, 2, 2)

    @given(PAIRS)
    def test_against_a_dynamic_programme(self, lines):
        found = evaluate(*lines)
        edits = [plain_edits(reference, text) for reference, text, _ in lines]
        longest = [max(len(reference), len(text), 1) for reference, text, _ in lines]
        assert found.figures["cer_line"] == pytest.approx(np.mean(np.divide(edits, longest)))
        total = sum(len(reference) for reference, _, _ in lines)
        assert found.figures["cer"] == pytest.approx(sum(edits) / total if total else math.inf if sum(edits) else 0)
        assert sum(confusion.count for confusion in found.confusions) == sum(edits)
        assert {line.name: line.edits for line in found.worst} == {f"{i}.png": e for i, e in enumerate(edits) if e}

    @given(PAIRS)
    def test_ranges(self, lines):
        figures = evaluate(*lines).figures
        assert all(figure >= 0 for figure in figures.values())
        assert all(figures[name] <= 1 for name in KEYS[:7] if name not in ("cer", "wer"))
        assert figures["exact_match"] <= figures["exact_match_ci"] <= figures["exact_match_alnum_ci"]
        assert figures["exact_match"] <= 1 - figures["cer_line"] + 1e-9

    @given(st.lists(TEXTS, min_size=1, max_size=8))
    def test_identical_texts(self, texts):
        found = evaluate(*((text, text) for text in texts))
        assert list(found.figures.values()) == [1, 1, 1, 0, 0, 0, 1]
        assert (found.confusions, found.worst) == ([], [])


class TestConfusions:
    @pytest.mark.parametrize(
        "pairs, expected",
        [
            ([], []),
            ([("a", "a")], []),
            ([("a", "b")], [("a", "b", 1)]),
            ([("a", "")], [("a", "", 1)]),
            ([("", "a")], [("", "a", 1)]),
            ([("10", "1O0")], [("", "O", 1)]),
            ([("100", "1O0"), ("0", "O"), ("7", "1")], [("0", "O", 2), ("7", "1", 1)]),
            (
                [("c", "d"), ("b", "x"), ("a", ""), ("b", ""), ("", "z")],
                [("", "z", 1), ("a", "", 1), ("b", "", 1), ("b", "x", 1), ("c", "d", 1)],
            ),
        ],
    )
    def test_of_cases(self, pairs, expected):
        found = confusions([reference for reference, _ in pairs], [text for _, text in pairs])
        assert found == [Confusion(*entry) for entry in expected]

    @given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.randoms())
    def test_order_of_lines_does_not_matter(self, pairs, rng):
        shuffled = rng.sample(pairs, len(pairs))
        found, again = (confusions([r for r, _ in some], [t for _, t in some]) for some in (pairs, shuffled))
        assert found == again
        counts = [confusion.count for confusion in found]
        assert counts == sorted(counts, reverse=True)
        assert all(confusion.reference != confusion.read for confusion in found)

    @pytest.mark.parametrize(
        "character, shown",
        [
            *(("a", "a"), ("", "nothing"), (" ", "␣"), ("\u00a0", "U+00A0"), ("\u200f", "U+200F")),
            *(("\u0301", "◌\u0301"), ("\u093f", "◌\u093f"), ("א", "א"), ("<", "<"), ("\u3000", "U+3000")),
        ],
    )
    def test_a_character_alone_is_visible(self, character, shown):
        assert visible(character) == shown
