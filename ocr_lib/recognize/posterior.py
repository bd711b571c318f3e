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
_AT_ONCE = 20_000  # numbers, which fit into a processor's cache
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
    """Add up the labels that have any character, the right one included, in each place: (L, N), over the label.

    Paths stand on a class for some steps, from an arrival on. As the product of its probabilities over these is the
    ratio of two such from the first step on, one running sum over arrivals has all of them.
    """
    odds = np.zeros(characters.shape)
    if not len(steps):
        return odds
    before, behind = _before(characters), _behind(characters)
    steps = steps[:, :, 1:]  # (T, N, C - 1)
    if steps.shape[2] > _MANY:
        steps, before, behind = _with_rare_ones_as_one(steps, before, behind)
    steps = np.maximum(steps, NEGLIGIBLE)
    products = np.zeros((len(steps) + 1, *steps.shape[1:]))
    np.cumsum(steps, axis=0, out=products[1:])
    best = np.zeros(products.shape[:2])
    np.cumsum(steps.max(axis=2), axis=0, out=best[1:])
    samples, places = np.nonzero(np.arange(len(characters)) < counts[:, None])  # (K,) each
    begins, lengths = _windows(ways, best, samples, places, ends, scale)
    order = np.argsort(-lengths, kind="stable")  # what is computed at once shall have windows of about one length
    while len(order):
        longest = int(lengths[order[0]])
        some, order = np.split(order, [max(1, _AT_ONCE // (longest * steps.shape[2]))])
        column = places[some], samples[some]
        window = begins[some] + np.arange(longest)[:, None]  # (W, K)
        odds[column] = _odds_within(products, window, ends, column, (before[column], behind[column]), ways, scale)
    return odds


def _odds_within(
    products: _Floats,
    window: _Ids,
    ends: _Ids,
    column: Tuple[_Ids, _Ids],
    around: Tuple[_Ids, _Ids],
    ways: _Ways,
    scale: _Floats,
) -> _Floats:
    """Do it for K places: products (T + 1, N, C - 1), steps to look at (W, K), neighbours (K,) each -> (K,)."""
    samples = column[1]
    is_within = window < ends[samples]
    window = np.minimum(window, ends[samples] - 1)
    from_any, from_blank = ways.from_any[(window, *column)], ways.from_blank[(window, *column)]
    to_any, to_blank = ways.to_any[(window + 1, *column)], ways.to_blank[(window + 1, *column)]
    arrived = from_any[:, :, None] - products[window, samples]  # (W, K, C - 1)
    left = np.where(is_within, to_any - scale[samples], IMPOSSIBLE)[:, :, None] + products[window + 1, samples]
    # Next to an equal character a path needs the blank between the two.
    repeats, repeated = (np.flatnonzero(neighbours != BLANK) for neighbours in around)
    arrived[:, repeats, around[0][repeats] - 1] += (from_blank - from_any)[:, repeats]
    left[:, repeated, around[1][repeated] - 1] += (to_blank - to_any)[:, repeated]
    left += np.logaddexp.accumulate(arrived, axis=0)
    return np.exp(np.maximum(left, NEGLIGIBLE, out=left), out=left).sum(axis=(0, 2))


def _with_rare_ones_as_one(steps: _Floats, before: _Ids, behind: _Ids) -> Tuple[_Floats, _Ids, _Ids]:
    """Put the classes that are improbable at all steps of a sample into one, for alphabets of thousands.

    Paths from one of them to another then count as if they stood on one, which the square of their probability says.
    """
    neighbours = [np.union1d(*pair) for pair in zip(before.T, behind.T)]
    most = min(steps.shape[2], max(_MANY, *map(len, neighbours)))
    fewer = np.empty((*steps.shape[:2], most + 1))
    before, behind = before.copy(), behind.copy()
    for n, known in enumerate(neighbours):
        likeliest = steps[:, n].max(axis=0)
        likeliest[known[known != BLANK] - 1] = np.inf
        order = np.argsort(-likeliest, kind="stable")
        kept, rare = order[:most], order[most:]
        fewer[:, n, :-1] = steps[:, n, kept]
        fewer[:, n, -1] = np.log(np.maximum(np.exp(steps[:, n, rare]).sum(axis=1), np.exp(NEGLIGIBLE)))
        classes = np.zeros(steps.shape[2] + 1, dtype=np.intp)
        classes[kept + 1] = np.arange(1, most + 1)
        before[:, n], behind[:, n] = classes[before[:, n]], classes[behind[:, n]]
    return fewer, before, behind


def _windows(ways: _Ways, best: _Floats, samples: _Ids, places: _Ids, ends: _Ids, scale: _Floats) -> Tuple[_Ids, _Ids]:
    """Find where each of K places can be, for all that counts: its first step, and how many; (K,) each.

    Paths are bounded by the running products of each step's most probable character, (T + 1, N).
    """
    is_within = np.arange(len(ways.from_any) - 1)[:, None] < ends[samples]  # (T, K)
    arriving = np.where(is_within, ways.from_any[:-1, places, samples] - best[:-1, samples], IMPOSSIBLE)
    leaving = np.where(is_within, ways.to_any[1:, places, samples] + best[1:, samples], IMPOSSIBLE)
    least = scale[samples] + _UNSEEN
    may_arrive = arriving + np.maximum.accumulate(leaving[::-1])[::-1] > least
    may_leave = leaving + np.maximum.accumulate(arriving) > least
    begins = may_arrive.argmax(axis=0)
    return begins, len(leaving) - may_leave[::-1].argmax(axis=0) - begins


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
