"""The most probable of a few given words: exact sums over all paths of CTC, word by word, in compiled code."""

from itertools import accumulate, chain
from typing import Any, List, Optional, Sequence

import numpy as np
from numba import types

from ocr_lib.alphabet import BLANK
from ocr_lib.compiled import compiled

_NOTHING = 37.0  # what is less probable by exp(-37) adds nothing to a double

_FLOATS = types.float64[:, ::1]
_INTS = types.int64[::1]


class BestWord:
    """Decodes a batch by taking for each sample the most probable of its own words; a `Decoder` of that batch alone.

    Parameters
    ----------
    lexicons : sequence of N sequences of sequences of int
        The words that each sample may be, as class ids from 1 to C - 1.
    """

    def __init__(self, lexicons: Sequence[Sequence[Sequence[int]]]) -> None:
        self._lexicons = lexicons

    def __call__(self, probabilities: np.ndarray) -> List[Optional[List[int]]]:
        """Decode probabilities (T, N, C); None where no word fits into the time steps.

        Of words that are equally probable the first is taken.
        """
        # As in `BeamDecoder`: a softmax may round to 0, and that shall leave a way to every word.
        least = np.finfo(np.float64).tiny
        log_probs = np.log(np.maximum(probabilities, least, dtype=np.float64))
        samples = np.ascontiguousarray(log_probs.transpose(1, 0, 2))  # (N, T, C)
        if len(samples) != len(self._lexicons):
            raise ValueError(f"{len(self._lexicons)} lexicons do not pair with {len(samples)} samples")
        return [_best_word(sample, lexicon) for sample, lexicon in zip(samples, self._lexicons)]


def _best_word(log_probs: np.ndarray, words: Sequence[Sequence[int]]) -> Optional[List[int]]:
    ids = np.fromiter(chain.from_iterable(words), np.int64)
    if ids.size and not BLANK < ids.min() <= ids.max() < log_probs.shape[1]:
        raise ValueError(f"the words have class ids outside 1 to {log_probs.shape[1] - 1}")
    ends = np.fromiter(accumulate(map(len, words)), np.int64)
    place = _best(log_probs, ids, ends)
    return None if place < 0 else list(words[place])


@compiled(types.float64(types.float64, types.float64))
def _log_add(left: Any, right: Any) -> Any:
    high, low = max(left, right), min(left, right)
    return high if not high - low < _NOTHING else high + np.log1p(np.exp(low - high))


@compiled(types.float64(_FLOATS, _INTS, types.float64))
def _log_likelihood(log_probs: Any, word: Any, to_beat: Any) -> Any:
    """Return the logarithm of a word's probability; -inf if it is less than `to_beat`, or the word does not fit.

    Paths pass through a blank, the first character, a blank and so on. The probability of being somewhere never
    becomes more, so that a word is given up as soon as it can't be the best.
    """
    num_steps, num_states = len(log_probs), 2 * len(word) + 1
    paths = np.full(num_states, -np.inf)
    paths[0] = 0.0  # before the first step, as if it were behind a blank
    for step in range(num_steps):
        top = -np.inf
        # States that can be reached by now, and from which the end can be reached in the steps that are left.
        first = max(0, num_states - 2 * (num_steps - step))
        for state in range(min(num_states - 1, 2 * step + 1), first - 1, -1):
            label = word[state // 2] if state % 2 else BLANK
            total = paths[state]
            if state:
                total = _log_add(total, paths[state - 1])
            if state % 2 and state > 1 and label != word[state // 2 - 1]:
                total = _log_add(total, paths[state - 2])
            paths[state] = total + log_probs[step, label]
            top = max(top, paths[state])
        if top + np.log(num_states) < to_beat:
            return -np.inf
    return _log_add(paths[-1], paths[-2]) if num_states > 1 else paths[0]


@compiled(types.int64(_FLOATS, _INTS, _INTS))
def _best(log_probs: Any, ids: Any, ends: Any) -> Any:
    """Return the place of the best of the words, which stand one behind the other; -1 if none fits."""
    best, highest, begin = -1, -np.inf, 0
    for place in range(len(ends)):
        found = _log_likelihood(log_probs, ids[begin : ends[place]], highest)
        if found > highest:
            best, highest = place, found
        begin = ends[place]
    return best
