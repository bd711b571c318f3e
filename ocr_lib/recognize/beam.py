"""Prefix beam search: decoding CTC by the probability of texts, of all texts or of those that an automaton accepts.

Hannun, Maas, Jurafsky, Ng: First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent
DNNs. 2014 (arXiv:1408.2873). The probability of a text is the sum over its alignments, as in Graves et al. 2006.
"""

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt
from numba import types

from ocr_lib.alphabet import BLANK
from ocr_lib.compiled import compiled
from ocr_lib.recognize.automaton import Automaton
from ocr_lib.recognize.ctc import step_mask

DEFAULT_WIDTH = 16
MOST_WIDTH = 1000

Found = Tuple[Optional[List[int]], float]


def prefix_beam_search(
    log_probs: npt.ArrayLike,
    automaton: Automaton,
    beam_width: int = DEFAULT_WIDTH,
    lengths: Optional[npt.ArrayLike] = None,
) -> List[Found]:
    """Find the most probable text of each sample among those that an automaton accepts.

    A beam holds the most probable prefixes at each time step. Only prefixes that some text of the automaton begins
    with enter it, and only as long as one such text can still be completed in the steps that are left. So with finite
    log-probabilities a text is found wherever one fits into the time steps, however small the beam.

    The result is exact, the most probable text and its probability, if the beam is wide enough for all prefixes. In
    a narrower one the text may be another, and the probability lacks the alignments whose prefix was once dropped.
    Of equally probable prefixes those that are in the beam already come first, then their extensions in the order of
    the beam and of class ids.

    Parameters
    ----------
    log_probs : array_like, shape (T, N, C)
        Natural logarithms of the probability of each class at each time step.
    automaton : Automaton
        The texts to choose from; `all_texts` for no constraint.
    beam_width : int
        How many prefixes are kept, 1 to `MOST_WIDTH`.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; all T when left out.

    Returns
    -------
    list of N (list of int or None, float)
        The class ids of each text, from 1 to C - 1, and the natural logarithm of its probability. None and -inf where
        no text of the automaton fits into the time steps, or each that the beam has met has the probability 0.

    Raises
    ------
    ValueError
        If shapes, lengths or the beam's width do not fit, or the automaton has class ids outside 1 to C - 1.
    """
    found = n_best(log_probs, automaton, 1, beam_width, lengths)
    return [texts[0] if texts else (None, -np.inf) for texts in found]


def n_best(
    log_probs: npt.ArrayLike,
    automaton: Automaton,
    count: int,
    beam_width: int = DEFAULT_WIDTH,
    lengths: Optional[npt.ArrayLike] = None,
) -> List[List[Tuple[List[int], float]]]:
    """Find the most probable texts of each sample, as `prefix_beam_search` finds the one.

    Parameters
    ----------
    log_probs, automaton, beam_width, lengths
        As there.
    count : int
        How many, at least 1; the beam holds no more than its width.

    Returns
    -------
    list of N lists of (list of int, float)
        Class ids and the natural logarithm of their probability, the most probable first: fewer than `count` where no
        more fit into the time steps, or were in the beam at its end.

    Raises
    ------
    ValueError
        As there, or if the count is less than 1.
    """
    steps = np.asarray(log_probs, dtype=np.float64)
    if steps.ndim != 3:
        raise ValueError(f"log_probs must have the shape (T, N, C), not {steps.shape}")
    num_classes = steps.shape[2]
    if not 1 <= beam_width <= MOST_WIDTH:
        raise ValueError(f"the beam's width must be from 1 to {MOST_WIDTH}, not {beam_width}")
    if count < 1:
        raise ValueError(f"the count must be at least 1, not {count}")
    if automaton.labels.size and not 0 < automaton.labels.min() <= automaton.labels.max() < num_classes:
        raise ValueError(f"the automaton has class ids outside 1 to {num_classes - 1}")
    ends = step_mask(steps.shape[:2], lengths).sum(axis=0)
    samples = np.ascontiguousarray(steps.transpose(1, 0, 2))  # (N, T, C)
    return [_found(*_search(sample[:end], beam_width, automaton, count)) for sample, end in zip(samples, ends)]


def _found(ids: np.ndarray, begins: np.ndarray, log_probs: np.ndarray) -> List[Tuple[List[int], float]]:
    """Part what was found into texts; of the probability 0 none is."""
    ends = [*begins[1:], len(ids)]
    found = zip(begins, ends, log_probs.tolist())
    return [(ids[begin:end].tolist(), log_prob) for begin, end, log_prob in found if log_prob > -np.inf]


