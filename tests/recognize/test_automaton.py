"""Automata against plain sets of texts, and the steps that texts need against a search through all ways."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.automaton import all_texts, from_edges, trie
from tests.recognize.enumeration import least_steps

TEXTS = st.lists(st.lists(st.integers(1, 3), max_size=5).map(tuple), max_size=8)
FAR = 1000


def texts_up_to(length, num_classes=4):
    for size in range(length + 1):
        yield from itertools.product(range(1, num_classes), repeat=size)


@st.composite
def machines(draw):
    """Draw edges and accepting states of any machine, dead ends and unreachable states included."""
    num_states = draw(st.integers(1, 6))
    states = st.integers(0, num_states - 1)
    ways = draw(st.dictionaries(st.tuples(states, st.integers(1, 3)), states, max_size=12))
    accepting = draw(st.lists(st.booleans(), min_size=num_states, max_size=num_states))
    return [(source, label, target) for (source, label), target in ways.items()], accepting


def plain_steps(edges, accepting, state, last):
    """Breadth first over states and last labels; a repeated label waits one step more for its blank."""
    reached, steps = {(state, last): 0}, 0
    while steps < 20:
        if any(accepting[at] for (at, _), when in reached.items() if when == steps):
            return steps
        for (at, previous), when in list(reached.items()):
            for source, label, target in edges:
                if source == at and when + 1 + (label == previous) == steps + 1:
                    reached.setdefault((target, label), steps + 1)
        steps += 1
    return FAR


class TestTrie:
    @given(TEXTS)
    def test_has_its_texts_and_no_others(self, texts):
        automaton = trie(texts)
        assert [text for text in texts_up_to(5) if automaton.accepts(text)] == sorted(
            set(texts), key=lambda t: (len(t), t)
        )
        assert automaton.is_empty == (not texts)
        if texts:
            assert automaton.required_steps == min(map(least_steps, texts))

    def test_shares_prefixes(self):
        assert len(trie([[1, 2, 3], [1, 2, 1], [1, 2]]).steps_after_blank) == 5

    def test_many_words(self):
        rng = np.random.default_rng(0)
        words = {tuple(rng.integers(1, 50, rng.integers(1, 9)).tolist()) for _ in range(5000)}
        automaton = trie(words)
        assert all(map(automaton.accepts, words))
        shortened = {word[:-1] for word in words} - words
        assert not any(map(automaton.accepts, shortened))


def test_all_texts():
    automaton = all_texts(4)
    assert all(map(automaton.accepts, texts_up_to(4)))
    assert not automaton.accepts([4])
    assert not automaton.accepts([0])
    assert automaton.required_steps == 0


class TestFromEdges:
    @given(machines())
    def test_follows_its_edges(self, machine):
        edges, accepting = machine
        ways = {(source, label): target for source, label, target in edges}
        automaton = from_edges(edges, accepting)
        for text in texts_up_to(4):
            state = 0
            for label in text:
                state = ways.get((state, label), -1)
            assert automaton.accepts(text) == (state >= 0 and accepting[state])

    @given(machines())
    def test_steps_are_those_of_the_shortest_completion(self, machine):
        edges, accepting = machine
        automaton = from_edges(edges, accepting)
        found = np.minimum(automaton.steps_after_blank, FAR).tolist()
        assert found == [plain_steps(edges, accepting, state, 0) for state in range(len(accepting))]
        found = np.minimum(automaton.steps_after_label, FAR).tolist()
        assert found == [plain_steps(edges, accepting, target, label) for _, label, target in sorted(edges)]

    def test_order_of_edges_does_not_matter(self):
        edges = [(0, 2, 1), (1, 1, 0), (0, 1, 0)]
        for order in itertools.permutations(edges):
            for one, other in zip(from_edges(order, [False, True]), from_edges(edges, [False, True])):
                np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("edges", [[], [(0, 1, 1)], [(0, 1, 1), (1, 1, 1)], [(1, 1, 2)]])
    def test_without_a_text(self, edges):
        assert from_edges(edges, [False, False, len(edges) == 1 and edges[0][0] == 1]).is_empty
