"""Which lines an evaluation keeps as the worst, and how it groups them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.evaluation import Group, length_step, range_of
from tests.recognize.evaluations import IMAGE, PAIRS, evaluate


class TestWorst:
    def names(self, *lines, **options):
        return [line.name for line in evaluate(*lines, **options).worst]

    def test_most_edits_for_the_length_come_first(self):
        lines = [("1234", "1235"), ("12", "13"), ("1", "1"), ("5", "6"), ("12", "1299")]
        assert self.names(*lines) == ["3.png", "1.png", "4.png", "0.png"]

    def test_of_equal_ones_the_less_confident_then_the_earlier(self):
        lines = [("1", "2", 0.5), ("1", "2", 0.2), ("1", "2", 0.9), ("1", "2", 0.2)]
        assert self.names(*lines) == ["1.png", "3.png", "0.png", "2.png"]

    @given(PAIRS, st.integers(0, 4))
    def test_only_so_many_are_kept(self, lines, num_worst):
        assert self.names(*lines, num_worst=num_worst) == self.names(*lines, num_worst=100)[:num_worst]

    def test_keeps_what_was_read(self):
        (line,) = evaluate(("1", "1"), ("12", "1", 0.25, IMAGE + 1)).worst
        assert line[:5] == ("1.png", "12", "1", 0.25, 1)
        assert np.array_equal(line.image, IMAGE + 1)

    @pytest.mark.parametrize(
        "shape, kept",
        [
            ((120, 800), (120, 800)),
            ((240, 800), (120, 400)),
            ((120, 1600), (60, 800)),
            ((1, 9000), (1, 800)),
            ((9000, 1), (120, 1)),
        ],
    )
    def test_large_images_are_kept_small(self, shape, kept):
        (line,) = evaluate(("a", "b", 0.5, np.full(shape, 77, np.uint8))).worst
        assert line.image.shape == kept
        assert (line.image == 77).all()


class TestGroups:
    def test_by_length(self):
        found = evaluate(("1", "1"), ("1234", "1234"), ("4", "5"), ("1234", "12345"), ("", "7"))
        assert found.by_length == [
            Group(0, 0, 1, 0, math.inf),
            Group(1, 1, 2, 0.5, 0.5),
            Group(4, 4, 2, 0.5, 1 / 8),
        ]

    @pytest.mark.parametrize(
        "longest, step", [(0, 1), (1, 1), (11, 1), (12, 2), (23, 2), (24, 5), (59, 5), (60, 10), (119, 10), (1200, 200)]
    )
    def test_few_groups_of_many_lengths(self, longest, step):
        assert length_step(longest) == step

    def test_long_lines_share_a_group(self):
        found = evaluate(*(("1" * length, "1" * length) for length in range(1, 25)))
        limits = [(group.low, group.high, group.count) for group in found.by_length]
        assert limits == [(0, 4, 4), (5, 9, 5), (10, 14, 5), (15, 19, 5), (20, 24, 5)]

    @pytest.mark.parametrize(
        "confidence, low, high",
        [
            *((0, 0, 0.5), (0.49, 0, 0.5), (0.5, 0.5, 0.7), (0.75, 0.7, 0.8), (0.8, 0.8, 0.9), (0.9, 0.9, 0.95)),
            *((0.95, 0.95, 0.99), (0.98, 0.95, 0.99), (0.99, 0.99, 1), (1, 0.99, 1)),
        ],
    )
    def test_by_confidence(self, confidence, low, high):
        assert evaluate(("12", "13", confidence)).by_confidence == [Group(low, high, 1, 0, 0.5)]

    @given(PAIRS)
    def test_every_line_is_in_one(self, lines):
        found = evaluate(*lines)
        for groups in (found.by_length, found.by_confidence):
            assert sum(group.count for group in groups) == len(lines)
            right = sum(group.count * group.exact_match for group in groups)
            assert right == pytest.approx(found.figures["exact_match"] * len(lines))
            assert [group.low for group in groups] == sorted({group.low for group in groups})

    def test_in_words(self):
        assert [range_of(Group(*limits, 1, 1, 0)) for limits in [(4, 4), (5, 9), (0.95, 0.99)]] == [
            *("4", "5–9", "0.95–0.99")
        ]