@dataclass(frozen=True)
class BeamDecoder:
    """Decodes by prefix beam search; a `Decoder`.

    Parameters
    ----------
    automaton : Automaton
        The texts to choose from: `all_texts`, a lexicon or a pattern.
    width : int
        How many prefixes the beam holds, 1 to `MOST_WIDTH`.
    """

    automaton: Automaton
    width: int = DEFAULT_WIDTH

    def __call__(self, probabilities: np.ndarray) -> List[Optional[List[int]]]:
        """Decode probabilities (T, N, C); None where no text of the automaton fits into the time steps."""
        return [ids for ids, _ in prefix_beam_search(finite_logarithms(probabilities), self.automaton, self.width)]


def finite_logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms of what a softmax gave, which may round to 0: the least number leaves a way to every text."""
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny, dtype=np.float64))


# Below, in compiled code, prefixes are nodes of a tree, so that a prefix which was dropped and comes back is the same.
# Node 0 is the empty prefix. The probability of a prefix has two parts: of alignments that end with a blank, and of
# those that end with its last label. Only behind a blank, the same label once more is a new character.


class _Tree(NamedTuple):
    """All prefixes that were ever in the beam: int64 arrays of (T * width + 1,)."""

    parent: Any
    label: Any  # the last one; of the empty prefix the blank
    state: Any  # of the automaton
    steps_after_label: Any  # as the automaton's, of the edge that led here
    first_child: Any  # 0 for none, as in sibling
    sibling: Any
    rank: Any  # the place in the beam, or -1


class _Beam(NamedTuple):
    """The prefixes at a time step, the most probable first: arrays of (width,)."""

    node: Any
    blank: Any  # the logarithms of both parts
    labelled: Any


class _Candidates(NamedTuple):
    """The best of what the next beam may hold: arrays of (width,); the score of those that are free is -inf."""

    score: Any  # descending
    node: Any  # of the prefix that is kept or extended
    edge: Any  # by which it is extended, or -1
    blank: Any
    labelled: Any


_INTS = types.int64[::1]
_FLOATS = types.float64[::1]
_INT, _FLOAT = types.int64, types.float64
_TREE = types.NamedUniTuple(_INTS, 7, _Tree)
_BEAM = types.NamedTuple((_INTS, _FLOATS, _FLOATS), _Beam)
_CANDIDATES = types.NamedTuple((_FLOATS, _INTS, _INTS, _FLOATS, _FLOATS), _Candidates)
_AUTOMATON = types.NamedUniTuple(_INTS, 5, Automaton)


@compiled(_FLOAT(_FLOAT, _FLOAT))
def _log_add(left: Any, right: Any) -> Any:
    high, low = max(left, right), min(left, right)
    return high if low == -np.inf else high + np.log1p(np.exp(low - high))


@compiled(_FLOAT(_TREE, _BEAM, _INT, _INT))
def _before(tree: Any, beam: Any, rank: Any, label: Any) -> Any:
    """Return the probability with which a prefix of the beam can be followed by a label as a new character."""
    if tree.label[beam.node[rank]] == label:
        return beam.blank[rank]
    return _log_add(beam.blank[rank], beam.labelled[rank])


@compiled(_INT(_TREE, _INT, _INT))
def _child(tree: Any, node: Any, label: Any) -> Any:
    """Find the node of a prefix extended by a label; 0 if it never was in the beam."""
    child = tree.first_child[node]
    while child and tree.label[child] != label:
        child = tree.sibling[child]
    return child


@compiled(types.void(_CANDIDATES, _INT, _INT, _FLOAT, _FLOAT))
def _offer(best: Any, node: Any, edge: Any, blank: Any, labelled: Any) -> None:
    """Sort a candidate in behind those that are at least as good, if they leave room."""
    score = _log_add(blank, labelled)
    at = len(best.score) - 1
    if not score > best.score[at]:
        return
    while at and best.score[at - 1] < score:
        for column in (best.score, best.blank, best.labelled):
            column[at] = column[at - 1]
        best.node[at], best.edge[at] = best.node[at - 1], best.edge[at - 1]
        at -= 1
    best.score[at], best.blank[at], best.labelled[at] = score, blank, labelled
    best.node[at], best.edge[at] = node, edge


@compiled(types.void(_CANDIDATES, _FLOATS, _INT, _AUTOMATON, _TREE, _BEAM, _INT))
def _keep(best: Any, step: Any, left: Any, automaton: Any, tree: Any, beam: Any, rank: Any) -> None:
    """Offer a prefix of the beam as it is, with what comes to it from its parent, if that is in the beam too."""
    node = beam.node[rank]
    label = tree.label[node]
    blank = _log_add(beam.blank[rank], beam.labelled[rank]) + step[BLANK]
    labelled = beam.labelled[rank]
    if node and tree.rank[tree.parent[node]] >= 0:
        labelled = _log_add(labelled, _before(tree, beam, tree.rank[tree.parent[node]], label))
    labelled += step[label]
    # Alignments that can't be completed in time are of no text.
    if automaton.steps_after_blank[tree.state[node]] > left:
        blank = -np.inf
    if tree.steps_after_label[node] > left:
        labelled = -np.inf
    _offer(best, node, -1, blank, labelled)


@compiled(types.void(_CANDIDATES, _FLOATS, _INT, _AUTOMATON, _TREE, _BEAM, _INT))
def _extend(best: Any, step: Any, left: Any, automaton: Any, tree: Any, beam: Any, rank: Any) -> None:
    """Offer a prefix of the beam with each further label that the automaton allows and the steps left suffice for."""
    node = beam.node[rank]
    last = tree.label[node]
    both = _log_add(beam.blank[rank], beam.labelled[rank])
    state = tree.state[node]
    for edge in range(automaton.offsets[state], automaton.offsets[state + 1]):
        label = automaton.labels[edge]
        score = (beam.blank[rank] if label == last else both) + step[label]
        if automaton.steps_after_label[edge] <= left and score > best.score[-1]:
            child = _child(tree, node, label)
            if not child or tree.rank[child] < 0:  # else it was kept
                _offer(best, node, edge, -np.inf, score)


@compiled(types.UniTuple(_INT, 2)(_CANDIDATES, _AUTOMATON, _TREE, _BEAM, _INT, _INT))
def _renew(best: Any, automaton: Any, tree: Any, beam: Any, count: Any, size: Any) -> Any:
    """Fill the beam from the candidates; returns how many prefixes it holds, and the tree."""
    for rank in range(count):
        tree.rank[beam.node[rank]] = -1
    count = 0
    while count < len(best.score) and best.score[count] > -np.inf:
        node, edge = best.node[count], best.edge[count]
        if edge >= 0:
            parent, label = node, automaton.labels[edge]
            node = _child(tree, parent, label)
            if not node:
                node = size
                size += 1
                tree.parent[node], tree.label[node] = parent, label
                tree.state[node] = automaton.targets[edge]
                tree.steps_after_label[node] = automaton.steps_after_label[edge]
                tree.sibling[node], tree.first_child[parent] = tree.first_child[parent], node
        beam.node[count], beam.blank[count], beam.labelled[count] = node, best.blank[count], best.labelled[count]
        tree.rank[node] = count
        count += 1
    return count, size


@compiled(types.Tuple((_INTS, _INTS, _FLOATS))(types.float64[:, ::1], _INT, _AUTOMATON, _INT))
def _search(log_probs: Any, width: Any, automaton: Any, most: Any) -> Any:
    """Search one sample, (T, C); returns the labels of the best texts, where each begins, and log-probabilities."""
    num_steps = len(log_probs)
    room = num_steps * width + 1
    zeros = np.zeros((6, room), np.int64)
    tree = _Tree(zeros[0], zeros[1], zeros[2], zeros[3], zeros[4], zeros[5], np.full(room, -1, np.int64))
    beam = _Beam(np.zeros(width, np.int64), np.full(width, -np.inf), np.full(width, -np.inf))
    beam.blank[0] = 0.0  # the empty prefix, for certain
    tree.rank[0] = 0
    count, size = int(automaton.steps_after_blank[0] <= num_steps), 1
    scores = np.empty((3, width))
    best = _Candidates(scores[0], np.zeros(width, np.int64), np.zeros(width, np.int64), scores[1], scores[2])
    for step in range(num_steps):
        left = num_steps - 1 - step
        best.score[:] = -np.inf
        for rank in range(count):
            _keep(best, log_probs[step], left, automaton, tree, beam, rank)
        for rank in range(count):
            _extend(best, log_probs[step], left, automaton, tree, beam, rank)
        count, size = _renew(best, automaton, tree, beam, count, size)
    # With no step left, every prefix of the beam is a text that the automaton accepts.
    count = min(count, most)
    ids = np.empty(num_steps * count, np.int64)
    begins = np.empty(count, np.int64)
    found = np.empty(count)
    end = 0
    for rank in range(count):
        begins[rank] = end
        found[rank] = _log_add(beam.blank[rank], beam.labelled[rank])
        node = beam.node[rank]
        while node:
            ids[end] = tree.label[node]
            node = tree.parent[node]
            end += 1
        ids[begins[rank] : end] = ids[begins[rank] : end][::-1].copy()
    return ids[:end], begins, found
