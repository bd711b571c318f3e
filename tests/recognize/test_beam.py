"""Prefix beam search against the enumeration of all paths, and against a plain beam of Python's dictionaries."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.recognize import beam
from ocr_lib.recognize.automaton import all_texts, from_edges, trie
from ocr_lib.recognize.beam import MOST_WIDTH, BeamDecoder, n_best, prefix_beam_search
from ocr_lib.recognize.ctc import log_likelihood
from ocr_lib.recognize.decode import best_path
from tests.recognize.enumeration import label_probabilities, least_steps, random_log_probs

ROOT = Path(__file__).parent.parent.parent
SEEDS = st.integers(0, 2**32 - 1)
WORDS = st.lists(st.lists(st.integers(1, 2), max_size=5).map(tuple), min_size=1, max_size=6)


def search_one(log_probs, automaton, width):
    """Search one sample: (T, C) -> the ids as a tuple, or None, and the probability."""
    ((ids, log_prob),) = prefix_beam_search(log_probs[:, None], automaton, width)
    return (None if ids is None else tuple(ids)), math.exp(log_prob)


def plain_beam(probs, width, prefixes, words):
    """Hannun et al.'s algorithm, in probabilities; prefixes and words are None for all texts."""
    kept = {(): (1.0, 0.0)}
    for done, step in enumerate(probs, start=1):
        new = {}
        left = len(probs) - done

        def add(prefix, blank, labelled, new=new, left=left):
            if words is not None:
                rest = [word[len(prefix) :] for word in words if word[: len(prefix)] == prefix]
                blank *= any(least_steps(after) <= left for after in rest)
                # The last character counts as read: only its blank is needed.
                labelled *= any(least_steps(prefix[-1:] + after) - len(prefix[-1:]) <= left for after in rest)
            before = new.get(prefix, (0.0, 0.0))
            new[prefix] = (before[0] + blank, before[1] + labelled)

        for prefix, (blank, labelled) in kept.items():
            add(prefix, (blank + labelled) * step[0], labelled * step[prefix[-1]] if prefix else 0.0)
            for label in range(1, len(step)):
                if prefixes is None or (*prefix, label) in prefixes:
                    before = blank if prefix[-1:] == (label,) else blank + labelled
                    add((*prefix, label), 0.0, before * step[label])
        best = sorted((prefix for prefix in new if sum(new[prefix]) > 0), key=lambda prefix: -sum(new[prefix]))
        kept = {prefix: new[prefix] for prefix in best[:width]}
    return max(((sum(parts), prefix) for prefix, parts in kept.items()), default=(0.0, None))[::-1]


class TestWideBeam:
    """Wide enough for every prefix: the result is exact."""

    @settings(max_examples=60)
    @given(SEEDS, st.integers(1, 5), st.integers(2, 4))
    def test_finds_the_most_probable_text(self, seed, steps, classes):
        log_probs = random_log_probs(seed, steps, classes)
        probabilities = label_probabilities(np.exp(log_probs))
        ids, probability = search_one(log_probs, all_texts(classes), MOST_WIDTH)
        assert probability == pytest.approx(max(probabilities.values()), rel=1e-9)
        assert probabilities[ids] == pytest.approx(probability, rel=1e-9)

    @settings(max_examples=60)
    @given(SEEDS, st.integers(1, 5), st.integers(2, 4), st.integers(1, 9))
    def test_finds_the_next_ones_too(self, seed, steps, classes, count):
        log_probs = random_log_probs(seed, steps, classes)
        probabilities = label_probabilities(np.exp(log_probs))
        (found,) = n_best(log_probs[:, None], all_texts(classes), count, MOST_WIDTH)
        expected = sorted(probabilities.values(), reverse=True)[:count]
        assert [math.exp(log_prob) for _, log_prob in found] == pytest.approx(expected, rel=1e-9)
        assert len({tuple(ids) for ids, _ in found}) == len(found)
        for ids, log_prob in found:
            assert probabilities[tuple(ids)] == pytest.approx(math.exp(log_prob), rel=1e-9)

    @settings(max_examples=60)
    @given(SEEDS, st.integers(1, 6), WORDS)
    def test_finds_the_most_probable_word(self, seed, steps, words):
        log_probs = random_log_probs(seed, steps, 3)
        probabilities = label_probabilities(np.exp(log_probs))
        ids, probability = search_one(log_probs, trie(words), MOST_WIDTH)
        possible = {word: probabilities[word] for word in words if word in probabilities}
        if not possible:
            assert (ids, probability) == (None, 0.0)
        else:
            assert probability == pytest.approx(max(possible.values()), rel=1e-9)
            assert possible[ids] == pytest.approx(probability, rel=1e-9)

    def test_a_machine_with_loops(self):
        """Any number of 1 in pairs, then a 2."""
        pairs = from_edges([(0, 1, 1), (1, 1, 0), (0, 2, 2)], [False, False, True])
        for seed in range(20):
            log_probs = random_log_probs(seed, 7, 3)
            probabilities = label_probabilities(np.exp(log_probs))
            expected = {
                label: probabilities[label] for label in [(2,), (1, 1, 2), (1, 1, 1, 1, 2)] if label in probabilities
            }
            ids, probability = search_one(log_probs, pairs, MOST_WIDTH)
            assert probability == pytest.approx(max(expected.values()), rel=1e-9)
            assert expected[ids] == pytest.approx(probability, rel=1e-9)

    def test_any_width_that_holds_all_prefixes_gives_the_same(self):
        log_probs = random_log_probs(0, 4, 5, 3)
        prefixes = sum(2**length for length in range(5))
        results = [prefix_beam_search(log_probs, all_texts(3), width) for width in (prefixes, prefixes + 1, MOST_WIDTH)]
        assert results[0] == results[1] == results[2]


