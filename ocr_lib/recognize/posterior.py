"""How sure each character of a text is, and where it stands: the forward and backward variables of CTC.

Graves, Fernandez, Gomez, Schmidhuber: Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks. ICML 2006. Class 0 is the blank.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ocr_lib.alphabet import BLANK
from ocr_lib.recognize.ctc import IMPOSSIBLE, NEGLIGIBLE, forward, lattice, log_sum, total

_MANY = 128  # classes
_UNSEEN = -40.0  # the logarithm of what changes no digit of a confidence

_Floats = npt.NDArray[np.float64]
_Ids = npt.NDArray[np.intp]


class Posterior(NamedTuple):
    """What the probabilities of a sample say of its label.

    Attributes
    ----------
    log_likelihood : float
        The natural logarithm of the label's probability; -inf where it is impossible.
    confidences : ndarray, shape (L,), float64
        The posterior of each character, given that the others are right: the label's probability over the sum of its
        own and of those of all labels that have another character in this place, or none. 0 where the label is
        impossible.
    positions : ndarray, shape (L,), float64
        The mean time step at which paths of the label stand on each character, from 0, where the first step begins, to
        1, where the last one ends. Evenly spread where the label is impossible.
    """

    log_likelihood: float
    confidences: _Floats
    positions: _Floats


class _Ways(NamedTuple):
    """Probabilities of the paths around each character, with t steps behind them: logarithms, (T + 1, L, N) each.

    Attributes
    ----------
    from_blank, from_any
        Of the t steps, if they end with the blank before this character, or with that or the character before it.
    staying
        Of the t steps, if they end with this character.
    onward
        Of the other steps, if they begin with this character.
    to_blank, to_character, to_any
        Of the other steps, if they begin with the blank behind this character, the character behind that, or either.
    """

    from_blank: _Floats
    from_any: _Floats
    staying: _Floats
    onward: _Floats
    to_blank: _Floats
    to_character: _Floats
    to_any: _Floats


def posteriors(
    probabilities: npt.ArrayLike, labels: Sequence[Sequence[int]], lengths: Optional[npt.ArrayLike] = None
) -> List[Posterior]:
    """Compute how likely each label is, and how sure its characters are and where: exact sums over all paths.

    Parameters
    ----------
    probabilities : array_like, shape (T, N, C)
        Of each class at each time step.
    labels : sequence of N sequences of int
        Class ids from 1 to C - 1 without padding, of any length each, empty ones included.
    lengths : array_like, shape (N,), optional
        The time steps of each sample; all T when left out.

    Returns
    -------
    list of N Posterior

    Raises
    ------
    ValueError
        If shapes, lengths or class ids do not fit.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    states, mask = lattice(given.shape, labels, lengths)  # (S, N), (T, N)
    with np.errstate(divide="ignore"):
        steps = np.maximum(np.log(np.where(mask[:, :, None], given, 0.0)), IMPOSSIBLE)  # (T, N, C)
    counts = np.array([len(label) for label in labels], dtype=np.intp)
    num_states, num_samples = states.shape

    # The backward variables are the forward ones of the reversed samples, so one pass computes both.
    trellis = forward(
        np.concatenate([steps, steps[::-1]], axis=1),
        np.concatenate([states, states[::-1]], axis=1),
        np.concatenate([mask, mask[::-1]], axis=1),
        np.concatenate([np.zeros_like(counts), num_states - 1 - 2 * counts]),
    )
    ahead, back = trellis[:, :, :num_samples], trellis[::-1, ::-1, num_samples:]
    # The first character has two impossible states and a blank before it; so has the last one behind it.
    from_character, from_blank, staying = ahead[:, 1:-2:2], ahead[:, 2:-2:2], ahead[:, 3::2]
    onward, to_blank, to_character = back[:, 1:-2:2], back[:, 2:-2:2], back[:, 3::2]
    from_any, to_any = log_sum(from_character, from_blank), log_sum(to_blank, to_character)
    ways = _Ways(from_blank, from_any, staying, onward, to_blank, to_character, to_any)
    likelihoods = total(ahead, labels)
    scale = np.where(np.isfinite(likelihoods), likelihoods, 0.0)
    characters = states[1::2]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of what is impossible, or padding
        odds = _odds_of_replaced(steps, mask.sum(axis=0), characters, counts, ways, scale)
        odds += _odds_of_left_out(characters, counts, ways, scale)
        confidences = np.minimum(1.0, 1.0 / odds)
        positions = _mean_steps(characters, ways, scale) / mask.sum(axis=0)
    return [
        Posterior(likelihood, confidence[:count], position[:count])
        if likelihood > -np.inf
        else Posterior(likelihood, np.zeros(count), (np.arange(count) + 0.5) / max(count, 1))
        for likelihood, confidence, position, count in zip(likelihoods.tolist(), confidences.T, positions.T, counts)
    ]


def _odds_of_replaced(
    steps: _Floats, ends: _Ids, characters: _Ids, counts: _Ids, ways: _Ways, scale: _Floats
) -> _Floats:
    """Add up the labels that have any character, the right one included, in each place: (L, N), over the label."""
    odds = np.zeros(characters.shape)
    before, behind = _before(characters), _behind(characters)
    for n, (end, count) in enumerate(zip(ends, counts)):
        column = np.s_[:count, n]
        own = _Ways(*(way[: end + 1, :count, n] for way in ways))
        odds[column] = _odds_of_one_replaced(steps[:end, n, 1:], before[column], behind[column], own, scale[n])
    return odds


