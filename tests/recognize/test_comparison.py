"""Comparing two models, with recognizers that read what they are told to."""

import math
import time

import numpy as np
import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.preparation import Preparation
from ocr_lib.recognize.comparison import MAX_DIFFERENCE, Comparison, accept_loss, accept_same, compare, speedup
from ocr_lib.recognize.recognizer import Recognizer

ALPHABET = Alphabet("abc")
STEPS = 8


class Told(Recognizer):
    """Reads the image whose first pixels are the digits of i as the i-th text, all but for sure."""

    def __init__(self, texts, sure=0.7, seconds=0.0):
        super().__init__(ALPHABET, Preparation((4, 2)))
        self._texts, self._sure, self._seconds = texts, sure, seconds
        self.batches, self.widths = [], []

    def probabilities(self, images, widths=None):
        time.sleep(self._seconds)
        self.batches.append(len(images))
        self.widths.append(widths)
        found = np.full((STEPS, len(images), ALPHABET.num_classes), (1 - self._sure) / 3, np.float32)
        for n, image in enumerate(images):
            ids = [0] * STEPS
            ids[: 2 * len(self._texts[numbered(image)]) : 2] = ALPHABET.encode(self._texts[numbered(image)])
            found[range(STEPS), n, ids] = self._sure
        return found


def images_of(count):
    images = np.zeros((count, 2, 4), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(count), 256)
    return images


def numbered(image):
    return 256 * int(image[0, 0]) + int(image[0, 1])


def compared(texts, before, truth=None, sure=0.7):
    return compare(Told(texts, sure), Told(before), images_of(len(texts)), truth)


class TestCompare:
    @pytest.mark.parametrize(
        "texts, before, truth, expected",
        [
            (["a"], ["a"], ["a"], (1, 1, 0, 1.0, 1.0, 0.0, 0.0, 0.0)),
            (["a"], ["a"], ["b"], (1, 1, 0, 0.0, 0.0, 1.0, 1.0, 0.0)),
            (["a", "b"], ["a", "c"], ["a", "c"], (2, 1, 0, 0.5, 1.0, 0.5, 0.0, 0.0)),
            (["ab", "cc"], ["ac", "cb"], ["ab", "cb"], (2, 0, 0, 0.5, 0.5, 0.25, 0.25, 0.25)),
            (["abc", ""], ["ab", ""], ["abc", "a"], (2, 1, 1, 0.5, 0.0, 0.25, 0.5, 1 / 6)),
            (["", "ab"], ["b", "ac"], ["a", "bc"], (2, 0, 0, 0.0, 0.0, 1.0, 2 / 3, 0.75)),
            (["ab", "b"], ["", ""], ["a", "b"], (2, 0, 2, 0.5, 0.0, 0.5, 1.0, 1.0)),
            (["aa", "b", "c"], ["aa", "b", "c"], None, (3, 3, 0, None, None, None, None, 0.0)),
            (["a", "b", ""], ["a", "c", ""], None, (3, 2, 1, None, None, None, None, 0.0)),
        ],
    )
    def test_counts(self, texts, before, truth, expected):
        found = compared(texts, before, truth)
        figures = (found.accuracy, found.accuracy_before, found.cer, found.cer_before, found.changed)
        assert (found.count, found.same_texts, found.empty_before, *figures) == expected

    @pytest.mark.parametrize("sure, difference", [(0.7, 0), (0.75, 0.05), (0.6, 0.1)])
    def test_largest_difference_of_a_probability(self, sure, difference):
        assert compared(["a", "bc"], ["a", "bc"], sure=sure).max_difference == pytest.approx(difference, abs=1e-6)

    @pytest.mark.parametrize("place", [0, 127, 128, 299])
    def test_one_image_of_many(self, place):
        before = ["ab"] * 300
        texts = [*before[:place], "ac", *before[place + 1 :]]
        found = compared(texts, before, before)
        assert (found.same_texts, found.accuracy) == (299, pytest.approx(299 / 300))
        assert found.max_difference == pytest.approx(0.6)

    def test_goes_in_batches(self):
        model, before = Told(["a"] * 300), Told(["a"] * 300)
        compare(model, before, images_of(300))
        assert sum(model.batches) == 300 and max(model.batches) <= 128
        assert model.batches == before.batches

    @pytest.mark.parametrize("given", [True, False])
    def test_both_are_told_the_widths(self, given):
        models = Told(["a"] * 300), Told(["a"] * 300)
        widths = 1 + np.arange(300) % 4 if given else None
        found = compare(*models, images_of(300), widths=widths)
        assert found == Comparison(300, 0.0, 300, 0)
        for model in models:
            assert [len(part) for part in model.widths] == model.batches
            np.testing.assert_array_equal(np.concatenate(model.widths), widths if given else np.full(300, 4))

    @pytest.mark.parametrize("place", [0, 127, 128, 299])
    def test_a_probability_that_is_no_number(self, place):
        model = Told(["a"] * 300)
        real = model.probabilities

        def probabilities(images, widths):
            found = real(images, widths)
            found[0, [numbered(image) == place for image in images]] = math.nan
            return found

        model.probabilities = probabilities
        assert math.isnan(compare(model, Told(["a"] * 300), images_of(300)).max_difference)