class TestNarrowBeam:
    @settings(max_examples=80)
    @given(SEEDS, st.integers(1, 12), st.integers(2, 5), st.integers(1, 8))
    def test_agrees_with_a_plain_one(self, seed, steps, classes, width):
        log_probs = random_log_probs(seed, steps, classes)
        ids, probability = search_one(log_probs, all_texts(classes), width)
        assert (ids, pytest.approx(probability, rel=1e-9)) == plain_beam(np.exp(log_probs), width, None, None)

    @settings(max_examples=80)
    @given(SEEDS, st.integers(1, 9), st.integers(1, 4), WORDS)
    def test_agrees_with_a_plain_one_held_to_words(self, seed, steps, width, words):
        log_probs = random_log_probs(seed, steps, 3)
        prefixes = {word[:length] for word in words for length in range(len(word) + 1)}
        ids, probability = search_one(log_probs, trie(words), width)
        assert (ids, pytest.approx(probability, rel=1e-9)) == plain_beam(np.exp(log_probs), width, prefixes, words)

    @settings(max_examples=60)
    @given(SEEDS, st.integers(0, 9), WORDS)
    def test_of_one_prefix_finds_a_word_wherever_one_fits(self, seed, steps, words):
        ids, _ = search_one(random_log_probs(seed, steps, 3), trie(words), 1)
        fitting = [word for word in words if least_steps(word) <= steps]
        assert ids in fitting if fitting else ids is None

    @pytest.mark.parametrize("width", [1, 2, 5, 40])
    def test_claims_no_more_than_the_text_has(self, width):
        log_probs = random_log_probs(3, 30, 20, 6)
        found = prefix_beam_search(log_probs, all_texts(6), width)
        exact = log_likelihood(log_probs, [ids for ids, _ in found])
        assert all(log_prob <= whole + 1e-9 for (_, log_prob), whole in zip(found, exact))

    def test_words_are_not_crowded_out_by_what_is_no_word(self):
        """The network all but certainly sees 1 1 1 1; the one word is 2 3."""
        probs = np.full((12, 1, 4), 1e-9)
        probs[::2, :, 1] = probs[1::2, :, 0] = 1.0
        ((ids, log_prob),) = prefix_beam_search(np.log(probs), trie([[2, 3]]), 1)
        assert ids == [2, 3]
        assert -np.inf < log_prob <= log_likelihood(np.log(probs), [[2, 3]])[0]


class TestGreedy:
    @pytest.mark.parametrize("width", [1, 3, 16])
    def test_certain_classes_are_read_as_the_best_path(self, width):
        probabilities = np.eye(5)[np.random.default_rng(0).integers(0, 5, (9, 50))]
        decoded = BeamDecoder(all_texts(5), width)(probabilities)
        assert decoded == best_path(probabilities)
        with np.errstate(divide="ignore"):
            found = prefix_beam_search(np.log(probabilities), all_texts(5), width)
        assert {log_prob for _, log_prob in found} == {0.0}

    def test_nearly_certain_classes_too(self):
        probabilities = 0.999 * np.eye(5)[np.random.default_rng(1).integers(0, 5, (20, 50))] + 0.0002
        assert BeamDecoder(all_texts(5))(probabilities) == best_path(probabilities)