def _odds_of_one_replaced(steps: _Floats, before: _Ids, behind: _Ids, ways: _Ways, scale: float) -> _Floats:
    """Do it for a sample: steps (T, C - 1), neighbours (L,), ways (T + 1, L) -> (L,).

    Paths stand on a class for some steps, from an arrival on. As the product of its probabilities over these is the
    ratio of two such from the first step on, one running sum over arrivals has all of them.
    """
    if not len(before) or not len(steps):
        return np.zeros(len(before))
    if steps.shape[1] > _MANY:
        steps, before, behind = _with_rare_ones_as_one(steps, before, behind)
    begins, length = _windows(ways.from_any[:-1], ways.to_any[1:], scale)
    within = np.minimum(begins + np.arange(length)[:, None], len(steps) - 1)  # (W, L)
    is_within = begins + np.arange(length)[:, None] < len(steps)
    products = np.zeros((len(steps) + 1, steps.shape[1]))
    np.cumsum(np.maximum(steps, NEGLIGIBLE), axis=0, out=products[1:])
    places = np.arange(len(before))
    from_any, from_blank = ways.from_any[within, places], ways.from_blank[within, places]
    to_any, to_blank = ways.to_any[within + 1, places], ways.to_blank[within + 1, places]
    arrived = from_any[:, :, None] - products[within]  # (W, L, C - 1)
    left = np.where(is_within, to_any - scale, IMPOSSIBLE)[:, :, None] + products[within + 1]
    # Next to an equal character a path needs the blank between the two.
    repeats, repeated = places[before != BLANK], places[behind != BLANK]
    arrived[:, repeats, before[repeats] - 1] += (from_blank - from_any)[:, repeats]
    left[:, repeated, behind[repeated] - 1] += (to_blank - to_any)[:, repeated]
    left += np.logaddexp.accumulate(arrived, axis=0)
    return np.exp(np.maximum(left, NEGLIGIBLE, out=left), out=left).sum(axis=(0, 2))


def _with_rare_ones_as_one(steps: _Floats, before: _Ids, behind: _Ids) -> Tuple[_Floats, _Ids, _Ids]:
    """Put the classes that are improbable at all steps into one, for alphabets of thousands.

    Paths from one of them to another then count as if they stood on one, which the square of their probability says.
    """
    neighbours = np.union1d(before, behind)
    most = steps.max(axis=0)
    most[neighbours[neighbours != BLANK] - 1] = np.inf
    order = np.argsort(-most, kind="stable")
    kept = order[: max(_MANY, len(neighbours))]
    places = np.zeros(steps.shape[1] + 1, dtype=np.intp)
    places[kept + 1] = np.arange(1, len(kept) + 1)
    rest = np.log(np.maximum(np.exp(steps[:, order[len(kept) :]]).sum(axis=1, keepdims=True), np.exp(NEGLIGIBLE)))
    return np.concatenate([steps[:, kept], rest], axis=1), places[before], places[behind]


def _windows(arriving: _Floats, leaving: _Floats, scale: float) -> Tuple[_Ids, int]:
    """Find where each place can be, for all that counts: (T, L) each -> first steps (L,), and one length for all."""
    may_arrive = arriving + np.maximum.accumulate(leaving[::-1])[::-1] > scale + _UNSEEN
    may_leave = leaving + np.maximum.accumulate(arriving) > scale + _UNSEEN
    begins = may_arrive.argmax(axis=0)
    ends = len(leaving) - may_leave[::-1].argmax(axis=0)
    return begins, int((ends - begins).max())


def _odds_of_left_out(characters: _Ids, counts: _Ids, ways: _Ways, scale: _Floats) -> _Floats:
    """Compute the probability of the label without each character: (L, N), over the label's."""
    equal = _before(characters) == _behind(characters)
    passing = np.where(equal, ways.from_blank, ways.from_any) + ways.to_character
    # Without its last character a label ends with what comes before.
    is_last = np.arange(len(characters))[:, None] == counts - 1
    return np.exp(np.maximum(passing - scale, NEGLIGIBLE)).sum(axis=0) + np.where(
        is_last, np.exp(ways.from_any[-1] - scale), 0.0
    )


def _mean_steps(characters: _Ids, ways: _Ways, scale: _Floats) -> _Floats:
    """Average the time steps, from the middle of each, at which paths stand on each character: (L, N)."""
    arriving = np.where(_before(characters) == characters, ways.from_blank, ways.from_any)
    shares = log_sum(arriving, ways.staying) + ways.onward - scale
    shares = np.exp(np.maximum(shares[:-1], NEGLIGIBLE))  # (T, L, N)
    middles = np.arange(len(shares)) + 0.5
    return np.tensordot(middles, shares, axes=1) / shares.sum(axis=0)


def _before(characters: _Ids) -> _Ids:
    """Return the character before each; a blank, which equals no character, where there is none."""
    return np.concatenate([np.full_like(characters[:1], BLANK), characters[:-1]])


def _behind(characters: _Ids) -> _Ids:
    return _before(characters[::-1])[::-1]
