"""Texts and their confidences, against all paths of small cases."""

import itertools

import numpy as np
import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.automaton import trie
from ocr_lib.recognize.beam import BeamDecoder
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.reading import Character, readings
from tests.recognize.enumeration import label_probabilities


def random_probabilities(seed, steps, samples, classes):
    scores = np.exp(np.random.default_rng(seed).normal(0, 1.5, (steps, samples, classes)))
    return (scores / scores.sum(axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("steps, classes", [(5, 3), (4, 4), (7, 2), (1, 5)])
def test_confidence_is_the_share_of_all_paths_that_read_so(seed, steps, classes):
    probabilities = random_probabilities(seed, steps, 3, classes)
    alphabet = Alphabet("abcdefg"[: classes - 1])
    for n, reading in enumerate(readings(probabilities, alphabet)):
        label = tuple("abcdefg".index(character) + 1 for character in reading.text)
        assert reading.confidence == pytest.approx(label_probabilities(probabilities[:, n])[label], abs=1e-6)
        best = [key for key, _ in itertools.groupby(probabilities[:, n].argmax(axis=1)) if key]
        assert label == tuple(best)
        np.testing.assert_array_equal(reading.probabilities, probabilities[:, n])


def test_a_case_counted_by_hand():
    # Over two steps "a" is read from aa, a- and -a.
    probabilities = np.array([[[0.4, 0.6]], [[0.5, 0.5]]])
    (reading,) = readings(probabilities, Alphabet("a"))
    assert reading.text == "a"
    assert reading.confidence == pytest.approx(0.6 * 0.5 + 0.6 * 0.5 + 0.4 * 0.5)


def test_nothing_is_read_with_a_confidence_too():
    (reading,) = readings(np.array([[[0.9, 0.1]], [[0.8, 0.2]]]), Alphabet("a"))
    assert reading.text == ""
    assert reading.confidence == pytest.approx(0.9 * 0.8)


def test_certainty_is_exactly_one():
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 1, 0, 1, 2]][:, None]
    (reading,) = readings(probabilities, Alphabet("ab"))
    assert (reading.text, reading.confidence) == ("aab", 1.0)


def test_rounding_never_lifts_it_above_one():
    probabilities = np.full((40, 1, 2), [0.0, 1.0000001], np.float32)
    (reading,) = readings(probabilities, Alphabet("a"))
    assert (reading.text, reading.confidence) == ("a", 1.0)


def test_many_steps_do_not_underflow():
    probabilities = np.full((3000, 1, 11), 1 / 11, np.float32)
    probabilities[::100, 0, 3] += 0.01
    (reading,) = readings(probabilities, Alphabet("0123456789"))
    assert 0 <= reading.confidence < 1e-100
    assert np.isfinite(reading.confidence)


def test_samples_keep_their_order():
    paths = np.array([[1, 0, 2], [2, 2, 2], [0, 0, 0], [1, 2, 1]])
    found = readings(np.eye(3)[paths.T], Alphabet("xy"))
    assert [reading.text for reading in found] == ["xy", "y", "", "xyx"]


class TestCharacters:
    def test_they_spell_the_text_from_left_to_right_in_pixels(self):
        path = np.array([0, 1, 1, 0, 1, 2])
        (reading,) = readings(np.eye(3, dtype=np.float32)[path][:, None], Alphabet("xy"), widths=[120])
        assert reading.text == "xxy"
        assert reading.characters == (Character("x", 1.0, 40.0), Character("x", 1.0, 90.0), Character("y", 1.0, 110.0))

    def test_without_widths_they_stand_at_fractions(self):
        probabilities = random_probabilities(3, 9, 4, 3)
        fractions = readings(probabilities, Alphabet("ab"))
        pixels = readings(probabilities, Alphabet("ab"), widths=[10, 20, 30, 40])
        for width, fraction, pixel in zip([10, 20, 30, 40], fractions, pixels):
            assert "".join(character.text for character in fraction.characters) == fraction.text
            assert [c.x for c in pixel.characters] == pytest.approx([c.x * width for c in fraction.characters])
            assert all(0 < c.x < 1 and type(c.x) is type(c.confidence) is float for c in fraction.characters)

    def test_a_case_counted_by_hand(self):
        # "a" is read from aa, a- and -a, 0.8; nothing from --, 0.2. It stands at the first step in 0.6, at both in 0.3.
        (reading,) = readings(np.array([[[0.4, 0.6]], [[0.5, 0.5]]]), Alphabet("a"))
        mean_step = (0.6 * 0.5 + 0.5 * 1.5) / (0.6 + 0.5)
        assert reading.characters == (Character("a", pytest.approx(0.8), pytest.approx(mean_step / 2)),)

    def test_where_no_text_fits_there_are_none(self):
        probabilities = random_probabilities(2, 2, 3, 3)
        found = readings(probabilities, Alphabet("ab"), BeamDecoder(trie([[1, 1]])))
        assert [reading.characters for reading in found] == [()] * 3

    def test_of_a_word_that_the_network_excludes_none_is_sure(self):
        probabilities = np.eye(3, dtype=np.float32)[[1, 1, 0, 0]][:, None]
        (reading,) = readings(probabilities, Alphabet("ab"), BeamDecoder(trie([[1, 2]])), widths=[100])
        assert reading.characters == (Character("a", 0.0, 25.0), Character("b", 0.0, 75.0))

    def test_widths_pair_with_samples(self):
        with pytest.raises(ValueError, match="2 widths do not pair with 1 samples"):
            readings(random_probabilities(0, 2, 1, 3), Alphabet("ab"), widths=[1, 2])