class TestDrop:
    @pytest.mark.parametrize(
        "texts, before, truth, drop",
        [
            (["a", "b"], ["a", "b"], ["a", "b"], 0),
            (["a", "c"], ["a", "b"], ["a", "b"], 0.5),
            (["a", "b"], ["a", "c"], ["a", "b"], 0),
            (["a", "c"], ["a", "c"], ["a", "b"], 0),
            (["a", ""], ["a", "c"], ["a", "b"], 0.5),
            (["c", "b"], ["a", "c"], ["a", "b"], 0.5),
            (["bb", "ca"], ["bb", "cb"], ["aa", "aa"], 0.25),
            (["a", "b"], ["a", "b"], None, 0),
            (["a", "c"], ["a", "b"], None, 0.5),
            (["b", "c"], ["a", "b"], None, 1),
        ],
    )
    def test_is_what_is_lost_of_exact_match_or_else_what_changed(self, texts, before, truth, drop):
        assert compared(texts, before, truth).drop == drop


class TestSaysSomething:
    @pytest.mark.parametrize(
        "before, truth, expected",
        [
            (["a", "b"], ["a", "c"], True),
            (["aab", "c"], ["aac", "c"], True),
            (["aab", "aac"], ["aaa", "aab"], True),
            (["ab", "ac"], ["aa", "ab"], False),
            (["", ""], ["a", "b"], False),
            (["", "a"], ["a", "b"], False),
            (["", "a"], None, True),
            (["", ""], None, False),
        ],
    )
    def test_hangs_on_how_well_the_source_reads(self, before, truth, expected):
        for texts in before, ["c"] * len(before):
            found = compared(texts, before, truth)
            assert found.says_something is expected
            assert found.summary().endswith("; but the source can't read these images") is not expected


class TestSummary:
    def test_without_texts(self):
        expected = "999 of 1000 images read the same, probabilities differ by 0.012 at most"
        assert Comparison(1000, 0.0123, 999, 0).summary() == expected

    def test_with_texts(self):
        told = Comparison(4, 2e-6, 4, 0, 0.75, 1.0, 0.1234, 0.0).summary()
        expected = "4 of 4 images read the same, probabilities differ by 2e-06 at most; "
        assert told == expected + "exact match 75.00% against 100.00%, CER 12.34% against 0.00%"


