"""Sets of texts as deterministic finite automata over class ids, which is what a beam is held to."""

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from numba import types

from ocr_lib.compiled import compiled

Ids = npt.NDArray[np.int64]
Edge = Tuple[int, int, int]

_START = 0
_NEVER = 2**31  # more time steps than there are
_LIST = types.int64[::1]


class Automaton(NamedTuple):
    """A deterministic finite automaton: S states, the first of which is the start, and E edges, state by state.

    What CTC needs is part of it: an edge counts the time steps that its text takes at the least until it is complete,
    one a character and one for the blank between equal neighbours. So a search knows in time which prefixes have too
    few steps left, and states from which no text can be completed are never entered.

    Attributes
    ----------
    offsets : ndarray, shape (S + 1,), int64
        The edges of state s are those from ``offsets[s]`` to ``offsets[s + 1]``.
    labels : ndarray, shape (E,), int64
        The class of each edge, from 1; ascending within a state.
    targets : ndarray, shape (E,), int64
        The state that each edge leads to.
    steps_after_label : ndarray, shape (E,), int64
        The fewest time steps in which a text that has come over this edge, the last step being its label, is
        completed. 0 if it is complete, huge if it can't be.
    steps_after_blank : ndarray, shape (S,), int64
        The same for a text that has come to this state, the last step being a blank.
    """

    offsets: Ids
    labels: Ids
    targets: Ids
    steps_after_label: Ids
    steps_after_blank: Ids

    @property
    def required_steps(self) -> int:
        """The fewest time steps in which CTC can align one of the texts; huge if there is no text."""
        return int(self.steps_after_blank[_START])

    @property
    def is_empty(self) -> bool:
        """Whether there is no text at all, not even the empty one."""
        return self.required_steps >= _NEVER

    def accepts(self, ids: Iterable[int]) -> bool:
        """Tell whether a text, as class ids, is one of the set."""
        state = _START
        for label in ids:
            begin, end = self.offsets[state : state + 2].tolist()
            edge = begin + int(np.searchsorted(self.labels[begin:end], label))
            if edge == end or self.labels[edge] != label:
                return False
            state = int(self.targets[edge])
        return bool(self.steps_after_blank[state] == 0)


def from_edges(edges: Sequence[Edge], accepting: Sequence[bool]) -> Automaton:
    """Make an automaton.

    Parameters
    ----------
    edges : sequence of (int, int, int)
        From which state, by which class, to which state; in any order, each state and class once at most.
    accepting : sequence of S bool
        Whether a text may end in each state. State 0 is the start.
    """
    table = np.array(edges, dtype=np.int64).reshape(-1, 3)
    source, labels, targets = np.ascontiguousarray(table[np.lexsort((table[:, 1], table[:, 0]))].T)
    offsets = np.searchsorted(source, np.arange(len(accepting) + 1)).astype(np.int64)
    ends = np.array(accepting, dtype=np.int64)
    after_label, after_blank = _count_steps(offsets, labels, targets, ends)
    return Automaton(offsets, labels, targets, after_label, after_blank)


def all_texts(num_classes: int) -> Automaton:
    """Return the automaton of every text over the classes 1 to ``num_classes - 1``: one state, with loops."""
    return from_edges([(_START, label, _START) for label in range(1, num_classes)], [True])


def trie(texts: Iterable[Sequence[int]]) -> Automaton:
    """Return the automaton of a finite set of texts, given as class ids: a state for each distinct prefix."""
    states: Dict[Tuple[int, int], int] = {}
    complete = set()
    for text in texts:
        state = _START
        for label in text:
            state = states.setdefault((state, label), len(states) + 1)
        complete.add(state)
    edges: List[Edge] = [(source, label, target) for (source, label), target in states.items()]
    return from_edges(edges, [state in complete for state in range(len(states) + 1)])


@compiled(types.UniTuple(_LIST, 2)(_LIST, _LIST, _LIST, _LIST))
def _count_steps(offsets: Any, labels: Any, targets: Any, accepting: Any) -> Any:
    """Count the steps to completion; returns ``steps_after_label`` and ``steps_after_blank``."""
    num_states = len(accepting)
    after_blank = np.where(accepting != 0, 0, _NEVER)
    # The class by which all shortest completions of a state go on, else 0. Behind an edge of that same class they
    # begin with a blank. An edge to an accepting state needs none: its text is complete.
    shared = np.zeros(num_states, np.int64)
    after_label = np.full(len(labels), _NEVER, np.int64)
    changed = True
    while changed:
        changed = False
        # A state mostly has a lower number than those it leads to, so few rounds suffice.
        for state in range(num_states - 1, -1, -1):
            least, way = after_blank[state], shared[state]
            for edge in range(offsets[state], offsets[state + 1]):
                target = targets[edge]
                if after_blank[target] < _NEVER:
                    after_label[edge] = after_blank[target] + (shared[target] == labels[edge])
                steps = 1 + after_label[edge]
                if steps < least:
                    least, way = steps, labels[edge]
                elif steps == least and way != labels[edge]:
                    way = 0
            if accepting[state]:
                way = 0
            if least != after_blank[state] or way != shared[state]:
                after_blank[state], shared[state] = least, way
                changed = True
    return after_label, after_blank