class TestSteps:
    LENGTHS = (7, 3, 5, 1)

    @pytest.fixture
    def padded(self):
        """Return probabilities in which the blank is certain behind each sample's steps."""
        probabilities = random_probabilities(5, max(self.LENGTHS), len(self.LENGTHS), 3)
        for n, length in enumerate(self.LENGTHS):
            probabilities[length:, n] = [1, 0, 0]
        return probabilities

    @pytest.mark.parametrize("as_array", [False, True])
    @pytest.mark.parametrize("decode", [best_path, BeamDecoder(trie([[1], [2, 1], [1, 2, 2], []]))])
    def test_a_sample_is_read_as_if_it_were_alone(self, padded, as_array, decode):
        steps = np.array(self.LENGTHS) if as_array else self.LENGTHS
        widths = [100, 50, 70, 9]
        found = readings(padded, Alphabet("ab"), decode, widths, steps)
        assert len({reading.text for reading in found}) > 1
        for n, (reading, length, width) in enumerate(zip(found, self.LENGTHS, widths)):
            (alone,) = readings(padded[:length, n : n + 1], Alphabet("ab"), decode, [width])
            assert reading.text == alone.text
            assert reading.confidence == pytest.approx(alone.confidence, abs=1e-9)
            np.testing.assert_array_equal(reading.probabilities, padded[:length, n])
            for ours, theirs in zip(reading.characters, alone.characters):
                assert ours == (theirs.text, pytest.approx(theirs.confidence), pytest.approx(theirs.x))

    def test_positions_are_shares_of_its_own_steps(self):
        probabilities = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 0, 0, 0, 0]][:, None]
        (reading,) = readings(probabilities, Alphabet("ab"), widths=[80], steps=[4])
        assert reading.characters == (Character("a", 1.0, 30.0), Character("b", 1.0, 70.0))


class TestOtherDecoders:
    def test_the_most_probable_text_may_be_another_than_that_of_the_best_path(self):
        # The best path is two blanks, 0.36; "a" has three paths.
        probabilities = np.array([[[0.6, 0.4]], [[0.6, 0.4]]])
        (greedy,) = readings(probabilities, Alphabet("a"))
        (beam,) = readings(probabilities, Alphabet("a"), BeamDecoder(trie([[], [1]])))
        assert (greedy.text, greedy.confidence) == ("", pytest.approx(0.36))
        assert (beam.text, beam.confidence) == ("a", pytest.approx(0.64))

    @pytest.mark.parametrize("width", [1, 2, 16])
    def test_confidence_is_that_of_the_text_whatever_the_beam_lost(self, width):
        probabilities = random_probabilities(1, 6, 4, 3)
        words = trie([[1, 2], [2, 2, 1], [1]])
        for n, reading in enumerate(readings(probabilities, Alphabet("ab"), BeamDecoder(words, width))):
            label = tuple("ab".index(character) + 1 for character in reading.text)
            assert words.accepts(label)
            assert reading.confidence == pytest.approx(label_probabilities(probabilities[:, n])[label], abs=1e-6)

    @pytest.mark.parametrize("width", [1, 16])
    def test_a_word_that_the_network_excludes_is_the_reading_if_no_other_fits(self, width):
        probabilities = np.eye(3, dtype=np.float32)[[1, 1, 0, 0]][:, None]
        (reading,) = readings(probabilities, Alphabet("ab"), BeamDecoder(trie([[1, 2], [1, 1, 2, 1, 1]]), width))
        assert (reading.text, reading.confidence) == ("ab", 0.0)

    def test_no_reading_is_no_text_with_no_confidence(self):
        probabilities = random_probabilities(2, 2, 3, 3)
        for n, reading in enumerate(readings(probabilities, Alphabet("ab"), BeamDecoder(trie([[1, 1]])))):
            assert (reading.text, reading.confidence) == ("", 0.0)
            np.testing.assert_array_equal(reading.probabilities, probabilities[:, n])

    def test_the_empty_text_is_a_reading(self):
        probabilities = random_probabilities(2, 2, 1, 3)
        (reading,) = readings(probabilities, Alphabet("ab"), BeamDecoder(trie([[]])))
        assert reading.text == ""
        assert reading.confidence == pytest.approx(float(probabilities[:, 0, 0].prod()))