class TestAcceptSame:
    @pytest.mark.parametrize("difference", [0.0, 1e-6, MAX_DIFFERENCE])
    def test_rounding(self, difference):
        accept_same(Comparison(10, difference, 10, 0))

    @pytest.mark.parametrize("difference, same", [(1.01 * MAX_DIFFERENCE, 10), (1.0, 10), (math.nan, 9), (math.inf, 0)])
    def test_more_than_that(self, difference, same):
        with pytest.raises(OCRError, match=f"texts of {10 - same} of 10 images; nothing was written$"):
            accept_same(Comparison(10, difference, same, 0))

    def test_texts_that_hang_on_rounding(self):
        accept_same(Comparison(10, 1e-6, 3, 0))

    def test_what_the_sources_own_rounding_allows(self):
        accept_same(Comparison(10, 0.003, 10, 0), 0.003)
        with pytest.raises(OCRError, match="probabilities by 0.0031, where rounding explains 0.003, and texts of 1 of"):
            accept_same(Comparison(10, 0.0031, 9, 0), 0.003)

    @pytest.mark.parametrize("difference, allowed", [(1e-6, math.nan), (math.nan, math.inf)])
    def test_what_is_no_number_allows_nothing(self, difference, allowed):
        with pytest.raises(OCRError, match="the model differs from its source"):
            accept_same(Comparison(10, difference, 10, 0), allowed)


class TestAcceptLoss:
    @pytest.mark.parametrize(
        "accuracy, before, allowed", [(1.0, 1.0, 0), (0.9, 1.0, 0.2), (1.0, 0.5, 0), (0.0, 1.0, 1), (0.75, 1.0, 0.25)]
    )
    def test_a_small_one(self, accuracy, before, allowed):
        accept_loss(Comparison(100, 0.5, 0, 0, accuracy, before, 0.0, 0.0), allowed)

    @pytest.mark.parametrize(
        "accuracy, before, allowed",
        [(0.9, 1.0, 0.05), (0.99, 1.0, 0), (0.0, 1.0, 0.999), (1.0, 1.0, -0.01), (math.nan, 1.0, 0.999)],
    )
    def test_a_large_one(self, accuracy, before, allowed):
        comparison = Comparison(100, 0.5, 0, 0, accuracy, before, 0.0, 0.0)
        with pytest.raises(OCRError) as refused:
            accept_loss(comparison, allowed)
        expected = f"worse than its source, and --max-drop allows {allowed:.2%} ({comparison.summary()}); nothing was"
        assert expected in str(refused.value)

    @pytest.mark.parametrize("same, passes", [(100, True), (99, True), (98, False), (0, False)])
    def test_of_images_without_texts_is_what_changed(self, same, passes):
        comparison = Comparison(100, 0.5, same, 0)
        if passes:
            accept_loss(comparison, 0.015)
        else:
            with pytest.raises(OCRError, match="of 100 images worse"):
                accept_loss(comparison, 0.015)

    @pytest.mark.parametrize("percent", [0.1, 0.5, 1.0, 2.0, 5.0])
    def test_exactly_what_is_allowed(self, percent):
        lost = round(percent * 10)
        for right in range(lost, 1001):
            accept_loss(Comparison(1000, 0.5, 0, 0, (right - lost) / 1000, right / 1000, 0.0, 0.0), percent / 100)
        accept_loss(Comparison(1000, 0.5, 1000 - lost, 0), percent / 100)

    def test_what_changes_where_the_source_is_wrong_counts(self):
        before, truth = ["a"] * 9 + ["b"], ["a"] * 10
        accept_loss(compared(before, before, truth), 0)
        with pytest.raises(OCRError, match=r"reads 10.00% of 10 images worse"):
            accept_loss(compared([*before[:9], "c"], before, truth), 0.05)

    @pytest.mark.parametrize("truth", [None, ["a", "b"]])
    def test_a_source_that_reads_nothing_shows_nothing(self, truth):
        comparison = compared(["", ""], ["", ""], truth)
        with pytest.raises(
            OCRError, match=r"^these images don't show what quantizing costs: 2 of 2 images .*--max-drop 100"
        ):
            accept_loss(comparison, 0.99)
        accept_loss(comparison, 1)


class TestSpeedup:
    def test_is_how_many_times_faster(self):
        quick, slow = Told(["a"] * 3, seconds=0.004), Told(["a"] * 3, seconds=0.012)
        assert 2 < speedup(quick, slow, images_of(3)) < 4
        assert set(quick.batches) == set(slow.batches) == {3}

    def test_may_be_less_than_1(self):
        assert 0.25 < speedup(Told(["a"], seconds=0.012), Told(["a"], seconds=0.004), images_of(1)) < 0.5
