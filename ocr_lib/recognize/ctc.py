"""Connectionist temporal classification (CTC) without a framework: how likely a text is.

Graves, Fernandez, Gomez, Schmidhuber: Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks. ICML 2006. Class 0 is the blank.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ocr_lib.alphabet import BLANK


def step_mask(shape: Tuple[int, ...], lengths: Optional[npt.ArrayLike] = None) -> npt.NDArray[np.bool_]:
    """Tell the time steps of each sample from its padding.

    Parameters
    ----------
    shape : tuple of int
        (T, N), the time steps and samples of a batch.
    lengths : array_like, shape (N,), optional
        The time steps of each sample, 0 to T; all have T when left out.

    Returns
    -------
    ndarray, shape (T, N), bool
        True where a step is before its sample's end.

    Raises
    ------
    ValueError
        If the lengths are not N numbers from 0 to T.
    """
    num_steps, num_samples = shape
    if lengths is None:
        return np.ones(shape, dtype=bool)
    ends = np.asarray(lengths)
    if ends.shape != (num_samples,):
        raise ValueError(f"lengths must have the shape ({num_samples},), not {ends.shape}")
    if not np.all((ends >= 0) & (ends <= num_steps)):
        raise ValueError(f"lengths must be from 0 to {num_steps} time steps, not {ends.min()} to {ends.max()}")
    mask: npt.NDArray[np.bool_] = np.arange(num_steps)[:, None] < ends
    return mask


def log_likelihood(
    log_probs: npt.ArrayLike, labels: Sequence[Sequence[int]], lengths: Optional[npt.ArrayLike] = None
) -> npt.NDArray[np.float64]:
    """Compute how likely each label is given its sample's time steps: the forward algorithm of Graves et al. 2006.

    The probability of a label is that of all paths (one class a time step) which become the label when repeats are
    collapsed and blanks dropped. Its negative logarithm is the CTC loss.

    Parameters
    ----------
    log_probs : array_like, shape (T, N, C)
        Natural logarithms of the probability of each class at each time step.
    labels : sequence of N sequences of int
        Class ids from 1 to C - 1 without padding, of any length each, empty ones included.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; all T when left out.

    Returns
    -------
    ndarray, shape (N,), float64
        Natural logarithms of probabilities; -inf where the time steps are too few for the label.

    Raises
    ------
    ValueError
        If shapes, lengths or class ids do not fit.
    """
    steps = np.asarray(log_probs, dtype=np.float64)  # (T, N, C)
    if steps.ndim != 3:
        raise ValueError(f"log_probs must have the shape (T, N, C), not {steps.shape}")
    num_samples, num_classes = steps.shape[1:]
    if len(labels) != num_samples:
        raise ValueError(f"{len(labels)} labels do not pair with {num_samples} samples")
    states = _with_blanks(labels, num_classes)  # (N, S)
    mask = step_mask((steps.shape[0], num_samples), lengths)  # (T, N)

    # A path may pass over the blank between two characters unless they are equal; two blanks always are.
    skips = np.full(states.shape, -np.inf)
    skips[:, 2:][states[:, 2:] != states[:, :-2]] = 0.0

    # Two impossible states on the left let the first two look back like the others. Every path starts at the leading
    # blank before the first step, so a sample without steps has the empty label for certain.
    padded = np.full((num_samples, states.shape[1] + 2), -np.inf)
    forward = padded[:, 2:]  # (N, S)
    forward[:, 0] = 0.0
    for step, active in zip(steps, mask):
        reached = np.logaddexp(np.logaddexp(forward, padded[:, 1:-1]), padded[:, :-2] + skips)
        reached += np.take_along_axis(step, states, axis=1)
        forward[active] = reached[active]

    # A path ends on the last character or on the blank behind it. An empty label has no character: left of its blank
    # stands an impossible state.
    rows = np.arange(num_samples)
    last = 2 + 2 * np.array([len(label) for label in labels], dtype=np.intp)
    likelihood: npt.NDArray[np.float64] = np.logaddexp(padded[rows, last], padded[rows, last - 1])
    return likelihood


def _with_blanks(labels: Sequence[Sequence[int]], num_classes: int) -> npt.NDArray[np.intp]:
    """Set a blank before, between and behind the ids of each label: (N, S), S = 2 * longest + 1, blank-padded."""
    longest = max(map(len, labels), default=0)
    states = np.full((len(labels), 2 * longest + 1), BLANK, dtype=np.intp)
    for row, label in zip(states, labels):
        ids: List[int] = [int(index) for index in label]
        if not all(BLANK < index < num_classes for index in ids):
            raise ValueError(f"the label {ids} has class ids outside 1 to {num_classes - 1}")
        row[1 : 2 * len(ids) : 2] = ids
    return states
