"""Texts drawn from an automaton: any of a length as likely as the others."""

from typing import TYPE_CHECKING, List

import numpy as np

from ocr_lib.errors import OCRError

if TYPE_CHECKING:
    from ocr_lib.recognize.automaton import Automaton


class Sampler:
    """Draws texts of an automaton, as class ids.

    How many texts of each length lead from each state to an end is counted beforehand, and each edge taken as often as
    there are texts behind it (Hickey and Cohen: Uniform Random Generation of Strings in a Context-Free Language. SIAM
    J. Comput. 12 (1983)).

    Parameters
    ----------
    automaton : Automaton
    min_length, max_length : int
        Of texts; lengths that no text has are passed over.

    Raises
    ------
    OCRError
        If no text has such a length.
    """

    def __init__(self, automaton: "Automaton", min_length: int, max_length: int) -> None:
        self._automaton = automaton
        self._behind = _shares(automaton, max_length)
        self._lengths = [n for n in range(min_length, max_length + 1) if self._behind[n][0]]
        if not self._lengths:
            raise OCRError(f"no text of the pattern has {min_length} to {max_length} characters")

    def __call__(self, random: np.random.Generator) -> List[int]:
        """Draw a text: a length, and then a text of that length."""
        automaton = self._automaton
        length = self._lengths[int(random.integers(len(self._lengths)))]
        state, ids = 0, []
        for left, draw in zip(range(length - 1, -1, -1), random.random(length).tolist()):
            edges = slice(*automaton.offsets[state : state + 2].tolist())
            sums = np.cumsum(self._behind[left][automaton.targets[edges]])
            edge = edges.start + min(int(np.searchsorted(sums, draw * sums[-1], side="right")), len(sums) - 1)
            ids.append(int(automaton.labels[edge]))
            state = int(automaton.targets[edge])
        return ids


def _shares(automaton: "Automaton", max_length: int) -> List[np.ndarray]:
    """Return for each length how many texts of it begin in each state, (S,) float64, relative to the most."""
    ends = (automaton.steps_after_blank == 0).astype(np.float64)
    source = np.repeat(np.arange(len(ends)), np.diff(automaton.offsets))
    shares = [ends]
    for _ in range(max_length):
        counts = np.bincount(source, shares[-1][automaton.targets], len(ends))
        shares.append(counts / counts.max() if counts.any() else counts)
    return shares
