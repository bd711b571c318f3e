"""From a network's scores to class ids."""

from typing import List, Optional, Protocol, Sequence

import numpy as np
import numpy.typing as npt

from ocr_lib.alphabet import BLANK
from ocr_lib.recognize.ctc import step_mask


class Decoder(Protocol):
    """What finds the texts in the probabilities of a batch: `best_path`, or a `BeamDecoder`."""

    def __call__(self, probabilities: np.ndarray, /) -> Sequence[Optional[List[int]]]:
        """Decode a batch.

        Parameters
        ----------
        probabilities : numpy.ndarray
            (T, N, C), of each class at each time step.

        Returns
        -------
        sequence of N lists of int
            Class ids from 1 to C - 1; None where none of the texts that it may find fits into the time steps.
        """


def best_path(scores: npt.ArrayLike, lengths: Optional[npt.ArrayLike] = None) -> List[List[int]]:
    """Decode greedily: the best class of each time step, repeats collapsed, blanks dropped.

    This is best path decoding of Graves et al. 2006 (ICML, "Connectionist Temporal Classification").

    Parameters
    ----------
    scores : array_like, shape (T, N, C)
        Logits, probabilities or log-probabilities; only their order at a time step counts.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; those behind them add nothing. All T when left out.

    Returns
    -------
    list of N lists of int
        Class ids from 1 to C - 1.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit.
    """
    classes = _best_classes(scores)  # (T, N)
    previous = np.full_like(classes, BLANK)
    previous[1:] = classes[:-1]
    kept = (classes != BLANK) & (classes != previous) & step_mask(classes.shape, lengths)
    ids: List[int] = classes.T[kept.T].tolist()
    ends = np.cumsum(kept.sum(axis=0)).tolist()
    return [ids[start:end] for start, end in zip([0, *ends], ends)]


def blank_share(scores: npt.ArrayLike, lengths: Optional[npt.ArrayLike] = None) -> float:
    """Measure how much of its time a network says nothing: near 1 it has not begun to read.

    Parameters
    ----------
    scores : array_like, shape (T, N, C)
        Logits, probabilities or log-probabilities.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; those behind them do not count. All T when left out.

    Returns
    -------
    float
        The share, 0 to 1, of time steps whose best class is the blank; 0 if there are no time steps.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit.
    """
    classes = _best_classes(scores)  # (T, N)
    counted = classes[step_mask(classes.shape, lengths)]
    return float(np.mean(counted == BLANK)) if counted.size else 0.0


def _best_classes(scores: npt.ArrayLike) -> npt.NDArray[np.intp]:
    array = np.asarray(scores)
    if array.ndim != 3:
        raise ValueError(f"scores must have the shape (T, N, C), not {array.shape}")
    classes: npt.NDArray[np.intp] = array.argmax(axis=2)
    return classes
