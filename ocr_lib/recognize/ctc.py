"""Connectionist temporal classification (CTC) without a framework: how likely a text is.

Graves, Fernandez, Gomez, Schmidhuber: Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks. ICML 2006. Class 0 is the blank.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ocr_lib.alphabet import BLANK

IMPOSSIBLE = -1e30
"""Stands for log 0 while probabilities are added up: differences of it are numbers, unlike those of -inf."""

NEGLIGIBLE = -700.0
"""The logarithm of what adds nothing to 1. For less, `numpy.exp` takes ten times as long."""

_FEW = 300  # numbers, for which the time that numpy's calls take is what counts


def required_steps(label: Sequence[object]) -> int:
    """Return the time steps that a label needs: one for each character, and one between two that are the same."""
    return len(label) + sum(left == right for left, right in zip(label, label[1:]))


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
    steps = np.maximum(np.asarray(log_probs, dtype=np.float64), IMPOSSIBLE)
    states, mask = lattice(steps.shape, labels, lengths)
    trellis = forward(steps, states, mask, np.zeros(len(labels), dtype=np.intp))
    return total(trellis, labels)


def lattice(
    shape: Tuple[int, ...], labels: Sequence[Sequence[int]], lengths: Optional[npt.ArrayLike] = None
) -> Tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Lay out what the paths of each label run through.

    Parameters
    ----------
    shape : tuple of int
        (T, N, C).
    labels : sequence of N sequences of int
        Class ids from 1 to C - 1 without padding.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; all T when left out.

    Returns
    -------
    states : ndarray, shape (S, N), intp
        Class ids with a blank before, between and behind them, then more blanks; S = 2 * longest + 1.
    mask : ndarray, shape (T, N), bool
        True where a step is before its sample's end.

    Raises
    ------
    ValueError
        If shapes, lengths or class ids do not fit.
    """
    if len(shape) != 3:
        raise ValueError(f"probabilities must have the shape (T, N, C), not {shape}")
    num_steps, num_samples, num_classes = shape
    if len(labels) != num_samples:
        raise ValueError(f"{len(labels)} labels do not pair with {num_samples} samples")
    longest = max(map(len, labels), default=0)
    states = np.full((2 * longest + 1, num_samples), BLANK, dtype=np.intp)
    for column, label in zip(states.T, labels):
        ids: List[int] = [int(index) for index in label]
        if not all(BLANK < index < num_classes for index in ids):
            raise ValueError(f"the label {ids} has class ids outside 1 to {num_classes - 1}")
        column[1 : 2 * len(ids) : 2] = ids
    return states, step_mask((num_steps, num_samples), lengths)


def forward(
    log_probs: npt.NDArray[np.float64],
    states: npt.NDArray[np.intp],
    mask: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.intp],
) -> npt.NDArray[np.float64]:
    """Compute how likely paths are to stand on each state after each number of time steps.

    Reversed steps, masks and states give the backward variables instead.

    Parameters
    ----------
    log_probs : ndarray, shape (T, N, C)
        Finite where the mask is True.
    states : ndarray, shape (S, N)
        The classes that paths pass through from left to right.
    mask : ndarray, shape (T, N)
        At the other steps a sample stays as it is.
    starts : ndarray, shape (N,)
        The blank, an index into the states, on which a sample's paths stand before its first step. So a sample without
        steps has the empty label for certain.

    Returns
    -------
    ndarray, shape (T + 1, 2 + S, N)
        Natural logarithms. The first two states are impossible; they let the next two look back like the others.
    """
    num_states, num_samples = states.shape
    samples = np.arange(num_samples)
    # A path may pass over the blank between two characters unless they are equal; two blanks always are.
    skips = np.full(states.shape, IMPOSSIBLE)
    skips[2:][states[2:] != states[:-2]] = 0.0
    trellis = np.full((len(log_probs) + 1, 2 + num_states, num_samples), IMPOSSIBLE)
    trellis[0, 2 + starts, samples] = 0.0
    emitted = log_probs[:, samples, states]  # (T, S, N)
    for before, after, step, active, is_all in zip(trellis, trellis[1:], emitted, mask, mask.all(axis=1).tolist()):
        reached = log_sum(before[2:], before[1:-1], before[:-2] + skips)
        np.add(reached, step, out=after[2:])
        if not is_all:
            np.copyto(after[2:], before[2:], where=~active)
    return trellis


def total(trellis: npt.NDArray[np.float64], labels: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
    """Add up the paths that end on a label's last character or on the blank behind it: (T + 1, 2 + S, N) -> (N,)."""
    samples = np.arange(len(labels))
    # An empty label has no character: before its blank stands an impossible state.
    blanks = 2 + 2 * np.array([len(label) for label in labels], dtype=np.intp)
    likelihoods = log_sum(trellis[-1, blanks, samples], trellis[-1, blanks - 1, samples])
    return np.where(likelihoods > IMPOSSIBLE / 2, likelihoods, -np.inf)


def log_sum(first: npt.NDArray[np.float64], *others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add numbers that are given and returned as finite logarithms, many several times as fast as `numpy.logaddexp`."""
    if first.size < _FEW:
        for term in others:
            first = np.logaddexp(first, term)
        return first
    top = first
    for term in others:
        top = np.maximum(top, term)
    least = top + NEGLIGIBLE
    added = np.exp(np.maximum(first, least) - top)
    for term in others:
        added += np.exp(np.maximum(term, least) - top)
    np.log(added, out=added)
    added += top
    return added