class TestSteps:
    def test_samples_of_one_batch_keep_apart(self):
        log_probs = random_log_probs(5, 9, 6, 4)
        lengths = [9, 0, 3, 1, 9, 5]
        spoiled = log_probs.copy()
        for n, length in enumerate(lengths):
            spoiled[length:, n] = np.nan
        alone = [prefix_beam_search(log_probs[:end, n : n + 1], all_texts(4), 3)[0] for n, end in enumerate(lengths)]
        assert prefix_beam_search(spoiled, all_texts(4), 3, lengths) == alone

    @pytest.mark.parametrize("words, expected", [([[]], ([], 0.0)), ([[1]], (None, -np.inf)), ([[], [1]], ([], 0.0))])
    def test_without_a_step_only_the_empty_text_is_there(self, words, expected):
        assert prefix_beam_search(np.zeros((0, 1, 3)), trie(words)) == [expected]

    @pytest.mark.parametrize("word", [[1], [1, 2], [1, 1], [2, 2, 2], [1, 1, 2, 2]])
    @pytest.mark.parametrize("width", [1, 10])
    def test_just_enough_and_one_too_few(self, word, width):
        steps = least_steps(word)
        log_probs = random_log_probs(0, steps, 1, 3)
        assert prefix_beam_search(log_probs, trie([word]), width) == [
            (word, pytest.approx(log_likelihood(log_probs, [word])[0]))
        ]
        assert prefix_beam_search(log_probs[1:], trie([word]), width) == [(None, -np.inf)]

    def test_no_text_at_all(self):
        assert prefix_beam_search(random_log_probs(0, 4, 2, 3), trie([])) == [(None, -np.inf)] * 2

    def test_texts_of_no_probability_are_not_read(self):
        with np.errstate(divide="ignore"):
            log_probs = np.log(np.eye(3)[[[1], [0], [1]]])
        assert prefix_beam_search(log_probs, trie([[2], [1, 2]])) == [(None, -np.inf)]
        assert prefix_beam_search(log_probs, trie([[2], [1, 1]])) == [([1, 1], 0.0)]

    def test_long_samples_do_not_underflow(self):
        log_probs = random_log_probs(0, 3000, 1, 11)
        ((ids, log_prob),) = prefix_beam_search(log_probs, all_texts(11))
        assert -math.inf < log_prob <= log_likelihood(log_probs, [ids])[0] + 1e-6

    def test_empty_batch(self):
        assert prefix_beam_search(np.zeros((3, 0, 4)), all_texts(4)) == []


def test_ties_are_broken_the_same_way_each_time():
    uniform = np.full((6, 3, 5), -math.log(5))
    found = [prefix_beam_search(uniform, all_texts(5), width) for width in (2, 7, 7)]
    assert found[1] == found[2]
    for results in found:
        assert results[0] == results[1] == results[2]
    for width in (1, 2, 3, 9):
        assert prefix_beam_search(uniform[:1], trie([[3], [2], [4]]), width)[0][0] == [2]


def test_inputs_are_left_as_they_are():
    log_probs = random_log_probs(0, 5, 2, 3)
    log_probs.flags.writeable = False
    prefix_beam_search(log_probs, all_texts(3))
    prefix_beam_search(log_probs.astype(np.float32), all_texts(3))
    prefix_beam_search(log_probs.tolist(), all_texts(3))


@pytest.mark.parametrize(
    "shape, classes, width, lengths, message",
    [
        ((3, 4), 4, 1, None, "shape"),
        ((3, 1, 4), 4, 0, None, "width must be from 1 to 1000, not 0"),
        ((3, 1, 4), 4, 1001, None, "width must be from 1 to 1000, not 1001"),
        ((3, 1, 4), 5, 1, None, "class ids outside 1 to 3"),
        ((3, 1, 4), 4, 1, [4], "from 0 to 3 time steps"),
        ((3, 1, 4), 4, 1, [1, 1], "lengths must have the shape"),
    ],
)
def test_refuses_what_does_not_fit(shape, classes, width, lengths, message):
    with pytest.raises(ValueError, match=message):
        prefix_beam_search(np.zeros(shape), all_texts(classes), width, lengths)


def search_all():
    words = trie([[1, 1], [2, 1, 2], [3]])
    return [
        result
        for seed in range(4)
        for automaton in (all_texts(4), words)
        for result in prefix_beam_search(random_log_probs(seed, 7, 3, 4), automaton, 3)
    ]


def print_interpreted():
    """Run by a test in a process of its own."""
    assert beam._search.__class__.__name__ == "function"
    print([(ids, float(log_prob)) for ids, log_prob in search_all()])


def test_compiled_code_finds_what_its_python_finds():
    program = "from tests.recognize.test_beam import print_interpreted; print_interpreted()"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment, timeout=120, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for (ids, log_prob), (same, near) in zip(search_all(), eval(done.stdout, {"inf": math.inf})):
        assert (ids, log_prob) == (same, pytest.approx(near, rel=1e-12))


def test_no_text_is_no_count():
    with pytest.raises(ValueError, match="count must be at least 1"):
        n_best(random_log_probs(1, 3, 3)[:, None], all_texts(3), 0)
